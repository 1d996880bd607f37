"""An evaluation as text: figures by image and by patient, the confusion matrix, the operating point, what to know."""

from collections.abc import Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from breastai.commands.format_text import count_text, counts_by_name, general, interval, number
from breastai.commands.language import say
from breastai.domain.events import Evaluation, Figure
from breastai.domain.records import ByPatient, ImageUse, JudgedPoint, Referral, UnitEvidence

# What a reader looks for first; the rest is for --json and the report.
_HEADLINES = (
    "accuracy",
    "balanced_accuracy",
    "cohen_kappa",
    "kappa_quadratic",
    "class_error",
    "auc_roc",
    "sensitivity",
    "specificity",
    "precision",
    "npv",
    "sensitivity_at_operating_point",
    "specificity_at_operating_point",
    "ece",
    "brier",
)


def evaluation_lines(event: Evaluation) -> Iterator[Text | Table]:
    """Yield what a terminal shows of an evaluation, in the order a reader asks."""
    images = images_text(event.n, event.patients)
    head = say("cli.evaluation.head", checkpoint=event.checkpoint, images=images, counts=counts_by_name(event.counts))
    yield Text(head)
    if event.by_unit is not None:
        yield from _unit_lines(event.by_unit)
    by_image = [name for name in event.figures if "@" not in name and _is_headline(name)]
    yield interval_table("by_image", "images", event.figures, by_image)
    by_patient = [name for name in event.figures if name.endswith("@patient") and _is_headline(name)]
    if event.by_patient is not None:
        yield interval_table("by_patient", "patients", event.figures, by_patient)
        yield from map(Text, _pooling_lines(event.by_patient))
    yield from _subgroups(event)
    rest = len(event.figures) - len(by_image) - len(by_patient)
    if rest > 0:
        yield Text(say("cli.evaluation.more", figures=count_text(rest, "more_figure")))
    yield _confusion_table(event)
    if event.operating_point is not None:
        yield from map(Text, _point_lines(event.operating_point, event.uses))
        for name, figure in event.predictive_values.items():
            yield Text(f"  {name}  {number(figure.value)}  {interval(figure)}")
    if event.referral is not None:
        yield Text(_referral_line(event.referral))
    for note in event.notes:
        yield Text(say("cli.note", text=note))
    if event.opened is not None:
        yield Text(say("cli.evaluation.opened", count=event.opened))


def images_text(images: int, patients: int | None) -> str:
    """Return how many images there are, and of how many patients where that is known."""
    text = count_text(images, "image")
    return text if patients is None else say("cli.of_patients", images=text, patients=count_text(patients, "patient"))


def interval_table(title: str, unit: str, figures: Mapping[str, Figure], names: Sequence[str]) -> Table:
    """Return a table of figures with their intervals and how many images or patients each rests on."""
    table = plain_table(say(f"cli.evaluation.{title}"))
    table.add_column(say("cli.figure"))
    for heading in ("value", "interval_95", unit):
        table.add_column(say(f"cli.{heading}"), justify="right")
    for name in names:
        figure = figures[name]
        table.add_row(name.partition("@")[0], number(figure.value), interval(figure), str(figure.n))
    return table


def _unit_lines(found: UnitEvidence) -> Iterator[Text | Table]:
    """Yield the figures by breast, exam or patient, and what the threshold comes to there."""
    evidence = found.evidence
    unit = say(f"units.{found.unit}")
    pooling = say(f"units.pooling.{found.pooling}")
    yield Text(say("cli.units", units=unit, n=evidence.n, images=count_text(found.images, "image"), pooling=pooling))
    names = [name for name in evidence.figures if "@" not in name and _is_headline(name)]
    yield interval_table("by_unit", "cases", evidence.figures, names)
    point = evidence.operating_point
    if point is not None:
        yield Text(
            say(
                "cli.units.counted",
                name=point.class_name,
                threshold=number(point.threshold),
                positives=point.positives,
                missed=point.missed,
                negatives=point.negatives,
                called=point.called,
            )
        )


def _pooling_lines(pooled: ByPatient) -> Iterator[str]:
    if pooled.target_class is None:
        if pooled.mixed:
            yield say("cli.pooling.left_out", count=pooled.mixed, patients=pooled.patients)
        return
    yield say(f"cli.pooling.{pooled.score}", name=pooled.target_class)
    yield say("cli.pooling.mixed", mixed=pooled.mixed, patients=pooled.patients)
    if pooled.positives is not None:
        yield say(
            "cli.counted",
            positives=count_text(pooled.positives, "class_patient", name=pooled.target_class),
            missed=pooled.missed,
            negatives=count_text(pooled.negatives or 0, "other_patient"),
            called=pooled.flagged,
        )


def _referral_line(referral: Referral) -> str:
    shares = {"to_human": referral.referred, "wrong_share": referral.error_among_kept}
    if referral.unlike is not None:
        shares["unlike"] = referral.unlike
    told = (
        say(f"cli.referral.{name}", figure=f"{number(figure.value)} ({interval(figure)})")
        for name, figure in shares.items()
    )
    return say("cli.referral", shares=", ".join(told))


def _point_lines(point: JudgedPoint, uses: ImageUse | None) -> Iterator[str]:
    same = uses.threshold if uses is not None else 0
    name, target = point.class_name, general(point.target_sensitivity)
    key = "cli.point.same" if same else "cli.point" if point.source == "validation" else f"cli.point.{point.source}"
    yield say(key, name=name, threshold=number(point.threshold), same=same, target=target)
    yield say(
        "cli.counted.images",
        positives=count_text(point.positives, "class_image", name=name),
        missed=point.missed,
        negatives=count_text(point.negatives, "other_image"),
        called=point.called,
    )
    if not point.reached:
        unit = {"patient": "class_patient", "group": "class_case", "image": "class_image"}[point.validation_unit]
        found = count_text(point.validation_positives, unit, name=name)
        yield say("cli.point.not_reached", found=found, target=target)


def _subgroups(event: Evaluation) -> Iterator[Table]:
    parts = {name.partition("@")[2] for name in event.figures if "=" in name.partition("@")[2]}
    if not parts:
        return
    table = plain_table(say("cli.evaluation.subgroups"))
    wanted = ["accuracy", *(f"auc_roc.{name}" for name in event.class_names)]
    for name in ("part", "images"):
        table.add_column(say(f"cli.{name}"))
    for name in wanted:
        table.add_column(name, justify="right")
    for part in sorted(parts):
        figures = [event.figures.get(f"{name}@{part}") for name in wanted]
        cells = ["" if figure is None else f"{number(figure.value)} ({interval(figure)})" for figure in figures]
        table.add_row(part, str(figures[0].n) if figures[0] else "", *cells)
    yield table


def _confusion_table(event: Evaluation) -> Table:
    matrix = plain_table(say("cli.confusion"))
    for heading in ("", *event.class_names):
        matrix.add_column(heading, justify="right")
    for name, row in zip(event.class_names, event.confusion_matrix, strict=True):
        matrix.add_row(name, *map(str, row))
    return matrix


def _is_headline(name: str) -> bool:
    return name.partition("@")[0].split(".")[0] in _HEADLINES


def plain_table(title: str) -> Table:
    """Return an empty table as every command shows one."""
    return Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
