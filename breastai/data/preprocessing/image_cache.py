"""Preprocessed images on disk: decoded once, whatever the number of epochs and runs.

An entry is one file: a header of 28 bytes (magic, CRC-32 of the pixels, channels, original height and width, bits of
its own or 0, pages of its file, little-endian), then the pixels. It lies under the hash of the preprocessing settings, named by the SHA-256 of
the image file. It is written under another name and renamed, so a run killed half-way leaves no half entry and
several runs may share the folder.
"""

import errno
import hashlib
import json
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import platformdirs
import psutil

from breastai.data.decoders.decoder_table import DECODING_VERSION, content_hash
from breastai.data.decoders.file_content import read_content
from breastai.data.pixels import Pixels
from breastai.data.preprocessing.model_images import decode_for, reading_logs
from breastai.data.preprocessing.preprocess import PREPROCESSING_VERSION, preprocess
from breastai.data.sources.case_table import CaseTable, Skipped
from breastai.data.sources.frames import file_of
from breastai.data.sources.masks import TWO_VALUED, is_two_valued
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImageUnreadable, UnreadableClass
from breastai.domain.events import Log
from breastai.storage.private_files import make_tree_private, open_private, private_folder
from breastai.storage.remote_mirror import as_written

CACHE_VERSION = 2

Progress = Callable[[int, int], None]

_HEADER = struct.Struct("<4sIIIIII")
_MAGIC = b"BAI2"
_SUFFIX = ".pixels"
_STALE_TEMPORARY_S = 3600.0
# Images kept in memory when the disk takes no more: at most this share of what is free.
_MEMORY_SHARE = 0.25


@dataclass(frozen=True)
class _Original:
    """What is known of an image before preprocessing; `own_bits` and `pages` as in `Decoded`."""

    height: int
    width: int
    own_bits: int | None
    pages: int


@dataclass(frozen=True)
class _Entry:
    """What is known of one prepared image; `pixels` only when it is not on disk."""

    digest: str
    original: _Original
    pixels: Pixels | None = None


@dataclass(frozen=True)
class _Store:
    """Where the entries of one set of settings lie, and how they are made."""

    folder: Path
    preprocessing: PreprocessingSettings
    image_size: int

    def path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}{_SUFFIX}"


