"""Every metric of the catalogue: equal to its oracle's, with weights and without; None where it is undefined, never 0."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from breastai.clinical.metric_intervals import evaluate
from breastai.clinical.metrics.epoch_metrics import measure_epoch
from breastai.clinical.metrics.weighted_cases import WeightedCases, calibration_bin
from breastai.clinical.metrics.weighted_counts import WeightedCounts
from breastai.clinical.metrics.weighted_roc import WeightedRoc
from breastai.domain.metric_catalog import (
    CLASS_METRICS,
    DRAWN_METRICS,
    EPOCH_CLASS_METRICS,
    EPOCH_METRICS,
    METRICS,
    MONITORS,
    Metric,
    rename_metrics,
)

CLASSES = ("benign", "malignant", "normal")


def draw(n: int, seed: int, classes: int = 3) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes)) + 1.2 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities


def weightings(n: int) -> Any:
    """Each case once; drawn with replacement, as a bootstrap does; any weights."""
    generator = np.random.default_rng(n)
    drawn = np.bincount(generator.integers(0, n, n), minlength=n)
    return np.stack([np.ones(n), drawn, generator.random(n)]).astype(float)


def by_oracle(row: Metric, labels: Any, probabilities: Any, weights: Any) -> float:
    """Return what scikit-learn says of all classes together."""
    assert row.oracle is not None
    named = {"labels": [0, 1, 2]} if row.oracle in ("log_loss", "brier_score_loss") else {}
    named |= {"average": row.average} if row.average else {}
    named |= {"multi_class": "ovr"} if row.oracle == "roc_auc_score" else {}
    told = probabilities if row.level == "case" else probabilities.argmax(axis=1)
    return float(getattr(sk, row.oracle)(labels, told, sample_weight=weights, **named))


@pytest.mark.parametrize("row", [row for row in METRICS.values() if row.oracle], ids=lambda row: row.name)
@pytest.mark.parametrize("seed", range(3))
def test_a_metric_agrees_with_its_oracle_weighted_and_not(row: Metric, seed: int) -> None:
    labels, probabilities = draw(150, seed)
    probabilities = probabilities.round(2 + seed)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    weights = weightings(150)
    values = row.formula(WeightedCases(labels, probabilities, weights))
    assert values.shape == (3,)
    for value, own in zip(values, weights, strict=True):
        assert value == pytest.approx(by_oracle(row, labels, probabilities, own), abs=1e-12)


@pytest.mark.parametrize("row", CLASS_METRICS.values(), ids=lambda row: row.name)
def test_a_metric_of_a_class_agrees_with_its_oracle_weighted_and_not(row: Metric) -> None:
    labels, probabilities = draw(150, seed=7)
    weights = weightings(150)
    values = row.formula(WeightedCases(labels, probabilities, weights))
    assert values.shape == (3, 3)
    decisions = probabilities.argmax(axis=1)
    for case, own in enumerate(weights):
        for index in range(3):
            positive, predicted, scores = labels == index, decisions == index, probabilities[:, index]
            expected = of_a_class(row, positive, predicted, scores, own)
            assert values[case, index] == pytest.approx(expected, abs=1e-12)


def of_a_class(row: Metric, positive: Any, predicted: Any, scores: Any, weights: Any) -> float:
    """Return what scikit-learn says of one class against the rest."""
    if row.oracle:
        told = scores if row.oracle in ("roc_auc_score", "average_precision_score") else predicted
        return float(getattr(sk, row.oracle)(positive, told, sample_weight=weights))
    sensitivity = sk.recall_score(positive, predicted, sample_weight=weights)
    specificity = sk.recall_score(~positive, ~predicted, sample_weight=weights)
    rates, sensitivities, _ = sk.roc_curve(positive, scores, sample_weight=weights, drop_intermediate=False)
    name, _, point = row.name.rpartition("_")
    if name == "partial_auc":
        return float(sk.roc_auc_score(positive, scores, sample_weight=weights, max_fpr=1 - float(point)))
    if name == "sensitivity_at_specificity":
        return float(sensitivities[rates <= 1 - float(point) + 1e-9].max())
    if name == "specificity_at_sensitivity":
        return float((1 - rates)[sensitivities >= float(point) - 1e-9].max())
    return float(
        {
            "specificity": specificity,
            "support": weights[positive].sum(),
            "npv": sk.precision_score(~positive, ~predicted, sample_weight=weights),
            "youden": sensitivity + specificity - 1,
            "lr_positive": sensitivity / (1 - specificity),
            "lr_negative": (1 - sensitivity) / specificity,
        }[row.name]
    )


def test_the_calibration_error_is_that_of_its_bins_written_out() -> None:
    labels, probabilities = draw(150, seed=3)
    for weights in weightings(150):
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
        expected = 0.0
        for place in range(15):
            inside = (confidence > place / 15) & (confidence <= (place + 1) / 15)
            expected += abs((weights * (right - confidence))[inside].sum()) / weights.sum()
        found = METRICS["ece"].formula(WeightedCases(labels, probabilities, weights[None]))
        assert found[0] == pytest.approx(expected)


def test_a_bin_of_the_calibration_error_holds_its_upper_edge() -> None:
    assert calibration_bin(np.array([0.0, 0.6, np.nextafter(0.6, 1), 1.0])).tolist() == [0, 8, 9, 14]


def test_nineteen_of_twenty_reach_a_sensitivity_of_095() -> None:
    positive = np.arange(40) < 20
    scores = np.where(positive, 0.9, 0.1)
    scores[0] = 0.05  # below every negative one
    roc = WeightedRoc(np.ones((1, 40)), positive, scores)
    assert roc.specificity_at(0.95) == [1.0]
    assert WeightedRoc(np.ones((1, 40)), ~positive, -scores).sensitivity_at(0.95) == [1.0]
    assert roc.specificity_at(0.96) == [0.0]


def test_a_class_that_is_never_predicted_has_no_weight_in_the_mean_precision() -> None:
    labels = np.array([0, 0, 1, 1, 2])
    probabilities = np.eye(3)[[0, 1, 1, 1, 1]] * 0.9 + 0.03
    for row in (METRICS["precision_macro"], METRICS["precision_weighted"]):
        expected = sk.precision_score(labels, [0, 1, 1, 1, 1], average=row.average, zero_division=math.nan)
        assert row.formula(WeightedCases(labels, probabilities))[0] == pytest.approx(expected), row.name


def test_weights_count_cases_as_often_as_they_say() -> None:
    labels, probabilities = draw(40, seed=8)
    probabilities = probabilities.round(1)
    times = np.random.default_rng(0).integers(0, 4, 40)
    repeated = np.repeat(np.arange(40), times)
    counted = WeightedCases(labels, probabilities, times[None, :].astype(float))
    written_out = WeightedCases(labels[repeated], probabilities[repeated])
    for row in (*METRICS.values(), *CLASS_METRICS.values()):
        np.testing.assert_allclose(row.formula(counted), row.formula(written_out), err_msg=row.name)


def test_a_metric_of_the_level_matrix_needs_nothing_but_the_matrix() -> None:
    cases = WeightedCases(*draw(60, seed=9))
    counts = WeightedCounts(cases.matrices)
    for row in METRICS.values():
        if row.level == "matrix":
            assert row.formula(counts).tolist() == row.formula(cases).tolist(), row.name
    assert {row.level for row in DRAWN_METRICS.values()} == {"matrix"}


def test_an_evaluation_has_the_values_of_the_catalogue_and_no_metric_without_a_row() -> None:
    labels, probabilities = draw(90, seed=4)
    cases = WeightedCases(labels, probabilities)
    found = evaluate(labels, probabilities, CLASSES, repetitions=10)
    for name, figure in found.items():
        metric, _, class_name = name.rpartition(".") if name.endswith(CLASSES) else (name, "", "")
        if class_name:
            expected = CLASS_METRICS[metric].formula(cases)[0, CLASSES.index(class_name)]
        else:
            expected = METRICS[metric].formula(cases)[0]
        assert figure.value == pytest.approx(expected, abs=1e-12), name


def test_names_of_metrics_from_before_are_read_as_those_of_today() -> None:
    old = {"f1.macro": 1, "auc_roc.macro@patient": 2, "auc_roc.macro@device=A.macro": 3, "f1.benign": 4}
    assert rename_metrics(old) == {"f1_macro": 1, "auc_roc@patient": 2, "auc_roc@device=A.macro": 3, "f1.benign": 4}
    today = {"f1_macro": 1, "f1.macro": 2}
    assert rename_metrics(today) == today


def test_the_measured_epoch_fills_a_training_update() -> None:
    measured = measure_epoch(*draw(50, seed=2), CLASSES)
    assert list(measured.metrics) == list(EPOCH_METRICS)
    assert type(measured.per_class["normal"]["support"]) is int
    assert tuple(measured.per_class["normal"]) == tuple(EPOCH_CLASS_METRICS)
    assert {f"val_{name}" for name in measured.metrics} < set(MONITORS)


def test_a_class_without_a_case_has_no_sensitivity_and_does_not_pull_the_average_down() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.1, 0.9, 0], [0.2, 0.8, 0]])
    figures = measure_epoch(labels, probabilities, CLASSES)
    normal = figures.per_class["normal"]
    assert (normal["sensitivity"], normal["precision"], normal["f1"], normal["auc_roc"]) == (None, None, None, None)
    assert (normal["specificity"], normal["support"]) == (1.0, 0)
    for name in ("recall_macro", "precision_macro", "f1_macro", "auc_roc", "recall_weighted", "cohen_kappa"):
        assert figures.metrics[name] == 1.0, name


def test_a_class_never_predicted_has_no_precision_but_an_f1_of_zero() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    figures = measure_epoch(labels, probabilities, CLASSES[:2])
    malignant = figures.per_class["malignant"]
    assert malignant["precision"] is None
    assert (malignant["sensitivity"], malignant["f1"], malignant["auc_roc"]) == (0.0, 0.0, 1.0)
    assert figures.metrics["precision_macro"] == 0.5
    assert figures.metrics["cohen_kappa"] == 0.0


def test_a_class_without_negatives_has_no_specificity() -> None:
    found = measure_epoch(np.array([0, 0]), np.array([[0.9, 0.1], [0.4, 0.6]]), CLASSES[:2])
    assert [row["specificity"] for row in found.per_class.values()] == [None, 0.5]


def test_a_single_class_decided_rightly_has_no_kappa_and_no_auc() -> None:
    figures = measure_epoch(np.array([1, 1]), np.array([[0.2, 0.8], [0.1, 0.9]]), CLASSES[:2])
    assert (figures.metrics["cohen_kappa"], figures.metrics["auc_roc"]) == (None, None)
    assert (figures.metrics["accuracy"], figures.metrics["recall_macro"], figures.metrics["f1_macro"]) == (
        1.0,
        1.0,
        1.0,
    )


def test_without_a_case_every_figure_is_undefined() -> None:
    figures = measure_epoch(np.zeros(0, dtype=int), np.zeros((0, 3)), CLASSES)
    assert figures.confusion_matrix == [[0, 0, 0]] * 3
    assert set(figures.metrics.values()) == {None}
    for row in figures.per_class.values():
        assert {name: value for name, value in row.items() if value is not None} == {"support": 0}


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [
        ([0, 3], np.full((2, 3), 1 / 3)),
        ([0, -1], np.full((2, 3), 1 / 3)),
        ([0], np.full((2, 3), 1 / 3)),
        ([0, 1], np.full((2, 3), math.nan)),
        ([0, 1], np.full((2, 2), 0.5)),
    ],
)
def test_labels_and_probabilities_that_do_not_belong_together_are_refused(
    labels: list[int], probabilities: Any
) -> None:
    with pytest.raises(ValueError, match=r"expected|must"):
        measure_epoch(np.array(labels), probabilities, CLASSES)


cases = st.integers(0, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 2), min_size=n, max_size=n),
        st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3), min_size=n, max_size=n),
    )
)


@settings(max_examples=60, deadline=None)
@given(cases)
def test_figures_are_json_within_bounds_and_agree_with_each_other(case: tuple[list[int], list[list[int]]]) -> None:
    labels = np.array(case[0], dtype=np.int64)
    weights = np.array(case[1], dtype=float).reshape(len(labels), 3) + 0.01
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    figures = measure_epoch(labels, probabilities, CLASSES)
    json.dumps(figures, allow_nan=False)
    matrix = np.array(figures.confusion_matrix)
    assert matrix.sum() == len(labels)
    assert matrix.sum(axis=1).tolist() == [row["support"] for row in figures.per_class.values()]
    assert figures.metrics["recall_weighted"] == pytest.approx(figures.metrics["accuracy"])
    for name, value in figures.metrics.items():
        if name != "loss" and value is not None:
            assert -1 <= value <= 1, name
    for row in figures.per_class.values():
        if row["support"] and row["precision"]:
            harmonic = 2 / (1 / row["precision"] + 1 / row["sensitivity"]) if row["sensitivity"] else 0.0
            assert row["f1"] == pytest.approx(harmonic)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_figures_do_not_depend_on_the_order_of_the_cases(seed: int) -> None:
    labels, probabilities = draw(30, seed)
    order = np.random.default_rng(seed).permutation(30)
    before, after = (
        measure_epoch(truth, p, CLASSES)
        for truth, p in ((labels, probabilities), (labels[order], probabilities[order]))
    )
    assert before.confusion_matrix == after.confusion_matrix
    assert before.metrics == pytest.approx(after.metrics)
    assert before.per_class["malignant"] == pytest.approx(after.per_class["malignant"])


def test_the_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    labels, probabilities = draw(60, seed=5)
    probabilities = probabilities.round(1)  # ties count one half
    pairs = [
        (float(p > q) + 0.5 * float(p == q))
        for p in probabilities[labels == 1, 1]
        for q in probabilities[labels != 1, 1]
    ]
    assert WeightedCases(labels, probabilities).auc_roc[0, 1] == sum(pairs) / len(pairs)


@pytest.mark.parametrize("seed", range(3))
def test_figures_of_ordered_classes_agree_with_their_oracles_weighted_and_not(seed: int) -> None:
    labels, probabilities = draw(150, seed)
    weights = weightings(150)
    cases = WeightedCases(labels, probabilities, weights)
    decisions = probabilities.argmax(axis=1)
    kappa = METRICS["kappa_quadratic"].formula(cases)
    error = METRICS["class_error"].formula(cases)
    for place, own in enumerate(weights):
        expected = sk.cohen_kappa_score(labels, decisions, weights="quadratic", sample_weight=own)
        assert kappa[place] == pytest.approx(expected, abs=1e-12)
        assert error[place] == pytest.approx(sk.mean_absolute_error(labels, decisions, sample_weight=own), abs=1e-12)
