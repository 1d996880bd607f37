"""What an evaluation reports: each figure equal to scikit-learn's, with its number of cases and an interval around it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from breastai.clinical import weighted
from breastai.clinical.evidence import evaluate, patient_figures
from breastai.clinical.metrics import epoch_figures

CLASSES = ("benign", "malignant", "normal")


def test_every_figure_is_scikit_learn_s(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(180, seed=1)
    probabilities = probabilities.round(2) + 0.001  # with ties
    decisions = probabilities.argmax(axis=1)
    figures = evaluate(labels, probabilities, CLASSES, repetitions=100)
    truth = np.eye(3)[labels]
    expected = {
        "accuracy": sk.accuracy_score(labels, decisions),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, decisions),
        "cohen_kappa": sk.cohen_kappa_score(labels, decisions),
        "mcc": sk.matthews_corrcoef(labels, decisions),
        "f1.macro": sk.f1_score(labels, decisions, average="macro"),
        "auc_roc.macro": np.mean([sk.roc_auc_score(labels == c, probabilities[:, c]) for c in range(3)]),
        "brier": ((probabilities - truth) ** 2).sum(axis=1).mean(),
    }
    for index, name in enumerate(CLASSES):
        positive, called, scores = labels == index, decisions == index, probabilities[:, index]
        ratios = sk.class_likelihood_ratios(positive, called)
        expected |= {
            f"auc_roc.{name}": sk.roc_auc_score(positive, scores),
            f"partial_auc_0.90.{name}": sk.roc_auc_score(positive, scores, max_fpr=0.1),
            f"average_precision.{name}": sk.average_precision_score(positive, scores),
            f"sensitivity.{name}": sk.recall_score(positive, called),
            f"specificity.{name}": sk.recall_score(~positive, ~called),
            f"precision.{name}": sk.precision_score(positive, called),
            f"npv.{name}": sk.precision_score(~positive, ~called),
            f"f1.{name}": sk.f1_score(positive, called),
            f"youden.{name}": sk.balanced_accuracy_score(positive, called, adjusted=True),
            f"lr_positive.{name}": ratios[0],
            f"lr_negative.{name}": ratios[1],
        }
        x, y, _ = sk.roc_curve(positive, scores, drop_intermediate=False)
        expected[f"sensitivity_at_specificity_0.90.{name}"] = y[x <= 0.1].max()
        expected[f"specificity_at_sensitivity_0.95.{name}"] = 1 - x[y >= 0.95].min()
    for figure, value in expected.items():
        assert figures[figure].value == pytest.approx(value, abs=1e-9), figure
    for figure, found in figures.items():
        if figure == "ece":
            assert (found.low, found.high, found.flag) == (None, None, "biased")
            continue
        assert found.low is not None and found.high is not None, figure
        assert found.value is not None and found.low <= found.value <= found.high, figure
    assert figures["sensitivity.malignant"].n == (labels == 1).sum()
    assert figures["specificity.malignant"].n == (labels != 1).sum()
    assert figures["precision.malignant"].n == (decisions == 1).sum()
    assert figures["auc_roc.malignant"].n == 180


def test_the_calibration_error_is_the_mean_gap_over_bins(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(120, seed=3)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    expected = 0.0
    for number in range(15):
        inside = (confidence > number / 15) & (confidence <= (number + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert evaluate(labels, probabilities, CLASSES, repetitions=10)["ece"].value == pytest.approx(expected)


def test_the_figures_of_an_epoch_and_of_an_evaluation_are_the_same(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(90, seed=4)
    epoch, judged = (
        epoch_figures(labels, probabilities, CLASSES),
        evaluate(labels, probabilities, CLASSES, repetitions=10),
    )
    assert judged["cohen_kappa"].value == pytest.approx(epoch["cohen_kappa"])
    assert judged["auc_roc.macro"].value == pytest.approx(epoch["auc_roc"])
    assert judged["f1.macro"].value == pytest.approx(epoch["f1_macro"])
    for name, row in epoch["per_class"].items():
        for figure in ("sensitivity", "specificity", "precision", "f1", "auc_roc"):
            assert judged[f"{figure}.{name}"].value == pytest.approx(row[figure]), figure


def test_the_order_of_patients_and_their_names_do_not_matter(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(60, seed=5)
    patients = [f"P{number // 3}" for number in range(60)]
    order = np.random.default_rng(0).permutation(60)
    first = evaluate(labels, probabilities, CLASSES, patients, repetitions=20)
    second = evaluate(labels[order], probabilities[order], CLASSES, [patients[i] for i in order], repetitions=20)
    for name, figure in first.items():
        assert second[name].value == pytest.approx(figure.value), name
        assert second[name].low == pytest.approx(figure.low), name


def test_without_a_second_image_of_anyone_there_is_nothing_to_pool(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(30, seed=5)
    alone = evaluate(labels, probabilities, CLASSES, [str(number) for number in range(30)], repetitions=20)
    assert patient_figures(labels, probabilities, CLASSES, [str(number) for number in range(30)]) == ({}, None)
    assert alone["accuracy"] == evaluate(labels, probabilities, CLASSES, repetitions=20)["accuracy"]


def test_a_subgroup_has_the_figures_of_its_own_images(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(90, seed=6)
    device = ["A"] * 40 + ["B"] * 40 + [""] * 10
    figures = evaluate(labels, probabilities, CLASSES, subgroups={"device": device}, repetitions=20)
    only_b = evaluate(labels[40:80], probabilities[40:80], CLASSES, repetitions=20)
    assert {name: figures[f"{name}@device=B"] for name in only_b} == only_b
    assert {name.partition("@")[2] for name in figures} == {"", "device=A", "device=B"}


def test_a_frozen_threshold_decides_in_place_of_the_highest_probability(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(90, seed=6)
    figures = evaluate(labels, probabilities, CLASSES, thresholds={"malignant": 0.2}, repetitions=10)
    called = probabilities[:, 1] >= 0.2
    assert figures["sensitivity_at_operating_point.malignant"].value == pytest.approx(called[labels == 1].mean())
    assert figures["precision_at_operating_point.malignant"].n == called.sum()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=0, max_size=12), st.integers(0, 1000))
def test_few_cases_give_none_and_never_a_wrong_number(labels: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    weights = generator.integers(0, 3, (len(labels), 3)) + 0.01
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    patients = [str(number) for number in generator.integers(0, 4, len(labels))]
    figures = evaluate(np.array(labels, dtype=int), probabilities, CLASSES, patients, repetitions=20)
    for name, figure in figures.items():
        if figure.value is None and not name.startswith("lr_"):
            assert figure.low is None and figure.high is None
        for bound in (figure.low, figure.high):
            if bound is not None and not name.startswith(("lr_", "brier", "ece")):
                assert -1 <= bound <= 1, name


def test_weights_count_cases_as_often_as_they_say(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(40, seed=8)
    probabilities = probabilities.round(1)
    times = np.random.default_rng(0).integers(0, 4, 40)
    repeated = np.repeat(np.arange(40), times)

    def figures(weights: Any, rows: Any) -> dict[str, Any]:
        truth, scores = labels[rows], probabilities[rows]
        matrices = weighted.confusions(weights, truth, scores.argmax(axis=1), 3)
        found = weighted.agreement(matrices) | weighted.of_probabilities(weights, truth, scores)
        return found | weighted.of_scores(weights, truth == 1, scores[:, 1], (0.9,), (0.9,))

    counted = figures(times[None, :].astype(float), np.arange(40))
    written_out = figures(np.ones((1, len(repeated))), repeated)
    for name, values in counted.items():
        assert values[0] == pytest.approx(written_out[name][0], nan_ok=True), name


def test_labels_drawn_at_random_have_an_auc_around_one_half() -> None:
    generator = np.random.default_rng(2)
    patients = np.repeat(np.arange(60), 4)
    labels = generator.integers(0, 2, 60)[patients]
    scores = 1 / (1 + np.exp(-generator.normal(size=60)[patients] - 0.3 * generator.normal(size=240)))
    figure = evaluate(
        labels, np.stack([1 - scores, scores], axis=1), CLASSES[:2], patients.astype(str).tolist(), repetitions=10
    )["auc_roc.malignant"]
    assert figure.low is not None and figure.high is not None
    assert figure.low < 0.5 < figure.high


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        evaluate(np.array([0, 1]), np.zeros((2, 2)), CLASSES)
    with pytest.raises(ValueError, match="labels"):
        evaluate(np.array([0, 3]), np.zeros((2, 3)), CLASSES)
