"""The results of a report: the operating point, the probability of the class in question, subgroups, the worst errors."""

from collections.abc import Iterator, Mapping

from breastai.clinical.report import report_charts as charts
from breastai.clinical.report.report_blocks import Block, Bullets, Heading, Inlines, Paragraph, Picture, Pictures, Table
from breastai.clinical.report.report_caveats import image_uses, pooling, unused_images
from breastai.clinical.report.report_page import FIGURE_WIDTHS, ReportPage
from breastai.clinical.report.report_subgroups import subgroup_note, subgroups
from breastai.clinical.report.report_target import calibration_of_target
from breastai.clinical.report.report_units import units


def results(page: ReportPage, pictures: Mapping[int, str]) -> Iterator[Block]:
    """Yield the results. `pictures`: of worst cases by their number, as data URIs."""
    yield Heading(page.t["results"])
    if page.document.evidence is None:
        yield from validation_figures(page)
        return
    yield from unused_images(page.values, page.t)
    yield from units(page)
    yield from at_point(page)
    yield from referral(page)
    yield from calibration(page)
    yield charts.main_charts(page.document, page.t)
    yield from pooling(page.document, page.values, page.t)
    yield from subgroups(page)
    yield from subgroup_note(page)
    yield from worst_errors(page, pictures)


def validation_figures(page: ReportPage) -> Iterator[Block]:
    """Yield the figures of validation, where nothing else was judged; an adapted model has none."""
    if not page.document.validation:
        return
    rows: tuple[tuple[Inlines, ...], ...] = tuple(
        ((page.t.get(f"metric.{name}", name),), (page.at("validation", name),)) for name in page.document.validation
    )
    yield Table(
        (page.t["figures.figure"], page.t["figures.value"]),
        rows,
        page.t["figures.validation_alone" if page.is_probe else "figures.validation"],
        widths=(0.6, 0.4),
    )


def crosstab(page: ReportPage) -> Table:
    """Return the table of four at the operating point: called or not, by what is true."""
    point, t = page.document.evidence.operating_point if page.document.evidence else None, page.t
    assert point is not None
    words = {"name": page.class_label(point.class_name)}

    def cell(name: str) -> Inlines:
        return (page.count("crosstab", name),)

    return Table(
        (t["crosstab.corner"], *(t[f"crosstab.{name}"].format(**words) for name in ("positive", "negative"))),
        (
            ((t["crosstab.called"],), cell("hits"), cell("alarms")),
            ((t["crosstab.not_called"],), cell("missed"), cell("cleared")),
        ),
        t["crosstab.caption"].format(**words),
        widths=(0.4, 0.3, 0.3),
    )


def at_point(page: ReportPage) -> Iterator[Block]:
    """Yield the table of four at the operating point, its figures, and predictive values."""
    t, evidence = page.t, page.document.evidence
    yield Heading(t["point"], 3)
    point = evidence.operating_point if evidence else None
    if evidence is None or point is None:
        yield Paragraph((t["point.none"],))
        return
    place = ("evidence", "operating_point")
    if page.document.by_unit is not None:
        yield page.say("units.images_below", unit=t[f"unit.{page.document.by_unit.unit}"])
    yield crosstab(page)
    caption = page.fill(
        "point.caption", name=page.class_label(point.class_name), threshold=page.at(*place, "threshold")
    )
    yield Paragraph(caption)
    rows = tuple(page.row(t[f"metric.{name}"], *place, "figures", name) for name in point.figures)
    yield Table(
        page.figure_head,
        rows,
        t["point.figures"].format(name=page.class_label(point.class_name)),
        widths=FIGURE_WIDTHS,
    )
    yield from image_uses(page.values, t, "training", "epoch", "temperature", "threshold")
    values = tuple(
        (
            (t.get(f"prevalence.{name}", name),),
            (page.at("evidence", "prevalences", name, kind="percent"),),
            page.with_interval("evidence", "predictive_values", f"ppv.{name}"),
            page.with_interval("evidence", "predictive_values", f"npv.{name}"),
        )
        for name in evidence.prevalences
    )
    head = (t["point.setting"], t["point.prevalence"], t["point.ppv"], t["point.npv"])
    yield Table(head, values, t["point.predictive"], widths=(0.24, 0.16, 0.3, 0.3))


