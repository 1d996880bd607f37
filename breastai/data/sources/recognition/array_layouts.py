"""Images in an .npz file, as MedMNIST has them: an array of images and one of labels for each part."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from breastai.data.sources.recognition.recogniser import Reading, Recogniser, describe
from breastai.data.sources.recognition.survey import Survey
from breastai.domain.class_words import split_of
from breastai.domain.text import Text

# What the numbers of the labels mean in MedMNIST's own set of breast images, and how its files are called; in another
# file they may mean the reverse.
_BREASTMNIST = {"0": "malignant", "1": "normal, benign"}
_BREASTMNIST_FILE = re.compile(r"breast[-_ ]?mnist", re.IGNORECASE)


def array_names(path: Path) -> list[str]:
    """Return the names of the arrays in an .npz file, which is not unpacked; none of a file that is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (OSError, zipfile.BadZipFile):
        return []


def parts_of(names: list[str]) -> Mapping[str, tuple[str, str]]:
    """Return the array of images and that of labels of each part, by train, val and test."""
    parts: dict[str, tuple[str, str]] = {}
    for name in names:
        beginning, _, what = name.rpartition("_")
        part = split_of(beginning) if what.lower() in ("images", "x", "data") else None
        labels = next(
            (
                other
                for other in names
                if part and other.lower() in (f"{beginning}_labels".lower(), f"{beginning}_y".lower())
            ),
            None,
        )
        if part and labels:
            parts[part] = name, labels
    return {part: parts[part] for part in ("train", "val", "test") if part in parts}


def _medmnist(survey: Survey) -> Reading | None:
    files = [file for file in survey.files if PurePosixPath(file).suffix.lower() == ".npz"]
    for file in files:
        parts = parts_of(array_names(survey.place / file))
        if not parts:
            continue
        is_breast = _BREASTMNIST_FILE.match(PurePosixPath(file).name) is not None
        others = len(files) - 1
        doubts = [] if is_breast else [Text("doubt.classes_are_numbers")]
        if others:
            doubts.append(Text("doubt.other_files", {"file": file, "count": others}))
        return Reading(
            0.9 if not survey.images else 0.4,
            describe(
                survey,
                "medmnist",
                survey.place / file,
                arrays=[{"images": images, "labels": labels, "part": part} for part, (images, labels) in parts.items()],
                class_map=_BREASTMNIST if is_breast else {},
            ),
            (*doubts, Text("doubt.patients_unknown")),
            is_published=is_breast,
        )
    return None


MEDMNIST = Recogniser(
    "medmnist",
    _medmnist,
    citation="Yang et al., MedMNIST v2: A large-scale lightweight benchmark for 2D and 3D biomedical image classification, "
    "Scientific Data 10, 2023.",
    licence="CC BY 4.0",
    twins=Text("twins.medmnist"),
)
