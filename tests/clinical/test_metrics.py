"""The figures of an epoch: equal to scikit-learn's where all are defined, None where one is not."""

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from breastai.clinical.epoch_metrics import METRICS, auc_roc_by_class, confusion, epoch_figures, specificity
from breastai.domain import catalog
from breastai.domain.events import ClassFigures, TrainingUpdate

CLASSES = ("benign", "malignant", "normal")


def draw(n: int, seed: int, classes: int = 3) -> tuple[Any, Any]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, n)
    logits = generator.normal(size=(n, classes)) + 1.2 * np.eye(classes)[labels]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return labels, probabilities


def test_every_metric_of_the_catalog_has_a_function() -> None:
    assert list(METRICS) == list(catalog.METRICS)


def test_the_figures_are_those_of_scikit_learn_when_all_are_defined() -> None:
    labels, probabilities = draw(200, seed=1)
    decisions = probabilities.argmax(axis=1)
    figures = epoch_figures(labels, probabilities, CLASSES)
    expected = {
        "accuracy": sk.accuracy_score(labels, decisions),
        "precision_macro": sk.precision_score(labels, decisions, average="macro"),
        "precision_weighted": sk.precision_score(labels, decisions, average="weighted"),
        "recall_macro": sk.recall_score(labels, decisions, average="macro"),
        "recall_weighted": sk.recall_score(labels, decisions, average="weighted"),
        "f1_macro": sk.f1_score(labels, decisions, average="macro"),
        "f1_weighted": sk.f1_score(labels, decisions, average="weighted"),
        "cohen_kappa": sk.cohen_kappa_score(labels, decisions),
        "auc_roc": sk.roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"),
    }
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value, abs=1e-12), name
    assert figures["confusion_matrix"] == sk.confusion_matrix(labels, decisions).tolist()
    assert METRICS["loss"](labels, probabilities) == pytest.approx(sk.log_loss(labels, probabilities), abs=1e-12)
    for index, name in enumerate(CLASSES):
        row = figures["per_class"][name]
        positive, predicted = labels == index, decisions == index
        assert row["sensitivity"] == pytest.approx(sk.recall_score(positive, predicted), abs=1e-12)
        assert row["specificity"] == pytest.approx(sk.recall_score(~positive, ~predicted), abs=1e-12)
        assert row["precision"] == pytest.approx(sk.precision_score(positive, predicted), abs=1e-12)
        assert row["f1"] == pytest.approx(sk.f1_score(positive, predicted), abs=1e-12)
        assert row["auc_roc"] == pytest.approx(sk.roc_auc_score(positive, probabilities[:, index]), abs=1e-12)
        assert row["support"] == positive.sum()


def test_the_figures_fill_a_training_update() -> None:
    figures = epoch_figures(*draw(50, seed=2), CLASSES)
    update = TrainingUpdate(
        epoch=1, epochs=1, train_loss=1, train_accuracy=1, val_loss=1, learning_rate=1, images_per_second=1,
        epoch_s=1, eta_s=1, is_best=True, **{f"val_{name}": value for name, value in figures.items()},
    )  # fmt: skip
    assert set(figures) == {
        name.removeprefix("val_") for name in TrainingUpdate.model_fields if name.startswith("val_")
    } - {"loss"}
    assert update.val_per_class["normal"].support == figures["per_class"]["normal"]["support"]
    assert tuple(figures["per_class"]["normal"]) == catalog.PER_CLASS_METRICS


def test_a_class_without_a_case_has_no_sensitivity_and_does_not_pull_the_average_down() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.1, 0.9, 0], [0.2, 0.8, 0]])
    figures = epoch_figures(labels, probabilities, CLASSES)
    normal = figures["per_class"]["normal"]
    assert (normal["sensitivity"], normal["precision"], normal["f1"], normal["auc_roc"]) == (None, None, None, None)
    assert (normal["specificity"], normal["support"]) == (1.0, 0)
    for name in ("recall_macro", "precision_macro", "f1_macro", "auc_roc", "recall_weighted", "cohen_kappa"):
        assert figures[name] == 1.0, name


