"""Preprocessed images on disk: decoded once, whatever the number of epochs and runs.

An entry is one file: a header of 28 bytes (magic, CRC-32 of the pixels, channels, original height and width, bits of
its own or 0, pages of its file, little-endian), then the pixels. It lies under the hash of the preprocessing settings, named by the SHA-256 of
the image file. It is written under another name and renamed, so a run killed half-way leaves no half entry and
several runs may share the folder.
"""

import contextlib
import errno
import hashlib
import json
import os
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import cv2
import numpy as np
import platformdirs
import psutil

from breastai.data.decoders.decoder_table import DECODING_VERSION
from breastai.data.decoders.image_content import ImageContent
from breastai.data.pixels import Pixels
from breastai.data.preprocessing.content import check_shown
from breastai.data.preprocessing.lesion_boxes import Box, check_mark, wanted_box, wants_box
from breastai.data.preprocessing.preprocess import PREPROCESSING_VERSION, preprocess
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.frames import file_of
from breastai.data.sources.masks import TWO_VALUED, is_two_valued
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text
from breastai.storage.private_files import open_private, private_folder

CACHE_VERSION = 2
_HEADER = struct.Struct("<4sIIIIII")
_MAGIC = b"BAI2"
_SUFFIX = ".pixels"
_STALE_TEMPORARY_S = 3600.0
_WITHIN = "within_gb"  # a file of the cache: the limit it was found to keep to; gone once something is written
# Images kept in memory when the disk takes no more: at most this share of what is free.
_MEMORY_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Original:
    """What is known of an image before preprocessing; `own_bits` and `pages` as in `Decoded`."""

    height: int
    width: int
    own_bits: int | None
    pages: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of one prepared image; `pixels` only when it is not on disk."""

    digest: str
    original: Original
    pixels: Pixels | None = None
    box: Box | None = None

    @property
    def key(self) -> str:
        """Its name in the store: the content's hash, and with a box what it is together with it."""
        return entry_key(self.digest, self.box)


@dataclass(frozen=True)
class Store:
    """Where the entries of one set of settings lie, and how they are made."""

    folder: Path
    preprocessing: PreprocessingSettings
    image_size: int

    @classmethod
    def of(cls, root: Path, table: CaseTable, preprocessing: PreprocessingSettings, image_size: int) -> "Store":
        """Return the store of a table's images below the cache's `root`."""
        masks_taken = table.masks_kept or bool(table.known)
        return cls(root / _settings_key(preprocessing, image_size, masks_taken), preprocessing, image_size)

    def takes_over(self, other: "Store", entry: "Entry") -> bool:
        """Have an entry of another store in this one, where both would hold the same pixels; return whether it is.

        They do where only the bit depth differs, and the image states its own or has the one set here.
        """
        depth = self.preprocessing.bit_depth
        alike = other.preprocessing.model_copy(update={"bit_depth": depth}) == self.preprocessing
        if not alike or other.image_size != self.image_size or entry.original.own_bits not in (None, depth):
            return False
        if entry.pixels is not None or sound_entry(self, entry.key) is not None:
            return True
        try:
            private_folder(self.path(entry.key).parent)
            other.path(entry.key).replace(self.path(entry.key))
        except OSError:  # another run has it
            return False
        return True

    def path(self, digest: str) -> Path:
        """Return where the entry of this name lies, or would."""
        return Path(self.file_name(digest))

    def file_name(self, digest: str) -> str:
        """Return the same as text: a path of its parts, or one kept of each of very many, costs several times as much."""
        return f"{self.folder}{os.sep}{digest[:2]}{os.sep}{digest}{_SUFFIX}"


def default_cache_root() -> Path:
    """Return the folder of preprocessed images in the user's own cache folder."""
    return platformdirs.user_cache_path("breastai") / "images"


