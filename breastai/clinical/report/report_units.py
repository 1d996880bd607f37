"""Decisions by breast, exam or patient in a report: how images are pooled, the figures, the table at the threshold."""

from collections.abc import Iterator

from breastai.clinical.report.report_blocks import Block, Heading, Inlines, Paragraph, Table
from breastai.clinical.report.report_caveats import image_uses
from breastai.clinical.report.report_page import FIGURE_WIDTHS, ReportPage

_PLACE = ("by_unit", "evidence")
_CALIBRATION = ("slope", "intercept", "observed_expected")
_OF_ALL = ("accuracy", "balanced_accuracy", "brier")


def units(page: ReportPage) -> Iterator[Block]:
    """Yield what the images show by breast, exam or patient; nothing where decisions are of images."""
    found, t = page.document.by_unit, page.t
    if found is None:
        return
    yield Heading(t[f"units.{found.unit}"], 3)
    yield page.say(
        "units.how",
        n=page.count(*_PLACE, "n"),
        images=page.count("by_unit", "images"),
        several=page.count("by_unit", "several"),
        patients=page.count(*_PLACE, "patients"),
        units=t[f"units.of.{found.unit}"],
        pooling=t[f"units.pooling.{found.pooling}"],
    )
    if found.mixed:
        yield page.say("units.mixed", mixed=page.count("by_unit", "mixed"), units=t[f"units.of.{found.unit}"])
    names = [name for name in _OF_ALL if name in found.evidence.figures]
    rows = [*unit_rows(page), *(page.row(page.figure_name(name), *_PLACE, "figures", name) for name in names)]
    target = found.evidence.target
    if target is not None:
        place = (*_PLACE, "target", "calibration")
        rows += [page.row(t[f"target.{name}"], *place, name) for name in _CALIBRATION]
    yield Table(page.head_of(found.unit), tuple(rows), t["units.figures"], widths=FIGURE_WIDTHS)
    if found.evidence.operating_point is None:
        yield Paragraph((t["point.none"],))
    yield from units_at_threshold(page)
    yield from image_uses(page.values, t, "training", "epoch", "temperature", "threshold")


def unit_rows(page: ReportPage, where: str = "") -> list[tuple[Inlines, ...]]:
    """Return the rows of AUC, sensitivity and specificity by unit, of the class in question; `where` follows their names."""
    found = page.document.by_unit
    if found is None:
        return []
    evidence, point = found.evidence, found.evidence.operating_point
    names = [evidence.target.class_name] if evidence.target else evidence.class_names
    areas = [name for name in (f"auc_roc.{each}" for each in names) if name in evidence.figures]
    rows = [page.row(page.figure_name(name) + where, *_PLACE, "figures", name) for name in areas]
    if point is not None:
        place = (*_PLACE, "operating_point", "figures")
        rows += [
            page.row(page.t[f"metric.{name}_at_operating_point"] + where, *place, name)
            for name in ("sensitivity", "specificity")
        ]
    return rows


def units_at_threshold(page: ReportPage) -> Iterator[Block]:
    """Yield the decisions by breast, exam or patient counted at their threshold; nothing where there is none."""
    found, t = page.document.by_unit, page.t
    point = found.evidence.operating_point if found else None
    if found is None or point is None:
        return
    place = (*_PLACE, "operating_point")
    counts = {name: page.count(*place, name) for name in ("missed", "positives", "called", "negatives")}
    units = t[f"units.of.{found.unit}"]
    threshold, target = page.at(*place, "threshold"), page.at(*place, "target_sensitivity", kind="plain")
    yield page.say(
        "units.counted",
        name=page.class_label(point.class_name),
        units=units,
        threshold=threshold,
        target=target,
        **counts,
    )
    if not point.reached:
        positives = page.count(*place, "validation_positives")
        text = page.fill(
            f"plain.too_few.{point.validation_unit}",
            positives=positives,
            name=page.class_label(point.class_name),
            target=target,
        )
        yield Paragraph(text, "warning")
