"""Fact processes: many small images looked at by processes of their own, since threads of one would wait for its interpreter.

A process is asked for some images at a time on its standard input and answers on its standard output: hash, header, facts and
entry of the cache. What it can't give in full, an image that can't be read, a disk that is full, is left to who asks, and so is
all that was asked of a process that died. One whose input ends, as when this process is killed, ends too.
"""

import contextlib
import json
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, cast

import cv2
import numpy as np

from breastai.clinical.audit_cache import AuditCache, facts_from_row, facts_row
from breastai.clinical.image_facts import MARK_CELLS, NO_MARKS, ImageFacts, Pixels, facts_of
from breastai.data.decoders.array_images import array_file
from breastai.data.decoders.decoder import NO_HEADER, Header
from breastai.data.decoders.file_content import file_at
from breastai.data.decoders.image_content import ImageContent
from breastai.data.preprocessing.cache_store import CacheWriter, Entry, Original, Store, may_be_mask
from breastai.data.preprocessing.inventory import Look, Looks, Place, Seen
from breastai.data.preprocessing.lesion_boxes import wants_box
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImageUnreadable
from breastai.storage.private_files import keep_files_private

# Starting a process takes a second or two; larger images are decoded outside the interpreter, which threads do as well.
FEWEST_IMAGES = 2_000
_LARGEST_BYTES = 2**17
_SAMPLE = 50
_AT_ONCE = 64
_END_WITHIN_S = 10.0
# What precedes an answer: the bytes of its rows as JSON, and those of its thumbnails and marks.
_SIZES = struct.Struct("<II")


@dataclass(frozen=True)
class FactProcesses:
    """Reads images by processes; `facts`: whether their facts are asked for, which `cache` may know already."""

    cache: AuditCache
    facts: bool

    def looks(self, places: Sequence[Place], processes: int) -> Looks[ImageFacts] | None:
        """Return what is seen at each of some places in their order, None where it must be read here; None for all where processes gain nothing."""
        if processes < 2 or len(places) < FEWEST_IMAGES or not _are_small(places):
            return None
        return self._looks(places, processes)

    def _looks(self, places: Sequence[Place], processes: int) -> Looks[ImageFacts]:
        idle: SimpleQueue[_Process] = SimpleQueue()
        started = [_Process(self.cache, self.facts) for _ in range(processes)]
        for process in started:
            idle.put(process)

        def ask(part: Sequence[Place]) -> list[Look[ImageFacts] | None]:
            process = idle.get()
            try:
                return process.ask(part)
            finally:
                # One that failed answers at once, and would take from those that work: the last alone stays.
                if not process.has_failed or all(each.has_failed for each in started):
                    idle.put(process)

        pool = ThreadPoolExecutor(processes, thread_name_prefix="facts")
        try:
            parts = (places[start : start + _AT_ONCE] for start in range(0, len(places), _AT_ONCE))
            for looks in pool.map(ask, parts):
                yield from looks
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for process in started:
                process.close()


