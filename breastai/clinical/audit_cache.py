"""What audits found of images, in the user's cache folder: whoever looks at the same images again, in whatever folder, run or workspace, need not decode or compare them.

The facts of images lie in .npz files of up to SEGMENT images by the hash of each one's content, the duplicates of a set in
one file by the hashes of its images in their order. No file names and no patients stand there. All lie below a folder
that goes by the source code and the constants that decide about them, so that another version begins anew.
"""

import contextlib
import hashlib
import io
import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt
import platformdirs

from breastai.clinical import colour_space, image_facts
from breastai.clinical.image_facts import MARK_CELLS, ImageFacts, Pixels, facts_of
from breastai.data import decoders, duplicates
from breastai.data.array_file import read_arrays
from breastai.data.decoders.image_content import ImageContent
from breastai.data.duplicates.grey_thumbnails import as_arrays, read_with_thumbnails
from breastai.data.duplicates.near_duplicates import Duplicates, NearDuplicate, joined_groups
from breastai.data.preprocessing import content as shown_content
from breastai.data.preprocessing.embedding_store import drop_oldest
from breastai.domain.errors import BreastAIError
from breastai.storage.private_files import make_tree_private
from breastai.storage.workspace import atomic_write

SEGMENT = 5_000
# Small files are joined once there are so many of them.
_MANY = 16
# Of more new images at once nothing is kept: they are small and many, and packing them would last as long as a look.
MOST_IMAGES = 20_000
LIMIT_BYTES = 2 * 2**30
_SUFFIX = ".npz"
_DECIDING = (colour_space, image_facts, shown_content)
_PLAIN = (
    *("pixel_hash", "file_size", "height", "width", "contrast", "two_valued", "rim", "black_rim", "colour"),
    *("mark_share", "says_burned_in", "blank", "own_bits", "pages", "colour_space", "device"),
)
_PAIRS = ("first", "second", "correlation", "grain", "identical")


def default_audits_root() -> Path:
    """Return the folder of what audits found in the user's own cache folder."""
    return platformdirs.user_cache_path("breastai") / "audits"


class AuditCache:
    """The facts and duplicates kept below `root`; several threads and processes may use it. A fault of the disk only costs time."""

    def __init__(self, root: Path) -> None:
        self.folder = root / _code_key()
        self.root = root
        self._lock = threading.Lock()
        self._loaded: dict[Path, dict[str, ImageFacts]] = {}
        # Which file has which image: looked up when the first is asked for.
        self._where: dict[str, Path] | None = None
        self._new: dict[str, ImageFacts] = {}

    def facts_of(self, content: ImageContent) -> ImageFacts:
        """Return the facts of an image, found now where they are not kept; raise ImageUnreadable."""
        kept = self.kept_facts(content.digest)
        if kept is not None:
            return kept
        found = facts_of(content)
        self.remember(found)
        return found

    def remember(self, facts: ImageFacts) -> None:
        """Take what was found of an image, to be kept."""
        with self._lock:
            self._new[facts.content_hash] = facts

    def duplicates(
        self, hashes: Sequence[str], patients: Sequence[str | None], find: Callable[[], Duplicates]
    ) -> Duplicates:
        """Return the duplicates of a set of images, by the hash and the patient of each, from `find` unless they are kept."""
        numbers: dict[str, int] = {}
        together = [numbers.setdefault(patient, len(numbers)) if patient else patient for patient in patients]
        key = hashlib.sha256(json.dumps([list(hashes), together]).encode()).hexdigest()
        path = self.folder / f"duplicates-{key[:32]}{_SUFFIX}"
        arrays = read_arrays(path, _PAIRS)
        with contextlib.suppress(ValueError, TypeError):
            if arrays is not None:
                pairs = [NearDuplicate(*row) for row in zip(*(array.tolist() for array in arrays), strict=True)]
                _touch(path)
                return Duplicates(tuple(pairs), joined_groups(pairs, len(hashes)))
        found = find()
        columns = {name: np.array([getattr(pair, name) for pair in found.pairs]) for name in _PAIRS}
        self._write(path, columns)
        return found

    def keep(self) -> None:
        """Write down the facts found since; what was unused the longest makes room."""
        with self._lock:
            new, self._new = self._new, {}
        if not 0 < len(new) <= MOST_IMAGES:
            return
        self._write_facts(new)
        self._join()
        drop_oldest(self.root, None, LIMIT_BYTES, _SUFFIX)

    def _write_facts(self, facts: Mapping[str, ImageFacts]) -> list[Path]:
        """Write facts by their hashes into files of up to SEGMENT images; return the files."""
        digests, paths = sorted(facts), []
        for start in range(0, len(digests), SEGMENT):
            part = digests[start : start + SEGMENT]
            name = hashlib.sha256("".join(part).encode()).hexdigest()[:32]
            paths.append(self.folder / f"facts-{name}{_SUFFIX}")
            self._write(paths[-1], _packed(part, [facts[digest] for digest in part]))
        return paths

    def _join(self) -> None:
        """Write many small files as few, so that not one for each audit there ever was is opened."""
        small = [path for path in self._files() if len(_keys(path)) < SEGMENT // 2]
        if len(small) < _MANY:
            return
        written = self._write_facts(dict(fact for path in small for fact in _unpacked(path)))
        if written and all(path.is_file() for path in written):
            for path in set(small) - set(written):
                with contextlib.suppress(OSError):  # open elsewhere, on Windows
                    path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob(f"facts-*{_SUFFIX}"))

    def kept_facts(self, digest: str) -> ImageFacts | None:
        """Return the facts of an image by the hash of its content; None where they are not kept."""
        with self._lock:
            if self._where is None:
                self._where = {key: path for path in self._files() for key in _keys(path)}
            path = self._where.get(digest)
            if path is None:
                return None
            if path not in self._loaded:
                self._loaded[path] = dict(_unpacked(path))
                _touch(path)
            return self._loaded[path].get(digest)

    def _write(self, path: Path, arrays: dict[str, npt.NDArray[Any]]) -> None:
        packed = io.BytesIO()
        np.savez_compressed(packed, **cast(Any, arrays))
        with contextlib.suppress(OSError, BreastAIError):  # a full disk: the next audit looks again
            make_tree_private(self.root)
            atomic_write(path, packed.getvalue())


