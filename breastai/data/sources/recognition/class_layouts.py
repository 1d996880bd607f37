"""Class folders: with split folders or without, as BUSI, torchvision and most people's own sets have them."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from breastai.data.sources.masks import is_mask_folder
from breastai.data.sources.part_folders import data_root, split_folders
from breastai.data.sources.recognition.recogniser import Reading, Recogniser, describe
from breastai.data.sources.recognition.survey import Survey
from breastai.domain.class_words import are_identifiers, canonical_class, meaning_of, names_pictures, split_of
from breastai.domain.errors import SplitFoldersAmbiguous
from breastai.domain.text import Text

_MASK = re.compile(r"(?i)[_ -]masks?(?:[_ -]?\d+)?\.[a-z]+$")
# Folders that repeat below others are the classes when they are at most this many.
_MOST_CLASSES_BELOW, _MOST_CLASSES = 10, 60
_FOLD = re.compile(r"(?:k[\W_]*|cv[\W_]*)?(?:folds?|split|pli|falte|cv)[\W_]*\d{1,2}", re.IGNORECASE)
_SCALE_OR_YEAR = re.compile(r"\d+[\W_]*x|x[\W_]*\d+|(?:19|20)\d\d", re.IGNORECASE)
_PLACE = re.compile(
    r"(?:site|cent(?:er|re)|hospital|hopital|klinik|clini[cq]\w*|universit\w*|institut\w*|device|scanner|machine|vendor|"
    r"ge|siemens|philips|hologic|fuji|canon|toshiba|samsung|mindray|esaote|aixplorer|supersonic|cohorte?|batch|"
    r"busi|mias|ddsm|cbis|inbreast|cmmd|vindr|rsna|busbra|udiat|breakhis)(?![^\W\d_])|.*\bdata[\W_]*(?:sets?|bases?)\b",
    re.IGNORECASE,
)
_MANY_OF_A_PATIENT = 100
_SHORT_NAME = re.compile(r"(?:class|label|cls|c)?[\W_]*\d", re.IGNORECASE)


@lru_cache(maxsize=4)  # several rows ask of the same survey
def class_folder_reading(survey: Survey, layout: str | None = None) -> Reading | None:
    """Return how class folders at a place are read, None where it holds none; `layout`: by default that of its parts."""
    if not survey.images or survey.share(_MASK) == 1:
        return None
    root = data_root(survey.place)
    try:
        splits = split_folders(root)
    except SplitFoldersAmbiguous as fault:
        return _ambiguous(survey, root, fault)
    above = root.relative_to(survey.place).as_posix()
    prefix = "" if above == "." else f"{above}/"
    inside = [file[len(prefix) :].split("/") for file in survey.images if file.startswith(prefix)]
    if splits:
        names = {folder.name for folder in splits.values()}
        inside = [parts[1:] for parts in inside if parts[0] in names]
    classes = Counter(canonical_class(parts[0]) for parts in inside if len(parts) > 1)
    pictures = any(map(names_pictures, classes))
    found = [name for name in classes if not is_mask_folder(name, among_images=pictures)]
    alone = len(found) == 1 and meaning_of(found[0]) != "silent"
    if not (alone or 2 <= len(found) <= _MOST_CLASSES) or all(map(names_pictures, found)):
        return None
    if (are_identifiers(found) or _are_numbered(found)) and not splits:
        return None
    meaningful = sum(meaning_of(name) != "silent" for name in found)
    share = sum(classes[name] for name in found) / max(1, len(survey.images))
    level = 2 if splits else 1
    fields: dict[str, object] = {"label": {"folder": level}}
    if splits:
        values = {folder.name: split for split, folder in splits.items()}
        fields["split"] = {"folder": 1, "values": values}
    parts_inside = {} if splits else _parts_inside([parts for parts in inside if canonical_class(parts[0]) in found])
    if parts_inside:
        fields["split"] = {"folder": 2, "values": parts_inside}
    name = layout or ("image_folder" if len(splits) > 1 else "class_folders")
    images = {"include": [f"{folder.name}/**" for folder in splits.values()]} if splits else {}
    return Reading(
        (0.8 if meaningful else 0.35) * share + (0.05 if splits else 0.0),
        describe(survey, name, root, fields=fields, images=images),
        (Text("doubt.parts_inside_classes", {"parts": list(parts_inside)}),) if parts_inside else (),
    )


def _parts_inside(files: Sequence[Sequence[str]]) -> dict[str, str]:
    """Return the part that each folder inside the classes means, CLASS/train/image; empty where they are no parts."""
    below = [parts[1] for parts in files if len(parts) > 2]
    named = {name: split_of(name) for name in below}
    known = {name: part for name, part in named.items() if part is not None}
    return known if len(known) == len(named) and len(set(known.values())) > 1 and len(below) == len(files) else {}


def _are_numbered(names: Sequence[str]) -> bool:
    """Return whether names are one but for their numbers, as those of patients are: D1-0001, D1-0002."""
    shapes = {re.sub(r"\d", "0", name) for name in names}
    return len(names) > 3 and len(shapes) < len(names) / 3 and all(shape.count("0") > 2 for shape in shapes)


def _ambiguous(survey: Survey, root: Path, fault: SplitFoldersAmbiguous) -> Reading:
    return Reading(0.3, None, (Text("doubt.splits_ambiguous", {"folders": fault.found}),))


def _class_folders(survey: Survey) -> Reading | None:
    reading = class_folder_reading(survey)
    return (
        reading
        if reading is None or reading.description is None or reading.description.layout == "class_folders"
        else None
    )


def _image_folder(survey: Survey) -> Reading | None:
    reading = class_folder_reading(survey)
    return (
        reading
        if reading is not None and reading.description is not None and reading.description.layout == "image_folder"
        else None
    )


def _patients_above_classes(survey: Survey) -> Reading | None:
    """Read PATIENT/CLASS/image: folders that repeat below others are the classes."""
    parts = [file.split("/") for file in survey.images]
    pictures = any(names_pictures(folder) for each in parts for folder in each[:-1])
    parts = [each for each in parts if not any(is_mask_folder(folder, among_images=pictures) for folder in each[:-1])]
    deep = [each for each in parts if len(each) > 2]
    if len(deep) < 0.8 * len(parts) or not deep:
        return None
    below: dict[str, set[str]] = {}
    for each in deep:
        below.setdefault("/".join(each[:-2]), set()).add(canonical_class(each[-2]))
    classes = sorted(set().union(*below.values()))
    uppers = [upper.rpartition("/")[2] for upper in below]
    if all(map(names_pictures, uppers)):
        return None
    if len(below) < 2 or not 2 <= len(classes) <= _MOST_CLASSES_BELOW or any(map(split_of, classes)):
        return None
    if any(meaning_of(name) != "silent" or split_of(name) for name in uppers) or any(map(is_mask_folder, classes)):
        return None
    telling = [name for name in classes if meaning_of(name) != "silent" or _SHORT_NAME.fullmatch(name)]
    if len(telling) < len(classes) and not (are_identifiers(uppers) and not are_identifiers(classes)):
        return None
    if max(Counter(name for inside in below.values() for name in inside).values()) < 2:
        return None
    fields: dict[str, object] = {"label": {"folder": -1}}
    if uppers and all(_FOLD.fullmatch(name) for name in uppers):
        fields["fold"] = {"folder": -2}
        doubt = Text("doubt.folds_above_classes", {"count": len(set(uppers)), "classes": classes})
    elif _may_be_patients(uppers, len(deep)):
        fields["patient"] = {"folder": -2}
        doubt = Text("doubt.patients_above_classes", {"patients": len(below), "classes": classes})
    else:
        if not all(_SCALE_OR_YEAR.fullmatch(name.strip()) for name in uppers):
            fields["site"] = {"folder": -2}
        doubt = Text("doubt.groups_above_classes", {"groups": sorted(set(uppers))[:5], "classes": classes})
    tops = {each[0]: split_of(each[0]) for each in parts}
    if len(tops) > 1 and all(tops.values()) and len(set(tops.values())) == len(tops):
        fields["split"] = {"folder": 1, "values": tops}
    return Reading(
        0.6,
        describe(survey, "class_folders", fields=fields),
        (doubt,),
    )


def _may_be_patients(names: Sequence[str], images: int) -> bool:
    """Return whether folders may be called after patients: not years, scales, places, nor words with very many images."""
    if all(_SCALE_OR_YEAR.fullmatch(name.strip()) or _PLACE.match(name) for name in names):
        return False
    numbered = all(any(sign.isdigit() for sign in name) for name in names)
    return numbered or images < _MANY_OF_A_PATIENT * len(names)


CLASS_FOLDERS = Recogniser("class_folders", _class_folders)
IMAGE_FOLDER = Recogniser("image_folder", _image_folder)
PATIENT_FOLDERS = Recogniser("class_folders", _patients_above_classes)
