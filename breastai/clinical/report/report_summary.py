"""The first page of a report: what was made, on whom it was judged, the main figures, and what limits them."""

from collections.abc import Iterator
from typing import Any

from breastai.clinical.report.report_adaptation import adapted_limits, made_from
from breastai.clinical.report.report_blocks import Block, Bullets, Heading, Inlines, Paragraph, Table
from breastai.clinical.report.report_caveats import (
    image_uses,
    is_optimistic,
    judged_images,
    judged_part,
    patients_at_threshold,
    when_chosen,
)
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_page import FIGURE_WIDTHS, ReportPage
from breastai.clinical.report.report_texts import finding_text, translate_sentence
from breastai.clinical.report.report_units import unit_rows, units_at_threshold
from breastai.domain.records import Finding, ImageUse

_CALIBRATION = ("slope", "intercept", "observed_expected")


def summary(page: ReportPage) -> Iterator[Block]:
    """Yield what was made, on whom it was judged, the main figures, and what limits them."""
    document, t = page.document, page.t
    yield Heading(t["summary"])
    yield from _made(page)
    if document.evidence is None or document.evaluation is None:
        yield Paragraph((page.not_judged,), "warning")
        if document.comparisons:
            yield page.say("summary.compared", section=t["comparisons"])
        yield from limits(page)
        return
    yield page.say(
        "summary.judged" if document.evidence.patients is None else "summary.judged_patients",
        n=page.count("evidence", "n"),
        patients=page.count("evidence", "patients"),
        what=judged_images(document, t),
    )
    if document.evaluation["opened"] is not None:
        yield page.say("summary.opened", opened=page.count("evaluation", "opened"))
    if document.flow is not None and is_optimistic(document):
        yield Paragraph((t["summary.not_test"],), "warning")
    yield main_figures(page)
    yield from plain_words(page)
    yield from limits(page)
    for note in document.evaluation["notes"]:
        if not _tells_methods(note):
            yield Paragraph((translate_sentence(note, page.language),), "caption")


def _tells_methods(note: Any) -> bool:
    """Say whether a note of an evaluation tells how the model was made: the methods do, and it limits nothing."""
    return isinstance(note, dict) and note.get("code") in ("note.own_split", "note.run_split")


def _made(page: ReportPage) -> Iterator[Block]:
    """Yield what the model is, and what trained it."""
    document = page.document
    model, names = document.model, page.class_list(document.model["class_names"])
    if document.flow is None:
        yield page.say("summary.elsewhere", table=model["checkpoint"], classes=names)
        return
    size = page.count("model", "image_size")
    yield page.say("summary.model", architecture=model["architecture"], size=size, classes=names)
    if document.adapted is not None:
        yield made_from(page)
        return
    apart = bool(page.flow.calibration_total)
    numbers = {part: page.count("flow", f"{part}_total") for part in ("train", "val", "calibration")}
    yield page.say(f"summary.{'probe' if page.is_probe else 'data'}{'_calibration' if apart else ''}", **numbers)


def main_figures(page: ReportPage) -> Table:
    """Return discrimination, what the operating point comes to, and calibration, each with its interval."""
    evidence = page.document.evidence
    assert evidence is not None
    target, point = evidence.target, evidence.operating_point
    names = [target.class_name] if target else evidence.class_names
    pools = ("", "@patient") if evidence.by_patient else ("",)
    found = page.document.by_unit
    rows = [] if found is None else unit_rows(page, f", {page.t[f'units.by.{found.unit}']}")
    for pool in pools:
        where = f", {page.t[f'summary.by_patient.{evidence.by_patient.score}']}" if pool and evidence.by_patient else ""
        areas = [name for name in (f"auc_roc.{each}{pool}" for each in names) if name in evidence.figures]
        rows += [page.row(page.figure_name(name) + where, "evidence", "figures", name) for name in areas]
        for figure in ("sensitivity", "specificity") if point else ():
            name = f"{figure}_at_operating_point.{point.class_name}{pool}" if point else ""
            if name in evidence.figures:
                words = page.t[f"metric.{figure}_at_operating_point"]
                rows.append(page.row(words + where, "evidence", "figures", name))
    if target is not None:
        place = ("evidence", "target", "calibration")
        rows += [page.row(page.t[f"target.{name}"], *place, name) for name in _CALIBRATION]
    caption = page.t["summary.figures"].format(name=page.class_list(names))
    counted = "cases" if len(pools) > 1 or found else "images"
    return Table(page.head_of(counted), tuple(rows), caption, widths=FIGURE_WIDTHS)


