"""Duplicates: identical and near-identical images, gathered into groups that no split may part.

An image is known by its thumbnail. Images that share local features are candidates, also when one of them is cropped,
framed, turned, mirrored, inverted or of another contrast; each pair is then aligned and must agree in its fine grain,
tile by tile, where both show tissue. Grain is what tells two images apart that merely look alike.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastai.data.decoders.decoder_table import content_hash, decode
from breastai.data.decoders.file_content import read_content
from breastai.data.duplicates.duplicate_candidates import Candidate, candidates
from breastai.data.duplicates.duplicate_verification import Seen, compare
from breastai.data.duplicates.grey_thumbnails import comparable_thumbnail, thumbnail
from breastai.data.duplicates.image_features import Features, Pixels, features_of
from breastai.data.duplicates.patient_candidates import patient_candidates
from breastai.data.duplicates.static_tiles import find_static_tiles, show_telling
from breastai.domain.errors import ImageUnreadable

# A thumbnail that varies less than this, in grey levels, shows nothing to compare.
_LEAST_CONTRAST = 2.0
# Of more images whose patients are all known only those of one patient are compared, each as a whole.
MOST_COMPARED = 20_000
# So many candidates are judged at once; those that their outcome makes needless are then left out.
_ROUND = 256


@dataclass(frozen=True)
class NearDuplicate:
    """Two images, by number. `correlation`: the median of their grain's over the tiles of the aligned thumbnails.

    `grain`: the share of tiles where the grain agrees. Identical files have 1 in both.
    """

    first: int
    second: int
    correlation: float
    grain: float
    identical: bool


@dataclass(frozen=True)
class Duplicates:
    """`groups`: the images, by number, that are twins of each other directly or through others; each of two or more.

    `pairs`: the twins that make these groups. Two images that others already join need not be a pair.
    """

    pairs: tuple[NearDuplicate, ...]
    groups: tuple[tuple[int, ...], ...]

    def group_numbers(self, count: int) -> npt.NDArray[np.int64]:
        """Return a number for each of `count` images, equal within a group; an image alone has its own."""
        numbers = np.arange(count)
        for group in self.groups:
            numbers[list(group)] = group[0]
        return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def duplicates_in(root: Path, files: Sequence[str], threads: int = 2) -> Duplicates:
    """Return the duplicates among `files`, relative to `root`; a file that can't be read has no twin."""

    def look(file: str) -> tuple[Pixels, str | None]:
        try:
            content = read_content(root / file, file)
            return thumbnail(decode(content, file)), content_hash(content, file)
        except ImageUnreadable:
            return np.zeros((1, 1), dtype=np.uint8), None

    with ThreadPoolExecutor(max(1, threads)) as pool:
        seen = list(pool.map(look, files))
    # The names stand in for missing hashes: no two are equal.
    hashes = [digest or f"unread {number}" for number, (_, digest) in enumerate(seen)]
    return find_duplicates([small for small, _ in seen], hashes, threads=threads)


