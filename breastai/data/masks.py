"""Masks: outlines, regions and crops that lie beside images, told by their folder, name, header or pixels.

They are no images of a class: an outline tells the class by itself, and a crop is its image a second time.
"""

import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from breastai.domain.catalog import IMAGE_SUFFIXES

# These words mean a mask wherever they stand.
_MASK_WORDS = frozenset(
    {"mask", "masks", "masque", "masques", "maske", "masken", "mascara", "mascaras", "maschera", "maschere", "masker"}
    | {"maskers", "segmentation", "segmentations", "segmentierung", "segmentierungen", "groundtruth", "contours"}
)
# These mean one where the image itself lies beside it: a data set may as well consist of regions.
_REGION_WORDS = frozenset(
    {"seg", "segs", "segmented", "gt", "roi", "rois", "crop", "crops", "cropped", "contour", "outline", "outlines"}
    | {"annotation", "annotations", "annotated", "label", "labels", "overlay", "overlays", "tumor", "tumors", "tumour"}
    | {"tumeur", "tumore", "lesion", "lesions", "other", "others", "mass", "delineation", "bbox", "heatmap"}
)
_NEGATIONS = frozenset({"no", "non", "not", "without", "sans", "ohne", "un", "sin", "sem", "senza", "zonder"})
_WORD = re.compile(r"[^\W\d_]+")
_SEPARATORS = "_-. ("
# The last word of a name, with a number behind it: case001_other1, benign (1)_mask_2.
_ENDING = re.compile(r"(?P<image>.+?)[_\-. ]+(?P<word>[^\W\d_]+)[_\-. ]*\(?\d{0,3}\)?$")
_BEGINNING = re.compile(r"(?P<word>[^\W\d_]+)[_\-. ]*\d.*$")
_NO_DICOM_ENDINGS = frozenset(IMAGE_SUFFIXES) - {".dcm", ".dicom"}
_COMPRESSED = frozenset({".png", ".webp", ".tif", ".tiff"})
# A picture of two values takes far fewer bits than this for each pixel, one of tissue more.
_FEW_BITS = 1.5

IN_FOLDER = "it lies in a folder of masks or crops ({name})"
BY_NAME = "its name is that of a mask or crop"
BY_HEADER = "its header says that it is a mask or crop ({said})"
BY_PIXELS = "it has two grey values only, and the name of another image: a mask"
TWO_VALUED = "it has two grey values only: a mask, not an image"


def is_mask_folder(name: str, among_images: bool = False) -> bool:
    """Return whether a folder's name says that masks lie in it; `among_images`: or crops, images lying elsewhere."""
    words = _WORD.findall(_plain(name))
    found = _MASK_WORDS | (_REGION_WORDS if among_images else frozenset())
    return bool(found & set(words)) and not _NEGATIONS & set(words)


def masks_among(root: Path, files: Sequence[str], known: Collection[str] = ()) -> dict[str, str]:
    """Return which of `files`, relative to `root`, are masks or crops of others, each with the reason.

    The first folder of a name is that of its class, whatever it is called. `known`: files that are images in any case.
    Headers are read of DICOM files alone, pixels of those few whose name begins with that of another.
    """
    asked = [file for file in files if file not in known]
    found = {file: IN_FOLDER.format(name=folder) for file in asked if (folder := _mask_folder(file, False))}
    found |= {file: BY_NAME for file in asked if file not in found and _is_named_mask(PurePosixPath(file).stem)}
    found |= _by_header(root, [file for file in asked if file not in found], len(files) - len(found))
    for rule in (_in_region_folders, _named_after_another, _two_valued_after_another):
        rest = [file for file in files if file not in found]
        found |= {file: reason for file, reason in rule(root, rest) if file not in known}
    return found


def is_two_valued(pixels: np.ndarray) -> bool:
    """Return whether an image, uint8 (H, W, C), is a picture of two values, and not a blank one."""
    grey = pixels.max(axis=2) if pixels.ndim == 3 else pixels
    counts = np.sort(np.bincount(np.ascontiguousarray(grey).ravel(), minlength=256))
    return bool(counts[-2:].sum() >= 0.998 * grey.size and grey.std() >= 2)