@dataclass(frozen=True, eq=False)
class Prepared:
    """Readable images of a folder, preprocessed: `image(i)` belongs to `folder.files[i]`.

    `hashes` are SHA-256 of the files' content; `original_sizes` are (height, width) before preprocessing; `own_bits` and
    `pages` are as in `Decoded`;
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
    cache_note: str | None
    _store: _Store
    _in_memory: dict[str, Pixels] = field(repr=False)

    def __len__(self) -> int:
        return len(self.hashes)

    @property
    def table(self) -> CaseTable:
        """The cases, with the hash of each and what its header says."""
        return self.folder.with_headers(self.folder.headers()).with_columns(sha256=self.hashes)

    def logs(self) -> Iterator[Log]:
        """Yield what must be told of how the images were read."""
        yield from reading_logs(self.folder.files, self.own_bits, self.pages, self._store.preprocessing)

    def image(self, index: int) -> Pixels:
        """Return image `index`, uint8 (S, S, 3), yours to change.

        An entry that has gone or is damaged is made again from the image file; raises ImageUnreadable when
        that has changed meanwhile.
        """
        digest = self.hashes[index]
        pixels = self._in_memory.get(digest)
        if pixels is None:
            pixels = _read_entry(self._store, digest)
        if pixels is None:
            file = self.folder.files[index]
            content = read_content(self.folder.path(index), file)
            if content_hash(content, file) != digest:
                raise ImageUnreadable(file, "it changed while it was in use; start again")
            pixels, original = _made(content, file, self._store, may_be_mask=True)
            if self.cache_note is None:
                _write_entry(self._store, digest, pixels, original)
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)) if pixels.ndim == 2 else pixels.copy()


def prepare(
    folder: CaseTable,
    preprocessing: PreprocessingSettings,
    image_size: int,
    workers: int,
    cache_root: Path | None = None,
    limit_gb: float = 20,
    on_progress: Progress | None = None,
) -> Prepared:
    """Decode and preprocess every image of `folder` that is not in the cache yet, `workers` at a time.

    `on_progress(done, total)` is called in the caller's thread. The cache lies in the user's cache folder unless
    `cache_root` is given, and keeps to `limit_gb` by removing what was unused the longest, never an image of
    this set. Where it can't be written, images stay in memory as far as there is room and are decoded again
    beyond that. Raises UnreadableClass when a class has no readable image.
    """
    root = cache_root or default_cache_root()
    make_tree_private(root)
    masks_taken = folder.masks_kept or bool(folder.known)
    store = _Store(root / _settings_key(preprocessing, image_size, masks_taken), preprocessing, image_size)
    maker = _Maker(folder, store)
    outcomes: list[_Entry | ImageUnreadable | None] = [None] * len(folder)
    with ThreadPoolExecutor(max(1, min(workers, os.cpu_count() or 1)), thread_name_prefix="prepare") as pool:
        futures = {pool.submit(maker.entry, index): index for index in range(len(folder))}
        try:
            for done, future in enumerate(as_completed(futures), start=1):
                outcomes[futures[future]] = future.result()
                if on_progress is not None:
                    on_progress(done, len(folder))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise

    entries = {index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, _Entry)}
    unreadable = [Skipped(error.file, error.reason) for error in outcomes if isinstance(error, ImageUnreadable)]
    readable = folder.subset(list(entries))
    _check_classes(folder, readable, unreadable)
    kept = {store.path(entry.digest) for entry in entries.values()}
    notes = [maker.failure, _make_room(root, kept, limit_gb) if maker.has_written else None]
    return Prepared(
        folder=readable,
        skipped=tuple(sorted([*folder.skipped, *unreadable], key=lambda item: item.file)),
        hashes=tuple(entry.digest for entry in entries.values()),
        original_sizes=tuple((entry.original.height, entry.original.width) for entry in entries.values()),
        own_bits=tuple(entry.original.own_bits for entry in entries.values()),
        pages=tuple(entry.original.pages for entry in entries.values()),
        image_size=image_size,
        cache_note=" ".join(note for note in notes if note) or None,
        _store=store,
        _in_memory={entry.digest: entry.pixels for entry in entries.values() if entry.pixels is not None},
    )


def default_cache_root() -> Path:
    """Return the folder of preprocessed images in the user's own cache folder."""
    return platformdirs.user_cache_path("breastai") / "images"


class _Maker:
    """Makes entries from several threads, and remembers what went wrong with the disk."""

    def __init__(self, folder: CaseTable, store: _Store) -> None:
        self._folder = folder
        self._store = store
        self._lock = threading.Lock()
        self._free_bytes = int(psutil.virtual_memory().available * _MEMORY_SHARE)
        self.failure: str | None = None
        self.has_written = False

    def entry(self, index: int) -> _Entry | ImageUnreadable:
        """Return the entry of image `index`, made now if it is not there, or why there is none."""
        file = self._folder.files[index]
        try:
            content = read_content(self._folder.path(index), file)
            digest = content_hash(content, file)
            original = _sound_entry(self._store, digest)
            if original is not None:
                return _Entry(digest, original)
            pixels, original = _made(content, file, self._store, _may_be_mask(self._folder, file))
        except ImageUnreadable as error:
            return error
        if self.failure is None:
            self.failure = _write_entry(self._store, digest, pixels, original)
        if self.failure is None:
            self.has_written = True
            return _Entry(digest, original)
        with self._lock:
            self._free_bytes -= pixels.nbytes
            fits = self._free_bytes >= 0
        return _Entry(digest, original, pixels if fits else None)


def _may_be_mask(folder: CaseTable, file: str) -> bool:
    return folder.masks_kept or file_of(file) in folder.known


def _made(content: bytes, file: str, store: _Store, may_be_mask: bool) -> tuple[Pixels, _Original]:
    """Return the preprocessed pixels, (S, S) for a grey image, else (S, S, 3), and what is known of the original."""
    decoded = decode_for(content, file, store.preprocessing)
    image = decoded.pixels
    if not may_be_mask and is_two_valued(image):
        raise ImageUnreadable(file, TWO_VALUED)
    square = preprocess(image, store.preprocessing, store.image_size)
    pixels = np.ascontiguousarray(square[:, :, 0]) if image.shape[2] == 1 else square
    return pixels, _Original(image.shape[0], image.shape[1], decoded.own_bits, decoded.pages)