def find_duplicates(
    thumbnails: Sequence[Pixels],
    hashes: Sequence[str],
    *,
    patients: Sequence[str | None] | None = None,
    between: int | None = None,
    threads: int = 2,
    progress: Callable[[float], None] = lambda share: None,
) -> Duplicates:
    """Return the duplicates among N images by their `thumbnails` (N,) and the `hashes` of their files.

    Images of two known `patients` (None or empty: not known) are a pair only when their files are identical.
    With `between` every pair of one of the first so many images with a later one is judged, and no other.
    Of many images with known patients those of a patient that are not alike as a whole are no candidates: see
    `compares_patients_alone`. `progress` is told the share done. Memory is that of the thumbnails and of their features.
    """
    pairs = _identical(hashes)
    known = {(twins.first, twins.second) for twins in pairs}
    with ThreadPoolExecutor(max(1, threads)) as pool:
        if between is None and patients is not None and compares_patients_alone(patients):
            possible = patient_candidates(thumbnails, patients, threads, lambda share: progress(0.5 * share))
            looked = sorted({number for candidate in possible for number in candidate[:2]})
            seen = _seen_of(thumbnails, looked, pool, lambda share: progress(0.5 + 0.2 * share))
        else:
            seen = _seen_of(thumbnails, range(len(thumbnails)), pool, lambda share: progress(0.5 * share))
            features = [item.features for item in seen.values()]
            possible = candidates(features, threads, lambda share: progress(0.5 + 0.2 * share))
        wanted = [
            candidate
            for candidate in possible
            if candidate[:2] not in known
            and not _of_two_patients(patients, *candidate[:2])
            and (between is None or candidate.first < between <= candidate.second)
        ]

        def judge(candidate: Candidate) -> NearDuplicate | None:
            agreement = compare(seen[candidate.first], seen[candidate.second], candidate.variant)
            if agreement is None or not agreement.is_duplicate:
                return None
            return NearDuplicate(*candidate[:2], agreement.correlation, agreement.share, identical=False)

        # Images of one patient, known or not, that others of that patient join already tell nothing new.
        joined = _DisjointSets(len(hashes))
        fresh = pairs
        for start in range(0, len(wanted), _ROUND):
            for twins in fresh:
                if between is None and _of_one_patient(patients, twins.first, twins.second):
                    joined.merge(twins.first, twins.second)
            asked = [
                candidate
                for candidate in wanted[start : start + _ROUND]
                if joined.root(candidate.first) != joined.root(candidate.second)
            ]
            fresh = [twins for twins in pool.map(judge, asked) if twins is not None]
            pairs = [*pairs, *fresh]
            progress(0.7 + 0.3 * start / len(wanted))
    pairs.sort(key=lambda twins: (twins.first, twins.second))
    return Duplicates(tuple(pairs), joined_groups(pairs, len(hashes)))


def compares_patients_alone(patients: Sequence[str | None]) -> bool:
    """Return whether of so many images, all of known `patients`, only one patient's are compared, each as a whole.

    Alike images of two known patients are no pair anyway, and a split parts no patient: there is no leak to be found.
    """
    return len(patients) > MOST_COMPARED and all(patients)


def _seen_of(
    thumbnails: Sequence[Pixels], numbers: Sequence[int], pool: ThreadPoolExecutor, progress: Callable[[float], None]
) -> dict[int, Seen]:
    """Return what is compared of some images, by their number."""
    images = [comparable_thumbnail(thumbnails[number]) for number in numbers]
    found: dict[int, Seen] = {}
    for number, item in zip(numbers, pool.map(_seen, images, find_static_tiles(images)), strict=True):
        found[number] = item
        if len(found) % 100 == 0:
            progress(len(found) / len(images))
    return found


def _identical(hashes: Sequence[str]) -> list[NearDuplicate]:
    """Return each file paired with the first one of the same content."""
    first: dict[str, int] = {}
    pairs: list[NearDuplicate] = []
    for number, digest in enumerate(hashes):
        earlier = first.setdefault(digest, number)
        if earlier != number:
            pairs.append(NearDuplicate(earlier, number, 1.0, 1.0, identical=True))
    return pairs


def _of_two_patients(patients: Sequence[str | None] | None, first: int, second: int) -> bool:
    """Return whether both patients are known and differ: then likeness alone makes no pair."""
    if patients is None:
        return False
    one, other = patients[first], patients[second]
    return bool(one) and bool(other) and one != other


def _of_one_patient(patients: Sequence[str | None] | None, first: int, second: int) -> bool:
    return patients is None or patients[first] == patients[second]


def _seen(image: Pixels, static: npt.NDArray[np.bool_]) -> Seen:
    if image.std() < _LEAST_CONTRAST:
        return Seen(image, Features(np.zeros((0, 4), np.float32), np.zeros((0, 128), np.uint8)), static)
    return Seen(image, features_of(image, show_telling(static, image)), static)


class _DisjointSets:
    """Images by number, each at first in a set of its own."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def root(self, number: int) -> int:
        """Return the least image of the set that `number` is in."""
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number

    def merge(self, one: int, other: int) -> None:
        low, high = sorted((self.root(one), self.root(other)))
        self._parent[high] = low


def joined_groups(pairs: Sequence[NearDuplicate], count: int) -> tuple[tuple[int, ...], ...]:
    """Return the connected images, each group and all of them in rising order."""
    joined = _DisjointSets(count)
    for twins in pairs:
        joined.merge(twins.first, twins.second)
    members: dict[int, list[int]] = {}
    for number in range(count):
        members.setdefault(joined.root(number), []).append(number)
    return tuple(tuple(group) for group in members.values() if len(group) > 1)
