"""Preprocessed images: a table's images as a network sees them, made once and kept in the cache."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from breastai.data.decoders.image_content import ImageContent
from breastai.data.pixels import Pixels
from breastai.data.preprocessing import cache_store
from breastai.data.preprocessing.cache_store import (
    CacheWriter,
    Entry,
    Store,
    entry_key,
    keeps_to,
    make_room,
    prepare_image,
    read_entry,
    write_entry,
)
from breastai.data.preprocessing.inventory import Inventory
from breastai.data.preprocessing.lesion_boxes import Box, wants_box
from breastai.data.preprocessing.model_images import reading_logs
from breastai.data.sources.case_table import CaseTable, Skipped
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImageUnreadable, UnreadableClass
from breastai.domain.events import Log
from breastai.domain.text import Text
from breastai.storage.control_groups import usable_cores
from breastai.storage.private_files import make_tree_private
from breastai.storage.remote_mirror import as_written

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """Readable images of a folder, preprocessed: `image(i)` belongs to `folder.files[i]`.

    `hashes` are SHA-256 of the files' content; `original_sizes` are (height, width) before preprocessing; `own_bits` and
    `pages` are as in `Decoded`;
    `boxes` say where a lesion is marked, for a model that looks at its surroundings;
    `skipped` holds what the folder skipped and what could not be read. `cache_note` says what kept images
    from being cached, or None.
    """

    folder: CaseTable
    skipped: tuple[Skipped, ...]
    hashes: tuple[str, ...]
    original_sizes: tuple[tuple[int, int], ...]
    own_bits: tuple[int | None, ...]
    pages: tuple[int, ...]
    image_size: int
    cache_note: Text | None
    boxes: tuple[Box | None, ...]
    _store: Store
    _in_memory: dict[str, Pixels] = field(repr=False)

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def preprocessing_key(self) -> str:
        """A name for everything besides a file's content that decides about the pixels."""
        return self._store.folder.name

    @property
    def table(self) -> CaseTable:
        """The cases, with the hash of each and what its header says."""
        seen = (
            self.folder
            if self.folder.column("modality") is not None
            else self.folder.with_headers(self.folder.headers())
        )
        return seen.with_columns(sha256=self.hashes)

    def logs(self) -> Iterator[Log]:
        """Yield what must be told of how the images were read."""
        yield from reading_logs(self.folder.files, self.own_bits, self.pages, self._store.preprocessing)
        unmarked = [file for file, box in zip(self.folder.files, self.boxes, strict=True) if box is None]
        if wants_box(self._store.preprocessing) and unmarked:
            params = {"count": len(unmarked), "images": len(self), "file": unmarked[0]}
            yield Log.of("warning", Text("log.data.unmarked", params))

    def image(self, index: int) -> Pixels:
        """Return image `index`, uint8 (S, S, 3), yours to change.

        An entry that has gone or is damaged is made again from the image file; raises ImageUnreadable when
        that has changed meanwhile.
        """
        digest, box = self.hashes[index], self.boxes[index]
        key = entry_key(digest, box)
        pixels = self._in_memory.get(key)
        if pixels is None:
            pixels = read_entry(self._store, key)
        if pixels is None:
            file = self.folder.files[index]
            content = ImageContent.read(self.folder.path(index), file)
            if content.digest != digest:
                raise ImageUnreadable(file, Text("reason.changed_while_use_start"))
            pixels, original = prepare_image(content, self._store, may_be_mask=True, box=box)
            if self.cache_note is None:
                write_entry(self._store, key, pixels, original)
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)) if pixels.ndim == 2 else pixels.copy()


def prepare(
    folder: CaseTable,
    preprocessing: PreprocessingSettings,
    image_size: int,
    workers: int,
    cache_root: Path | None = None,
    limit_gb: float = 20,
    on_progress: Progress | None = None,
    inventory: Inventory | None = None,
) -> Prepared:
    """Decode and preprocess every image of `folder` that is not in the cache yet, `workers` at a time.

    `on_progress(done, total)` is called in the caller's thread. The cache lies in the user's cache folder unless
    `cache_root` is given, and keeps to `limit_gb` by removing what was unused the longest, never an image of
    this set. Where it can't be written, images stay in memory as far as there is room and are decoded again
    beyond that. What an `inventory` knows of these images is not read again. Raises UnreadableClass when a class has no readable image.
    """
    root = cache_root or cache_store.default_cache_root()
    make_tree_private(root)
    store = Store.of(root, folder, preprocessing, image_size)
    known = None if inventory is None else inventory.of(folder)
    writer = known.writer if known and known.writer and known.writer.store == store else CacheWriter(store)

    def read(index: int) -> Entry | ImageUnreadable:
        file = folder.files[index]
        try:
            content = ImageContent.read(folder.path(index), file)
        except ImageUnreadable as error:
            return error
        return writer.entry(content, folder, index)

    outcomes = [None if known is None else known.entry_for(store, index) for index in range(len(folder))]
    missing = [index for index, outcome in enumerate(outcomes) if outcome is None]
    done = len(folder) - len(missing)
    if done and on_progress is not None:
        on_progress(done, len(folder))
    with ThreadPoolExecutor(max(1, min(workers, usable_cores())), thread_name_prefix="prepare") as pool:
        try:
            for index, outcome in zip(missing, pool.map(read, missing), strict=True):
                outcomes[index] = outcome
                done += 1
                if on_progress is not None:
                    on_progress(done, len(folder))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise

    entries = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, Entry)}
    unreadable = [Skipped(error.file, error.reason) for error in outcomes if isinstance(error, ImageUnreadable)]
    readable = folder.subset(list(entries))
    _check_classes(folder, readable, unreadable)
    kept = {store.file_name(entry.key) for entry in entries.values()}
    room = None if keeps_to(root, limit_gb) else make_room(root, kept, limit_gb)
    note = writer.failure or room
    if writer.failure and room:
        note = Text("reason.both", {"first": writer.failure, "second": room})
    if known is not None:
        readable = readable.with_headers([known.seen[index].header for index in entries])
    return Prepared(
        folder=readable,
        skipped=tuple(sorted([*folder.skipped, *unreadable], key=lambda item: item.file)),
        hashes=tuple(entry.digest for entry in entries.values()),
        original_sizes=tuple((entry.original.height, entry.original.width) for entry in entries.values()),
        own_bits=tuple(entry.original.own_bits for entry in entries.values()),
        pages=tuple(entry.original.pages for entry in entries.values()),
        image_size=image_size,
        cache_note=note,
        _store=store,
        boxes=tuple(entry.box for entry in entries.values()),
        _in_memory={entry.key: entry.pixels for entry in entries.values() if entry.pixels is not None},
    )


def _check_classes(folder: CaseTable, readable: CaseTable, unreadable: Sequence[Skipped]) -> None:
    """Raise UnreadableClass for a class of `folder` that has images but no readable one."""
    class_of = {file: int(label) for file, label in zip(folder.files, folder.labels, strict=True)}
    for label, (class_name, count) in enumerate(readable.counts().items()):
        failed = [item for item in unreadable if class_of[item.file] == label]
        if count == 0 and failed:
            raise UnreadableClass(as_written(folder.root), class_name, len(failed), failed[0].reason)
