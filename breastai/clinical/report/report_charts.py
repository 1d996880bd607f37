"""The charts of a report and of a notebook, drawn from the numbers of a record alone."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter
from PIL import Image

from breastai.clinical.report.report_blocks import Chart, Charts
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_texts import class_label
from breastai.domain.records import (
    CalibrationEvidence,
    ClassCurves,
    Curve,
    JudgedPoint,
    SubgroupEvidence,
    TargetEvidence,
)
from breastai.domain.records import Figure as Metric
from breastai.texts.number_format import percent_text

_COLOURS = ("#0f6b73", "#c2570c", "#6a4bbc", "#8a6d00", "#a92222", "#51626b")
_DASHES = ("-", "--", "-.", ":")
_SIZE_INCHES = (4.2, 3.4)
_DPI = 170
# As many names of weeks fit below a chart.
_MOST_WEEKS = 10
# A threshold so many times the prevalence is nobody's.
_MOST_THRESHOLD = 6

Texts = Mapping[str, str]


def roc(curves: Mapping[str, ClassCurves], texts: Texts, point: JudgedPoint | None = None) -> Figure:
    """Draw each class against the rest, and where the operating point lies."""
    figure, axes = _axes(texts["chart.false_positive_rate"], texts["chart.sensitivity"])
    axes.plot([0, 1], [0, 1], color="#b8c4ca", linewidth=1)
    for number, (name, each) in enumerate(curves.items()):
        axes.plot(
            *_columns(each.roc, "false_positive_rate", "sensitivity"), label=class_label(name, texts), **_style(number)
        )
    if point is not None:
        sensitivity, specificity = (point.figures[name].value for name in ("sensitivity", "specificity"))
        if sensitivity is not None and specificity is not None:
            axes.plot([1 - specificity], [sensitivity], "o", color="#17252c", label=texts["chart.operating_point"])
    return _finish(figure, axes, texts)


def precision_recall(curves: Mapping[str, ClassCurves], texts: Texts) -> Figure:
    """Draw precision against recall for each class."""
    figure, axes = _axes(texts["chart.recall"], texts["chart.precision"])
    for number, (name, each) in enumerate(curves.items()):
        axes.plot(
            *_columns(each.precision_recall, "recall", "precision"), label=class_label(name, texts), **_style(number)
        )
    return _finish(figure, axes, texts)


def reliability(calibration: CalibrationEvidence, texts: Texts) -> Figure:
    """Draw accuracy against confidence, before and after calibration."""
    figure, axes = _axes(texts["chart.confidence"], texts["chart.accuracy"])
    axes.plot([0, 1], [0, 1], color="#b8c4ca", linewidth=1)
    parts = (("chart.before", calibration.before.curve), ("chart.after", calibration.after.curve))
    for number, (name, curve) in enumerate(parts):
        axes.plot(*_columns(curve, "confidence", "accuracy"), label=texts[name], marker="o", **_style(number))
    return _finish(figure, axes, texts)


def calibration(target: TargetEvidence, texts: Texts, point: JudgedPoint | None = None) -> Figure:
    """Draw the share observed against the probability, with its band; below it how many images have which probability."""
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    _dress(axes, "", texts["chart.observed"])
    _dress(below, texts["chart.probability"].format(name=class_label(target.class_name, texts)), texts["chart.images"])
    axes.plot([0, 1], [0, 1], color="#b8c4ca", linewidth=1, label=texts["chart.perfect"])
    curve = target.calibration.smoothed
    _band(axes, curve, "probability", 0)
    axes.plot(*_columns(curve, "probability", "observed"), label=texts["chart.smoothed"], **_style(0))
    axes.set_ylim(-0.01, 1.01)
    axes.set_xlim(-0.01, 1.01)
    bottom: list[int] = []
    for number, each in enumerate(target.by_outcome.values()):
        bottom = bottom or [0] * len(each.counts)
        width = 1 / len(each.counts)
        places = [width * bin for bin in range(len(each.counts))]
        colour = _COLOURS[number % len(_COLOURS)]
        below.bar(places, each.counts, width, bottom=bottom, align="edge", color=colour, linewidth=0)
        bottom = [one + other for one, other in zip(bottom, each.counts, strict=True)]
    _mark(axes, point, texts)
    _mark(below, point, texts)
    _numbered(below, texts)
    return _finish(figure, axes, texts)


def outcomes(target: TargetEvidence, texts: Texts, point: JudgedPoint | None = None) -> Figure:
    """Draw, for each true class, how the probability of the class in question is distributed: a violin over a strip."""
    figure, axes = _axes("", texts["chart.probability"].format(name=class_label(target.class_name, texts)))
    present = {name: each for name, each in target.by_outcome.items() if each.n}
    for number, each in enumerate(present.values()):
        values, colour = each.values, _COLOURS[number % len(_COLOURS)]
        if len(set(values)) > 1:
            for body in axes.violinplot([values], [number], widths=0.8, showextrema=False)["bodies"]:
                body.set_facecolor(colour)
                body.set_alpha(0.25)
        # Side by side in a fixed order, so that the same numbers give the same picture.
        places = [number + 0.12 * ((place * 7) % 11 - 5) / 5 for place in range(len(values))]
        axes.plot(places, values, ".", color=colour, markersize=3, alpha=0.7)
        axes.plot([number - 0.3, number + 0.3], [each.median, each.median], color=colour, linewidth=2)
    axes.set_xlim(-0.6, len(present) - 0.4)
    axes.set_ylim(-0.02, 1.02)
    if point is not None:
        axes.axhline(point.threshold, color="#17252c", linewidth=1, linestyle=":", label=texts["chart.operating_point"])
    return _finish(
        figure, axes, texts, ticks=[f"{class_label(name, texts)} ({each.n})" for name, each in present.items()]
    )


def decision(curve: Curve, texts: Texts, most: float = 1.0) -> Figure:
    """Draw the net benefit of the model with its band, of calling all and of calling none, up to a threshold."""
    figure, axes = _axes(texts["chart.threshold"], texts["chart.net_benefit"], square=False)
    _band(axes, curve, "threshold", 0)
    for number, key in enumerate(("model", "all", "none")):
        axes.plot(*_columns(curve, "threshold", key), label=texts[f"chart.{key}"], **_style(number))
    columns = [value for key in ("model", "all", "high") for value in curve.get(key, []) if value is not None]
    highest = max([*columns, 1e-6])
    axes.set_ylim(-0.15 * highest, 1.1 * highest)
    axes.set_xlim(0, most)
    return _finish(figure, axes, texts)


def forest(groups: Sequence[SubgroupEvidence], name: str, whole: Metric | None, texts: Texts) -> Figure:
    """Draw a figure of each subgroup with its interval, one below the other, and upright that of all images."""
    shown = [each for each in groups if each.figures.get(name) is not None and each.figures[name].value is not None]
    figure = Figure(figsize=(_SIZE_INCHES[0], max(1.4, 0.28 * len(shown) + 0.8)), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _dress(axes, "", "")
    if whole is not None and whole.value is not None:
        axes.axvline(whole.value, color="#51626b", linewidth=1, linestyle="--", label=texts["chart.all_images"])
    for number, each in enumerate(shown):
        found = each.figures[name]
        if found.low is not None and found.high is not None:
            axes.plot([found.low, found.high], [number, number], color=_COLOURS[0], linewidth=1.6)
        if found.value is not None:
            axes.plot([found.value], [number], "s", color=_COLOURS[0], markersize=5)
    axes.set_yticks(range(len(shown)), [f"{each.column}: {each.value} ({each.figures[name].n})" for each in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_xlim(-0.02, 1.02)
    axes.tick_params(labelsize=8)
    axes.xaxis.set_major_formatter(_Numbers(texts["chart.decimal"]))
    return figure


def coverage_error(curve: Curve, texts: Texts) -> Figure:
    """Draw the error among the cases kept as the least certain ones go to a human."""
    figure, axes = _axes(texts["chart.coverage"], texts["chart.error"], square=False)
    axes.plot(*_columns(curve, "coverage", "error"), **_style(0))
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    return _finish(figure, axes, texts, legend=False)


def losses(training: Mapping[str, Any], texts: Texts) -> Figure:
    """Draw the loss of training and validation over the epochs."""
    figure, axes = _axes(texts["chart.epoch"], texts["chart.loss"], square=False)
    for number, key in enumerate(("train_loss", "val_loss")):
        pairs = [(x, y) for x, y in zip(training["epoch"], training[key], strict=True) if y is not None]
        axes.plot(
            *zip(*pairs, strict=True), label=texts[f"chart.{key}"], marker=".", **_style(number)
        ) if pairs else None
    axes.xaxis.get_major_locator().set_params(integer=True)
    return _finish(figure, axes, texts)


def weekly(
    weeks: Sequence[str], curve: Curve, differs: Sequence[bool], references: int, name: str, texts: Texts
) -> Figure:
    """Draw a value of each week with its band, `low` to `high`; the first `references` weeks shaded, those that differ marked."""
    figure, axes = _axes("", name, square=False)
    if references:
        axes.axvspan(-0.5, references - 0.5, color="#e3eaed", label=texts["drift.first_weeks"])
    places = [float(place) for place in range(len(weeks))]
    _band(axes, {"week": list(places), **curve}, "week", 0)
    known = [(place, value) for place, value in zip(places, curve["value"], strict=True) if value is not None]
    axes.plot(*zip(*known, strict=True), marker=".", **_style(0))
    marked = [pair for pair in known if differs[int(pair[0])]]
    if marked:
        axes.plot(*zip(*marked, strict=True), "D", color=_COLOURS[4], markersize=6, label=texts["drift.differs"])
    axes.set_xlim(-0.5, len(weeks) - 0.5)
    _finish(figure, axes, texts)
    step = -(-len(weeks) // _MOST_WEEKS)
    axes.set_xticks(range(0, len(weeks), step), weeks[::step], rotation=30, fontsize=8)
    return figure


class _Numbers(ScalarFormatter):
    """The usual numbers beside an axis, with the language's decimal sign: of the texts, not of the machine's locale."""

    def __init__(self, sign: str) -> None:
        super().__init__(useOffset=False)
        self._sign = sign

    def __call__(self, x: float, pos: int | None = None) -> str:
        return str(super().__call__(x, pos)).replace(".", self._sign)


def _axes(x: str, y: str, square: bool = True) -> tuple[Figure, Any]:
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _dress(axes, x, y)
    if square:
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
    return figure, axes


def _dress(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#e3eaed", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _band(axes: Any, curve: Curve, x: str, number: int) -> None:
    rows = [
        row
        for row in zip(curve.get(x, []), curve.get("low", []), curve.get("high", []), strict=False)
        if None not in row
    ]
    if rows:
        axes.fill_between(*zip(*rows, strict=True), color=_COLOURS[number], alpha=0.15, linewidth=0)


def _mark(axes: Any, point: JudgedPoint | None, texts: Texts) -> None:
    if point is not None:
        axes.axvline(point.threshold, color="#17252c", linewidth=1, linestyle=":", label=texts["chart.operating_point"])


def _columns(curve: Curve, x: str, y: str) -> tuple[Sequence[float], Sequence[float]]:
    pairs = zip(curve.get(x, []), curve.get(y, []), strict=True)
    kept = [(one, other) for one, other in pairs if one is not None and other is not None]
    return [one for one, _ in kept], [other for _, other in kept]


def _style(number: int) -> dict[str, Any]:
    return {"color": _COLOURS[number % len(_COLOURS)], "linestyle": _DASHES[number % len(_DASHES)], "linewidth": 1.6}


def png(figure: Figure) -> bytes:
    """Return a chart as a PNG. Without a date or a version, the same numbers give the same bytes."""
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # once: savefig draws twice where there is a layout to find
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).save(buffer, format="png", dpi=(_DPI, _DPI))
    return buffer.getvalue()


def _finish(figure: Figure, axes: Any, texts: Texts, legend: bool = True, ticks: Sequence[str] = ()) -> Figure:
    _numbered(axes, texts)
    if ticks:
        axes.set_xticks(range(len(ticks)), ticks)
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, framealpha=0.85, edgecolor="none")
    return figure


def _numbered(axes: Any, texts: Texts) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_Numbers(texts["chart.decimal"]))


def target_charts(
    target: TargetEvidence, prevalences: Mapping[str, float], texts: Texts, point: JudgedPoint | None
) -> list[Chart]:
    """Return the charts of the class in question: calibration, probabilities by outcome, net benefit."""
    name = class_label(target.class_name, texts)
    found = [
        Chart(png(calibration(target, texts, point)), texts["chart.calibration"].format(name=name)),
        Chart(png(outcomes(target, texts, point)), texts["chart.outcomes"].format(name=name)),
        Chart(png(decision(target.decision, texts)), texts["chart.decision"].format(name=name)),
    ]
    for place, curve in target.decision_at.items():
        prevalence = prevalences[place]
        shown = percent_text(prevalence, 1, texts["language"])
        caption = texts["chart.decision_at"].format(name=name, prevalence=shown)
        found.append(Chart(png(decision(curve, texts, min(1.0, _MOST_THRESHOLD * prevalence))), caption))
    return found


def main_charts(document: ReportDocument, texts: Texts) -> Charts:
    """Return the charts of the results, each with its caption."""
    evidence = document.evidence
    if evidence is None:
        return Charts(())
    point = evidence.operating_point
    found = [Chart(png(roc(evidence.curves, texts, point)), texts["chart.roc"])]
    if evidence.target is not None:
        found = target_charts(evidence.target, evidence.prevalences, texts, point) + found
    elif evidence.decision_curve is not None:
        name, curve = evidence.decision_curve
        found.append(
            Chart(png(decision(curve, texts)), texts["chart.decision_alone"].format(name=class_label(name, texts)))
        )
    return Charts(tuple(found))


def other_charts(document: ReportDocument, texts: Texts) -> Charts:
    """Return the charts of the appendices."""
    found: list[Chart] = []
    evidence = document.evidence
    if evidence is not None:
        found += [
            Chart(png(precision_recall(evidence.curves, texts)), texts["chart.pr"]),
            Chart(png(reliability(evidence.calibration, texts)), texts["chart.reliability"]),
            Chart(png(coverage_error(evidence.coverage_error, texts)), texts["chart.coverage_error"]),
        ]
    if document.training is not None and len(document.training["epoch"]) > 1:
        found.append(Chart(png(losses(document.training, texts)), texts["chart.losses"]))
    return Charts(tuple(found))
