"""Frames: the images of a multi-frame DICOM file or a file of several pages as cases of their own, named FILE#1, FILE#2 and so on.

A frame's name stands wherever a file's name would: in a split, an audit, an evaluation, a prediction. Where no frame is
named, the middle one of a DICOM file is meant, and of other files the largest page.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from breastai.data.decoders.decoder_table import decoder_of
from breastai.data.decoders.file_content import frame_of
from breastai.data.sources.case_table import CaseTable
from breastai.domain.catalog import IMAGE_SUFFIXES

Frames = Literal["middle", "each"]


def file_of(name: str) -> str:
    """Return the name of the file that an image's name means: FILE of FILE#3."""
    file, _ = frame_of(name)
    return file if Path(file).suffix.lower() in ("", *IMAGE_SUFFIXES) else name


def frames_of(path: Path, frames: Frames) -> list[Path]:
    """Return the images in a file: FILE#1 and so on where `frames` is "each" and it has several, else the file itself."""
    if frames == "middle" or not path.is_file():
        return [path]
    decoder = decoder_of(path)
    numbers = [] if path.suffix.lower() in decoder.single_endings else decoder.frames(path)
    return [path] if len(numbers) < 2 else [path.with_name(f"{path.name}#{number}") for number in numbers]


def with_frames(folder: CaseTable, frames: Frames) -> CaseTable:
    """Return the folder with every frame and page of its files as an image, or as it is."""
    if frames == "middle":
        return folder
    numbers: list[int] = []
    files: list[str] = []
    for number, file in enumerate(folder.files):
        found = frames_of(folder.path(number), frames)
        names = [file] if len(found) == 1 else [f"{file}{image.name[len(Path(file).name) :]}" for image in found]
        numbers += [number] * len(names)
        files += names
    return folder.subset(numbers).with_files(files)


def by_file(files: Sequence[str]) -> list[str] | None:
    """Return for each image the file it is a frame of, or None when none is a frame."""
    wholes = [file_of(file) for file in files]
    return wholes if wholes != list(files) else None


def files_of(paths: Iterable[Path], frames: Frames) -> list[Path]:
    """Return the images in some files, as `frames_of` does for each."""
    return [image for path in paths for image in frames_of(path, frames)]
