"""What a workspace takes: files of several names once, and what deleting some of them would free."""

import os
from pathlib import Path

import pytest

from breastai.domain.config import Config
from breastai.domain.list_entries import RunEntry
from breastai.storage.disk_use import GIB, DiskUse, disk_use, freed_bytes, spare_checkpoints
from breastai.storage.runs import RunSummaries
from breastai.storage.workspace import Workspace


def file(path: Path, size: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    return path


def test_a_file_of_two_names_is_counted_once_and_links_are_not_followed(tmp_path: Path) -> None:
    place = Workspace.open(tmp_path / "w")
    before = disk_use(place, RunSummaries(place), None).used_bytes
    best = file(place.checkpoints_dir / "run" / "best.safetensors", 1000)
    os.link(best, best.with_name("epoch-0001.safetensors"))
    file(place.exports_dir / "onnx" / "m.onnx", 200)
    file(tmp_path / "outside" / "large", 5000)
    (place.exports_dir / "elsewhere").symlink_to(tmp_path / "outside")
    link_bytes = (place.exports_dir / "elsewhere").lstat().st_size
    used = disk_use(place, RunSummaries(place), None).used_bytes - before
    assert used in (1200, 1200 + link_bytes)


def test_what_has_another_name_besides_is_not_freed(tmp_path: Path) -> None:
    shared, alone = file(tmp_path / "shared", 700), file(tmp_path / "alone", 30)
    os.link(shared, tmp_path / "other")
    assert freed_bytes([shared, alone, tmp_path / "gone"]) == 30
    assert freed_bytes([shared, alone, tmp_path / "other"]) == 730


@pytest.mark.parametrize(("state", "spare"), [("complete", ["run/last"]), ("stopped", []), ("running", [])])
def test_only_what_complete_runs_keep_beside_their_best_is_spare(tmp_path: Path, state: str, spare: list[str]) -> None:
    place = Workspace.open(tmp_path)
    for kind in ("best", "last"):
        file(place.checkpoint_dir("run") / f"{kind}.json", 2)
    entry = RunEntry.model_validate({"run_id": "run", "state": state})
    assert list(spare_checkpoints(place, [entry])) == spare
    (place.checkpoint_dir("run") / "best.json").unlink()
    assert list(spare_checkpoints(place, [entry])) == []


def test_a_budget_is_spent_above_it_and_without_one_never() -> None:
    assert not DiskUse(10 * GIB, 0).is_over
    assert not DiskUse(GIB, 0, 1.0).is_over
    assert DiskUse(GIB + 1, 0, 1.0).is_over
    assert Config().storage.disk_budget_gb is None
