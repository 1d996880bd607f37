"""What of an address is copied, when a copy is as good as the original, and whose copies make room."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from breastai.data.remote.remote_copy import _check_room, _Folder, _is_current, _make_room, _reason_against
from breastai.data.remote.remote_store import RemoteObject
from breastai.domain.errors import DiskFull, StoreTooLarge
from breastai.domain.text import Text
from breastai.storage.remote_mirror import Copy, mirror_root

GIB = 2**30


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def item(name: str = "a.png", size_bytes: int | None = 4, version: str | None = "1", **more: Any) -> RemoteObject:
    return RemoteObject(name=name, key=name, size_bytes=size_bytes, version=version, **more)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.png", None),
        ("x/labels.csv", None),
        ("LABELS.XLSX", None),
        ("arrays.npz", None),
        ("x/../a.png", "reason.name_no_file_can"),
        ("x/. /a.png", "reason.name_no_file_can"),
        (".../a.png", "reason.name_no_file_can"),
    ],
)
def test_images_tables_and_arrays_are_copied_and_no_name_that_leads_elsewhere(name: str, reason: str | None) -> None:
    found = _reason_against(item(name), name.split("/"))
    assert (None if found is None else found.code) == reason


def test_links_and_other_kinds_of_files_are_left_where_they_are() -> None:
    assert _reason_against(item(is_link=True), ["a.png"]) == Text("reason.link_links_not_followed")
    assert _reason_against(item("program.exe"), ["program.exe"]) is not None


@pytest.mark.parametrize(
    ("copy", "listed", "current"),
    [
        (Copy("a.png", 4, "1"), item(), True),
        (Copy("a.png", 4, "1"), item(size_bytes=None), True),
        (Copy("a.png", 4, "1"), item(version="2"), False),
        (Copy("a.png", 4, "1"), item(size_bytes=5), False),
        (Copy("a.png", 5, "1"), item(size_bytes=5), False),  # not what lies here
        (Copy("a.png", 4, None), item(version=None), False),
        (Copy("a.png", 4, "1", problem=Text("reason.no_longer")), item(), False),
        (Copy("b.png", 4, "1"), item(), False),
    ],
)
def test_a_copy_is_current_when_version_and_size_are_those_listed_and_it_is_here(
    tmp_path: Path, copy: Copy, listed: RemoteObject, current: bool
) -> None:
    (tmp_path / "a.png").write_bytes(b"abcd")
    os.utime(tmp_path / "a.png", (1, 1))
    assert _is_current(_Folder(tmp_path, {copy.name: copy}), "a.png", listed) == current
    assert ((tmp_path / "a.png").stat().st_mtime > 1) == current, "used now"
    (tmp_path / "a.png").unlink()
    assert not _is_current(_Folder(tmp_path, {copy.name: copy}), "a.png", listed)


def test_what_is_here_and_what_is_missing_must_keep_to_the_limit_and_the_rest_to_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror_root().mkdir(parents=True)
    folder = _Folder(tmp_path, {}, {"a": Copy("a", GIB, "1"), "b": None, "c": Copy("c", problem="x")})
    folder.waiting.append(("b", item("b", GIB)))
    monkeypatch.setattr(shutil, "disk_usage", lambda place: shutil._ntuple_diskusage(9 * GIB, 0, GIB))  # type: ignore[attr-defined]
    _check_room("memory://x", {"": folder}, 2.0)
    with pytest.raises(StoreTooLarge) as refused:
        _check_room("memory://x", {"": folder}, 1.99)
    assert "take 2 GiB, more than the 1.99" in str(refused.value)
    folder.waiting.append(("d", item("d", 1)))
    with pytest.raises(DiskFull):
        _check_room("memory://x", {"": folder}, 3.0)
    folder.waiting[1] = ("d", item("d", None))  # nobody knows how large
    _check_room("memory://x", {"": folder}, 2.0)


def test_the_copies_of_others_unused_the_longest_make_room_and_no_more_than_must(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = mirror_root()
    for number, name in enumerate(("old", "own", "new", "newer")):
        (root / name).mkdir(parents=True)
        (root / name / "a.png").write_bytes(b"x" * 100)
        (root / name / ".index").write_bytes(b"x" * 1000)  # no copy
        os.utime(root / name / "a.png", (number + 1, number + 1))
    (root / "mirror.lock").write_bytes(b"x" * 1000)
    own = {"": _Folder(root / "own", {})}

    def left() -> list[str]:
        return sorted(path.parent.name for path in root.glob("*/a.png"))

    _make_room(own, 400 / GIB)
    assert left() == ["new", "newer", "old", "own"]
    _make_room(own, 399 / GIB)
    assert left() == ["new", "newer", "own"]
    _make_room(own, 150 / GIB)
    assert left() == ["own"]
    _make_room(own, 0)
    assert left() == ["own"] and (root / "mirror.lock").exists() and (root / "old" / ".index").exists()
