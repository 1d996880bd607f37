"""Subgroups: each figure and difference by an independent computation, shared patients, and tests counted once."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from breastai.clinical.evidence import gather_evidence
from breastai.clinical.intervals import Estimate, wilson
from breastai.clinical.subgroup_evidence import gather_subgroups, p_of_interval
from breastai.domain.records import SubgroupEvidence

NAMES = ["benign", "malignant"]


def draw(n: int, seed: int, weak: float = 0.0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Return labels, scores and devices of N images; scores of device B tell the classes apart less by `weak`."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    device = rng.choice(["A", "B", "C"], n)
    logits = 1.5 * (2 * labels - 1) * np.where(device == "B", 1 - weak, 1.0) + rng.normal(size=n)
    malignant = 1 / (1 + np.exp(-logits))
    return labels, np.stack([1 - malignant, malignant], axis=1), device.tolist()


def found_of(seed: int, n: int = 300, weak: float = 0.0) -> list[SubgroupEvidence]:
    labels, scores, device = draw(n, seed, weak)
    return gather_subgroups(labels, scores, NAMES, {"device": device}, target="malignant", threshold=0.5)


def test_each_figure_is_that_of_its_images_and_each_difference_that_from_the_others() -> None:
    labels, scores, device = draw(300, 1)
    for each in found_of(1):
        inside = np.array(device) == each.value
        areas = [roc_auc_score(labels[among], scores[among, 1]) for among in (inside, ~inside)]
        assert each.figures["auc_roc.malignant"].value == pytest.approx(areas[0], abs=1e-12)
        assert each.differences["auc_roc.malignant"].difference.value == pytest.approx(areas[0] - areas[1], abs=1e-12)
        assert (each.n, each.positives) == (inside.sum(), labels[inside].sum())


def test_differences_of_shares_of_different_patients_have_newcombe_s_interval() -> None:
    """Newcombe's method 10 (Stat Med 1998;17:873-890), from Wilson's intervals of both shares."""
    labels, scores, device = draw(300, 2)
    each = found_of(2)[0]
    inside, positive = np.array(device) == each.value, labels == 1
    called = scores[:, 1] >= 0.5
    one, other = (wilson((called & positive & among).sum(), (positive & among).sum()) for among in (inside, ~inside))
    found = each.differences["sensitivity_at_operating_point.malignant"].difference
    gap = one.value - other.value  # type: ignore[operator]
    low = gap - np.hypot(one.value - one.low, other.high - other.value)  # type: ignore[operator]
    high = gap + np.hypot(one.high - one.value, other.value - other.low)  # type: ignore[operator]
    assert (found.value, found.low, found.high) == pytest.approx((gap, low, high), abs=1e-9)


def test_p_values_are_those_of_the_interval_and_adjusted_as_statsmodels_does() -> None:
    assert p_of_interval(Estimate(0.5, 0.5 - 1.959963984540054 * 0.2, 0.9)) == pytest.approx(
        2 * stats.norm.sf(2.5), abs=1e-12
    )
    assert p_of_interval(Estimate(0.2, 0.0, 0.4)) == pytest.approx(0.05, abs=1e-12)
    told = [difference for each in found_of(3) for difference in each.differences.values()]
    assert len(told) == 9
    expected = multipletests([each.p_value for each in told], method="holm")[1]
    assert [each.adjusted_p for each in told] == pytest.approx(expected.tolist(), abs=1e-12)


def test_of_two_values_the_mirrored_difference_is_no_second_test() -> None:
    labels, scores, device = draw(300, 4)
    side = ["left" if each == "A" else "right" for each in device]
    left, right = gather_subgroups(labels, scores, NAMES, {"side": side}, target="malignant", threshold=0.5)
    for name, each in left.differences.items():
        mirrored = right.differences[name]
        assert mirrored.difference.value == pytest.approx(-(each.difference.value or 0))
        assert mirrored.adjusted_p == each.adjusted_p is not None
    raw = [each.p_value for each in left.differences.values()]
    assert [e.adjusted_p for e in left.differences.values()] == pytest.approx(multipletests(raw, method="holm")[1])


def test_a_weak_device_is_found_and_equal_ones_seldom_are() -> None:
    weak = next(each for each in found_of(5, 900, weak=0.8) if each.value == "B")
    assert (weak.differences["auc_roc.malignant"].adjusted_p or 1) < 0.001
    false = sum(
        any((difference.adjusted_p or 1) < 0.05 for each in found_of(seed) for difference in each.differences.values())
        for seed in range(10, 50)
    )
    assert false <= 6  # of 40, where at most one in twenty is promised


def test_patients_on_both_sides_make_a_difference_surer() -> None:
    """Of one patient's two breasts the scores go together, so that their difference varies less."""
    rng = np.random.default_rng(6)
    labels = np.repeat(rng.integers(0, 2, 100), 2)
    logits = np.repeat(rng.normal(size=100), 2) + 1.2 * (2 * labels - 1) + 0.1 * rng.normal(size=200)
    scores = np.stack([1 - 1 / (1 + np.exp(-logits)), 1 / (1 + np.exp(-logits))], axis=1)
    options = {"target": "malignant", "threshold": 0.5}
    columns = {"side": ["L", "R"] * 100}
    apart = gather_subgroups(labels, scores, NAMES, columns, None, **options)[0]  # type: ignore[arg-type]
    together = gather_subgroups(labels, scores, NAMES, columns, np.repeat(np.arange(100), 2), **options)[0]  # type: ignore[arg-type]
    widths = [
        each.differences["auc_roc.malignant"].difference.high - each.differences["auc_roc.malignant"].difference.low  # type: ignore[operator]
        for each in (apart, together)
    ]
    assert widths[1] < 0.8 * widths[0]


