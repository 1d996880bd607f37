"""Images in arrays: rows of an .npz file, named FILE.npz/ARRAY/ROW, each as the bytes of a PNG of the same pixels."""

import io
import re
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from breastai.domain.errors import ImageUnreadable
from breastai.domain.text import Text

ARRAYS_ENDING = ".npz"
# What may be unpacked of one array.
MOST_ARRAY_BYTES = 2**33
_ROW = re.compile(r"\d{1,9}")


def row_name(array: str, row: int) -> str:
    """Return the name of an image in an .npz file: train_images/00012."""
    return f"{array}/{row:05d}"


def array_file(path: Path) -> Path | None:
    """Return the .npz file in which an image lies as a row; None of every other path."""
    if ARRAYS_ENDING not in str(path).lower():  # asked of every image
        return None
    place = path.parent.parent
    return place if place.suffix.lower() == ARRAYS_ENDING and _ROW.fullmatch(path.name) and place.is_file() else None


def array_content(path: Path, place: Path, name: str) -> bytes:
    """Return the image at FILE.npz/ARRAY/ROW as a PNG; `place`: its file. Raises ImageUnreadable under `name`."""
    try:
        row = read_array(place, path.parent.name)[int(path.name)]
    except (OSError, ValueError, KeyError, IndexError, EOFError, zipfile.BadZipFile) as error:
        raise ImageUnreadable(name, Text("fault.other", {"message": str(error)})) from None
    if row.dtype != np.uint8 or not (row.ndim == 2 or (row.ndim == 3 and row.shape[2] in (1, 3))):
        raise ImageUnreadable(
            name, Text("reason.no_array_of_images", {"shape": str(row.shape), "dtype": str(row.dtype)})
        )
    pixels = row[:, :, 0] if row.ndim == 3 and row.shape[2] == 1 else row
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(content, "PNG", compress_level=1)
    return content.getvalue()


def read_array(place: Path, array: str) -> npt.NDArray[np.generic]:
    """Return an array of an .npz file; raise OSError, ValueError and KeyError. The last few stay in memory."""
    status = place.stat()
    return _read(str(place), array, status.st_mtime_ns, status.st_size)


def array_names(place: Path) -> Mapping[str, int]:
    """Return the names of the arrays in an .npz file, each with its bytes unpacked; raise OSError and BadZipFile."""
    with zipfile.ZipFile(place) as archive:
        return {
            item.filename.removesuffix(".npy"): item.file_size
            for item in archive.infolist()
            if item.filename.endswith(".npy")
        }


@lru_cache(maxsize=6)
def _read(place: str, array: str, changed_ns: int, size_bytes: int) -> npt.NDArray[np.generic]:
    if array_names(Path(place)).get(array, 0) > MOST_ARRAY_BYTES:
        raise ValueError(f"{array} holds more than {MOST_ARRAY_BYTES >> 30} GiB")
    with np.load(place, allow_pickle=False) as arrays:
        found: npt.NDArray[np.generic] = arrays[array]
    found.flags.writeable = False
    return found