def _settings_key(preprocessing: PreprocessingSettings, image_size: int, masks_taken: bool = False) -> str:
    """Return a name for everything besides the file's content that decides about the pixels, and whether it is taken."""
    versions = [CACHE_VERSION, DECODING_VERSION, PREPROCESSING_VERSION, cv2.__version__]
    values = preprocessing.model_dump(mode="json", exclude={"frames"})
    described = json.dumps([versions, image_size, values, masks_taken], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def _sound_entry(store: _Store, digest: str) -> _Original | None:
    """Return what the header of an entry of the right length says of the original, marked as used, or None."""
    path = store.path(digest)
    try:
        with path.open("rb") as stream:
            header = stream.read(_HEADER.size)
            length = os.fstat(stream.fileno()).st_size
        magic, _, channels, height, width, own_bits, pages = _HEADER.unpack(header)
        if magic != _MAGIC or length != _HEADER.size + store.image_size**2 * channels or channels not in (1, 3):
            return None
        os.utime(path)
    except (OSError, struct.error):
        return None
    return _Original(height, width, own_bits or None, pages)


def _read_entry(store: _Store, digest: str) -> Pixels | None:
    """Return the pixels of an entry, or None when it is missing or damaged."""
    try:
        stored = np.fromfile(store.path(digest), dtype=np.uint8)
    except OSError:
        return None
    if stored.size < _HEADER.size:
        return None
    magic, checksum, channels, *_ = _HEADER.unpack(stored[: _HEADER.size].tobytes())
    pixels = stored[_HEADER.size :]
    side = store.image_size
    if magic != _MAGIC or channels not in (1, 3) or pixels.size != side * side * channels:
        return None
    if zlib.crc32(pixels.data) != checksum:
        return None
    return pixels.reshape((side, side) if channels == 1 else (side, side, 3))


def _write_entry(store: _Store, digest: str, pixels: Pixels, original: _Original) -> str | None:
    """Write an entry under its name in one step; return what kept it from being written, or None."""
    path = store.path(digest)
    channels = 1 if pixels.ndim == 2 else 3
    known = (original.height, original.width, original.own_bits or 0, original.pages)
    header = _HEADER.pack(_MAGIC, zlib.crc32(pixels.data), channels, *known)
    temporary = path.with_name(f"{digest}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        private_folder(path.parent)
        try:
            with open_private(temporary, "wb") as stream:
                stream.write(header)
                stream.write(pixels.data)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            # On Windows an entry that another run has open can't be replaced, nor need it be.
            if _sound_entry(store, digest) is None:
                raise
    except OSError as error:
        reason = (
            "the disk is full" if error.errno == errno.ENOSPC else f"it can't be written ({error.strerror or error})"
        )
        return (
            f"The image cache {store.folder.parent} is not used: {reason}. Images are kept in memory or decoded again."
        )
    return None


def _make_room(root: Path, kept: set[Path], limit_gb: float) -> str | None:
    """Remove the entries that were unused the longest until `root` keeps to the limit, but none of `kept`."""
    limit_bytes = int(limit_gb * 2**30)
    now = time.time()
    total_bytes, kept_bytes = 0, 0
    others: list[tuple[float, int, Path]] = []
    for path in root.rglob("*"):
        try:
            status = path.stat()
            if path.suffix == ".tmp" and now - status.st_mtime > _STALE_TEMPORARY_S:
                path.unlink()
            elif path.suffix == _SUFFIX:
                total_bytes += status.st_size
                if path in kept:
                    kept_bytes += status.st_size
                else:
                    others.append((status.st_mtime, status.st_size, path))
        except OSError:
            continue  # another run was faster
    for _, size_bytes, path in sorted(others):
        if total_bytes <= limit_bytes:
            break
        try:
            path.unlink(missing_ok=True)
            total_bytes -= size_bytes
        except OSError:
            continue  # in use by another run, on Windows
    if kept_bytes > limit_bytes:
        return f"The images of this run take {kept_bytes / 2**30:.1f} GiB in the cache, more than the limit of {limit_gb:g} GiB."
    return None


def _check_classes(folder: CaseTable, readable: CaseTable, unreadable: Sequence[Skipped]) -> None:
    """Raise UnreadableClass for a class of `folder` that has images but no readable one."""
    class_of = {file: int(label) for file, label in zip(folder.files, folder.labels, strict=True)}
    for label, (class_name, count) in enumerate(readable.counts().items()):
        failed = [item for item in unreadable if class_of[item.file] == label]
        if count == 0 and failed:
            raise UnreadableClass(as_written(folder.root), class_name, len(failed), failed[0].reason)
