"""Fact processes: many small images are seen as one process sees them, whatever becomes of the processes."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from breastai.clinical import fact_processes
from breastai.clinical.audit_cache import AuditCache
from breastai.clinical.fact_processes import FactProcesses
from breastai.clinical.image_facts import ImageFacts, facts_of
from breastai.data.decoders.image_content import ImageContent
from breastai.data.preprocessing import inventory as inventories
from breastai.data.preprocessing.cache_store import CacheWriter, Store, may_be_mask
from breastai.data.preprocessing.inventory import Inventory, Place
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_folders import scan
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ImageUnreadable

COUNT = 26


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CaseTable:
    """Patches in grey, colour and 16 bits, one with marks, one blank, one of two values and one that is torn."""
    monkeypatch.setattr(fact_processes, "FEWEST_IMAGES", 5)
    monkeypatch.setattr(fact_processes, "_AT_ONCE", 4)
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        shape = (50, 50, 3) if number % 3 else (40, 50)
        pixels = rng.integers(0, 200, shape, dtype=np.uint16 if number % 5 == 3 and len(shape) == 2 else np.uint8)
        if number == 6:
            pixels[10:12, 5:30] = 255
        if number == 9:
            pixels[:] = 7
        if number == 12:
            pixels = (pixels > 100).astype(np.uint8) * 255
        file = tmp_path / "data" / ("a" if number % 2 else "b") / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.astype(np.uint16) if pixels.dtype == np.uint16 else pixels).save(file)
        if number == 15:
            file.write_bytes(file.read_bytes()[:60])
    return scan(tmp_path / "data")


def config() -> Config:
    return parse_config({"data": {"image_size": 32, "num_workers": 2}})


def look(table: CaseTable, place: Path, processes: bool, progress: Any = lambda share: None) -> tuple[Any, ...]:
    """Return what an inventory knows of the images, what was found of each, the entries it wrote and what its audit kept."""
    cache, known = AuditCache(place / "audits"), Inventory(config(), place / "images")
    found = known.take(
        {"train": table}, cache.facts_of, progress, FactProcesses(cache, facts=True) if processes else None
    )
    cache.keep()
    seen = known.of(table)
    assert seen is not None
    entries = {
        file.relative_to(place).as_posix(): file.read_bytes() for file in sorted((place / "images").rglob("*.pixels"))
    }
    kept = {
        digest for digest in (str(each.digest) for each in seen.seen) if AuditCache(place / "audits").kept_facts(digest)
    }
    return (
        [plain(each.digest) for each in seen.seen],
        [(each.header, plain(each.entry)) for each in seen.seen],
        [plain(each) for each in found],
        entries,
        kept,
    )


def plain(value: Any) -> Any:
    if isinstance(value, ImageFacts):
        return [
            each.tolist() if isinstance(each, np.ndarray) else (type(each), each)
            for each in (getattr(value, item.name) for item in fields(value))
        ]
    return (value.file, str(value.reason)) if isinstance(value, ImageUnreadable) else value


@pytest.fixture
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventories, "usable_cores", lambda: 2)


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if fact_processes.__name__ in " ".join(command_line(each))]


def command_line(process: psutil.Process) -> list[str]:
    """One that has just ended, and whose end nobody has asked for yet, has none."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@pytest.mark.usefixtures("two_cores")
def test_processes_see_what_one_sees_and_end_with_their_work(table: CaseTable, tmp_path: Path) -> None:
    seen: list[int] = []
    alone = look(table, tmp_path / "alone", processes=False)
    together = look(table, tmp_path / "together", True, lambda share: seen.append(len(children())))
    assert together == alone and len(alone[3]) == COUNT - 3 and len(alone[4]) == COUNT - 1
    assert max(seen) == 2 and children() == []
    # What is kept of it is not found anew.
    assert look(table, tmp_path / "together", processes=True) == alone


@pytest.mark.usefixtures("two_cores")
def test_when_processes_are_killed_the_rest_is_read_here(table: CaseTable, tmp_path: Path) -> None:
    def kill(share: float) -> None:
        for child in children():
            child.kill()

    assert look(table, tmp_path / "one", True, kill) == look(table, tmp_path / "two", processes=False)


