"""Questions about classes that keep a run from beginning."""

from pathlib import Path
from typing import Any

import pytest

from breastai.clinical.audit_job import audit_record, folders_below, run_audit
from breastai.data.cases.data_overview import describe
from breastai.data.cases.run_folders import list_folders, usable_folders, with_answers
from breastai.data.cases.run_warnings import told_before
from breastai.domain.config import Config, overlay, parse_config
from breastai.domain.errors import ClassesAreIdentifiers, ClassOfMasks, ManyClasses, TargetClassNeeded
from breastai.storage.workspace import Workspace
from tests.data.test_masks import OUTLINE, write


def config(**changes: Any) -> Config:
    return parse_config(overlay({"data": {"train_dir": "train", "val_dir": None, "test_dir": None}}, changes))


def test_folders_called_by_numbers_of_patients_are_asked_about(tmp_path: Path) -> None:
    write(tmp_path, *(f"train/{patient}/1.png" for patient in (10253, 10254, 10255)))
    with pytest.raises(ClassesAreIdentifiers):
        usable_folders(config(), tmp_path)
    answers = {"data": {"accept_classes": True}, "evaluation": {"target_class": "10253"}}
    assert len(usable_folders(config(**answers), tmp_path).class_names) == 3


def test_more_than_ten_classes_are_asked_about(tmp_path: Path) -> None:
    write(tmp_path, "train/malignant/1.png", *(f"train/{letter * 3}/1.png" for letter in "abcdefghij"))
    with pytest.raises(ManyClasses, match="11 folders"):
        usable_folders(config(), tmp_path)
    assert usable_folders(config(data={"accept_classes": True}), tmp_path)


def test_a_class_of_pictures_of_two_values_is_asked_about(tmp_path: Path) -> None:
    write(tmp_path, "train/malignant/1.png", "train/malignant/2.png")
    write(tmp_path, "train/normal/a.png", "train/normal/b.png", pixels=OUTLINE)
    with pytest.raises(ClassOfMasks, match="normal"):
        usable_folders(config(), tmp_path)
    assert usable_folders(config(data={"masks": "keep"}), tmp_path)


def test_the_usual_sets_run_without_a_question(tmp_path: Path) -> None:
    write(tmp_path, *(f"train/{name}/1.png" for name in ("benign", "malignant", "normal")))
    found = describe_without_split(tmp_path)
    assert (found.target_class, found.questions) == ("malignant", [])


def describe_without_split(base: Path) -> Any:
    return describe(config(data={"val_dir": "train"}), base)


def test_a_run_tells_which_diseases_count_as_negative(tmp_path: Path) -> None:
    names = ("benign", "in situ carcinoma", "malignant")
    write(tmp_path, *(f"train/{name}/{number}.png" for name in names for number in range(2)))

    def others(**settings: Any) -> list[list[str]]:
        configuration = config(data={"val_dir": "train"}, **settings)
        told = told_before(configuration, list_folders(configuration, tmp_path), tmp_path)
        return [event.params["others"] for event in told if event.code == "data.other_diseases"]

    assert others(evaluation={"target_class": "malignant"}) == [["in situ carcinoma"]]
    assert others(evaluation={"target_class": "benign"}) == []


def test_a_preview_tells_what_a_run_would_ask(tmp_path: Path) -> None:
    write(tmp_path, "train/0/a.png", "train/1/b.png")
    found = describe_without_split(tmp_path)
    assert found.target_class is None
    assert [question.code for question in found.questions] == ["data.target_class_needed"]
    assert found.questions[0].params["class_names"] == ["0", "1"]


def test_an_audit_tells_what_a_run_would_ask(tmp_path: Path) -> None:
    write(tmp_path, "train/0/a.png", "train/1/b.png")
    record = audit_record(folders_below(tmp_path), None, Workspace.open(tmp_path / "workspace"))
    assert "classes.no_target" in {finding.code for finding in record.findings}


def test_the_audit_of_a_run_asks_no_more_what_its_configuration_says(tmp_path: Path) -> None:
    write(tmp_path, "train/0/a.png", "train/1/b.png")
    place = Workspace.open(tmp_path / "workspace")

    def codes(**settings: Any) -> set[str]:
        steps = run_audit(folders_below(tmp_path), None, place, config=config(**settings))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return {finding.code for finding in end.value.findings}

    assert "classes.no_target" in codes()
    assert "classes.no_target" not in codes(evaluation={"target_class": "1"})
    assert "classes.no_target" not in codes(evaluation={"target_class": "neither"})  # the run itself refuses it


def test_what_began_before_it_was_asked_goes_on_by_the_answers_it_went_by(tmp_path: Path) -> None:
    write(tmp_path, "train/0/a.png", "train/1/b.png")
    with pytest.raises(TargetClassNeeded):
        usable_folders(config(), tmp_path)
    answered = with_answers(config(), tmp_path)
    assert answered.evaluation.target_class == "1"
    assert usable_folders(answered, tmp_path)
