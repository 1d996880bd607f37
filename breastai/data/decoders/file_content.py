"""Files of images: their bytes, and the names of the frames in them. The one place that reads the content of an image."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from breastai.data.decoders.array_images import array_content, array_file
from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

MAX_FILE_BYTES = 2**30
# So much of a file tells what it is.
BEGINNING_BYTES = 1024

_FRAME = re.compile(r"(.+)#([1-9]\d{0,8})", re.DOTALL)
_counters: list[Counter[Path]] = []
# Contents looked at before all are read, each for its next reading: at most so many bytes.
_KEPT_BYTES = 2**26
_kept: dict[Path, tuple[int, int, bytes]] = {}


def frame_of(name: str) -> tuple[str, int | None]:
    """Return the file and the number of the frame that a name such as clip.dcm#3 means; without one None."""
    found = _FRAME.fullmatch(name)
    return (name, None) if found is None else (found[1], int(found[2]))


def file_at(path: Path) -> Path:
    """Return the file in which the image at `path` lies: of clip.dcm#3 it is clip.dcm, of a row of arrays the .npz."""
    place = array_file(path)
    if place is not None:
        return place
    name, number = frame_of(path.name)
    return path if number is None or path.is_file() else path.with_name(name)


def read_content(path: Path, name: str) -> bytes:
    """Return the bytes of the file at `path`, or of that whose frame it names; raise ImageUnreadable under `name`.

    Opening a file is left to Python: OpenCV can't open a path with accents on Windows.
    """
    place = array_file(path)
    if place is not None:
        for counter in _counters:
            counter[path] += 1
        return array_content(path, place, name)
    path = file_at(path)
    kept = _kept.pop(path, None) if _kept else None
    try:
        with path.open("rb", buffering=0) as file:
            status = os.fstat(file.fileno())
            if kept is not None and kept[:2] == (status.st_mtime_ns, status.st_size):
                return kept[2]
            for counter in _counters:
                counter[path] += 1
            size_bytes = status.st_size
            if size_bytes > MAX_FILE_BYTES:
                raise ImageUnreadable(
                    name,
                    Text(
                        "reason.file_of_too_many_gib",
                        {"size_gib": size_bytes / 2**30, "most_gib": MAX_FILE_BYTES >> 30},
                    ),
                )
            return file.readall()
    except OSError as error:
        raise ImageUnreadable(
            name, Text("reason.file_cannot_opened", {"error": str(error.strerror or error)})
        ) from None


def look_into(path: Path, name: str) -> bytes:
    """Return the bytes of a file as `read_content` does, and keep them for the next who reads it."""
    content = read_content(path, name)
    if array_file(path) is not None:
        return content
    path = file_at(path)
    if sum(len(each[2]) for each in _kept.values()) + len(content) <= _KEPT_BYTES:
        status = path.stat()
        _kept[path] = status.st_mtime_ns, status.st_size, content
    return content


def read_beginning(path: Path) -> bytes:
    """Return the first BEGINNING_BYTES of a file, or all of a shorter one; raise OSError."""
    with path.open("rb") as file:
        return file.read(BEGINNING_BYTES)


@contextmanager
def count_reads() -> Iterator[Counter[Path]]:
    """Count, for each file, how often its content is read inside this context."""
    counter: Counter[Path] = Counter()
    _counters.append(counter)
    try:
        yield counter
    finally:
        _counters.remove(counter)