@pytest.mark.usefixtures("two_cores")
def test_where_no_process_can_be_started_all_is_read_here(
    table: CaseTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = look(table, tmp_path / "two", processes=False)
    monkeypatch.setattr(fact_processes.sys, "executable", str(tmp_path / "none"))
    assert look(table, tmp_path / "one", processes=True) == alone


@pytest.mark.usefixtures("two_cores")
def test_who_stops_leaves_no_process_behind(table: CaseTable, tmp_path: Path) -> None:
    def stop(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        look(table, tmp_path, True, stop)
    assert children() == []


def test_a_process_whose_input_ends_ends_too() -> None:
    command = [sys.executable, "-m", fact_processes.__name__]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(b'{"cache": "nowhere", "facts": false}\n', timeout=60)
    assert (process.returncode, out) == (0, b"")


def test_one_core_few_images_and_large_ones_need_no_processes(
    table: CaseTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def starts(cores: int) -> Iterator[bool]:
        monkeypatch.setattr(inventories, "usable_cores", lambda: cores)
        seen: list[int] = []
        look(table, tmp_path / str(cores), True, lambda share: seen.append(len(children())))
        yield bool(max(seen))

    assert not next(starts(1))
    monkeypatch.setattr(fact_processes, "_LARGEST_BYTES", 100)
    assert not next(starts(2))
    monkeypatch.setattr(fact_processes, "_LARGEST_BYTES", 2**17)
    monkeypatch.setattr(fact_processes, "FEWEST_IMAGES", COUNT + 1)
    assert not next(starts(2))


@pytest.mark.parametrize("facts", [True, False])
@pytest.mark.parametrize("prepared", [True, False])
def test_what_a_process_answers_is_what_was_seen(table: CaseTable, tmp_path: Path, facts: bool, prepared: bool) -> None:
    writer = CacheWriter(Store(tmp_path / "images", config().preprocessing, 32)) if prepared else None
    places = [Place(table, number, writer) for number in range(COUNT)]
    cache = AuditCache(tmp_path / "audits")
    told = {"cache": str(cache.root), "facts": facts}
    lines = [told, fact_processes._question(places[:20]), fact_processes._question(places[20:])]
    answered = io.BytesIO()
    fact_processes.serve(io.BytesIO(b"".join(json.dumps(line).encode() + b"\n" for line in lines)), answered)
    answered.seek(0)
    looks = []
    for _ in range(2):
        length, size_bytes = fact_processes._SIZES.unpack(answered.read(fact_processes._SIZES.size))
        rows, content = json.loads(answered.read(length)), answered.read(size_bytes)
        looks += list(fact_processes._answers(rows, content, cache))
    assert not answered.read() and len(looks) == COUNT
    for number, found in enumerate(looks):
        name = table.files[number]
        try:
            content = ImageContent.read(table.path(number), name)
            expected = facts_of(content) if facts else None
            entry = None if writer is None else writer.entry_of(content, may_be_mask(table, name))
        except ImageUnreadable:
            assert found is None
            continue
        if isinstance(entry, ImageUnreadable):
            assert found is None
            continue
        assert found is not None and plain(found.found) == plain(expected)
        assert (found.seen.digest, plain(found.seen.entry)) == (content.digest, plain(entry))
    assert sum(found is None for found in looks) == (3 if prepared else 1 if facts else 0)
    # Facts that are new are kept by whoever asked.
    cache.keep()
    kept = [found for found in looks if found is not None and AuditCache(cache.root).kept_facts(found.seen.digest)]
    assert len(kept) == (COUNT - (3 if prepared else 1) if facts else 0)


@pytest.mark.parametrize(
    ("count", "size_bytes", "processes", "gains"),
    [
        (2000, 100, 2, True),
        (1999, 100, 2, False),
        (2000, 100, 1, False),
        (2000, 2**17, 2, True),
        (2000, 2**17 + 1, 2, False),
    ],
)
def test_processes_gain_from_many_small_images_on_two_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int, size_bytes: int, processes: int, gains: bool
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"\0" * size_bytes)
    table = CaseTable(tmp_path, ("a.png",) * count, np.zeros(count, np.int64), ("a",))
    asked = FactProcesses(AuditCache(tmp_path / "audits"), facts=True)
    monkeypatch.setattr(FactProcesses, "_looks", lambda self, places, processes: iter(places))
    places = [Place(table, number, None) for number in range(count)]
    assert (asked.looks(places, processes) is not None) is gains
    marked = config().preprocessing.model_copy(update={"lesion_crop": "marked"})
    writer = CacheWriter(Store(tmp_path / "images", marked, 32))
    assert asked.looks([place._replace(writer=writer) for place in places], processes) is None
