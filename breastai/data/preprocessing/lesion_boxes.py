"""Where a lesion is marked in an image: by its data set, a mask beside it, or a row of a table of boxes."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from breastai.data.decoders.decoder_table import read_image
from breastai.data.decoders.file_content import file_at
from breastai.data.named_files import file_key
from breastai.data.preprocessing.breast_region import Region
from breastai.data.sources.case_table import CaseTable
from breastai.data.user_tables import TableUnreadable, read_table
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import ImageUnreadable, LabelsInvalid
from breastai.domain.text import Text

# x and y of the upper left corner, width and height, in pixels of the image.
Box = tuple[int, int, int, int]

TABLE_NAME = "boxes.csv"
_LEVELS = 4  # an image lies at most so many folders below its table or its data's own folder
_NEGATIVE = re.compile(r"-\d+(?:\.\d+)?")  # what begins left of the image begins at its edge
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SIDES = ("x", "y", "width", "height")


def wants_box(settings: PreprocessingSettings) -> bool:
    """Return whether a model looks at a lesion's surroundings alone."""
    return settings.lesion_crop == "marked"


def marked_box(path: Path) -> Box | None:
    """Return where a lesion is marked in the image at `path`, None where nothing marks one; raise LabelsInvalid.

    First the nearest table boxes.csv, in the image's folder or above, with the columns file and box (x,y,width,height)
    or x, y, width and height; then a mask: NAME_mask.png beside the image or in a folder masks beside it, or at the same
    place below a folder called as the data's with _masks (busi and busi_masks), or images and masks. Of several rows or
    masks the box holds all; a black mask marks nothing.
    """
    plain = file_at(path)
    listed = _in_table(plain)
    return listed if listed is not None else _in_masks(plain)


def case_box(table: CaseTable, index: int) -> Box | None:
    """Return where a lesion is marked in image `index` of a table: by its box, its mask, or else as `marked_box` finds it.

    Raises ImageUnreadable for a box that is none, and LabelsInvalid.
    """
    path = table.path(index)
    said, mask = (None if (column := table.column(name)) is None else column[index] for name in ("box", "mask"))
    if said is not None:
        try:
            return parse_box(_NEGATIVE.sub("0", said))
        except ValueError:
            raise ImageUnreadable(table.files[index], Text("reason.box_of_row", {"cells": said[:100]})) from None
    if mask is not None:
        places = (table.root / mask, path.parent / mask)
        return next((_box_of_mask(place) for place in places if place.is_file()), None)
    return marked_box(path)


def masks_of_case(table: CaseTable, index: int) -> list[Path]:
    """Return the masks of image `index` of a table: what its column names, or else those beside it."""
    path, column = table.path(index), table.column("mask")
    mask = None if column is None else column[index]
    if mask is not None:
        return [place for place in (table.root / mask, path.parent / mask) if place.is_file()][:1]
    return list(dict.fromkeys(_masks_of(file_at(path))))


def wanted_box(table: CaseTable, index: int, settings: PreprocessingSettings) -> Box | None:
    """Return what `case_box` does, for a model that asks for it; else None, and nothing is read."""
    return case_box(table, index) if wants_box(settings) else None


def boxes_in(table: CaseTable) -> dict[Path, Box]:
    """Return the boxes that a table's own columns give, by where the image lies; images without one are none."""
    if table.column("box") is None and table.column("mask") is None:
        return {}
    found = {file_at(table.path(index)): _own_box(table, index) for index in range(len(table))}
    return {path: box for path, box in found.items() if box is not None}


def _own_box(table: CaseTable, index: int) -> Box | None:
    try:
        return case_box(table, index)
    except ImageUnreadable:  # whoever reads it is told
        return None


def parse_box(text: str) -> Box:
    """Return the box that x,y,width,height say; raise ValueError."""
    numbers = [round(float(number)) for number in _NUMBER.findall(text)]
    if len(numbers) != len(_SIDES) or min(numbers[:2]) < 0 or min(numbers[2:]) < 1:
        raise ValueError(f"expected x,y,width,height in pixels, got {text!r}")
    x, y, width, height = numbers
    return x, y, width, height


