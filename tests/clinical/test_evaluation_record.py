"""The record of an evaluation: what each part rests on, its cases by hashes alone, and what a model has seen before."""

import json
from typing import Any

import numpy as np
import pytest

from breastai.clinical.evaluation_record import evaluation_event, make_cases, make_record, used_for
from breastai.clinical.evidence import gather_evidence
from breastai.clinical.seen_before import seen_before
from breastai.domain.decision_rule import ConformalSets, DecisionRule, NoveltyLimit, OperatingPoint
from breastai.domain.records import Overlap, SeenBefore
from breastai.storage.evaluations import sha256_of

NAMES = ["benign", "malignant"]


def test_each_part_of_a_rule_rests_on_the_images_it_was_fitted_on_and_what_is_not_there_on_none() -> None:
    parts: dict[str, Any] = {
        "operating_point": OperatingPoint.model_construct(class_name="malignant"),
        "conformal": ConformalSets.model_construct(),
        "novelty": NoveltyLimit(limit=1, quantile=0.95, components=1, n=9),
    }
    names = {"operating_point": "threshold", "conformal": "conformal_sets", "novelty": "novelty"}
    for absent in (None, *parts):
        rule = DecisionRule(
            n=9, fitted_on="calibration", **{name: part for name, part in parts.items() if name != absent}
        )
        found = used_for(rule, "test")
        assert (found.weights, found.epoch, found.temperature, found.figures) == ("train", "val", "calibration", "test")
        for part, name in names.items():
            assert getattr(found, name) == (None if part == absent else "calibration")
    nothing = used_for(DecisionRule(), None, weights="a", epoch="b")
    assert (nothing.weights, nothing.epoch, nothing.temperature, nothing.figures) == ("a", "b", None, "own")


def test_cases_keep_hashes_and_what_belongs_to_each() -> None:
    files, patients = ["x/Dupont.png", "y/Martin.png"], ["Dupont", "Martin"]
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8]])
    cases = make_cases(
        files, np.array([0, 1]), probabilities, NAMES, patients=patients, novelty=np.array([0.5, 2.0]),
        subgroups={"device": ["A", ""]},
    )  # fmt: skip
    for case, file, patient, row, novelty, device in zip(
        cases, files, patients, probabilities, (0.5, 2.0), ("A", ""), strict=True
    ):
        assert (case.name_sha256, case.patient_sha256) == (sha256_of(file), sha256_of(patient))
        assert case.probabilities == row.tolist() and case.novelty == novelty and case.subgroups == {"device": device}
    assert [case.label for case in cases] == NAMES
    assert not any(name in case.model_dump_json() for case in cases for name in ("Dupont", "Martin"))
    (bare,) = make_cases(files[:1], np.array([1]), probabilities[:1], NAMES)
    assert (bare.patient_sha256, bare.novelty, bare.subgroups, bare.label) == (None, None, {}, "malignant")


@pytest.mark.parametrize("target", [None, "malignant"])
def test_an_event_tells_what_the_record_holds_with_curves_short_enough_to_draw(target: str | None) -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 900)
    share = np.clip(0.3 + 0.4 * labels + generator.normal(0, 0.2, 900), 0.01, 0.99)
    found = gather_evidence(labels, np.stack([1 - share, share], 1), NAMES, target=target, repetitions=20)
    record = make_record(
        found, [], run_id="r", checkpoint="r/best", data="images/test", notes=["note"], split="test", opened=3
    )
    event = evaluation_event(record, "path", skipped=[{"file": "x", "reason": "y"}])
    assert (event.n, event.split, event.opened, event.record, event.data) == (900, "test", 3, "path", "images/test")
    assert evaluation_event(record, "path", data="as written").data == "as written"
    assert event.figures == found.figures and event.confusion_matrix == found.confusion_matrix
    assert event.by_unit is None and len(event.skipped) == 1 and event.notes == ["note"]
    for name in NAMES:
        whole, drawn = found.curves[name].roc, event.roc[name]
        assert len(drawn["sensitivity"]) < len(whole["sensitivity"])
        assert (drawn["sensitivity"][0], drawn["sensitivity"][-1]) == (
            whole["sensitivity"][0],
            whole["sensitivity"][-1],
        )
    assert bool(event.decision) == (found.decision_curve is not None)
    assert len(json.dumps(event.model_dump(mode="json"))) < 100_000


def told(overlap: Overlap) -> list[str]:
    return [text.code.removeprefix("log.evaluation.") for text in seen_before(overlap)]


def test_what_a_model_has_seen_before_is_told_by_part_and_what_could_not_be_looked_for_too() -> None:
    none = SeenBefore(identical=0)
    assert told(Overlap(train=none, val=none)) == []
    some = SeenBefore(identical=4, near_duplicates=2, of_patients=5, patients=3)
    assert told(Overlap(train=some, val=none)) == ["patients_train", "near_duplicates_train"]
    assert told(Overlap(train=none, val=some)) == ["patients_val", "near_duplicates_val"]
    first, second = seen_before(Overlap(train=some, val=none))
    assert first.params == {"count": 5, "patients": 3} and second.params == {"count": 2}
    unchecked = ["near_duplicates", "fingerprints", "many", "salt"]
    assert told(Overlap(train=none, val=none, unchecked=unchecked)) == [
        "unchecked_near_duplicates",
        "unchecked_many",
        "unchecked_salt",
    ]
    zero = SeenBefore(identical=0, near_duplicates=0, of_patients=0, patients=0)
    assert told(Overlap(train=zero, val=zero)) == []
