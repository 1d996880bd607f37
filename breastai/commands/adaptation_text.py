"""An adaptation to a site as text: what the sample was, what was changed, and both models on the rest."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from breastai.commands.evaluation_text import plain_table
from breastai.commands.format_text import count_text, counts_by_name, general, interval, number
from breastai.commands.language import say
from breastai.domain.events import Figure, ModelAdapted

_FIGURES = ("auc_roc", "sensitivity_at_operating_point", "specificity_at_operating_point")


def adaptation_lines(event: ModelAdapted) -> Iterator[Text | Table]:
    """Yield what a terminal shows of an adaptation."""
    adaptation, sample = event.adaptation, event.adaptation.sample
    yield Text(say("adapt.head", checkpoint=event.checkpoint, before=adaptation.checkpoint, site=adaptation.data))
    units, rest = count_text(sample.units, sample.unit), count_text(sample.rest_units, sample.unit)
    yield Text(say("adapt.sample", units=units, counts=counts_by_name(sample.counts)))
    yield Text(say("adapt.rest", units=rest, counts=counts_by_name(sample.rest_counts)))
    layers, prior = adaptation.norm_layers, adaptation.norm_prior_images
    yield Text(say(f"adapted.norms.{adaptation.norms}", layers=layers, prior=prior))
    strength = adaptation.head_strength
    yield Text(say("adapt.head_kept") if strength is None else say("adapt.head_refitted", strength=general(strength)))
    fitted = adaptation.novelty_images
    yield Text(say("adapt.no_novelty") if fitted is None else say("adapt.novelty", count=fitted))
    table = plain_table(say("adapt.figures"))
    table.add_column("")
    for heading in ("before", "after"):
        table.add_column(say(f"adapt.{heading}"), justify="right")
    for name in (*(f"{each}.{event.target_class}" for each in _FIGURES), "balanced_accuracy", "brier"):
        if name in event.before and name in event.after:
            table.add_row(say(f"adapt.{name.partition('.')[0]}"), _cell(event.before[name]), _cell(event.after[name]))
    yield table
    for note in event.notes:
        yield Text(say("cli.note", text=note))


def _cell(figure: Figure) -> str:
    return f"{number(figure.value)} {interval(figure)}"
