"""Answers in the classes judged: probabilities that are added, figures nobody can know, and what is said of it."""

from typing import Any

import numpy as np
import pytest

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.judged_classes import judge_as, match_notes, without_absent
from breastai.domain.class_match import ClassMatch, match_classes, plain_match
from breastai.domain.decision_rule import Calibration, ConformalSets, DecisionRule, OperatingPoint
from breastai.domain.records import Evidence, Figure

NAMES = ["benign", "malignant", "normal"]


def matched(counts: dict[str, int], class_map: dict[str, list[str]] | None = None) -> ClassMatch:
    return match_classes("place", counts, NAMES, class_map)


def rule(class_name: str = "malignant") -> DecisionRule:
    return DecisionRule(
        calibration=Calibration(temperature=2.0),
        conformal=ConformalSets.model_construct(),
        operating_point=OperatingPoint.model_construct(class_name=class_name, threshold=0.3),
    )


def test_probabilities_of_classes_taken_as_one_are_calibrated_and_added() -> None:
    raw = np.random.default_rng(0).dirichlet((1, 1, 1), 20)
    match = matched({"healthy or benign": 12, "malignant": 8}, {"healthy or benign": ["normal", "benign"]})
    scores, judged = judge_as(match, raw, rule(), NAMES)
    calibrated = calibrate(rule().calibration, raw)
    one = match.of_model.index(["malignant"])
    np.testing.assert_allclose(scores[:, one], calibrated[:, 1])
    np.testing.assert_allclose(scores[:, 1 - one], calibrated[:, 0] + calibrated[:, 2])
    assert judged.calibration == Calibration() and judged.conformal is None
    assert judged.operating_point is not None and judged.operating_point.threshold == 0.3
    assert judge_as(match, raw, rule("benign"), NAMES)[1].operating_point is None


def test_classes_that_are_told_apart_are_judged_as_the_model_answers() -> None:
    raw = np.random.default_rng(0).dirichlet((1, 1, 1), 4)
    scores, same = judge_as(matched({"benign": 2, "malignant": 2}), raw, rule(), NAMES)
    assert scores is raw and same == rule()


def test_figures_of_a_class_without_an_image_are_undefined_and_the_others_stay() -> None:
    names = [
        f"{figure}.{name}" for figure in ("precision", "npv", "f1", "average_precision", "auc_roc") for name in NAMES
    ]
    names += ["precision.normal@device=A", "f1_macro", "accuracy"]
    evidence = Evidence.model_construct(figures={name: Figure(value=0.5, low=0.4, high=0.6, n=7) for name in names})
    found = without_absent(evidence, matched({"benign": 4, "malignant": 3})).figures
    gone = {name for name, figure in found.items() if figure.value is None}
    assert gone == {
        *("precision.normal", "npv.normal", "f1.normal", "average_precision.normal"),
        *("precision.normal@device=A", "f1_macro"),
    }
    assert all(found[name] == Figure(value=None, n=7) for name in gone)
    assert all(found[name] == evidence.figures[name] for name in set(names) - gone)
    whole = matched({"benign": 4, "malignant": 3, "normal": 1})
    assert without_absent(evidence, whole) is evidence


@pytest.mark.parametrize(
    ("counts", "class_map", "expected"),
    [
        ({"benign": 3, "malignant": 2, "normal": 4}, None, []),
        ({"Benign": 3, "malignant": 2, "normal": 4}, None, ["note.classes_renamed"]),
        ({"benign": 3, "malignant": 2}, None, ["note.classes_lacking"]),
        ({"malignant": 2}, None, ["note.one_class"]),
        ({"rest": 3, "malignant": 2}, {"rest": ["benign", "normal"]}, ["note.classes_renamed", "note.classes_merged"]),
        ({"benign": 3, "malignant": 2, "normal": 1, "x": 5, "y": 6}, {"x": [], "y": []}, ["note.classes_left_out"]),
    ],
)
def test_each_way_in_which_classes_differ_has_its_note(
    counts: dict[str, int], class_map: dict[str, list[str]] | None, expected: list[str]
) -> None:
    notes: dict[str, Any] = {note.code: note.params for note in match_notes(matched(counts, class_map))}
    assert list(notes) == expected
    if "note.classes_renamed" in notes and class_map is None:
        assert notes["note.classes_renamed"] == {"pairs": ["Benign → benign"]}
    if "note.classes_left_out" in notes:
        assert notes["note.classes_left_out"] == {"count": 11, "counts": ["x: 5", "y: 6"]}
    if "note.classes_lacking" in notes:
        assert notes["note.classes_lacking"] == {"lacking": ["normal"], "present": ["benign", "malignant"]}
    if "note.one_class" in notes:
        assert notes["note.one_class"] == {"name": "malignant"}
    if "note.classes_merged" in notes:
        assert notes["note.classes_merged"] == {"merged": ["benign + normal"]}


def test_nothing_is_said_of_images_that_have_the_model_s_classes() -> None:
    assert match_notes(plain_match(NAMES, dict.fromkeys(NAMES, 1))) == []
