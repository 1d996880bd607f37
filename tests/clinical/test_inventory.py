"""Before the first epoch each image's content is read once, for all that is asked of it."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.clinical.image_audit import audit
from breastai.clinical.leak_gate import pass_gate
from breastai.data.cases.cases import Cases, gather_cases
from breastai.data.cases.run_folders import usable_folders
from breastai.data.decoders.file_content import count_reads, look_into, read_content
from breastai.data.preprocessing import cache_store
from breastai.data.preprocessing.inventory import Inventory
from breastai.domain.config import Config, parse_config
from breastai.domain.records import AuditRecord
from breastai.storage.workspace import Workspace


def config(bit_depth: int | None = None) -> Config:
    data = {
        "train_dir": "data/train",
        "val_dir": "data/val",
        "test_dir": "data/test",
        "image_size": 32,
        "num_workers": 0,
    }
    return parse_config(
        {
            "data": {**data, "on_leak": "continue"},
            "evaluation": {"patient_id": r"^(P\d+)_"},
            "preprocessing": {"bit_depth": bit_depth},
        }
    )


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(cache_store, "default_cache_root", lambda: tmp_path / "cache")
    rng = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        for label in ("benign", "malignant"):
            for number in range(count):
                name = f"P{len(split)}{number}{label[0] == 'm':d}_{number}.png"
                write(tmp_path / f"data/{split}/{label}/{name}", rng.integers(0, 256, (48, 40), dtype=np.uint8))
    return Workspace(tmp_path)


def begin(workspace: Workspace, settings: Config) -> tuple[AuditRecord, Cases]:
    """Do what a run does before its first epoch."""
    folders = usable_folders(settings, workspace.root)
    inventory = Inventory(settings)
    gate = pass_gate(settings, folders, workspace, asker=("train", settings), inventory=inventory)
    try:
        while True:
            next(gate)
    except StopIteration as end:
        record: AuditRecord = end.value
    preprocessing = settings.preprocessing.model_copy(update={"bit_depth": record.bit_depth})
    settings = settings.model_copy(update={"preprocessing": preprocessing})
    return record, gather_cases(settings, folders, workspace.root, None, record.groups, None, inventory)


def images(workspace: Workspace) -> Iterator[Path]:
    return (workspace.root / "data").rglob("*.png")


def test_of_a_new_data_set_each_image_is_read_once(place: Workspace) -> None:
    with count_reads() as reads:
        record, cases = begin(place, config())
    assert reads == dict.fromkeys(images(place), 1)
    assert (record.images, len(cases.train), len(cases.val)) == (32, 16, 8)


def test_of_a_known_one_each_is_read_at_most_once_and_the_same_is_found(place: Workspace) -> None:
    record, cases = begin(place, config())
    with count_reads() as reads:
        again, same = begin(place, config())
    assert max(reads.values()) == 1
    assert again == record
    assert same.split_file == cases.split_file


def test_a_changed_image_is_found_by_its_content_whatever_its_time(place: Workspace) -> None:
    record, _ = begin(place, config())
    first, second = sorted(images(place))[:2]
    before = first.stat()
    shutil.copyfile(second, first)
    changed = begin(place, config())[0]
    assert changed.fingerprint != record.fingerprint
    assert any(set(group.files) >= {f"test/benign/{file.name}" for file in (first, second)} for group in changed.groups)

    os.utime(first, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert begin(place, config())[0] == changed


def test_the_audit_finds_the_same_from_one_reading_as_by_itself(place: Workspace) -> None:
    folders = usable_folders(config(), place.root).by_split()
    record, _ = begin(place, config())
    alone = audit(folders)
    assert [finding.code for finding in alone.findings if not finding.code.startswith("patients")] == [
        finding.code for finding in record.findings if not finding.code.startswith("patients")
    ]


def test_an_inventory_makes_the_same_images_as_reading_them_again(place: Workspace) -> None:
    _, cases = begin(place, config())
    (place.root / "cache").rename(place.root / "first")
    folders = usable_folders(config(), place.root)
    apart = gather_cases(config(), folders, place.root)
    assert apart.train.hashes == cases.train.hashes
    assert apart.split_file == cases.split_file
    entries, others = (
        {path.relative_to(root): path.read_bytes() for path in root.rglob("*.pixels")}
        for root in (place.root / "first", place.root / "cache")
    )
    assert entries == others


def test_images_of_their_sets_bit_depth_are_read_once_and_the_few_others_twice(place: Workspace) -> None:
    rng = np.random.default_rng(1)
    paths = sorted(path for path in images(place) if "test" not in path.parts)
    for path in paths:
        write(path, rng.integers(0, 4096, (48, 40)).astype(np.uint16))
    dark = paths[0]
    write(dark, rng.integers(0, 1000, (48, 40)).astype(np.uint16))
    with count_reads() as reads:
        record, cases = begin(place, config())
    assert record.bit_depth == 12
    assert {path for path, count in reads.items() if count > 1} == {dark}
    assert reads[dark] == 2
    apart = gather_cases(config(12), usable_folders(config(12), place.root), place.root)
    for one, other in ((cases.train, apart.train), (cases.val, apart.val)):
        assert all(np.array_equal(one.image(number), other.image(number)) for number in range(len(one)))


def test_an_image_that_cannot_be_read_is_left_out_by_its_reason(place: Workspace) -> None:
    broken = place.root / "data/train/benign/P9990_9.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\nno more")
    _, cases = begin(place, config())
    assert [item.file for item in cases.skipped] == ["benign/P9990_9.png"]
    assert "damaged" in str(cases.skipped[0].reason)


def test_what_was_looked_into_is_kept_for_one_reading(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    with count_reads() as reads:
        assert look_into(tmp_path / "a", "a") == read_content(tmp_path / "a", "a") == b"one"
        assert reads[tmp_path / "a"] == 1
        read_content(tmp_path / "a", "a")
        assert reads[tmp_path / "a"] == 2
        look_into(tmp_path / "a", "a")
        (tmp_path / "a").write_bytes(b"other")
        assert read_content(tmp_path / "a", "a") == b"other"