def crop_region(box: Box, margin: float, shape: tuple[int, ...]) -> Region:
    """Return the square around a box that begins inside an image of `shape` (H, W), cut at the image's edges.

    Its side is the longer one of the box, with `margin` of it more on each side.
    """
    x, y, width, height = box
    side = max(width, height) * (1 + 2 * margin)
    centre_x, centre_y = x + width / 2, y + height / 2
    left, top = max(0, round(centre_x - side / 2)), max(0, round(centre_y - side / 2))
    right, bottom = min(shape[1], round(centre_x + side / 2)), min(shape[0], round(centre_y + side / 2))
    return Region(top, left, max(1, bottom - top), max(1, right - left))


def check_mark(box: Box | None, settings: PreprocessingSettings, name: str, shape: tuple[int, ...]) -> None:
    """Raise ImageUnreadable where a model asks for a mark and an image of `shape` (H, W, C) has none, or one outside."""
    if not wants_box(settings):
        return
    if box is None:
        if settings.unmarked == "refuse":
            raise ImageUnreadable(name, Text("reason.no_mark"))
    elif box[0] >= shape[1] or box[1] >= shape[0]:
        params = {"box": list(box), "width": shape[1], "height": shape[0]}
        raise ImageUnreadable(name, Text("reason.box_outside", params))


def _in_table(path: Path) -> Box | None:
    for folder in [*path.parents][:_LEVELS]:
        table = folder / TABLE_NAME
        if table.is_file():
            rows = _rows(table, table.stat().st_mtime_ns)
            name = path.relative_to(folder).as_posix()
            return rows.get(file_key(name), rows.get(file_key(path.name)))
    return None


@lru_cache(maxsize=16)
def _rows(table: Path, changed_ns: int) -> dict[str, Box]:
    try:
        found = read_table(table)
    except TableUnreadable as fault:
        raise LabelsInvalid(table.name, fault.reason) from None
    places = found.places()
    columns = ("box",) if "box" in places else _SIDES
    if "file" not in places or not set(columns) <= places.keys():
        raise LabelsInvalid(table.name, Text("reason.expected_file_and_box", {"columns": list(found.columns)}))
    if (twice := found.contradiction(["file", *columns])) is not None:
        raise LabelsInvalid(table.name, twice)
    boxes: dict[str, list[Box]] = {}
    for row in found.rows:
        cells = ",".join(row.cell(places[name]) for name in columns)
        if not row.cell(places["file"]) or not cells.strip(","):
            continue
        try:
            boxes.setdefault(file_key(row.cell(places["file"])), []).append(parse_box(cells))
        except ValueError:
            params = {"number": row.number, "cells": cells}
            raise LabelsInvalid(table.name, Text("reason.row_without_box", params)) from None
    return {file: _around(several) for file, several in boxes.items()}


def _around(boxes: Sequence[Box]) -> Box:
    """Return the box that holds all of some."""
    left, top = min(box[0] for box in boxes), min(box[1] for box in boxes)
    right, bottom = max(box[0] + box[2] for box in boxes), max(box[1] + box[3] for box in boxes)
    return left, top, right - left, bottom - top


def _in_masks(path: Path) -> Box | None:
    marks = [box for mask in dict.fromkeys(_masks_of(path)) if (box := _box_of_mask(mask)) is not None]
    return _around(marks) if marks else None


def _masks_of(path: Path) -> Iterator[Path]:
    """Yield the masks of an image that there are."""
    folders = [path.parent, path.parent / "masks"]
    for above in [*path.parents][: _LEVELS - 1]:
        within = path.parent.relative_to(above)
        named = [f"{above.name}_masks"] + (["masks", "Masks"] if above.name.lower() == "images" else [])
        folders += [above.parent / name / within for name in named]
    for folder in dict.fromkeys(folders):
        for mask in _names_in(folder) if folder.is_dir() else ():
            stem, suffix = mask.stem.casefold(), mask.suffix.lower()
            own = path.stem.casefold()
            marks = stem.startswith(f"{own}_mask") or (folder != path.parent and stem == own)
            if marks and suffix in IMAGE_SUFFIXES and mask != path:
                yield mask


def _names_in(folder: Path) -> tuple[Path, ...]:
    return _listed(folder, folder.stat().st_mtime_ns)


@lru_cache(maxsize=64)
def _listed(folder: Path, changed_ns: int) -> tuple[Path, ...]:
    return tuple(sorted(folder.iterdir()))


def _box_of_mask(path: Path) -> Box | None:
    try:
        pixels = read_image(path).max(axis=2)
    except ImageUnreadable:
        return None
    inside = pixels > pixels.max() / 2
    if not pixels.any():
        return None
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return (
        int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    )