class CacheWriter:
    """Makes entries from several threads, and remembers what went wrong with the disk."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._lock = threading.Lock()
        self._free_bytes = int(psutil.virtual_memory().available * _MEMORY_SHARE)
        self.failure: Text | None = None

    def entry(self, content: ImageContent, table: CaseTable, index: int) -> Entry | ImageUnreadable:
        """Return the entry of image `index` of a table, made now if it is not there, or why there is none."""
        try:
            box = wanted_box(table, index, self.store.preprocessing)
        except ImageUnreadable as error:
            return error
        return self.entry_of(content, may_be_mask(table, table.files[index]), box)

    def entry_of(self, content: ImageContent, may_be_mask: bool, box: Box | None = None) -> Entry | ImageUnreadable:
        """Return the entry of an image, with the box of its lesion where that is wanted, or why there is none."""
        try:
            digest = content.digest
            key = entry_key(digest, box)
            original = sound_entry(self.store, key)
            if original is not None:
                return Entry(digest, original, box=box)
            pixels, original = prepare_image(content, self.store, may_be_mask, box)
        except ImageUnreadable as error:
            return error
        if self.failure is None:
            self.failure = write_entry(self.store, key, pixels, original)
        if self.failure is None:
            return Entry(digest, original, box=box)
        with self._lock:
            self._free_bytes -= pixels.nbytes
            fits = self._free_bytes >= 0
        return Entry(digest, original, pixels if fits else None, box)


def may_be_mask(folder: CaseTable, file: str) -> bool:
    return folder.masks_kept or (bool(folder.known) and file_of(file) in folder.known)


def entry_key(digest: str, box: Box | None) -> str:
    """Return the name of an entry: the hash of the content, or with a box that of both."""
    return digest if box is None else hashlib.sha256(f"{digest} {box}".encode()).hexdigest()


def prepare_image(
    content: ImageContent, store: Store, may_be_mask: bool, box: Box | None = None
) -> tuple[Pixels, Original]:
    """Return the preprocessed pixels, (S, S) for a grey image, else (S, S, 3), and what is known of the original."""
    decoded = content.decode(store.preprocessing.bit_depth)
    image = decoded.pixels
    check_shown(content, store.preprocessing.bit_depth)
    if not may_be_mask and is_two_valued(image):
        raise ImageUnreadable(content.name, TWO_VALUED)
    check_mark(box, store.preprocessing, content.name, image.shape)
    square = preprocess(image, store.preprocessing, store.image_size, box)
    pixels = np.ascontiguousarray(square[:, :, 0]) if image.shape[2] == 1 else square
    return pixels, Original(image.shape[0], image.shape[1], decoded.own_bits, decoded.pages)


def _settings_key(preprocessing: PreprocessingSettings, image_size: int, masks_taken: bool = False) -> str:
    """Return a name for everything besides the file's content that decides about the pixels, and whether it is taken."""
    versions = [CACHE_VERSION, DECODING_VERSION, PREPROCESSING_VERSION, cv2.__version__]
    # What acts on no pixel names no other store.
    idle = {"frames", "unmarked"} | (set() if wants_box(preprocessing) else {"lesion_crop", "lesion_margin"})
    values = preprocessing.model_dump(mode="json", exclude=idle)
    described = json.dumps([versions, image_size, values, masks_taken], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()[:16]


def sound_entry(store: Store, digest: str) -> Original | None:
    """Return what the header of an entry of the right length says of the original, marked as used, or None."""
    path = store.path(digest)
    try:
        with path.open("rb", buffering=0) as stream:
            header = stream.read(_HEADER.size)
            length = os.fstat(stream.fileno()).st_size
        magic, _, channels, height, width, own_bits, pages = _HEADER.unpack(header)
        if magic != _MAGIC or length != _HEADER.size + store.image_size**2 * channels or channels not in (1, 3):
            return None
        os.utime(path)
    except (OSError, struct.error):
        return None
    return Original(height, width, own_bits or None, pages)


def read_entry(store: Store, digest: str) -> Pixels | None:
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


def write_entry(store: Store, digest: str, pixels: Pixels, original: Original) -> Text | None:
    """Write an entry under its name in one step; return what kept it from being written, or None."""
    path = store.path(digest)
    channels = 1 if pixels.ndim == 2 else 3
    known = (original.height, original.width, original.own_bits or 0, original.pages)
    header = _HEADER.pack(_MAGIC, zlib.crc32(pixels.data), channels, *known)
    temporary = path.with_name(f"{digest}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        try:
            with _opened_in_its_folder(temporary) as stream:
                stream.write(header + pixels.tobytes())
            (store.folder.parent / _WITHIN).unlink(missing_ok=True)
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            # On Windows an entry that another run has open can't be replaced, nor need it be.
            if sound_entry(store, digest) is None:
                raise
    except OSError as error:
        reason = (
            Text("reason.disk_full")
            if error.errno == errno.ENOSPC
            else Text("reason.cannot_written", {"error": str(error.strerror or error)})
        )
        return Text("reason.cache_not_used", {"folder": str(store.folder.parent), "reason": reason})
    return None


def _opened_in_its_folder(path: Path) -> IO[bytes]:
    """Open a file to write; its folder is made when it turns out to be missing, which is once for many files."""
    try:
        return open_private(path, "wb")
    except FileNotFoundError:
        private_folder(path.parent)
        return open_private(path, "wb")


def make_room(root: Path, kept: set[str], limit_gb: float) -> Text | None:
    """Remove the entries that were unused the longest until `root` keeps to the limit, but none of `kept`, by `file_name`."""
    limit_bytes = int(limit_gb * 2**30)
    now = time.time()
    total_bytes, kept_bytes = 0, 0
    others: list[tuple[float, int, str]] = []
    for entry in _files_below(str(root)):
        try:
            if entry.name.endswith(_SUFFIX):
                status = entry.stat(follow_symlinks=False)
                total_bytes += status.st_size
                if entry.path in kept:
                    kept_bytes += status.st_size
                else:
                    others.append((status.st_mtime, status.st_size, entry.path))
            elif entry.name.endswith(".tmp") and now - entry.stat(follow_symlinks=False).st_mtime > _STALE_TEMPORARY_S:
                Path(entry.path).unlink()
        except OSError:
            continue  # another run was faster
    others.sort()
    for _, size_bytes, path in others:
        if total_bytes <= limit_bytes:
            break
        try:
            Path(path).unlink(missing_ok=True)
            total_bytes -= size_bytes
        except OSError:
            continue  # in use by another run, on Windows
    if kept_bytes > limit_bytes:
        return Text("reason.images_run_take_gib", {"kept_gib": kept_bytes / 2**30, "limit_gb": limit_gb})
    if total_bytes <= limit_bytes:
        with contextlib.suppress(OSError), open_private(root / _WITHIN, "wb") as file:
            file.write(f"{limit_gb}".encode())
    return None


def keeps_to(root: Path, limit_gb: float) -> bool:
    """Return whether the entries below `root` were found within the limit, and none was written since."""
    try:
        return float((root / _WITHIN).read_text(encoding="utf-8")) <= limit_gb
    except (OSError, ValueError):
        return False


def _files_below(folder: str) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder; what goes meanwhile, or can't be listed, is left out."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files_below(entry.path)
            else:
                yield entry
