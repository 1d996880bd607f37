"""The pictures of a judged image: as it is, with its lesion outlined, and with a heat map that was drawn of it."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from breastai.data.decoders.decoder_table import read_image
from breastai.data.pixels import Pixels
from breastai.data.preprocessing.lesion_boxes import case_box, masks_of_case
from breastai.data.preprocessing.thumbnails import data_uri
from breastai.data.sources.case_table import CaseTable
from breastai.domain.errors import ImageUnreadable, InputError
from breastai.domain.judged_cases import JudgedPictures
from breastai.storage.workspace import Workspace

_SIDE = 1400
_OUTLINE = (255, 196, 0)


def pictures_of(
    folder: CaseTable | None, place: int | None, workspace: Workspace, heat_map: str | None
) -> JudgedPictures:
    """Return the pictures of image `place` of a folder; of one that is gone, none. `heat_map`: the PNG drawn of it."""
    if folder is None or place is None:
        return JudgedPictures()
    path = folder.path(place)
    try:
        image = read_image(path)
    except ImageUnreadable as error:
        return JudgedPictures(problem=error.reason, path=workspace.relative(path))
    return JudgedPictures(
        image=data_uri(image, _SIDE),
        mask=_outlined(image, folder, place),
        heat_map=_drawn(workspace, heat_map),
        path=workspace.relative(path),
    )


def _outlined(image: Pixels, folder: CaseTable, place: int) -> str | None:
    """Return the image with the outline of its masks, or of its box; None where nothing marks a lesion."""
    drawn = np.ascontiguousarray(np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[:, :, :3])
    width = max(1, round(max(drawn.shape[:2]) / 300))
    inside = [found for mask in masks_of_case(folder, place) if (found := _inside(mask, drawn.shape[:2])) is not None]
    for each in inside:
        lines, _ = cv2.findContours(each, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, _OUTLINE, width)
    if not inside:
        try:
            box = case_box(folder, place)
        except InputError:
            return None
        if box is None:
            return None
        x, y, across, down = box
        cv2.rectangle(drawn, (x, y), (x + across - 1, y + down - 1), _OUTLINE, width)
    return data_uri(drawn, _SIDE)


def _inside(mask: Path, shape: tuple[int, ...]) -> npt.NDArray[np.uint8] | None:
    try:
        pixels = read_image(mask).max(axis=2)
    except ImageUnreadable:
        return None
    if not pixels.any() or pixels.shape != shape:
        return None
    inside: npt.NDArray[np.uint8] = (pixels > pixels.max() / 2).astype(np.uint8)
    return inside


def _drawn(workspace: Workspace, heat_map: str | None) -> str | None:
    """Return a heat map below the workspace's own, None of any other file."""
    if heat_map is None:
        return None
    path = workspace.resolve(heat_map).resolve()
    if not path.is_relative_to((workspace.exports_dir / "heat_maps").resolve()) or path.suffix != ".png":
        return None
    try:
        return data_uri(read_image(path), _SIDE)
    except ImageUnreadable:
        return None
