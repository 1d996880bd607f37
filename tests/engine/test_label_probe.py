"""A probe judges each image by others alone, of other patients and no near-duplicates."""

from pathlib import Path

import numpy as np
import pytest

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.config import parse_config
from breastai.domain.dataset_description import parse_description
from breastai.domain.errors import TooFewPatients
from breastai.domain.events import DoubtsFound
from breastai.domain.jobs import FindDoubts
from breastai.domain.label_doubts_record import PlantedCheck
from breastai.engine.inference.label_probe import find_doubts, held_out_probabilities, planted_check, whole_groups
from breastai.storage.datasets import save_dataset
from breastai.storage.workspace import Workspace


def test_a_group_is_judged_by_other_groups_alone() -> None:
    generator = np.random.default_rng(0)
    groups = np.arange(60) // 2
    labels = generator.integers(0, 2, 30).repeat(2)
    # Features tell the group and nothing of the class: only who saw the group's other image could know.
    features = np.eye(30)[groups]
    probabilities = held_out_probabilities(features, labels, groups, ["a", "b"])
    assert probabilities.sum(axis=1) == pytest.approx(1.0)
    assert abs((probabilities.argmax(axis=1) == labels).mean() - 0.5) < 0.25
    telling = labels[:, None] + generator.normal(0, 0.1, (60, 3))
    told = held_out_probabilities(telling, labels, groups, ["a", "b"])[:, 1]
    assert told[labels == 1].mean() - told[labels == 0].mean() > 0.15


def test_near_duplicates_join_the_groups_of_their_patients() -> None:
    assert whole_groups(["P1", "P1", "P2", "P3"], np.array([0, 1, 1, 2])).tolist() == [0, 0, 0, 2]
    assert whole_groups(None, np.array([0, 0, 1])).tolist() == [0, 0, 1]


def test_one_patient_can_not_be_judged_by_others() -> None:
    with pytest.raises(TooFewPatients):
        held_out_probabilities(np.eye(3), np.array([0, 1, 0]), np.zeros(3, dtype=np.int64), ["a", "b"])


def test_the_check_finds_planted_errors_where_features_tell_the_classes_and_not_where_they_do_not() -> None:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 2, 120)
    groups = np.arange(120)
    telling = labels[:, None] + generator.normal(0, 0.3, (120, 4))
    found = [check_of(features, labels, groups) for features in (telling, generator.normal(size=(120, 4)))]
    assert [each.planted for each in found] == [18, 18]
    assert found[0].found >= 14 and found[1].found <= 5


@pytest.mark.full
def test_of_a_data_set_the_training_part_is_looked_at_unless_another_is_named(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "w")
    write_sample_data(workspace.root / "images", per_class=8, seed=5, image_size=48)
    fields = {"label": {"folder": 2}, "split": {"folder": 1}}
    save_dataset(workspace, parse_description({"name": "ours", "root": "images", "fields": fields}))
    job = FindDoubts(workspace=str(workspace.root), data="ours", config=parse_config({}))
    for named, part in ((None, "train"), ("test", "test")):
        *_, told = find_doubts(job.model_copy(update={"split": named}), workspace)
        assert isinstance(told, DoubtsFound) and (told.found.part, told.found.dataset) == (part, "ours")
        assert all((each.dataset_file or "").startswith(f"{part}/") for each in told.found.doubts)


def test_fewer_images_of_each_class_than_folds_are_no_fault() -> None:
    labels = np.array([0, 0, 0, 1, 1, 1])
    features = np.random.default_rng(0).normal(size=(6, 4))
    found = held_out_probabilities(features, labels, np.arange(6), ["a", "b"])
    assert found.shape == (6, 2) and np.allclose(found.sum(axis=1), 1)
    with pytest.raises(TooFewPatients):
        held_out_probabilities(features[:2], np.array([0, 1]), np.arange(2), ["a", "b"])


def check_of(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> PlantedCheck:
    steps = planted_check(features, labels, groups, groups, ["a", "b"])
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found: PlantedCheck = end.value
        return found
