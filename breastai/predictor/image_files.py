"""The image files a user asks about: names, patterns and folders become a list of files."""

import glob
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from breastai.data.decoders.file_content import file_at
from breastai.data.preprocessing.lesion_boxes import Box, boxes_in
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.image_listing import Listed, images_below, reason_against_file
from breastai.data.sources.masks import masks_among
from breastai.data.sources.place_description import is_case_list
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.errors import ImageUnreadable, LabelsInvalid, NoImages
from breastai.domain.events import Event, Log
from breastai.domain.text import Text


def image_files(wanted: Sequence[str], folder: Path) -> list[Path]:
    """Return the files `wanted` means, as `listed_images` does, without the masks."""
    return list(listed_images(wanted, folder).files)


def listed_images(wanted: Sequence[str], folder: Path) -> Listed:
    """Return the files `wanted` means, each once, in its order, and masks left out; relative names are relative to `folder`.

    A list of cases gives those it labels, a folder the image files below it in order of name, hidden ones and masks left out; a pattern is one that no
    shell has expanded, and gives masks only where it finds nothing else. A file named outright is taken whatever its
    ending, and so is a frame of one, clip.dcm#3. Raises ImageUnreadable for a name without a file, and NoImages for a
    folder or pattern without images.
    """
    found: dict[Path, None] = {}
    masks: dict[Path, Text] = {}
    others: dict[Path, Text | str] = {}
    for text in wanted:
        path = folder / Path(text).expanduser()
        if path.is_dir():
            listed = images_below(path)
        elif is_case_list(path) and (table := _cases_in(path)) is not None:
            listed = Listed(tuple(table.path(number) for number in range(len(table))), {})
        elif file_at(path).exists():
            listed = Listed((path,), {})
        elif glob.has_magic(text):
            listed = _matching(path)
        else:
            raise ImageUnreadable(text, Text("reason.no_such_file_or"))
        if not listed.files:
            raise NoImages(text, list(IMAGE_SUFFIXES))
        found |= dict.fromkeys(listed.files)
        masks |= listed.masks
        others |= listed.others
    return Listed(
        tuple(found),
        {file: reason for file, reason in masks.items() if file not in found},
        {file: reason for file, reason in others.items() if file not in found},
    )


def marked_in(wanted: Sequence[str], folder: Path) -> dict[Path, Box]:
    """Return where lesions are marked in the images of the lists of cases among `wanted`, by where each lies."""
    lists = [path for text in wanted if is_case_list(path := folder / Path(text).expanduser())]
    tables = [table for path in lists if (table := _cases_in(path)) is not None]
    return {path: box for table in tables for path, box in boxes_in(table).items()}


def _cases_in(path: Path) -> CaseTable | None:
    """Return the cases that a file lists; None of one that is no table of labels, which is then told as any other file."""
    try:
        return read_cases(path)
    except LabelsInvalid:
        return None


def _matching(pattern: Path) -> Listed:
    matches = sorted(Path(match) for match in glob.glob(str(pattern), recursive=True))  # noqa: PTH207 - a Path's glob takes no absolute pattern
    files = [file for file in matches if file.is_file() and reason_against_file(file) is None]
    # The folder above the first sign of a pattern: what it is called says nothing.
    fixed = next((place for place in pattern.parents if not glob.has_magic(str(place))), pattern.parent)
    names = {f"{fixed.name}/{file.relative_to(fixed).as_posix()}": file for file in files}
    masks = {names[name]: reason for name, reason in masks_among(fixed.parent, list(names)).items()}
    images = tuple(file for file in files if file not in masks)
    return Listed(images, masks) if images else Listed(tuple(files), {})


def masks_told(listed: Listed, name_of: Callable[[Path], str]) -> Iterator[Event]:
    """Tell which files of a folder are not asked about: masks, and what is no image; nothing where there are none."""
    for file, why in list(listed.others.items())[:1]:
        count, name = len(listed.others), name_of(file)
        yield Log.of("warning", Text("log.predict.left_out", {"count": count, "file": name, "reason": why}))
    for file, reason in list(listed.masks.items())[:1]:
        count, name = len(listed.masks), name_of(file)
        yield Log(
            level="info",
            code="predict.masks",
            message=f"Masks or crops of other images, left out: {count}, the first: {name} ({reason}).",
            params={"count": count, "file": name, "reason": reason},
        )
