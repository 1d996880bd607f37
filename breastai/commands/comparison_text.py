"""Comparisons as text for people: of two models, and of readers."""

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from breastai.commands.evaluation_text import images_text, plain_table
from breastai.commands.format_text import decimals, general, interval, number
from breastai.commands.language import say
from breastai.domain.comparison_record import DecisionComparison, NonInferiority, StatedMargin
from breastai.domain.events import Comparison, ReadersCompared
from breastai.domain.reader_records import ONE_TEST, Agreement, MeritAnalysis, ReaderEffect
from breastai.domain.records import PairedFigure
from breastai.texts.number_format import LEAST_P

# Of more readers a terminal shows what all of them come to; the record has every two.
_MOST_AGREEMENTS = 12


def comparison_lines(event: Comparison) -> Iterator[Text | Table]:
    """Yield what a terminal shows of two models: their figures, then their decisions, then margins."""
    images = images_text(event.n, event.patients)
    yield Text(say("cli.comparison.head", first=event.first, second=event.second, images=images))
    yield _pairs(say("cli.comparison.title"), event.figures)
    if event.decisions is not None:
        yield from _decisions(event.decisions)
    for judged in event.non_inferiority:
        yield Text(_margin_line(judged))
    for note in event.notes:
        yield Text(say("cli.note", text=note))


def _pairs(title: str, figures: dict[str, PairedFigure]) -> Table:
    table = plain_table(title)
    table.add_column(say("cli.figure"))
    for name in ("comparison.first", "comparison.second", "comparison.difference", "interval_95"):
        table.add_column(say(f"cli.{name}"), justify="right")
    table.add_column("p", justify="right")
    table.add_column(say("cli.comparison.adjusted"), justify="right")
    for name, pair in figures.items():
        change = number(pair.difference.value)
        row = (name, number(pair.first), number(pair.second), change, interval(pair.difference))
        table.add_row(*row, _p(pair.p_value), _p(pair.adjusted_p))
    return table


def _decisions(found: DecisionComparison) -> Iterator[Text | Table]:
    yield Text(
        say(
            f"cli.comparison.points.{found.source}",
            name=found.class_name,
            first=number(found.first_threshold),
            second=number(found.second_threshold),
            part=found.chosen_on or "",
        )
    )
    yield _pairs(say("cli.comparison.decisions"), found.figures)
    table = plain_table(say("cli.comparison.mcnemar"))
    for heading in ("figure", "comparison.first_only", "comparison.second_only"):
        table.add_column(say(f"cli.{heading}"), justify="left" if heading == "figure" else "right")
    table.add_column("p", justify="right")
    table.add_column(say("cli.comparison.adjusted"), justify="right")
    for name, test in found.mcnemar.items():
        table.add_row(name, str(test.first_only), str(test.second_only), _p(test.p_value), _p(test.adjusted_p))
    yield table


def _margin_line(judged: NonInferiority) -> str:
    verdict = "undefined" if judged.shown is None else "shown" if judged.shown else "not_shown"
    line = say(f"cli.margin.{verdict}", figure=judged.figure, margin=general(judged.margin), bound=number(judged.bound))
    when = say(f"cli.margin.{'beforehand' if judged.beforehand else 'at_once'}", time=judged.stated)
    return " ".join([line, when, *other_margins(judged.others)])


def other_margins(others: Sequence[StatedMargin]) -> Iterator[str]:
    """Yield, of each other margin of a figure that was stated in the workspace, that and when it was."""
    for each in others:
        yield say("cli.margin.other", margin=general(each.margin), time=each.stated)


def reader_lines(event: ReadersCompared) -> Iterator[Text | Table]:
    """Yield what a terminal shows of a study of readers."""
    study = event.study
    yield Text(
        say(
            "cli.readers.head",
            table=study.table,
            readers=len(study.readers),
            tests=len(study.tests),
            cases=study.cases,
            positives=study.positives,
            name=study.target_class,
        )
    )
    for analysis in study.analyses:
        yield from _merit(analysis, study.model)
    if study.agreement:
        yield _agreement(study.agreement)
    for note in study.notes:
        yield Text(say("cli.note", text=note))


def _test(name: str) -> str:
    return say("readers.one_test") if name == ONE_TEST else name


def _merit(analysis: MeritAnalysis, model: str | None) -> Iterator[Table]:
    title = say(f"cli.readers.{analysis.merit}")
    table = plain_table(title)
    for heading in ("readers.reader", "readers.test"):
        table.add_column(say(f"cli.{heading}"))
    for heading in ("value", "interval_95"):
        table.add_column(say(f"cli.{heading}"), justify="right")
    for row in analysis.figures:
        table.add_row(row.reader, _test(row.test), number(row.figure.value), interval(row.figure))
    if analysis.model is not None:
        table.add_row(model or "", say("cli.readers.model"), number(analysis.model.value), interval(analysis.model))
    yield table
    effects = plain_table(say("cli.readers.effects", merit=title))
    effects.add_column(say("cli.readers.what"))
    effects.add_column(say("cli.readers.analysis"))
    for heading in ("value", "interval_95", "readers.degrees"):
        effects.add_column(say(f"cli.{heading}"), justify="right")
    effects.add_column("p", justify="right")
    for mean in analysis.means:
        _add(effects, say("cli.readers.mean", test=_test(mean.test)), mean)
    for each in analysis.differences:
        _add(effects, say("cli.readers.difference", first=_test(each.first), second=_test(each.second)), each)
    for beside in analysis.against_model:
        _add(effects, say("cli.readers.against", test=_test(beside.test)), beside)
    yield effects


def _add(table: Table, what: str, effect: ReaderEffect) -> None:
    degrees = "" if effect.degrees is None else decimals(effect.degrees, 1)
    kind = say(f"cli.readers.random.{effect.analysis}")
    table.add_row(what, kind, number(effect.figure.value), interval(effect.figure), degrees, _p(effect.p_value))


def _agreement(rows: list[Agreement]) -> Table:
    table = plain_table(say("cli.readers.agreement"))
    for heading in ("what", "of", "test", "readers"):
        table.add_column(say(f"cli.readers.{heading}"))
    for heading in ("value", "interval_95"):
        table.add_column(say(f"cli.{heading}"), justify="right")
    shown = [row for row in rows if row.measure == "fleiss" or len(rows) <= _MOST_AGREEMENTS]
    for row in shown:
        names = ", ".join(row.readers)
        what, of = say(f"cli.readers.{row.measure}"), say(f"cli.readers.of.{row.of}")
        table.add_row(what, of, _test(row.test), names, number(row.figure.value), interval(row.figure))
    if len(rows) > len(shown):
        table.caption, table.caption_justify = say("cli.readers.more_agreement", count=len(rows) - len(shown)), "left"
    return table


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return general(float(f"{value:.2g}")) if value >= LEAST_P else say("report.p.least")