def _are_small(places: Sequence[Place]) -> bool:
    """Return whether images are small files of their own, by some of them, and none must be asked for its lesion."""
    if any(
        wants_box(writer.store.preprocessing) for writer in {place.writer for place in places} if writer is not None
    ):
        return False
    sizes = []
    for place in places[:: max(1, len(places) // _SAMPLE)]:
        path = place.table.path(place.number)
        if array_file(path) is not None:
            return False
        with contextlib.suppress(OSError):
            sizes.append(file_at(path).stat().st_size)
    return bool(sizes) and float(np.mean(sizes)) <= _LARGEST_BYTES


class _Process:
    """One process, from its start to its end; asked by one thread at a time. Once it fails it answers nothing more."""

    def __init__(self, cache: AuditCache, facts: bool) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._cache = cache
        self._told = {"cache": str(cache.root), "facts": facts}
        self.has_failed = False

    def ask(self, places: Sequence[Place]) -> list[Look[ImageFacts] | None]:
        """Return what is seen at each place; None where it must be read here."""
        if self.has_failed:
            return [None] * len(places)
        try:
            process = self._process or self._start()
            asked = _question(places)
            stdin, stdout = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
            stdin.write(json.dumps(asked).encode() + b"\n")
            stdin.flush()
            length, size_bytes = _SIZES.unpack(_whole(stdout, _SIZES.size))
            rows, content = json.loads(_whole(stdout, length)), _whole(stdout, size_bytes)
            return list(_answers(rows, content, self._cache))
        except (OSError, ValueError, EOFError, struct.error):
            self.has_failed = True
            self.close()
            return [None] * len(places)

    def close(self) -> None:
        """End the process: when its input ends, or else by force."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                cast(BinaryIO, pipe).close()
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", __spec__.name]
        self._process = process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        cast(BinaryIO, process.stdin).write(json.dumps(self._told).encode() + b"\n")
        return process


def _whole(stream: BinaryIO, size_bytes: int) -> bytes:
    content = stream.read(size_bytes)
    if len(content) < size_bytes:
        raise EOFError
    return content


def _question(places: Sequence[Place]) -> dict[str, Any]:
    """Return what is asked of some places: the stores that entries are wanted in, and of each image where it is and of which store."""
    writers = list(dict.fromkeys(place.writer for place in places if place.writer is not None))
    stores = [writer.store for writer in writers]
    return {
        "stores": [
            [str(store.folder), store.preprocessing.model_dump(mode="json"), store.image_size] for store in stores
        ],
        "images": [
            [
                str(place.table.path(place.number)),
                place.table.files[place.number],
                None if place.writer is None else writers.index(place.writer),
                may_be_mask(place.table, place.table.files[place.number]),
            ]
            for place in places
        ],
    }


def _answers(rows: Sequence[Any], content: bytes, cache: AuditCache) -> Iterator[Look[ImageFacts] | None]:
    """Yield what was seen, by each image's row; `content`: the thumbnails and marks one behind the other. What is new is kept."""
    values, start = np.frombuffer(content, dtype=np.uint8), 0

    def next_array(height: int, width: int) -> Pixels:
        nonlocal start
        start += height * width
        return values[start - height * width : start].reshape(height, width)

    for row in rows:
        if row is None:
            yield None
            continue
        digest, codes, original, told = row
        facts: ImageFacts | None = None
        if told is not None:
            plain, shape, marked, is_new = told
            thumbnail = next_array(*shape)
            facts = facts_from_row(digest, plain, next_array(MARK_CELLS, MARK_CELLS) if marked else NO_MARKS, thumbnail)
            if is_new:
                cache.remember(facts)
        header = NO_HEADER if codes is None else Header(*codes)
        yield Look(Seen(digest, header, None if original is None else Entry(digest, Original(*original))), facts)


def serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Answer what is asked until the input ends."""
    told = json.loads(stdin.readline())
    cache = AuditCache(Path(told["cache"])) if told["facts"] else None
    writers: dict[str, CacheWriter] = {}
    for line in stdin:
        asked, rows, parts = json.loads(line), [], []
        chosen = [_writer(writers, *store) for store in asked["stores"]]
        for path, file, store, mask in asked["images"]:
            row, arrays = _seen(path, file, cache, None if store is None else chosen[store], mask)
            rows.append(row)
            parts += arrays
        packed, content = json.dumps(rows).encode(), b"".join(array.tobytes() for array in parts)
        stdout.write(_SIZES.pack(len(packed), len(content)) + packed + content)
        stdout.flush()


def _writer(
    writers: dict[str, CacheWriter], folder: str, preprocessing: dict[str, Any], image_size: int
) -> CacheWriter:
    if folder not in writers:
        settings = PreprocessingSettings.model_validate(preprocessing)
        writers[folder] = CacheWriter(Store(Path(folder), settings, image_size))
    return writers[folder]


def _seen(
    path: str, file: str, cache: AuditCache | None, writer: CacheWriter | None, mask: bool
) -> tuple[list[Any] | None, list[Pixels]]:
    """Return the row of an image and its arrays; no row where whoever asks must look for himself."""
    facts: ImageFacts | None = None
    is_new = False
    try:
        content = ImageContent.read(Path(path), file)
        if cache is not None:
            facts = cache.kept_facts(content.digest)
            is_new = facts is None
            facts = facts or facts_of(content)
        entry = None if writer is None else writer.entry_of(content, mask)
    except ImageUnreadable:
        return None, []
    if isinstance(entry, ImageUnreadable) or (writer is not None and writer.failure is not None):
        return None, []
    codes = content.header.codes
    header = None if codes == NO_HEADER else [codes.laterality, codes.view, codes.modality]
    original = None if entry is None else [*astuple(entry.original)]
    if facts is None:
        return [content.digest, header, original, None], []
    marked = bool(facts.marks.any())
    arrays = [facts.thumbnail, facts.marks] if marked else [facts.thumbnail]
    return [content.digest, header, original, [facts_row(facts), facts.thumbnail.shape, marked, is_new]], arrays


def main() -> None:
    """Answer on standard output; what is printed goes to standard error, and an interrupt is for who asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_files_private()
    cv2.setNumThreads(1)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