def referral(page: ReportPage) -> Iterator[Block]:
    """Yield which images go to a human, and the errors among the rest; nothing where none does."""
    evidence = page.document.evidence
    found = evidence.referral if evidence else None
    if evidence is None or found is None:
        return
    yield Heading(page.t["referral"], 3)
    places: dict[str, tuple[str, ...]] = {"referred": ("referred", "value")}
    sets = found.error_rate is not None
    places |= {"rate": ("error_rate",), "outside": ("outside", "value")} if sets else {}
    shares = {name: page.at("evidence", "referral", *place, kind="percent") for name, place in places.items()}
    error = page.at("evidence", "referral", "error_among_kept", "value", kind="percent")
    point = evidence.operating_point
    name = page.class_label(point.class_name) if point else ""
    key = "none_kept" if error.value is None else "kept_at_point" if point else "kept"
    kept = page.fill(f"referral.{key}", error=error, name=name)
    apart = page.t["referral.sample" if page.document.decision.get("fitted_on") == "sample" else "referral.apart"]
    key = "referral.text" if sets else "referral.no_sets"
    yield Paragraph((*page.fill(key, apart=apart, **shares), " ", *kept))
    if found.unlike is None:
        yield page.say("referral.unlike_unknown")
    elif sets:  # without them it is the only reason, whose share is told already
        unlike = page.at("evidence", "referral", "unlike", "value", kind="percent")
        yield page.say("referral.unlike", unlike=unlike, apart=apart)
    yield from image_uses(page.values, page.t, "training", "conformal_sets", "novelty")


def calibration(page: ReportPage) -> Iterator[Block]:
    """Yield how far the probabilities can be taken at their word."""
    t, evidence = page.t, page.document.evidence
    if evidence is None:
        return
    yield Heading(t["calibration"], 3)
    yield from calibration_of_target(page.document, page.values, t)
    fitted = bool(page.document.decision.get("n"))
    if fitted:
        temperature = page.at("evidence", "calibration", "temperature")
        yield page.say(_calibration_key(page), temperature=temperature, n=page.count("decision", "n"))
    else:
        yield Paragraph((t["calibration.none" if page.document.flow else "calibration.as_given"],), "warning")
    sides = ("before", "after") if fitted else ("before",)
    rows: tuple[tuple[Inlines, ...], ...] = tuple(
        ((t[name],), *((page.at("evidence", "calibration", side, name),) for side in sides))
        for name in ("ece", "brier", "log_loss")
    )
    head = (t["calibration.measure"], *((t["chart.before"], t["chart.after"]) if fitted else (t["figures.value"],)))
    yield Table(head, rows, t["calibration.caption"])
    yield from image_uses(page.values, t, "training", "epoch", "temperature")


def _calibration_key(page: ReportPage) -> str:
    """Return the text of how the probabilities were calibrated: on which images, and whether their prior was moved."""
    decision = page.document.decision
    shifted = bool(decision["calibration"]["prior_shift"])
    if decision.get("fitted_on") == "sample":
        return "calibration.sample_shift" if shifted else "calibration.sample"
    return "calibration.how" if shifted else "calibration.temperature"


def worst_errors(page: ReportPage, pictures: Mapping[int, str]) -> Iterator[Block]:
    """Yield the wrong answers that gave the true class the least probability."""
    document, t = page.document, page.t
    if document.evidence is None:
        return
    yield Heading(t["worst"], 3)
    if not document.worst:
        yield Paragraph((t["worst.none"],))
        return
    yield Paragraph((t["worst.text"],))
    shown: list[Picture] = []
    for number, case in enumerate(document.worst):
        caption = page.fill(
            "worst.case",
            label=page.class_label(case.label),
            predicted=page.class_label(case.predicted),
            probability=page.at("worst", number, "probability"),
            truth=page.at("worst", number, "given_to_truth"),
        )
        uri = pictures.get(case.number)
        if uri is None and document.flow is not None:
            caption = (*caption, f" ({t['worst.absent']})")
        shown.append(Picture(uri, (*caption, f" [{case.name_sha256[:12]}]")))
    if document.flow is None:
        yield Bullets(tuple(each.caption for each in shown))
    else:
        yield Pictures(tuple(shown), t["worst.alt"])
