"""Embeddings on disk: what a network made of each prepared image, computed once, whatever the number of runs.

The rows of one network and preprocessing lie in one folder, in segments that never change: a header of 16 bytes (magic,
rows, width, CRC-32 of the index, little-endian), the index (32 bytes of the image's key and the CRC-32 of its row), then
the rows as float32. A segment is written under another name and renamed, so whoever is killed half-way leaves no half
segment, and several processes may share the folder. Rows are read through a memory map.
"""

import contextlib
import os
import struct
import threading
import time
import uuid
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs

from breastai.storage.private_files import make_tree_private, open_private, private_folder

Rows = npt.NDArray[np.float32]

_HEADER = struct.Struct("<4sIII")
_MAGIC = b"BAE1"
_SUFFIX = ".rows"
_INDEX = np.dtype([("key", np.uint8, (32,)), ("checksum", "<u4")])
_STALE_TEMPORARY_S = 3600.0
# Small segments are joined once there are so many of them.
_MANY, _SMALL_BYTES = 16, 32 * 2**20
# Beside the images, of which each takes some thirty times as much.
SHARE_OF_CACHE = 0.1


@dataclass(frozen=True)
class _Segment:
    path: Path
    keys: npt.NDArray[np.uint8]  # (R, 32)
    checksums: npt.NDArray[np.uint32]  # (R,)
    rows: Rows  # (R, width), a memory map


@dataclass(frozen=True)
class EmbeddingStore:
    """The rows of one network and one preprocessing. `width`: numbers of a row."""

    folder: Path
    width: int

    def read(self, keys: Sequence[str]) -> tuple[Rows, npt.NDArray[np.bool_]]:
        """Return the rows (N, width) of images, and which of them are known (N,); a damaged row is not known.

        A key is a SHA-256 in hexadecimal digits.
        """
        found = np.zeros((len(keys), self.width), dtype=np.float32)
        known = np.zeros(len(keys), dtype=np.bool_)
        wanted: dict[bytes, list[int]] = {}
        for place, key in enumerate(keys):
            wanted.setdefault(bytes.fromhex(key), []).append(place)
        for segment in self._segments():
            used = False
            for number, key in enumerate(segment.keys):
                places = wanted.get(key.tobytes())
                if not places or zlib.crc32(segment.rows[number].tobytes()) != segment.checksums[number]:
                    continue
                found[places], known[places], used = segment.rows[number], True, True
                del wanted[key.tobytes()]
            if used:
                with contextlib.suppress(OSError):
                    os.utime(segment.path)
            if not wanted:
                break
        return found, known

    def write(self, keys: Sequence[str], rows: Rows) -> bool:
        """Keep the rows (N, width) of images; return whether the disk took them."""
        try:
            private_folder(self.folder)
            self._write(np.array([list(bytes.fromhex(key)) for key in keys], dtype=np.uint8).reshape(-1, 32), rows)
            self._join()
        except OSError:
            return False
        return True

    def _write(self, keys: npt.NDArray[np.uint8], rows: Rows) -> None:
        rows = np.ascontiguousarray(rows, dtype="<f4")
        index = np.zeros(len(keys), dtype=_INDEX)
        index["key"] = keys
        index["checksum"] = [zlib.crc32(row.tobytes()) for row in rows]
        listed = index.tobytes()
        path = self.folder / f"{uuid.uuid4().hex}{_SUFFIX}"
        temporary = path.with_name(f"{path.stem}.{os.getpid()}-{threading.get_ident()}.tmp")
        try:
            with open_private(temporary, "wb") as stream:
                stream.write(_HEADER.pack(_MAGIC, len(keys), self.width, zlib.crc32(listed)))
                stream.write(listed)
                stream.write(rows.data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

    def _segments(self) -> Iterator[_Segment]:
        """Yield the sound segments, the newest first; one that another process removes meanwhile is left out."""
        paths = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                paths.append((path.stat().st_mtime_ns, path))
        for _, path in sorted(paths, reverse=True):
            segment = self._segment(path)
            if segment is not None:
                yield segment

    def _segment(self, path: Path) -> _Segment | None:
        try:
            with path.open("rb") as stream:
                magic, count, width, checksum = _HEADER.unpack(stream.read(_HEADER.size))
                listed = stream.read(count * _INDEX.itemsize)
                length = os.fstat(stream.fileno()).st_size
            start = _HEADER.size + len(listed)
            sound = magic == _MAGIC and width == self.width and zlib.crc32(listed) == checksum
            if not sound or not count or length != start + 4 * count * width:
                return None
            index = np.frombuffer(listed, dtype=_INDEX)
            rows = np.memmap(path, dtype="<f4", mode="r", offset=start, shape=(count, width))
        except (OSError, struct.error, ValueError):
            return None
        return _Segment(path, index["key"], index["checksum"], rows)

    def _join(self) -> None:
        """Write many small segments as one, each image's newest row."""
        small = [each for each in self._segments() if each.rows.nbytes < _SMALL_BYTES]
        if len(small) < _MANY:
            return
        keys, rows = np.concatenate([each.keys for each in small]), np.concatenate([each.rows for each in small])
        sound = np.concatenate([each.checksums for each in small])
        first = np.unique(keys, axis=0, return_index=True)[1]
        kept = [number for number in np.sort(first) if zlib.crc32(rows[number].tobytes()) == sound[number]]
        self._write(keys[kept], rows[kept])
        for each in small:
            with contextlib.suppress(OSError):  # open elsewhere, on Windows
                each.path.unlink(missing_ok=True)


def default_embeddings_root() -> Path:
    """Return the folder of embeddings in the user's own cache folder."""
    return platformdirs.user_cache_path("breastai") / "embeddings"


def open_store(root: Path, key: str, width: int) -> EmbeddingStore:
    """Return the store below `root` of what `key` names, a network with its weights and a preprocessing."""
    make_tree_private(root)
    return EmbeddingStore(root / key, width)


def drop_oldest(root: Path, kept: Path | None, limit_bytes: float, suffix: str = _SUFFIX) -> None:
    """Remove the files of a suffix, segments, that were unused the longest until `root` keeps to the limit.

    None of the folder `kept` is removed.
    """
    now, total_bytes = time.time(), 0
    others: list[tuple[float, int, Path]] = []
    for path in root.rglob("*"):
        with contextlib.suppress(OSError):  # another process was faster
            status = path.stat()
            if path.suffix == ".tmp" and now - status.st_mtime > _STALE_TEMPORARY_S:
                path.unlink()
            elif path.suffix == suffix:
                total_bytes += status.st_size
                if path.parent != kept:
                    others.append((status.st_mtime, status.st_size, path))
    for _, size_bytes, path in sorted(others):
        if total_bytes <= limit_bytes:
            break
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            total_bytes -= size_bytes
            path.parent.rmdir()
