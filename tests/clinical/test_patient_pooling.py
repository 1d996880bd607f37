"""Figures by patient: whoever has one image of the target class is of that class, and nobody is left out."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from breastai.clinical.evidence import gather_evidence
from breastai.clinical.metric_intervals import patient_metrics
from breastai.clinical.patient_pooling import pool_patients
from breastai.domain.decision_rule import DecisionRule, OperatingPoint
from breastai.domain.events import Figure

CLASSES = ["benign", "malignant", "normal"]
MALIGNANT = 1


def two_breasts(women: int, ill: int) -> tuple[Any, Any, list[str]]:
    """Return labels, probabilities and patients of `women` with a film of each breast, of whom `ill` have cancer in one."""
    generator = np.random.default_rng(women)
    labels = np.full(2 * women, 2)
    labels[: 2 * ill : 2] = MALIGNANT
    probabilities = generator.dirichlet((1, 1, 4), 2 * women)
    probabilities[labels == MALIGNANT] = generator.dirichlet((1, 5, 1), ill)
    return labels, probabilities, [f"P{number // 2}" for number in range(2 * women)]


def test_women_with_cancer_in_one_breast_are_positive_and_counted() -> None:
    labels, probabilities, women = two_breasts(40, ill=12)
    figures, pooled = patient_metrics(labels, probabilities, CLASSES, women, target="malignant", repetitions=20)
    assert pooled is not None
    assert (pooled.patients, pooled.mixed, pooled.counts["malignant"], pooled.counts["normal"]) == (40, 12, 12, 28)
    assert figures["accuracy@patient"].n == 40
    assert figures["sensitivity.malignant@patient"].n == 12
    largest = probabilities[:, MALIGNANT].reshape(40, 2).max(axis=1)
    expected = roc_auc_score(np.arange(40) < 12, largest)
    assert figures["auc_roc.malignant@patient"].value == pytest.approx(expected)


def test_the_mean_scores_a_patient_where_it_is_asked_for() -> None:
    labels, probabilities, women = two_breasts(40, ill=12)
    figures, pooled = patient_metrics(
        labels, probabilities, CLASSES, women, target="malignant", patient_score="mean", repetitions=20
    )
    assert pooled is not None and pooled.score == "mean"
    mean = probabilities[:, MALIGNANT].reshape(40, 2).mean(axis=1)
    assert figures["auc_roc.malignant@patient"].value == pytest.approx(roc_auc_score(np.arange(40) < 12, mean))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 2)), min_size=1, max_size=40), st.integers(0, 999))
def test_a_patient_is_flagged_exactly_when_an_image_is(images: list[tuple[int, int]], seed: int) -> None:
    patients = np.unique([patient for patient, _ in images], return_inverse=True)[1]
    labels = np.array([label for _, label in images])
    probabilities = np.random.default_rng(seed).dirichlet((1, 1, 1), len(images))
    pooled = pool_patients(labels, probabilities, patients, MALIGNANT)
    for patient in range(patients.max() + 1):
        own = patients == patient
        assert (pooled.labels[patient] == MALIGNANT) == (labels[own] == MALIGNANT).any()
        flagged = (probabilities[own, MALIGNANT] >= 0.4).any()
        assert (pooled.probabilities[patient, MALIGNANT] >= 0.4) == flagged
    assert pooled.probabilities.sum(axis=1) == pytest.approx(np.ones(len(pooled.labels)))
    assert pooled.mixed == sum(len(set(labels[patients == patient])) > 1 for patient in set(patients))


def test_without_a_target_class_patients_of_several_classes_have_no_label_and_are_counted() -> None:
    labels, probabilities, women = two_breasts(10, ill=4)
    figures, pooled = patient_metrics(labels, probabilities, CLASSES, women, repetitions=10)
    assert pooled is not None
    assert (pooled.target_class, pooled.mixed, pooled.patients) == (None, 4, 10)
    assert figures["accuracy@patient"].n == 6


def test_the_frozen_threshold_is_counted_by_patient_too() -> None:
    labels, probabilities, women = two_breasts(40, ill=12)
    none = Figure(value=None, n=0)
    rule = DecisionRule(
        operating_point=OperatingPoint(
            class_name="malignant",
            threshold=0.5,
            target_sensitivity=0.95,
            positives=30,
            positives_needed=19,
            sensitivity=none,
            specificity=none,
        ),
        n=60,
    )
    found = gather_evidence(labels, probabilities, CLASSES, women, rule=rule, repetitions=20)
    pooled = found.by_patient
    assert pooled is not None and pooled.positives == 12 and pooled.negatives == 28
    largest = probabilities[:, MALIGNANT].reshape(40, 2).max(axis=1)
    assert pooled.missed == (largest[:12] < 0.5).sum() and pooled.flagged == (largest[12:] >= 0.5).sum()
    share = found.figures["sensitivity_at_operating_point.malignant@patient"]
    assert share.value == pytest.approx(1 - pooled.missed / 12)


def test_groups_that_stand_in_for_unknown_patients_are_never_called_patients() -> None:
    labels, probabilities, women = two_breasts(20, ill=5)
    found = gather_evidence(labels, probabilities, CLASSES, clusters=women, repetitions=20)
    assert found.patients is None and found.by_patient is None
    assert not any("@patient" in name for name in found.figures)
