"""Masks: outlines, regions and crops that lie beside images, told by their folder, name, header or pixels.

They are no images of a class: an outline tells the class by itself, and a crop is its image a second time.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache, reduce
from pathlib import Path
from typing import NamedTuple

import numpy as np

from breastai.data.decoders.decoder_table import file_header
from breastai.data.pixels import grey_histogram
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.text import Text

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
# Of these, those that name no image even where they are all of a file's name.
_REGIONS_ALONE = frozenset(
    {"seg", "gt", "roi", "crop", "cropped", "contour", "outline", "annotation", "label", "overlay"}
)
_CALLED_IMAGE = ("image", "img", "original", "full")
_PICTURE_WORDS = frozenset({"images", "imgs", "pictures", "originals", "bilder", "imagenes", "immagini"})
_CONJUNCTIONS = frozenset({"and", "et", "und", "y", "e", "en", "with", "avec", "mit"})
_NEGATIONS = frozenset({"no", "non", "not", "without", "sans", "ohne", "un", "sin", "sem", "senza", "zonder"})
_WORD = re.compile(r"[^\W\d_]+")
_SEPARATOR = re.compile(r"(?<=[^_\-. (])[_\-. (]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_GROUND_TRUTH = re.compile(r"ground[_\-. ]truth")
# The last word of a name, with a number behind it: case001_other1, benign (1)_mask_2.
_ENDING = re.compile(r"(?P<image>.+?)[_\-. ]+(?P<word>[^\W\d_]+)[_\-. ]*\(?\d{0,3}\)?$")
_ALONE = re.compile(r"(?P<word>[^\W\d_]+)[_\-. ]*\d{0,3}")
_BEGINNING = re.compile(r"(?P<word>[^\W\d_]+)[_\-. ]*\d.*$")
_NO_DICOM_ENDINGS = frozenset(IMAGE_SUFFIXES) - {".dcm", ".dicom"}
# A picture of two values takes far fewer bits than this for each pixel, one of tissue more: what need not be decoded.
_FEW_BITS = {".png": 1.5, ".webp": 1.0, ".jpg": 0.7, ".jpeg": 0.7}

BY_NAME = Text("reason.name_mask_or_crop")
BY_PIXELS = Text("reason.two_grey_values_only")
TWO_VALUED = Text("reason.two_valued")


class _Name(NamedTuple):
    """A file's name taken apart once: its class, the folders below it, the stem in plain letters, the ending.

    `places`: its folder, and the one above as far as that is no higher than its class.
    """

    file: str
    class_folder: str
    folders: tuple[str, ...]
    stem: str
    ending: str
    places: tuple[str, ...]


@lru_cache(maxsize=100_000)
def is_mask_folder(name: str, among_images: bool = False) -> bool:
    """Return whether a folder's name says that masks lie in it; `among_images`: or crops, images lying elsewhere."""
    words = set(_WORD.findall(_plain(name)))
    if words & _PICTURE_WORDS and words & _CONJUNCTIONS:  # images_and_masks
        return False
    found = _MASK_WORDS | (_REGION_WORDS if among_images else frozenset())
    return bool(found & words) and not _NEGATIONS & words


def masks_among(root: Path, files: Sequence[str], known: Collection[str] = ()) -> dict[str, Text]:
    """Return which of `files`, relative to `root`, are masks or crops of others, each with the reason.

    The first folder of a name is that of its class, whatever it is called. `known`: files that are images in any case.
    Headers are read of DICOM files alone, pixels of those few whose name begins with that of another.
    """
    names = [_taken_apart(file) for file in files]
    found: dict[str, Text] = {}
    for rule in (_in_mask_folders, _named_masks, _by_header, _in_region_folders, _named_after_another, _two_valued):
        left = [name for name in names if name.file not in found]
        found |= {file: reason for file, reason in rule(root, left) if file not in known}
    return found


def is_two_valued(pixels: np.ndarray) -> bool:
    """Return whether an image, uint8 (H, W, C), is a picture of two values, and not a blank one."""
    grey = pixels
    if pixels.ndim == 3:  # plane by plane: the greatest of each three values takes many times as long
        grey = reduce(np.maximum, (pixels[:, :, channel] for channel in range(pixels.shape[2])))
    counts = np.sort(grey_histogram(np.ascontiguousarray(grey)))
    return bool(counts[-2:].sum() >= 0.998 * grey.size and grey.std() >= 2)


def _taken_apart(file: str) -> _Name:
    folder, _, name = file.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    class_folder, *folders = folder.split("/")
    places = (folder, folder.rpartition("/")[0]) if folders else (folder,)
    return _Name(
        file, class_folder, tuple(folders), _plain(stem or name), (dot + ending).lower() if stem else "", places
    )


@lru_cache(maxsize=100_000)
def _plain(name: str) -> str:
    """Return a name without accents, in lower case, words of a CamelCase name parted, ground truth one word."""
    parted = _GROUND_TRUTH.sub("groundtruth", _CAMEL.sub("_", name).casefold())
    if parted.isascii():
        return parted
    return "".join(sign for sign in unicodedata.normalize("NFKD", parted) if not unicodedata.combining(sign))