def test_a_subgroup_of_one_class_has_no_area_and_no_difference_of_areas() -> None:
    labels, scores, _device = draw(120, 7)
    pure = ["yes" if label else "no" for label in labels.tolist()]
    one = gather_subgroups(labels, scores, NAMES, {"pure": pure}, target="malignant", threshold=0.5)[0]
    assert one.figures["auc_roc.malignant"].value is None
    assert one.differences["auc_roc.malignant"].p_value is None


def test_an_evaluation_holds_its_subgroups_and_a_column_of_one_value_differs_from_nothing() -> None:
    labels, scores, device = draw(120, 8)
    columns = {"device": device, "site": ["one"] * 119 + [""]}
    found = gather_evidence(labels, scores, NAMES, target="malignant", subgroups=columns, repetitions=20)
    assert [(each.column, each.value) for each in found.subgroups] == [
        ("device", "A"), ("device", "B"), ("device", "C"), ("site", "one"),
    ]  # fmt: skip
    assert found.subgroups[-1].n == 119 and found.subgroups[-1].differences == {}


def test_bands_stand_in_their_order() -> None:
    labels, scores, _ = draw(120, 9)
    ages = ["≥ 70", "40 – < 50", "< 40", "100", ""] * 24
    values = [each.value for each in gather_subgroups(labels, scores, NAMES, {"age": ages}, target="malignant")]
    assert values == ["< 40", "40 – < 50", "≥ 70", "100"]


def test_a_difference_that_is_undefined_has_no_p_value_of_another() -> None:
    labels, scores, device = draw(300, 1)
    device = ["D" if number in np.flatnonzero(labels == 0)[:4] else each for number, each in enumerate(device)]
    found = gather_subgroups(labels, scores, NAMES, {"device": device}, target="malignant", threshold=0.5)
    for each in found:
        for difference in each.differences.values():
            assert (difference.p_value is None) == (difference.adjusted_p is None)
    assert found[-1].differences["auc_roc.malignant"].adjusted_p is None
