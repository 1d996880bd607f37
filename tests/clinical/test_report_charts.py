"""The charts of a report show what the record says, all of it within their axes, and tell one curve from another."""

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from PIL import Image

from breastai.clinical.report import report_charts as charts
from breastai.clinical.report.report_texts import texts
from breastai.domain.records import (
    CalibrationEvidence,
    ClassCurves,
    Figure,
    JudgedPoint,
    OutcomeProbabilities,
    Reliability,
    SubgroupEvidence,
    TargetCalibration,
    TargetEvidence,
)

T = texts("en")
NAMES = ("benign", "malignant", "normal")
RISING = [0.0, 0.1, 0.4, 1.0]
CURVES = {
    name: ClassCurves(
        roc={"false_positive_rate": RISING, "sensitivity": [0.0, 0.5 + place / 10, 0.9, 1.0]},
        precision_recall={"recall": RISING, "precision": [None, 0.9, 0.8 - place / 10, 0.3]},
    )
    for place, name in enumerate(NAMES)
}
POINT = JudgedPoint(
    class_name="malignant",
    threshold=0.3,
    target_sensitivity=0.95,
    validation_positives=20,
    reached=True,
    figures={"sensitivity": Figure(value=0.9, n=20), "specificity": Figure(value=0.7, n=40)},
    positives=20,
    missed=2,
    negatives=40,
    called=12,
)
DECISION = {
    "threshold": [0.0, 0.25, 0.5, 0.9],
    "model": [0.4, 0.3, 0.2, 0.05],
    "all": [0.4, 0.2, -0.2, -5.0],
    "none": [0.0, 0.0, 0.0, 0.0],
    "low": [0.3, 0.2, None, 0.0],
    "high": [0.5, 0.4, 0.3, 0.1],
}
TARGET = TargetEvidence(
    class_name="malignant",
    calibration=TargetCalibration(
        slope=Figure(value=1.0, n=60),
        intercept=Figure(value=0.0, n=60),
        observed_expected=Figure(value=1.0, n=60),
        smoothed={"probability": RISING, "observed": [0.1, 0.2, 0.5, 0.9], "low": [0.0, None, 0.4, 0.8], "high": [0.2, 0.3, 0.6, 1.0]},
    ),
    by_outcome={
        "benign": OutcomeProbabilities(n=4, median=0.25, counts=[2, 1, 0, 1, 0], values=[0.1, 0.2, 0.3, 0.6]),
        "malignant": OutcomeProbabilities(n=30, median=0.8, counts=[0, 3, 0, 7, 20], values=np.linspace(0.2, 1, 30).tolist()),
        "normal": OutcomeProbabilities(n=2, median=0.5, counts=[0, 0, 2, 0, 0], values=[0.5, 0.5]),
        "other": OutcomeProbabilities(n=0, counts=[0] * 5),
    },
    decision=DECISION,
    decision_at={"here": DECISION, "screening": DECISION},
)  # fmt: skip


def points(line: Any) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in line.get_xydata()]


def labelled(axes: Any) -> dict[str, Any]:
    """Return the lines that the legend names."""
    return {line.get_label(): line for line in axes.get_lines() if not line.get_label().startswith("_")}