def facts_row(facts: ImageFacts) -> list[Any]:
    """Return what JSON can hold of facts, besides the content's hash."""
    return [getattr(facts, name) for name in _PLAIN]


def facts_from_row(digest: str, row: Sequence[Any], marks: Pixels, thumbnail: Pixels) -> ImageFacts:
    """Return the facts that `facts_row` made a row of; raise ValueError and TypeError for another row."""
    return ImageFacts(content_hash=digest, marks=marks, thumbnail=thumbnail, **dict(zip(_PLAIN, row, strict=True)))


def _packed(digests: Sequence[str], facts: Sequence[ImageFacts]) -> dict[str, npt.NDArray[Any]]:
    plain = [json.dumps(facts_row(each)) for each in facts]
    return {
        "keys": np.array(digests, dtype="S64"),
        "plain": np.array([line.encode() for line in plain]),
        "marks": np.stack([each.marks for each in facts]),  # (N, MARK_CELLS, MARK_CELLS)
        **as_arrays([each.thumbnail for each in facts]),
    }


def _unpacked(path: Path) -> Iterator[tuple[str, ImageFacts]]:
    """Yield the hash and the facts of each image of a file; none of one that is damaged."""
    kept = read_with_thumbnails(path, ("keys", "plain", "marks"))
    if kept is None:
        return
    (keys, plain, marks), thumbnails = kept
    if marks.shape[1:] != (MARK_CELLS, MARK_CELLS) or len({len(keys), len(plain), len(marks), len(thumbnails)}) != 1:
        return
    with contextlib.suppress(ValueError, TypeError):
        for key, line, own, small in zip(keys.tolist(), plain.tolist(), marks, thumbnails, strict=True):
            yield key.decode(), facts_from_row(key.decode(), json.loads(line), own, small)


def _keys(path: Path) -> list[str]:
    arrays = read_arrays(path, ("keys",))
    return [] if arrays is None or arrays[0].dtype.kind != "S" else [key.decode() for key in arrays[0].tolist()]


def _touch(path: Path) -> None:
    with contextlib.suppress(OSError):
        os.utime(path)


def _code_key() -> str:
    """Return a hash of the code and the constants that decide what is found in an image and between images."""
    folders = [Path(package.__path__[0]) for package in (decoders, duplicates)]
    modules = [Path(str(module.__file__)) for module in _DECIDING]
    sources = _hash_of((*modules, *(path for folder in folders for path in sorted(folder.glob("*.py")))))
    constants = [_constants(module) for module in _DECIDING]
    return hashlib.sha256(f"{sources} {constants} {cv2.__version__}".encode()).hexdigest()[:16]


@cache
def _hash_of(paths: tuple[Path, ...]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _constants(module: ModuleType) -> list[tuple[str, str]]:
    values = sorted(vars(module).items())
    return [(name, repr(value)) for name, value in values if name.isupper() and isinstance(value, int | float | str)]
