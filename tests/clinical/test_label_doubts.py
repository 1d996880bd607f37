"""Planted label errors come first, random labels suggest nothing, and nothing is decided for a person."""

import csv
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from breastai.clinical.label_doubts import (
    contradicting_twins,
    disagreements,
    make_doubts,
    plant_errors,
    planted_in,
    rank_doubts,
)
from breastai.data.duplicates.near_duplicates import Duplicates, NearDuplicate
from breastai.domain.errors import DoubtNotFound
from breastai.domain.label_doubts_record import LabelDoubts, PlantedCheck
from breastai.domain.text import Text
from breastai.storage.downloads import download_at
from breastai.storage.kept_doubts import doubt_tables, note_doubt
from breastai.storage.workspace import Workspace


def cases(seed: int, n: int = 300, classes: int = 3, skill: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """True classes, unequally common, and the probabilities of a model that tells them apart by `skill`."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(classes, n, p=[0.6, 0.3, 0.1])
    logits = generator.normal(size=(n, classes)) + skill * np.eye(classes)[truth]
    shares = np.exp(logits)
    return truth, shares / shares.sum(axis=1, keepdims=True)


def test_of_the_first_of_the_list_most_are_planted_errors() -> None:
    truth, probabilities = cases(0, skill=4.0)
    generator = np.random.default_rng(1)
    planted = generator.choice(300, 15, replace=False)
    labels = truth.copy()
    labels[planted] = (truth[planted] + generator.integers(1, 3, 15)) % 3
    found = rank_doubts(labels, probabilities)
    first = np.argsort(-found.doubt)[:15]
    assert np.isin(first, planted).mean() >= 0.6
    assert (found.suggested[first] == truth[first]).mean() >= 0.6
    assert found.likely[planted].mean() >= 0.6 and found.likely.mean() < 0.15


def test_a_class_that_is_given_little_on_average_is_not_all_doubt() -> None:
    labels = np.array([0] * 20 + [1] * 20)
    probabilities = np.array([[0.9, 0.1]] * 20 + [[0.6, 0.4]] * 19 + [[0.95, 0.05]])
    found = rank_doubts(labels, probabilities)
    assert found.doubt.argmax() == 39 and not found.likely[20:39].any()
    # A class that no image has is never suggested.
    empty = rank_doubts(labels, np.column_stack([probabilities * 0.5, np.full(40, 0.5)]))
    assert set(empty.suggested.tolist()) <= {0, 1}


def test_what_tells_no_more_than_how_common_the_classes_are_is_said_to_mean_nothing(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    labels = np.array([0] * 54 + [1] * 6)
    shares = np.tile([0.9, 0.1], (60, 1))
    files = [f"{number}.png" for number in range(60)]
    record = make_doubts(workspace, files, labels, shares, ["a", "b"], {}, data="d", part=None, method="probe")
    assert "note.doubts_no_better" in {note.code for note in record.notes}


def test_random_labels_are_said_to_mean_nothing(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 60)
    probabilities = np.full((60, 2), 0.5) + generator.normal(0, 0.01, 60)[:, None] * [1, -1]
    files = [f"{number}.png" for number in range(60)]
    record = make_doubts(workspace, files, labels, probabilities, ["a", "b"], {}, data="d", part="test", method="probe")
    assert {note.code for note in record.notes} == {
        "note.doubts_suggest",
        "note.doubts_of_test",
        "note.doubts_no_better",
    }


def test_near_duplicates_with_two_labels_come_first_and_the_table_has_room_for_a_decision(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    truth, probabilities = cases(2, 40)
    labels = truth.copy()
    labels[0], labels[1] = 0, 1
    probabilities[:2] = [[0.5, 0.4, 0.1], [0.4, 0.5, 0.1]]
    twins = contradicting_twins(labels, Duplicates((NearDuplicate(0, 1, 0.99, 0.9, False),), ((0, 1),)))
    assert twins == {0: 1, 1: 0}
    files = [f"{number}.png" for number in range(40)]
    record = make_doubts(
        workspace, files, labels, probabilities, ["a", "b", "c"], twins, data="d", part=None, method="probe"
    )
    assert {each.file for each in record.doubts[:2]} == {"0.png", "1.png"} and record.doubts[0].twin is not None
    folder = workspace.logs_dir / record.doubts_id
    rows = list(csv.DictReader((folder / "doubtful_labels.csv").read_text().splitlines()))
    assert len(rows) == 40 and rows[0]["decision"] == "undecided" and rows[0]["note"] == ""
    assert json.loads((folder / "doubtful_labels.json").read_text())["doubts"][0]["file"] == rows[0]["file"]


def test_of_near_duplicates_the_one_that_stands_alone_with_its_label_comes_first() -> None:
    labels = np.array([0, 0, 1, 1, 0, 1])
    assert disagreements(labels, np.array([0, 0, 0, 1, 2, 2])).tolist() == [0.5, 0.5, 1.0, 0.0, 1.0, 1.0]
    even = np.full((6, 2), 0.5)
    assert rank_doubts(labels, even, disagreements(labels, np.array([0, 0, 0, 1, 2, 2]))).doubt.argmax() == 2


def test_a_twentieth_of_the_labels_is_changed_to_another_class_and_its_check_is_told(tmp_path: Path) -> None:
    labels = np.random.default_rng(0).integers(0, 3, 200)
    planted, which = plant_errors(labels, 3, np.random.default_rng(1))
    assert len(which) == 10 and set(np.flatnonzero(planted != labels).tolist()) == set(which.tolist())
    assert set(planted.tolist()) <= {0, 1, 2}
    workspace = Workspace.open(tmp_path)
    for found, code in ((1, "note.doubts_check_low"), (3, "note.doubts_check")):
        check = PlantedCheck(planted=6, found=found, share=0.05)
        record = doubted(workspace, 40, check=check)
        assert code in {note.code for note in record.notes if isinstance(note, Text)}


def doubted(workspace: Workspace, images: int = 6, **more: Any) -> LabelDoubts:
    """Look for doubts in the labels of so many images."""
    truth, probabilities = cases(4, images)
    files = [f"{number}.png" for number in range(images)]
    return make_doubts(
        workspace, files, truth, probabilities, ["a", "b", "c"], {}, data="d", part=None, method="probe", **more
    )


def test_a_note_is_kept_with_its_image_and_exported_and_no_formula(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    record = doubted(workspace, dataset=("mine", "train/"))
    assert record.dataset == "mine" and {each.dataset_file for each in record.doubts} >= {"train/0.png"}
    note_doubt(workspace, record.doubts_id, "3.png", "=1+1, blurred", None)
    kept = note_doubt(workspace, record.doubts_id, "3.png", None, "leave_out")
    assert (kept.note, kept.decision) == ("=1+1, blurred", "leave_out")
    (table,) = doubt_tables(workspace)
    rows = {row["file"]: row for row in csv.DictReader(table.read_text().splitlines())}
    assert (rows["3.png"]["note"], rows["3.png"]["decision"]) == ("'=1+1, blurred", "leave_out")
    assert {row["decision"] for file, row in rows.items() if file != "3.png"} == {"undecided"}
    assert download_at(workspace, f"/files/{workspace.relative(table)}") == table


def test_notes_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    record = doubted(workspace)
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda n: note_doubt(workspace, record.doubts_id, f"{n}.png", f"note {n}", None), range(6)))
    (table,) = doubt_tables(workspace)
    notes = {row["file"]: row["note"] for row in csv.DictReader(table.read_text().splitlines())}
    assert notes == {f"{n}.png": f"note {n}" for n in range(6)}


def test_a_note_on_what_no_list_holds_is_refused(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    record = doubted(workspace)
    for doubts_id, file in ((record.doubts_id, "9.png"), ("none", "0.png")):
        with pytest.raises(DoubtNotFound):
            note_doubt(workspace, doubts_id, file, "x", None)


@pytest.mark.parametrize(("n", "changed"), [(1, 1), (10, 1), (29, 1), (31, 2), (200, 10)])
def test_labels_changed_on_purpose_are_so_many_different_ones_and_each_is_another_class(n: int, changed: int) -> None:
    for seed in range(5):
        labels = np.random.default_rng(seed).integers(0, 3, n)
        planted, places = plant_errors(labels, 3, np.random.default_rng(seed))
        assert len(set(places.tolist())) == len(places) == changed == planted_in(n)
        assert np.flatnonzero(planted != labels).tolist() == sorted(places.tolist())
        assert set(planted.tolist()) <= {0, 1, 2}


def test_an_image_just_at_the_threshold_of_another_class_is_likely_of_it_and_one_below_is_not() -> None:
    """Class 1's threshold is the mean of 0.5 and 0.7."""
    labels = np.array([0, 0, 1, 1])
    probabilities = np.array([[0.4, 0.6], [0.9, 0.1], [0.5, 0.5], [0.3, 0.7]])
    found = rank_doubts(labels, probabilities)
    assert found.likely.tolist() == [True, False, False, False]
    below = probabilities.copy()
    below[0] = [0.41, 0.59]
    assert not rank_doubts(labels, below).likely[0]
    assert found.doubt.tolist() == pytest.approx([0.6, 0.1, 0.5, 0.3])
    with_twins = rank_doubts(labels, probabilities, np.array([0.0, 1.0, 0.5, 0.0]))
    assert with_twins.doubt.tolist() == pytest.approx([0.6, 0.6, 0.75, 0.3])