def assert_within(axes: Any, *, spare: float = 0.1) -> None:
    """Assert that all points drawn lie within the axes, which are hardly larger than 0 to 1."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for line in axes.get_lines():
        if line.get_transform() == axes.transData:
            assert all(left <= x <= right and bottom <= y <= top for x, y in points(line))
    assert -spare <= left <= 0 and 1 <= right <= 1 + spare
    assert -spare <= bottom <= 0 and 1 <= top <= 1 + spare


def areas(axes: Any) -> list[set[tuple[float, float]]]:
    """Return the corners of each filled area."""
    return [{(float(x), float(y)) for x, y in path.vertices} for each in axes.collections for path in each.get_paths()]


def test_the_roc_curves_are_the_records_with_chance_and_the_operating_point() -> None:
    (axes,) = charts.roc(CURVES, T, POINT).axes
    assert_within(axes)
    chance, *curves, point = axes.get_lines()
    assert points(chance) == [(0, 0), (1, 1)]
    for line, each in zip(curves, CURVES.values(), strict=True):
        assert points(line) == list(zip(each.roc["false_positive_rate"], each.roc["sensitivity"], strict=True))
    assert points(point) == [pytest.approx((0.3, 0.9))]
    assert [each.get_text() for each in axes.get_legend().get_texts()] == [
        *("benign", "malignant", "normal"),
        T["chart.operating_point"],
    ]
    assert (axes.get_xlabel(), axes.get_ylabel()) == (T["chart.false_positive_rate"], T["chart.sensitivity"])
    looks = {(line.get_color(), line.get_linestyle()) for line in axes.get_lines()}
    assert len(looks) == 5


@pytest.mark.parametrize("missing", ["sensitivity", "specificity"])
def test_an_operating_point_without_both_shares_is_not_in_the_roc_chart(missing: str) -> None:
    figures = POINT.figures | {missing: Figure(value=None, n=0)}
    lines = labelled(charts.roc(CURVES, T, POINT.model_copy(update={"figures": figures})).axes[0])
    assert set(lines) == set(NAMES) == set(labelled(charts.roc(CURVES, T).axes[0]))


def test_precision_is_drawn_where_it_is_defined() -> None:
    (axes,) = charts.precision_recall(CURVES, T).axes
    assert_within(axes)
    assert points(labelled(axes)["normal"]) == [(0.1, 0.9), (0.4, pytest.approx(0.6)), (1.0, 0.3)]


def test_reliability_is_drawn_before_and_after_beside_the_diagonal() -> None:
    before, after = ({"confidence": [0.4, 0.6, None], "accuracy": [low, 0.7, None]} for low in (0.2, 0.39))
    found = CalibrationEvidence(
        temperature=1.5,
        prior_shift=[],
        before=Reliability(ece=0.1, brier=0.2, log_loss=0.3, curve=before),
        after=Reliability(ece=0.1, brier=0.2, log_loss=0.3, curve=after),
    )
    (axes,) = charts.reliability(found, T).axes
    assert_within(axes)
    assert [points(line) for line in axes.get_lines()] == [
        [(0, 0), (1, 1)],
        [(0.4, 0.2), (0.6, 0.7)],
        [(0.4, 0.39), (0.6, 0.7)],
    ]
    first, second = labelled(axes).values()
    assert first.get_color() != second.get_color() and first.get_linestyle() != second.get_linestyle()


def test_calibration_is_drawn_with_its_band_over_a_stack_of_all_images() -> None:
    axes, below = charts.calibration(TARGET, T, POINT).axes
    assert_within(axes)
    smoothed = TARGET.calibration.smoothed
    assert points(labelled(axes)[T["chart.smoothed"]]) == list(
        zip(smoothed["probability"], smoothed["observed"], strict=True)
    )
    assert points(labelled(axes)[T["chart.perfect"]]) == [(0, 0), (1, 1)]
    (band,) = areas(axes)
    assert band == {(0.0, 0.0), (0.0, 0.2), (0.4, 0.4), (0.4, 0.6), (1.0, 0.8), (1.0, 1.0)}
    for each in (axes, below):
        mark = labelled(each)[T["chart.operating_point"]]
        assert set(mark.get_xdata()) == {POINT.threshold}
    bars = [patch.get_bbox() for patch in below.patches]
    counts = [count for each in TARGET.by_outcome.values() for count in each.counts]
    assert [bar.height for bar in bars] == counts
    for place in range(5):
        column = [bar for number, bar in enumerate(bars) if number % 5 == place]
        assert all((bar.x0, bar.x1) == pytest.approx((place / 5, (place + 1) / 5)) for bar in column)
        assert [bar.y0 for bar in column] == [0, *np.cumsum([bar.height for bar in column])[:-1]]
    assert len({patch.get_facecolor() for patch in below.patches}) == 4
    assert [label.get_visible() for label in (axes.xaxis.label, below.xaxis.label)] == [True, True]
    heights = axes.get_subplotspec().get_gridspec().get_height_ratios()
    assert heights[0] > heights[1]


def test_each_outcome_has_a_strip_its_median_and_where_values_differ_a_violin() -> None:
    (axes,) = charts.outcomes(TARGET, T, POINT).axes
    present = [each for each in TARGET.by_outcome.values() if each.n]
    *lines, threshold = axes.get_lines()
    assert set(threshold.get_ydata()) == {POINT.threshold}
    for number, (strip, median, each) in enumerate(zip(lines[::2], lines[1::2], present, strict=True)):
        assert list(strip.get_ydata()) == each.values
        assert all(abs(x - number) < 0.3 for x in strip.get_xdata())
        (left, low), (right, high) = points(median)
        assert low == high == each.median and left < number < right and right - left < 1
    spread = lines[2].get_xdata()
    assert len(set(spread)) == 11 and np.mean(spread[:11]) == pytest.approx(1)
    violins = [{x for x, _ in area} for area in areas(axes)]
    assert [round(np.mean([min(xs), max(xs)])) for xs in violins] == [0, 1]
    assert all(0.2 < max(xs) - min(xs) < 1 for xs in violins)
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert labels == ["benign (4)", "malignant (30)", "normal (2)"] and list(axes.get_xticks()) == [0, 1, 2]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert -1 < left < -0.3 and 2.3 < right < 3 and -0.1 < bottom < 0 and 1 < top < 1.1
    assert len({line.get_color() for line in lines[::2]}) == 3
    assert not labelled(charts.outcomes(TARGET, T).axes[0])


def test_net_benefit_is_drawn_with_its_band_and_calling_all_may_leave_the_chart_downwards() -> None:
    (axes,) = charts.decision(DECISION, T, 0.6).axes
    lines = labelled(axes)
    for key in ("model", "all", "none"):
        assert points(lines[T[f"chart.{key}"]]) == list(zip(DECISION["threshold"], DECISION[key], strict=True))
    (band,) = areas(axes)
    assert band == {(0.0, 0.3), (0.0, 0.5), (0.25, 0.2), (0.25, 0.4), (0.9, 0.0), (0.9, 0.1)}
    bottom, top = axes.get_ylim()
    assert -0.2 < bottom < 0 and 0.5 < top < 0.6
    assert axes.get_xlim() == (0, 0.6) and charts.decision(DECISION, T).axes[0].get_xlim() == (0, 1)
    nothing = charts.decision({"threshold": [0.5], "model": [0.0], "all": [-1.0], "none": [0.0]}, T).axes[0]
    assert nothing.get_ylim()[0] < 0 < nothing.get_ylim()[1]


def test_a_forest_has_a_row_for_each_subgroup_with_the_figure_the_first_above() -> None:
    values = [(0.8, 0.7, 0.9), (0.6, None, None), (None, None, None), (0.9, 0.5, 1.0)]
    groups = [
        SubgroupEvidence(column="device", value=f"{place}", n=9, figures={"auc": Figure(value=value, low=low, high=high, n=9 - place)})
        for place, (value, low, high) in enumerate(values)
    ]  # fmt: skip
    groups.append(SubgroupEvidence(column="device", value="other", n=9, figures={}))
    figure = charts.forest(groups, "auc", Figure(value=0.75, n=36), T)
    (axes,) = figure.axes
    whole, *lines = axes.get_lines()
    assert set(whole.get_xdata()) == {0.75}
    assert [points(line) for line in lines] == [
        [(0.7, 0), (0.9, 0)],
        [(0.8, 0)],
        [(0.6, 1)],
        [(0.5, 2), (1.0, 2)],
        [(0.9, 2)],
    ]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["device: 0 (9)", "device: 1 (8)", "device: 3 (6)"]
    assert list(axes.get_yticks()) == [0, 1, 2]
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert -0.1 < left <= 0 and 1 <= right < 1.1 and 2 < bottom < 3 and -1 < top < 0
    assert charts.forest(groups, "auc", Figure(value=None, n=36), T).axes[0].get_lines()[0].get_xdata()[0] != 0.75
    # As high as it takes: a third of an inch a row, never less than an inch.
    (width, height), (same, higher) = (
        figure.get_size_inches(),
        charts.forest(groups * 7, "auc", None, T).get_size_inches(),
    )
    assert same == width == charts.coverage_error({}, T).get_size_inches()[0]
    assert 1 < height < 2 and (higher - height) / (21 - 3) == pytest.approx(0.3, abs=0.05)


def test_coverage_and_error_are_drawn_from_nought() -> None:
    curve = {"coverage": [0.2, 0.5, 1.0], "error": [0.01, 0.02, 0.05]}
    (axes,) = charts.coverage_error(curve, T).axes
    assert points(axes.get_lines()[0]) == list(zip(*curve.values(), strict=True))
    assert axes.get_xlim() == (0, 1) and axes.get_ylim()[0] == 0 and axes.get_legend() is None


def test_losses_are_drawn_by_whole_epochs_where_they_are_known() -> None:
    training = {"epoch": [1, 2, 3], "train_loss": [0.9, 0.7, 0.6], "val_loss": [None, 0.8, None]}
    (axes,) = charts.losses(training, T).axes
    lines = labelled(axes)
    assert points(lines[T["chart.train_loss"]]) == [(1, 0.9), (2, 0.7), (3, 0.6)]
    assert points(lines[T["chart.val_loss"]]) == [(2, 0.8)]
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
    assert len(labelled(charts.losses(training | {"val_loss": [None] * 3}, T).axes[0])) == 1


def test_weeks_are_drawn_with_the_first_shaded_and_those_that_differ_marked() -> None:
    weeks = [f"W{number}" for number in range(23)]
    values = [0.5 + number / 100 for number in range(23)]
    curve = {
        "value": [None, *values[1:]],
        "low": [None, *(value - 0.1 for value in values[1:])],
        "high": [None, *(value + 0.1 for value in values[1:])],
    }
    differs = [number == 5 for number in range(23)]
    (axes,) = charts.weekly(weeks, curve, differs, 4, "score", T).axes
    line, marked = axes.get_lines()
    assert points(line) == list(enumerate(values))[1:] and points(marked) == [(5, values[5])]
    (shaded,) = axes.patches
    assert (shaded.get_bbox().x0, shaded.get_bbox().x1) == (-0.5, 3.5)
    (band,) = areas(axes)
    assert {x for x, _ in band} == set(range(1, 23)) and (22.0, values[22] + 0.1) in band
    assert axes.get_xlim() == (-0.5, 22.5)
    shown = {
        int(place): label.get_text() for place, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)
    }
    assert shown == {place: weeks[place] for place in range(0, 23, 3)}
    few = charts.weekly(weeks[:10], {"value": values[:10]}, differs[5:15], 0, "score", T).axes[0]
    assert [label.get_text() for label in few.get_xticklabels()] == weeks[:10] and not few.patches
    assert points(few.get_lines()[1]) == [(0, 0.5)]
    assert len(charts.weekly(weeks, curve, [False] * 23, 0, "score", T).axes[0].get_lines()) == 1


@pytest.mark.parametrize(("language", "half"), [("en", "0.5"), ("fr", "0,5")])
def test_numbers_beside_an_axis_have_the_decimal_sign_of_the_language(language: str, half: str) -> None:
    t = texts(language)
    above, below = charts.calibration(TARGET, t).axes
    group = SubgroupEvidence(column="a", value="b", n=9, figures={"auc": Figure(value=0.5, n=9)})
    for axis in (above.yaxis, below.xaxis, charts.forest([group], "auc", None, t).axes[0].xaxis):
        formatter = axis.get_major_formatter()
        formatter.set_locs([0.0, 0.5, 1.0])
        assert formatter(0.5, 0) == half


def test_a_chart_is_a_picture_of_the_size_it_was_drawn_for_and_the_same_each_time() -> None:
    figure = charts.roc(CURVES, T)
    picture = Image.open(io.BytesIO(charts.png(figure)))
    width, height = figure.get_size_inches()
    assert picture.size == pytest.approx((width * figure.dpi, height * figure.dpi), abs=1)
    assert picture.info["dpi"] == pytest.approx((figure.dpi, figure.dpi), rel=0.01) and figure.dpi >= 150
    pixels = np.asarray(picture.convert("RGBA"))
    colour = np.array([round(255 * part) for part in to_rgba(labelled(figure.axes[0])["benign"].get_color())])
    assert (pixels == colour).all(axis=2).any()
    assert charts.png(charts.roc(CURVES, T)) == charts.png(charts.roc(CURVES, T))


def test_net_benefit_at_a_prevalence_is_drawn_up_to_thresholds_somebody_might_choose(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(charts, "png", lambda figure: drawn.append(figure) or b"")
    found = charts.target_charts(TARGET, {"here": 0.4, "screening": 0.01}, T, POINT)
    assert len(found) == len(drawn) == 5
    assert [figure.axes[0].get_xlim()[1] for figure in drawn[2:]] == [1, 1, pytest.approx(0.06)]
    assert "1.0%" in found[4].caption and "40.0%" in found[3].caption