def limits(page: ReportPage) -> Iterator[Block]:
    """Yield what the audit and the records say against the figures."""
    audit, t = page.document.audit, page.t
    findings = audit.findings if audit else []
    found: list[Inlines] = [_limit(page, each) for each in findings if each.severity != "info"]
    found += [(t[key],) for key in _unknown(page.document)]
    found += adapted_limits(page)
    for part in page.document.split.get("shared_patients", ()):
        shared = page.count("split", "shared_patients", part)
        found.append(page.fill("limits.shared", part=t[f"part.{part}"], shared=shared))
    used = [] if page.document.flow is None else image_uses(page.values, t, *ImageUse.model_fields)
    found += [each.text for each in used if isinstance(each, Paragraph) and each.role == "warning"]
    yield Heading(t["limits"], 3)
    if found:
        yield Bullets(tuple(found))
    else:
        yield Paragraph((t["limits.none"],))


def _limit(page: ReportPage, finding: Finding) -> Inlines:
    """Return a finding as a limit, and whether the training images that it is of were left out for it."""
    told, params = finding_text(finding, page.language), finding.params
    kind = {"twins.across_splits": "twin", "patients.across_splits": "patient"}.get(finding.code)
    left_out = page.document.flow.left_out if page.document.flow else {}
    if kind is None or params.get("other") != "train" or not left_out.get(f"{kind}_in_{params.get('split')}"):
        return (told,)
    return (told, " ", page.t["limits.left_out"])


def _unknown(document: ReportDocument) -> Iterator[str]:
    """Yield the texts of what is not known of the images, for the limits."""
    evidence, of_run = document.evidence, document.flow is not None and document.is_recorded
    apart = evidence is not None and evidence.patients is not None
    if of_run and not document.patients:
        yield "limits.trained_unknown" if apart else "split.no_patients"
    elif evidence is not None and not apart:
        yield "limits.judged_unknown"
    if of_run and document.audit is None:
        yield "limits.no_audit"
    elif of_run and evidence is not None and judged_part(document) is None:
        yield "limits.judged_not_audited"
    if document.flow is None:
        yield "limits.elsewhere"


def plain_words(page: ReportPage) -> Iterator[Block]:
    """Yield the operating point in plain words."""
    document, t = page.document, page.t
    point = document.evidence.operating_point if document.evidence else None
    yield from units_at_threshold(page)
    if point is None:
        return
    if document.by_unit is not None:
        yield page.say("units.images_below", unit=t[f"unit.{document.by_unit.unit}"])
    place = ("evidence", "operating_point")
    if document.per_hundred is not None:
        numbers = {name: page.count("per_hundred", name) for name in type(document.per_hundred).model_fields}
        yield page.say("plain.missed", hundred="100", name=page.class_label(point.class_name), **numbers)
    counts = {name: page.count(*place, name) for name in ("missed", "positives", "called", "negatives")}
    yield page.say("plain.counted", name=page.class_label(point.class_name), **counts)
    yield from patients_at_threshold(document, page.values, t)
    threshold, target = page.at(*place, "threshold"), page.at(*place, "target_sensitivity", kind="plain")
    when = when_chosen(document, "threshold")
    yield page.say(f"plain.chosen.{when}", threshold=threshold, target=target)
    if not point.reached and when != "given":
        text = page.fill(
            f"plain.too_few.{point.validation_unit}",
            positives=page.count(*place, "validation_positives"),
            name=page.class_label(point.class_name),
            target=target,
        )
        yield Paragraph(text, "warning")