def _plain(name: str) -> str:
    """Return a name without accents, in lower case, words of a CamelCase name parted."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name)
    return "".join(sign for sign in unicodedata.normalize("NFKD", parted.casefold()) if not unicodedata.combining(sign))


def _mask_folder(file: str, among_images: bool) -> str | None:
    return next((name for name in PurePosixPath(file).parts[1:-1] if is_mask_folder(name, among_images)), None)


def _is_named_mask(stem: str) -> bool:
    plain = _plain(stem)
    ending, beginning = _ENDING.fullmatch(plain), _BEGINNING.fullmatch(plain)
    return any(match is not None and match["word"] in _MASK_WORDS for match in (ending, beginning))


def _in_region_folders(root: Path, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what lies in folders of crops and regions, of classes that have images elsewhere."""
    inside = {file: folder for file in files if (folder := _mask_folder(file, True))}
    elsewhere = {_class_of(file) for file in files if file not in inside}
    yield from ((file, IN_FOLDER.format(name=name)) for file, name in inside.items() if _class_of(file) in elsewhere)


def _class_of(file: str) -> str:
    return PurePosixPath(file).parts[0]


def _named_after_another(root: Path, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield case1_tumor where case1 lies beside it, in the same folder, the one above or one next to it."""
    stems = {(place, _plain(PurePosixPath(file).stem)) for file in files for place in _places(file)}
    for file in files:
        named = _ENDING.fullmatch(_plain(PurePosixPath(file).stem))
        beside = named is not None and any((place, named["image"]) in stems for place in _places(file))
        if named is not None and beside and named["word"] in _REGION_WORDS:
            yield file, BY_NAME


def _places(file: str) -> list[str]:
    """Return the folder of a file and the one above, no higher than its class."""
    folder = PurePosixPath(file).parent
    return [str(folder)] if len(folder.parts) < 2 else [str(folder), str(folder.parent)]


def _two_valued_after_another(root: Path, files: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield pictures of two values that have the stem of another image, alone or at the beginning of theirs."""
    by_stem: dict[str, int] = {}
    for file in files:
        stem = _plain(PurePosixPath(file).stem)
        by_stem[stem] = by_stem.get(stem, 0) + 1
    for file in files:
        stem = _plain(PurePosixPath(file).stem)
        shorter = (stem[:end] for end, sign in enumerate(stem) if sign in _SEPARATORS and end)
        if (by_stem[stem] > 1 or any(other.strip() in by_stem for other in shorter)) and _shows_two_values(root / file):
            yield file, BY_PIXELS


def _shows_two_values(path: Path) -> bool:
    try:
        status = path.stat()
        return _two_values(str(path), status.st_mtime_ns, status.st_size)
    except OSError:
        return False


@lru_cache(maxsize=20_000)
def _two_values(path: str, changed_ns: int, size_bytes: int) -> bool:
    from PIL import Image

    from breastai.data.decode import read_image
    from breastai.domain.errors import ImageUnreadable

    place = Path(path)
    if place.suffix.lower() in _COMPRESSED:
        try:
            with Image.open(place) as image:
                width, height = image.size
        except Exception:  # whatever is wrong with it is told where it is read
            return False
        if size_bytes * 8 > _FEW_BITS * width * height + 8 * 2000:
            return False
    try:
        return is_two_valued(read_image(place))
    except ImageUnreadable:
        return False


def _by_header(root: Path, files: Sequence[str], images: int) -> Mapping[str, str]:
    """Return the DICOM files whose header says mask, and those that say crop where other images do not."""
    said = {
        file: words
        for file in files
        if Path(file).suffix.lower() not in _NO_DICOM_ENDINGS and (words := _said(root / file))
    }
    masks = {file: words for file, words in said.items() if is_mask_folder(words) or words == "SEG"}
    crops = {file: words for file, words in said.items() if file not in masks and is_mask_folder(words, True)}
    if len(crops) == images - len(masks):
        crops = {}
    return {file: BY_HEADER.format(said=words) for file, words in (masks | crops).items()}


def _said(path: Path) -> str:
    try:
        status = path.stat()
        return _header_words(str(path), status.st_mtime_ns, status.st_size)
    except OSError:
        return ""


@lru_cache(maxsize=50_000)
def _header_words(path: str, changed_ns: int, size_bytes: int) -> str:
    """Return what a DICOM header calls its series, or SEG for a segmentation object; "" where it says nothing.

    Only the words by which a mask is told are returned: the rest of a description may name a person.
    """
    import pydicom

    try:
        header = pydicom.dcmread(
            path, stop_before_pixels=True, force=True, specific_tags=["SeriesDescription", "Modality"]
        )
        if str(header.get("Modality") or "").upper() == "SEG":
            return "SEG"
        words = _WORD.findall(_plain(str(header.get("SeriesDescription") or "")))
    except Exception:  # a damaged file makes the parser raise whatever its bytes lead to
        return ""
    return " ".join(word for word in words if word in _MASK_WORDS | {"roi", "cropped", "crop"} | _NEGATIONS)
