"""Fingerprints of the images a model has seen, kept with its checkpoints: what finds them, their likes and their patients again.

Of each image the hash of its content, a grey thumbnail by which the audit finds near-duplicates, and the salted hash of
its patient. No name, and no patient that could be found without the project's salt. Of very many images no thumbnails.
"""

import io
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from breastai.data.cases.cases import Cases
from breastai.data.cases.image_set import ImageSet
from breastai.data.decoders.decoder_table import decode
from breastai.data.decoders.file_content import read_content
from breastai.data.duplicates.grey_thumbnails import as_arrays, read_with_thumbnails, thumbnail
from breastai.data.duplicates.near_duplicates import MOST_COMPARED, find_duplicates
from breastai.domain.errors import ImageUnreadable
from breastai.domain.records import Overlap, SeenBefore
from breastai.storage.salt import salted_hash
from breastai.storage.workspace import atomic_write

Pixels = npt.NDArray[np.uint8]
Part = Literal["train", "val"]

_SALT_MARK = "fingerprints"


@dataclass(frozen=True, eq=False)
class Fingerprints:
    """N images: `hashes`, `parts` and `patients` of length N, and as many `thumbnails`, or none.

    `patients` are salted hashes, None where patients are unknown; `salt_mark` tells whether another salt is the same.
    """

    hashes: list[str]
    parts: list[str]
    thumbnails: Sequence[Pixels]
    patients: list[str] | None
    salt_mark: str

    def __len__(self) -> int:
        return len(self.hashes)

    def save(self, path: Path) -> None:
        """Write them to `path`; raise DiskFull."""
        content = io.BytesIO()
        np.savez_compressed(
            content,
            hashes=np.array(self.hashes, dtype="S64"),
            parts=np.array(self.parts, dtype="S5"),
            **cast(Any, as_arrays(self.thumbnails)),
            patients=np.array(self.patients or [], dtype="S16"),
            salt_mark=np.array(self.salt_mark, dtype="S16"),
        )
        atomic_write(path, content.getvalue())


def read_fingerprints(path: Path) -> Fingerprints | None:
    """Return the fingerprints in a file; None without one that can be read."""
    kept = read_with_thumbnails(path, ("hashes", "parts", "patients", "salt_mark"))
    if kept is None:
        return None
    (hashes, parts, patients, salt_mark), thumbnails = kept
    try:
        found = Fingerprints(
            hashes=_texts(hashes),
            parts=_texts(parts),
            thumbnails=thumbnails,
            patients=_texts(patients) or None,
            salt_mark=salt_mark.item().decode(),
        )
    except (ValueError, AttributeError, TypeError):  # arrays of other kinds
        return None
    lengths = {
        *(len(found.hashes), len(found.parts), len(found.patients or found.hashes)),
        len(found.thumbnails or found.hashes),
    }
    return found if len(lengths) == 1 else None


def fingerprints_of(cases: Cases, salt: bytes, looked_at: Mapping[str, Pixels]) -> Fingerprints:
    """Return the fingerprints of all images that train, validate or calibrate; the last two both choose what it decides by.

    `looked_at`: thumbnails that are there already, by the hash of the image's content.
    """
    patients: list[str] | None = None
    if cases.train_patients is not None and cases.val_patients is not None:
        calibrating = (cases.calibration_patients or ()) if cases.calibration else ()
        known = (*cases.train_patients, *cases.val_patients, *calibrating)
        patients = [salted_hash(salt, patient) for patient in known]
    parts: list[tuple[Part, ImageSet]] = [("train", cases.train), ("val", cases.val)]
    if cases.calibration is not None:
        parts.append(("val", cases.calibration))
    hashes = [digest for _, images in parts for digest in images.hashes]
    thumbnails: list[Pixels] = []
    if len(hashes) <= MOST_COMPARED:
        thumbnails = [small for _, images in parts for small in thumbnails_of(images, looked_at)]
    return Fingerprints(
        hashes=hashes,
        parts=[part for part, images in parts for _ in images.hashes],
        thumbnails=thumbnails,
        patients=patients,
        salt_mark=salted_hash(salt, _SALT_MARK),
    )