def in_mask_folder(name: str) -> Text:
    """Return why what lies in a folder of this name is no image of a class."""
    return Text("reason.lies_folder_masks_or", {"name": name})


def _in_mask_folders(root: Path, names: Sequence[_Name]) -> Iterator[tuple[str, Text]]:
    for name in names:
        folder = next((folder for folder in name.folders if is_mask_folder(folder)), None)
        if folder is not None:
            yield name.file, in_mask_folder(folder)


def _named_masks(root: Path, names: Sequence[_Name]) -> Iterator[tuple[str, Text]]:
    for name in names:
        if "mas" in name.stem or "segm" in name.stem or "ground" in name.stem or "contours" in name.stem:
            found = [pattern.fullmatch(name.stem) for pattern in (_ALONE, _ENDING, _BEGINNING)]
            if any(match is not None and match["word"] in _MASK_WORDS for match in found):
                yield name.file, BY_NAME


def _by_header(root: Path, names: Sequence[_Name]) -> Iterator[tuple[str, Text]]:
    """Yield the DICOM files whose header says mask, and those that say crop where other images do not."""
    dicom = [name.file for name in names if name.ending not in _NO_DICOM_ENDINGS]
    said = {file: words for file in dicom if (words := _said(root / file))}
    masks = {file: words for file, words in said.items() if is_mask_folder(words) or words == "SEG"}
    crops = {file: words for file, words in said.items() if file not in masks and is_mask_folder(words, True)}
    if len(crops) == len(names) - len(masks):
        crops = {}
    yield from ((file, Text("reason.header_says_mask_or", {"said": words})) for file, words in (masks | crops).items())


def _in_region_folders(root: Path, names: Sequence[_Name]) -> Iterator[tuple[str, Text]]:
    """Yield what lies in folders of crops and regions, of classes that have images elsewhere."""
    inside = {
        name.file: folder
        for name in names
        if (folder := next((each for each in name.folders if is_mask_folder(each, True)), None))
    }
    elsewhere = {name.class_folder for name in names if name.file not in inside}
    for name in names:
        if name.file in inside and name.class_folder in elsewhere:
            yield name.file, in_mask_folder(inside[name.file])


def _named_after_another(root: Path, names: Sequence[_Name]) -> Iterator[tuple[str, Text]]:
    """Yield case1_tumor where case1 or case1_image lies beside it, in the same folder, the one above or one next to it.

    And case1/roi where case1 holds an image besides.
    """
    stems = {(place, name.stem) for name in names for place in name.places}
    alone = {name.file for name in names if _is_region_alone(name)}
    with_images = {name.places[0] for name in names if name.file not in alone}
    for name in names:
        if name.file in alone and name.places[0] in with_images:
            yield name.file, BY_NAME
            continue
        named = _ENDING.fullmatch(name.stem)
        if named is None or named["word"] not in _REGION_WORDS:
            continue
        images = (named["image"], *(named["image"] + sign + word for word in _CALLED_IMAGE for sign in " _-"))
        if any((place, image) in stems for place in name.places for image in images):
            yield name.file, BY_NAME


def _is_region_alone(name: _Name) -> bool:
    found = _ALONE.fullmatch(name.stem)
    return found is not None and found["word"] in _REGIONS_ALONE


def _two_valued(root: Path, names: Sequence[_Name]) -> Iterator[tuple[str, Text]]:
    """Yield pictures of two values that have the stem of another image, alone or at the beginning of theirs."""
    stems = Counter((place, name.stem) for name in names for place in name.places)
    for name in names:
        # The pixels of a DICOM file are large, and its header says what it is.
        if name.ending not in _NO_DICOM_ENDINGS:
            continue
        shorter = [name.stem[: found.start()] for found in _SEPARATOR.finditer(name.stem)]
        named = any(
            stems[place, name.stem] > 1 or any((place, other) in stems for other in shorter) for place in name.places
        )
        if named and _shows_two_values(root / name.file):
            yield name.file, BY_PIXELS


def _shows_two_values(path: Path) -> bool:
    try:
        status = path.stat()
        return _two_values(str(path), status.st_mtime_ns, status.st_size)
    except OSError:
        return False


@lru_cache(maxsize=20_000)
def _two_values(path: str, changed_ns: int, size_bytes: int) -> bool:
    from PIL import Image

    from breastai.data.decoders.decoder_table import read_image
    from breastai.domain.errors import ImageUnreadable

    place = Path(path)
    few_bits = _FEW_BITS.get(place.suffix.lower())
    if few_bits is not None:
        try:
            with Image.open(place) as image:
                width, height = image.size
        except Exception:  # whatever is wrong with it is told where it is read
            return False
        if size_bytes * 8 > few_bits * width * height + 8 * 2000:
            return False
    try:
        return is_two_valued(read_image(place))
    except ImageUnreadable:
        return False


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
    header = file_header(Path(path))
    if header.is_segmentation:
        return "SEG"
    words = _WORD.findall(_plain(header.series))
    return " ".join(word for word in words if word in _MASK_WORDS | {"roi", "cropped", "crop"} | _NEGATIONS)
