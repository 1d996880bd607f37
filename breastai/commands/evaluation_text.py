"""An evaluation as text: figures by image and by patient, the confusion matrix, the operating point, what to know."""

from collections.abc import Iterator, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from breastai.commands.format_text import count_text, counts, interval, number
from breastai.domain.events import Evaluation, Figure
from breastai.domain.records import ByPatient, ImageUse, JudgedPoint, Referral

# What a reader looks for first; the rest is for --json and the report.
_HEADLINES = (
    "accuracy",
    "balanced_accuracy",
    "cohen_kappa",
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
    patients = "" if event.patients is None else f" of {count_text(event.patients, 'patient')}"
    yield Text(f"{event.checkpoint} on {count_text(event.n, 'image')}{patients}: {counts(event.counts)}")
    by_image = [name for name in event.figures if "@" not in name and _is_headline(name)]
    yield interval_table("By image", "images", event.figures, by_image)
    by_patient = [name for name in event.figures if name.endswith("@patient") and _is_headline(name)]
    if event.by_patient is not None:
        yield interval_table("By patient", "patients", event.figures, by_patient)
        yield from map(Text, _pooling_lines(event.by_patient))
    yield from _subgroups(event)
    rest = len(event.figures) - len(by_image) - len(by_patient)
    if rest > 0:
        yield Text(f"{count_text(rest, 'more figure')}: --json")
    yield _confusion_table(event)
    if event.operating_point is not None:
        yield from map(Text, _point_lines(event.operating_point, event.uses))
        for name, figure in event.predictive_values.items():
            yield Text(f"  {name}: {number(figure.value)}  {interval(figure)}")
    if event.referral is not None:
        yield Text(_referral_line(event.referral))
    for note in event.notes:
        yield Text(f"Note: {note}")
    if event.opened is not None:
        yield Text(f"These images have been judged {count_text(event.opened, 'time')} in this workspace.")


def interval_table(title: str, unit: str, figures: Mapping[str, Figure], names: Sequence[str]) -> Table:
    """Return a table of figures with their intervals and how many images or patients each rests on."""
    table = plain_table(title)
    table.add_column("figure")
    for heading in ("value", "95 % interval", unit):
        table.add_column(heading, justify="right")
    for name in names:
        figure = figures[name]
        table.add_row(name.partition("@")[0], number(figure.value), interval(figure), str(figure.n))
    return table


def _pooling_lines(pooled: ByPatient) -> Iterator[str]:
    if pooled.target_class is None:
        if pooled.mixed:
            yield (
                f"{count_text(pooled.mixed, 'patient')} of {pooled.patients} left out, with images of several classes: name "
                "the one that makes a patient positive with --target-class."
            )
        return
    score = (
        f"scored by the image most probable to be {pooled.target_class}"
        if pooled.score == "largest"
        else "scored by the mean of the images"
    )
    yield f"A patient with any {pooled.target_class} image counts as {pooled.target_class}, {score}."
    yield f"Patients with images of several classes: {pooled.mixed} of {pooled.patients}."
    if pooled.positives is not None:
        yield (
            f"Of {count_text(pooled.positives, f'{pooled.target_class} patient')}, {pooled.missed} missed; of "
            f"{count_text(pooled.negatives or 0, 'other patient')}, {pooled.flagged} flagged."
        )


def _referral_line(referral: Referral) -> str:
    shares = {"referred to a human": referral.referred, "wrong among the others": referral.error_among_kept}
    if referral.unlike is not None:
        shares["unlike the validation images"] = referral.unlike
    told = (f"{name} {number(figure.value)} ({interval(figure)})" for name, figure in shares.items())
    return f"Referral: {', '.join(told)}"


def _point_lines(point: JudgedPoint, uses: ImageUse | None) -> Iterator[str]:
    same = uses.threshold if uses is not None else 0
    where = f"validation images, {same} of them among these" if same else "other images (validation)"
    yield (
        f"Operating point: {point.class_name} from a probability of {number(point.threshold)}, chosen on {where} for a "
        f"sensitivity of {point.target_sensitivity:g}."
    )
    yield (
        f"Of {count_text(point.positives, f'{point.class_name} image')}, {point.missed} missed; of "
        f"{count_text(point.negatives, 'other image')}, {point.called} flagged."
    )
    if not point.reached:
        found = {
            "patient": count_text(point.validation_positives, f"{point.class_name} patient"),
            "group": count_text(point.validation_positives, f"independent {point.class_name} case"),
            "image": count_text(point.validation_positives, f"{point.class_name} image"),
        }[point.validation_unit]
        yield f"Only {found} in validation: a sensitivity of {point.target_sensitivity:g} is not assured."


def _subgroups(event: Evaluation) -> Iterator[Table]:
    parts = {name.partition("@")[2] for name in event.figures if "=" in name.partition("@")[2]}
    if not parts:
        return
    table = plain_table("Subgroups")
    wanted = ["accuracy", *(f"auc_roc.{name}" for name in event.class_names)]
    for name in ("part", "images"):
        table.add_column(name)
    for name in wanted:
        table.add_column(name, justify="right")
    for part in sorted(parts):
        figures = [event.figures.get(f"{name}@{part}") for name in wanted]
        cells = ["" if figure is None else f"{number(figure.value)} ({interval(figure)})" for figure in figures]
        table.add_row(part, str(figures[0].n) if figures[0] else "", *cells)
    yield table


def _confusion_table(event: Evaluation) -> Table:
    matrix = plain_table("Confusion matrix by image (rows true, columns predicted)")
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
