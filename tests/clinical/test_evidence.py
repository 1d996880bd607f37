"""What an evaluation reports: each figure equal to scikit-learn's, with its number of cases and an interval around it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from breastai.clinical.agreement_intervals import agreement_intervals
from breastai.clinical.intervals import wilson
from breastai.clinical.metric_intervals import evaluate, patient_metrics
from breastai.clinical.roc_intervals import average_precision, partial_auc

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
        "f1_macro": sk.f1_score(labels, decisions, average="macro"),
        "auc_roc": np.mean([sk.roc_auc_score(labels == c, probabilities[:, c]) for c in range(3)]),
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
    assert patient_metrics(labels, probabilities, CLASSES, [str(number) for number in range(30)]) == ({}, None)
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


def test_a_model_without_a_fault_has_an_interval_around_every_figure_but_the_calibration_error() -> None:
    labels = np.repeat([0, 1], 20)
    scores = np.where(labels == 1, 0.9, 0.1)
    figures = evaluate(labels, np.stack([1 - scores, scores], axis=1), CLASSES[:2], repetitions=2000)
    for name, figure in figures.items():
        if name.startswith("lr_positive"):  # infinite: a lower bound alone
            assert figure.value is None and figure.low is not None and figure.low > 1
        elif name != "ece":
            assert figure.low is not None and figure.high is not None, name
            assert figure.high > figure.low, name
    assert (figures["ece"].low, figures["ece"].flag) == (None, "biased")
    perfect = ("cohen_kappa", "mcc", "f1_macro", "auc_roc", "balanced_accuracy", "f1.malignant")
    for name in perfect:
        assert figures[name].value == figures[name].high == pytest.approx(1.0), name
        assert 0.6 < (figures[name].low or 0) < 1, name
    assert figures["lr_negative.malignant"].value == figures["lr_negative.malignant"].low == 0.0


def test_of_two_classes_the_areas_and_their_mean_are_one_figure_with_one_interval(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(80, seed=2)
    two = np.stack([1 - probabilities[:, 1], probabilities[:, 1]], axis=1)
    for patients in (None, [str(number // 2) for number in range(80)]):
        figures = evaluate((labels == 1).astype(int), two, ("others", "malignant"), patients, repetitions=10)
        one, other, mean = (figures[name] for name in ("auc_roc.others", "auc_roc.malignant", "auc_roc"))
        for bound in ("value", "low", "high"):
            assert getattr(one, bound) == pytest.approx(getattr(other, bound), abs=1e-9)
            assert getattr(mean, bound) == pytest.approx(getattr(other, bound), abs=1e-9)


def test_what_varies_from_patient_to_patient_has_no_interval_from_nine_of_them(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(72, seed=3)
    nine = evaluate(labels, probabilities, CLASSES, [str(number % 9) for number in range(72)], repetitions=100)
    ten = evaluate(labels, probabilities, CLASSES, [str(number % 10) for number in range(72)], repetitions=100)
    for name in ("cohen_kappa", "mcc", "f1_macro"):
        assert (nine[name].low, nine[name].high, nine[name].flag) == (None, None, "few_patients")
        assert ten[name].low is not None and ten[name].flag is None


def test_too_few_cases_to_place_a_threshold_are_told(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(60, seed=3)
    few = evaluate(labels, probabilities, CLASSES, repetitions=10)["sensitivity_at_specificity_0.95.malignant"]
    assert (few.low, few.flag) == (0.0, "loose_bound")
    labels, probabilities = draw_cases(400, seed=3)
    many = evaluate(labels, probabilities, CLASSES, repetitions=10)["sensitivity_at_specificity_0.95.malignant"]
    assert many.low is not None and many.low > 0 and many.flag is None


def test_few_patients_do_not_place_a_threshold_however_many_images_they_have() -> None:
    generator = np.random.default_rng(4)
    positive = np.arange(120) < 40
    scores = generator.normal(size=120) + 1.5 * positive
    as_images = partial_auc(positive, scores, 0.90)
    of_twenty = partial_auc(positive, scores, 0.90, np.arange(120) // 4)
    assert as_images.flag is None and of_twenty.flag == "loose_bound"
    assert of_twenty.low is not None and as_images.low is not None and of_twenty.low < as_images.low


@pytest.mark.parametrize("classes", [2, 3, 6, 10])
def test_sixty_of_sixty_right_are_as_good_a_macro_f1_of_ten_classes_as_of_two(classes: int) -> None:
    labels = np.arange(60) % classes
    found = agreement_intervals(labels, labels, classes, draws=20_000)["f1_macro"]
    assert found.low == pytest.approx(wilson(60, 60).low, abs=0.01) and found.high == 1


def test_the_drawn_matrices_give_the_same_bounds_to_the_second_decimal_whatever_the_seed(draw_cases: Any) -> None:
    labels, probabilities = draw_cases(60, seed=9)
    first, second = (evaluate(labels, probabilities, CLASSES, seed=seed)["cohen_kappa"] for seed in (1, 2))
    assert (first.low, first.high) == pytest.approx((second.low, second.high), abs=4e-3)


def test_average_precision_varies_as_leaving_out_one_case_after_the_other_says() -> None:
    generator = np.random.default_rng(0)
    positive = generator.random(300) < 0.3
    scores = generator.normal(size=300) + 1.5 * positive
    found = average_precision(positive, scores)
    without = np.array(
        [sk.average_precision_score(np.delete(positive, place), np.delete(scores, place)) for place in range(300)]
    )
    moved = (without - without.mean()) ** 2
    variance, weight = 299 / 300 * moved.sum(), moved.sum() ** 2 / (moved**2).sum()
    value, patients = sk.average_precision_score(positive, scores), positive.sum()
    shrunk = (weight * variance + 2 * value * (1 - value) / patients) / (weight + 2)
    expected = wilson(value * (n := value * (1 - value) / shrunk), n)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_the_kappa_of_cases_of_one_class_has_no_interval_of_no_width() -> None:
    found = agreement_intervals(np.zeros(40, dtype=np.int64), np.arange(40) % 2, 2, draws=2_000)["cohen_kappa"]
    assert (found.value, found.low, found.flag) == (pytest.approx(0.0), None, "no_variation")
