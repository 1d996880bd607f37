"""What audits found is kept between jobs, folders and workspaces, and asked for by content alone."""

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.clinical import audit_cache, audit_job, image_audit
from breastai.clinical.audit_cache import AuditCache
from breastai.clinical.audit_job import audit_record, folders_below
from breastai.clinical.image_facts import ImageFacts, facts_of
from breastai.data.decoders.image_content import ImageContent
from breastai.domain.records import AuditRecord
from breastai.storage.workspace import Workspace


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(audit_job, "default_audits_root", lambda: tmp_path / "audits")
    return tmp_path / "audits"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Grey, coloured, blank and two-valued images in train and val, of which one is there twice and one in 16 bits."""
    rng = np.random.default_rng(0)
    pixels = [rng.integers(0, 256, (60, 50), dtype=np.uint8) for _ in range(8)]
    pixels += [rng.integers(0, 256, (60, 50, 3), dtype=np.uint8), np.full((40, 40), 9, np.uint8)]
    pixels += [np.where(pixels[0] > 128, 255, 0).astype(np.uint8), rng.integers(0, 4096, (48, 40)).astype(np.uint16)]
    for number, each in enumerate([*pixels, pixels[3]]):
        path = tmp_path / "data" / ("val" if number % 3 == 2 else "train") / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(each).save(path)
    return tmp_path / "data"


def audited(data: Path, workspace: Path) -> AuditRecord:
    workspace.mkdir(exist_ok=True)
    return audit_record(folders_below(data), None, Workspace(workspace))


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is written down whenever an image is looked at, or a set searched for duplicates."""
    done: list[str] = []
    search = image_audit.find_duplicates

    def look(content: ImageContent) -> ImageFacts:
        done.append("image")
        return facts_of(content)

    def find(*given: object, **named: object) -> object:
        done.append("search")
        return search(*given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(audit_cache, "facts_of", look)
    monkeypatch.setattr(image_audit, "find_duplicates", find)
    return done


def content_of(path: Path) -> ImageContent:
    return ImageContent.read(path, path.name)


def same(one: ImageFacts, other: ImageFacts) -> bool:
    pairs = zip(dataclasses.astuple(one), dataclasses.astuple(other), strict=True)
    return all(np.array_equal(mine, theirs) and type(mine) is type(theirs) for mine, theirs in pairs)


def test_facts_come_back_as_they_were_found(root: Path, data: Path) -> None:
    paths = sorted(data.rglob("*.png"))
    cache = AuditCache(root)
    found = [cache.facts_of(content_of(path)) for path in paths]
    cache.keep()
    again = AuditCache(root)
    assert all(same(again.facts_of(content_of(path)), facts) for path, facts in zip(paths, found, strict=True))
    assert len({facts.own_bits for facts in found}) == 2
    assert any(facts.blank for facts in found) and any(facts.two_valued for facts in found)


def test_another_workspace_and_other_names_find_the_same_without_looking(
    root: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = counted(monkeypatch)
    first = audited(data, tmp_path / "one")
    assert done.count("image") >= 12 and done.count("search") == 1
    done.clear()
    shutil.copytree(data, tmp_path / "copy")
    second = audited(tmp_path / "copy", tmp_path / "two")
    assert done == []
    assert second == first
    assert first.groups


def test_only_a_changed_image_is_looked_at_again(
    root: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited(data, tmp_path / "one")
    done = counted(monkeypatch)
    Image.fromarray(np.arange(3600, dtype=np.uint16).astype(np.uint8).reshape(60, 60)).save(data / "train/a/0.png")
    changed = audited(data, tmp_path / "two")
    assert sorted(done) == ["image", "search"]
    shutil.rmtree(root)
    assert audited(data, tmp_path / "three") == changed


def test_no_file_is_opened_before_an_image_is_asked_for(
    root: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audited(data, tmp_path / "one")
    opened: list[Path] = []
    read = audit_cache._keys
    monkeypatch.setattr(audit_cache, "_keys", lambda path: opened.append(path) or read(path))
    cache = AuditCache(root)
    assert opened == []
    cache.facts_of(content_of(next(data.rglob("*.png"))))
    assert len(opened) == 1


def test_many_small_files_become_one_and_nothing_is_lost(
    root: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_cache, "_MANY", 4)
    paths = sorted(data.rglob("*.png"))
    found = {}
    for path in paths:
        cache = AuditCache(root)
        found[path] = cache.facts_of(content_of(path))
        cache.keep()
        assert len(list(root.rglob("facts-*.npz"))) < 4
    done = counted(monkeypatch)
    again = AuditCache(root)
    assert all(same(again.facts_of(content_of(path)), facts) for path, facts in found.items())
    assert done == []


@pytest.mark.parametrize("harm", [lambda content: content[: len(content) // 2], lambda content: b""])
def test_what_is_damaged_is_found_anew(root: Path, data: Path, tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    first = audited(data, tmp_path / "one")
    kept = list(root.rglob("*.npz"))
    assert len(kept) == 2
    for path in kept:
        path.write_bytes(harm(path.read_bytes()))
    assert audited(data, tmp_path / "two") == first


def test_another_constant_begins_anew(root: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audited(data, tmp_path / "one")
    monkeypatch.setattr("breastai.clinical.image_facts._BLACK", 200)
    done = counted(monkeypatch)
    audited(data, tmp_path / "two")
    assert "image" in done and "search" in done


def test_other_patients_are_searched_anew_and_their_names_are_not_kept(root: Path, data: Path) -> None:
    cache, asked = AuditCache(root), []

    def find() -> image_audit.Duplicates:
        asked.append(1)
        return image_audit.Duplicates((), ())

    for patients in (["Ann", "Bea"], ["x", "y"], ["Ann", "Ann"], [None, None], [None, "Bea"]):
        cache.duplicates(["a", "b"], patients, find)
    assert len(asked) == 4
    assert not [path for path in root.rglob("*.npz") if b"Ann" in path.read_bytes()]


def test_what_was_unused_the_longest_makes_room(root: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = sorted(data.rglob("*.png"))
    for path in paths[:3]:
        monkeypatch.setattr(audit_cache, "LIMIT_BYTES", 1 if path == paths[2] else 2**30)
        cache = AuditCache(root)
        cache.facts_of(content_of(path))
        cache.keep()
    assert list(root.rglob("*.npz")) == []


def test_without_a_folder_to_write_in_the_audit_is_the_same(root: Path, data: Path, tmp_path: Path) -> None:
    first = audited(data, tmp_path / "one")
    shutil.rmtree(root)
    root.write_bytes(b"no folder")
    assert audited(data, tmp_path / "two") == first