def test_a_class_never_predicted_has_no_precision_but_an_f1_of_zero() -> None:
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.6, 0.4]])
    figures = epoch_figures(labels, probabilities, CLASSES[:2])
    malignant = figures["per_class"]["malignant"]
    assert malignant["precision"] is None
    assert (malignant["sensitivity"], malignant["f1"], malignant["auc_roc"]) == (0.0, 0.0, 1.0)
    assert figures["precision_macro"] == 0.5
    assert figures["cohen_kappa"] == 0.0


def test_a_class_without_negatives_has_no_specificity() -> None:
    assert specificity(confusion(np.array([0, 0]), np.array([0, 1]), 2)) == [None, 0.5]


def test_a_single_class_decided_rightly_has_no_kappa_and_no_auc() -> None:
    figures = epoch_figures(np.array([1, 1]), np.array([[0.2, 0.8], [0.1, 0.9]]), CLASSES[:2])
    assert (figures["cohen_kappa"], figures["auc_roc"]) == (None, None)
    assert (figures["accuracy"], figures["recall_macro"], figures["f1_macro"]) == (1.0, 1.0, 1.0)


def test_without_a_case_every_figure_is_undefined() -> None:
    figures = epoch_figures(np.zeros(0, dtype=int), np.zeros((0, 3)), CLASSES)
    assert figures["confusion_matrix"] == [[0, 0, 0]] * 3
    assert all(figures[name] is None for name in figures if name not in ("confusion_matrix", "per_class"))
    assert METRICS["loss"](np.zeros(0, dtype=int), np.zeros((0, 3))) is None
    for row in figures["per_class"].values():
        assert ClassFigures(**row).support == 0


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
        epoch_figures(np.array(labels), probabilities, CLASSES)


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
    figures = epoch_figures(labels, probabilities, CLASSES)
    json.dumps(figures, allow_nan=False)
    matrix = np.array(figures["confusion_matrix"])
    assert matrix.sum() == len(labels)
    assert matrix.sum(axis=1).tolist() == [row["support"] for row in figures["per_class"].values()]
    assert figures["recall_weighted"] == pytest.approx(figures["accuracy"])
    for name, value in figures.items():
        if name not in ("confusion_matrix", "per_class") and value is not None:
            assert (-1 if name == "cohen_kappa" else 0) <= value <= 1, name
    for row in figures["per_class"].values():
        if row["support"] and row["precision"]:
            harmonic = 2 / (1 / row["precision"] + 1 / row["sensitivity"]) if row["sensitivity"] else 0.0
            assert row["f1"] == pytest.approx(harmonic)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_figures_do_not_depend_on_the_order_of_the_cases(seed: int) -> None:
    labels, probabilities = draw(30, seed)
    order = np.random.default_rng(seed).permutation(30)
    before, after = (
        epoch_figures(truth, p, CLASSES)
        for truth, p in ((labels, probabilities), (labels[order], probabilities[order]))
    )
    assert before["confusion_matrix"] == after["confusion_matrix"]
    assert before["auc_roc"] == pytest.approx(after["auc_roc"])
    assert before["per_class"]["malignant"] == pytest.approx(after["per_class"]["malignant"])


def test_the_auc_is_the_share_of_pairs_in_the_right_order() -> None:
    labels, probabilities = draw(60, seed=5)
    probabilities = probabilities.round(1)  # ties count one half
    pairs = [
        (float(p > q) + 0.5 * float(p == q))
        for p in probabilities[labels == 1, 1]
        for q in probabilities[labels != 1, 1]
    ]
    assert auc_roc_by_class(labels, probabilities)[1] == pytest.approx(sum(pairs) / len(pairs))
