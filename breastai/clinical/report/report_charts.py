"""The charts of a report as PNG, drawn from the numbers of its document alone."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from breastai.clinical.report.report_blocks import Chart, Charts
from breastai.clinical.report.report_document import ReportDocument
from breastai.domain.records import CalibrationEvidence, ClassCurves, Curve, JudgedPoint

_COLOURS = ("#0f6b73", "#c2570c", "#6a4bbc", "#8a6d00", "#a92222", "#51626b")
_DASHES = ("-", "--", "-.", ":")
_SIZE_INCHES = (4.2, 3.4)
_DPI = 170

Texts = Mapping[str, str]


def roc(curves: Mapping[str, ClassCurves], texts: Texts, point: JudgedPoint | None = None) -> bytes:
    """Draw each class against the rest, and where the operating point lies."""
    figure, axes = _axes(texts["chart.false_positive_rate"], texts["chart.sensitivity"])
    axes.plot([0, 1], [0, 1], color="#b8c4ca", linewidth=1)
    for number, (name, each) in enumerate(curves.items()):
        axes.plot(*_columns(each.roc, "false_positive_rate", "sensitivity"), label=name, **_style(number))
    if point is not None:
        sensitivity, specificity = (point.figures[name].value for name in ("sensitivity", "specificity"))
        if sensitivity is not None and specificity is not None:
            axes.plot([1 - specificity], [sensitivity], "o", color="#17252c", label=texts["chart.operating_point"])
    return _png(figure, axes, texts)


def precision_recall(curves: Mapping[str, ClassCurves], texts: Texts) -> bytes:
    """Draw precision against recall for each class."""
    figure, axes = _axes(texts["chart.recall"], texts["chart.precision"])
    for number, (name, each) in enumerate(curves.items()):
        axes.plot(*_columns(each.precision_recall, "recall", "precision"), label=name, **_style(number))
    return _png(figure, axes, texts)


def reliability(calibration: CalibrationEvidence, texts: Texts) -> bytes:
    """Draw accuracy against confidence, before and after calibration."""
    figure, axes = _axes(texts["chart.confidence"], texts["chart.accuracy"])
    axes.plot([0, 1], [0, 1], color="#b8c4ca", linewidth=1)
    parts = (("chart.before", calibration.before.curve), ("chart.after", calibration.after.curve))
    for number, (name, curve) in enumerate(parts):
        axes.plot(*_columns(curve, "confidence", "accuracy"), label=texts[name], marker="o", **_style(number))
    return _png(figure, axes, texts)


def decision(curve: Curve, texts: Texts, name: str) -> bytes:
    """Draw the net benefit of the model, of calling all and of calling none."""
    figure, axes = _axes(texts["chart.threshold"], texts["chart.net_benefit"], square=False)
    for number, (key, label) in enumerate(
        (("model", name), ("all", texts["chart.all"]), ("none", texts["chart.none"]))
    ):
        axes.plot(*_columns(curve, "threshold", key), label=label, **_style(number))
    highest = max([value for value in curve.get("model", []) if value is not None], default=0.1)
    axes.set_ylim(-0.05, max(0.1, highest * 1.1))
    axes.set_xlim(0, 1)
    return _png(figure, axes, texts)


def coverage_error(curve: Curve, texts: Texts) -> bytes:
    """Draw the error among the cases kept as the least certain ones go to a human."""
    figure, axes = _axes(texts["chart.coverage"], texts["chart.error"], square=False)
    axes.plot(*_columns(curve, "coverage", "error"), **_style(0))
    axes.set_xlim(0, 1)
    axes.set_ylim(bottom=0)
    return _png(figure, axes, texts, legend=False)


def losses(training: Mapping[str, Any], texts: Texts) -> bytes:
    """Draw the loss of training and validation over the epochs."""
    figure, axes = _axes(texts["chart.epoch"], texts["chart.loss"], square=False)
    for number, key in enumerate(("train_loss", "val_loss")):
        pairs = [(x, y) for x, y in zip(training["epoch"], training[key], strict=True) if y is not None]
        axes.plot(
            *zip(*pairs, strict=True), label=texts[f"chart.{key}"], marker=".", **_style(number)
        ) if pairs else None
    axes.xaxis.get_major_locator().set_params(integer=True)
    return _png(figure, axes, texts)


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
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color="#e3eaed", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    if square:
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.01)
    return figure, axes


def _columns(curve: Curve, x: str, y: str) -> tuple[Sequence[float], Sequence[float]]:
    pairs = zip(curve.get(x, []), curve.get(y, []), strict=True)
    kept = [(one, other) for one, other in pairs if one is not None and other is not None]
    return [one for one, _ in kept], [other for _, other in kept]


def _style(number: int) -> dict[str, Any]:
    return {"color": _COLOURS[number % len(_COLOURS)], "linestyle": _DASHES[number % len(_DASHES)], "linewidth": 1.6}


def _png(figure: Figure, axes: Any, texts: Texts, legend: bool = True) -> bytes:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_Numbers(texts["chart.decimal"]))
    if legend and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=8, frameon=False)
    buffer = io.BytesIO()
    # Without a date or a version, the same numbers give the same bytes.
    figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def draw_charts(document: ReportDocument, texts: Texts) -> Charts:
    """Return every chart of a report with its caption."""
    found: list[Chart] = []
    evidence = document.evidence
    if evidence is not None:
        point = evidence.operating_point
        found += [
            Chart(roc(evidence.curves, texts, point), texts["chart.roc"]),
            Chart(precision_recall(evidence.curves, texts), texts["chart.pr"]),
            Chart(reliability(evidence.calibration, texts), texts["chart.reliability"]),
            Chart(coverage_error(evidence.coverage_error, texts), texts["chart.coverage_error"]),
        ]
        if point is not None:
            curve = evidence.curves[point.class_name].decision
            caption = texts["chart.decision"].format(name=point.class_name)
            found.append(Chart(decision(curve, texts, document.model["architecture"]), caption))
    found.append(Chart(losses(document.training, texts), texts["chart.losses"]))
    return Charts(tuple(found))
