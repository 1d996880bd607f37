"""Copies of all images in folders of their own, one for each format: DICOM and TIFF, png and tif."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePosixPath

from breastai.data.sources.masks import is_mask_folder
from breastai.data.sources.recognition.survey import Survey
from breastai.domain.text import Text

_LEAST_SHARE, _MOST_FOLDERS = 0.8, 20


@dataclass(frozen=True)
class FolderCopies:
    """Which folder is read of several that hold the same images: patterns that `include` it, and that this is doubtful."""

    include: tuple[str, ...]
    doubt: Text


def one_of_copies(survey: Survey) -> FolderCopies | None:
    """Return which folder is read where others hold images of the same names in another format; None where none do."""
    stems: dict[str, set[str]] = defaultdict(set)
    endings: dict[str, set[str]] = defaultdict(set)
    for file in survey.images:
        path = PurePosixPath(file)
        folder = path.parent.as_posix()
        if folder != "." and not is_mask_folder(folder, among_images=True):
            stems[folder].add(path.stem.casefold())
            endings[folder].add(path.suffix.lower())
    if len(stems) > _MOST_FOLDERS:
        return None
    for folder in sorted(stems):
        others = [
            other
            for other in sorted(stems)
            if not endings[other] & endings[folder]
            and len(stems[other] & stems[folder]) > _LEAST_SHARE * max(len(stems[other]), len(stems[folder]))
        ]
        if others:
            return FolderCopies((f"{folder}/**",), Text("doubt.one_of_copies", {"folder": folder, "others": others}))
    return None