def thumbnails_of(images: ImageSet, looked_at: Mapping[str, Pixels] | None = None, threads: int = 2) -> list[Pixels]:
    """Return the audit's thumbnails of some images; black where a file can't be read any more."""
    folder, known = images.prepared.folder, looked_at or {}

    def look(place: tuple[int, str]) -> Pixels:
        number, digest = place
        if digest in known:
            return known[digest]
        try:
            return thumbnail(decode(read_content(folder.path(number), folder.files[number]), folder.files[number]))
        except ImageUnreadable:
            return np.zeros((1, 1), dtype=np.uint8)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        return list(pool.map(look, zip(images.indices.tolist(), images.hashes, strict=True)))


def find_overlap(
    known: Fingerprints,
    images: ImageSet,
    patients: Sequence[str] | None,
    salt: bytes,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Overlap:
    """Return which of `images` a model has seen before: the same, near-duplicates, or others of the same `patients`.

    Images of two known patients are near-duplicates only when their files are identical, which is told by itself.
    """
    same_salt = known.salt_mark == salted_hash(salt, _SALT_MARK)
    theirs = known.patients if same_salt else None
    own = None if patients is None else [salted_hash(salt, patient) for patient in patients]
    near = _near_duplicates(known, images, theirs, own, progress)
    unchecked = [] if near is not None else ["many" if len(known) > MOST_COMPARED else "near_duplicates"]
    if theirs is None or own is None:
        unchecked.append("patients" if known.patients is None or own is None else "salt")
    parts: dict[str, SeenBefore] = {}
    for part in ("train", "val"):
        members = [number for number, each in enumerate(known.parts) if each == part]
        hashes = {known.hashes[number] for number in members}
        identical = [digest in hashes for digest in images.hashes]
        others = [place for place, same in enumerate(identical) if not same]
        of_patients = patients_seen = None
        if theirs is not None and own is not None:
            seen = {theirs[number] for number in members}
            found = [place for place in others if own[place] in seen]
            of_patients, patients_seen = len(found), len({own[place] for place in found})
        parts[part] = SeenBefore(
            identical=sum(identical),
            near_duplicates=None if near is None else len({place for place, each in near if each == part} & {*others}),
            of_patients=of_patients,
            patients=patients_seen,
        )
    return Overlap(train=parts["train"], val=parts["val"], unchecked=unchecked)


def _near_duplicates(
    known: Fingerprints,
    images: ImageSet,
    theirs: Sequence[str] | None,
    own: Sequence[str] | None,
    progress: Callable[[int, int], None],
) -> set[tuple[int, str]] | None:
    """Return the places of images that are near-duplicates of known ones, each with the part of the known one.

    None when there are no thumbnails of them, or they were made in another way than today's.
    """
    if len(known) and not known.thumbnails:
        return None
    small = thumbnails_of(images)
    judged = set(images.hashes)
    others = [number for number, digest in enumerate(known.hashes) if digest not in judged]
    if not others or not len(small):
        return set()
    unknown: list[str | None] = [None] * (len(others) + len(small))
    found = find_duplicates(
        [*(known.thumbnails[number] for number in others), *small],
        [*(known.hashes[number] for number in others), *images.hashes],
        patients=unknown if theirs is None or own is None else [*(theirs[number] for number in others), *own],
        between=len(others),
        progress=lambda share: progress(round(100 * share), 100),
    )
    first = len(others)
    return {
        (pair.second - first, known.parts[others[pair.first]])
        for pair in found.pairs
        if pair.first < first <= pair.second
    }


def _texts(values: npt.NDArray[np.bytes_]) -> list[str]:
    return [value.decode() for value in values.tolist()]
