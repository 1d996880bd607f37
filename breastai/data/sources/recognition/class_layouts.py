"""Class folders: with split folders or without, as BUSI, torchvision and most people's own sets have them."""

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from breastai.data.sources.masks import is_mask_folder
from breastai.data.sources.part_folders import data_root, split_folders
from breastai.data.sources.recognition.group_folders import groups_above
from breastai.data.sources.recognition.place_names import names_place, names_year
from breastai.data.sources.recognition.recogniser import BIRADS_CLASSES, Reading, Recogniser, describe, subgroups_of
from breastai.data.sources.recognition.survey import Survey
from breastai.domain.birads import are_categories, category_class, category_in
from breastai.domain.class_words import (
    are_identifiers,
    canonical_class,
    class_in_question,
    meaning_of,
    names_pictures,
    split_of,
)
from breastai.domain.errors import SplitFoldersAmbiguous
from breastai.domain.text import Text

_MASK = re.compile(r"(?i)[_ -]masks?(?:[_ -]?\d+)?\.[a-z]+$")
# Folders that repeat below others are the classes when they are at most this many.
_MOST_CLASSES_BELOW, _MOST_CLASSES = 10, 60
_LISTED = 10
_WORD = re.compile(r"[^\W\d_]+")
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
    silent = all(meaning_of(name) == "silent" for name in found) or bool(category_map(found))
    if silent and _classes_below([parts[:-1] for parts in inside if canonical_class(parts[0]) in found]) is not None:
        return None
    meaningful = sum(meaning_of(name) != "silent" for name in found)
    share = sum(classes[name] for name in found) / max(1, len(survey.images))
    level = 2 if splits else 1
    fields: dict[str, object] = {"label": {"folder": level}}
    if splits:
        values = {folder.name: split for split, folder in splits.items()}
        fields["split"] = {"folder": 1, "values": values}
    of_classes = [parts for parts in inside if canonical_class(parts[0]) in found]
    parts_inside = {} if splits else _parts_inside(of_classes)
    doubts = _doubts_of_classes(found)
    words = _words_of_cases(found)
    if words:
        fields["label"] = {"folder": level, "pattern": rf"(?i)(?<![^\W\d_])({'|'.join(words)})(?![^\W\d_])"}
        doubts.append(
            Text("doubt.cases_named_by_class", {"folders": sorted(found)[:5], "classes": words, "folder": level})
        )
    if parts_inside:
        fields["split"] = {"folder": 2, "values": parts_inside}
        doubts.append(Text("doubt.parts_inside_classes", {"parts": list(parts_inside)}))
    elif sites := _sites_inside(of_classes):
        fields["site"] = {"folder": level + 1}
        doubts.append(Text("doubt.sites_inside_classes", {"groups": sites[:5]}))
    if (of_patients := _patients_inside(of_classes)) is not None:
        doubts.append(Text("doubt.patients_inside_classes", {"folder": of_patients if of_patients < 0 else level + 1}))
    name = layout or ("image_folder" if len(splits) > 1 else "class_folders")
    images = {"include": [f"{folder.name}/**" for folder in splits.values()]} if splits else {}
    return Reading(
        (0.8 if meaningful else 0.35) * share + (0.05 if splits else 0.0),
        describe(
            survey,
            name,
            root,
            fields=fields,
            images=images,
            class_map=category_map(found),
            subgroups=subgroups_of(fields),
        ),
        tuple(doubts),
    )


def _doubts_of_classes(names: Sequence[str]) -> list[Text]:
    """Return what is doubtful of the names of class folders."""
    if category_map(names):
        numbered = sorted((category.number, name) for name in names if (category := category_in(name)) is not None)
        scale = ",".join(name for number, name in numbered if number)
        return [Text("doubt.birads_folders", {"classes": [name for _, name in numbered], "scale": scale})]
    few = len(names) <= _MOST_CLASSES_BELOW
    if few and class_in_question(names).answer is None and all(meaning_of(name) == "silent" for name in names):
        return [Text("doubt.classes_say_nothing", {"classes": sorted(names)[:_LISTED]})]
    return []


def _words_of_cases(names: Sequence[str]) -> list[str]:
    """Return the words for classes in names of folders that are otherwise those of cases: benign_case1, benign_case2."""
    words = [[word for word in _WORD.findall(name) if meaning_of(word) in ("disease", "absence")] for name in names]
    bases = {" ".join(_WORD.findall(name)) for name in names}
    numbered = all(any(sign.isdigit() for sign in name) for name in names)
    if not numbered or category_map(names) or any(len(each) != 1 for each in words):
        return []
    found = sorted({each[0] for each in words})
    return found if 2 <= len(found) == len(bases) < len(names) else []


def category_map(names: Sequence[str]) -> dict[str, str | None]:
    """Return what BI-RADS categories that class folders are called after are read as; empty of any other names."""
    classes = {category_class(name) for name in names}
    return dict(BIRADS_CLASSES) if are_categories("", names) and {"benign", "malignant"} <= classes else {}


def _patients_inside(files: Sequence[Sequence[str]]) -> int | None:
    """Return which folders inside the classes are called as patients are: -1 those of the images, 1 the first; or None."""
    for level, place in ((-1, -2), (1, 1)):
        below = {parts[place] for parts in files if len(parts) > 2}
        if len(below) > 2 and are_identifiers(list(below)) and not all(map(names_year, below)):
            return level
    return None


def _sites_inside(files: Sequence[Sequence[str]]) -> list[str]:
    """Return the towns, hospitals, devices or years that the folders inside the classes are; none of any others."""
    below = {parts[1] for parts in files if len(parts) > 2}
    is_whole = len(below) > 1 and all(len(parts) > 2 for parts in files)
    return sorted(below) if is_whole and all(names_place(name) or names_year(name) for name in below) else []


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


def _classes_below(paths: Sequence[Sequence[str]]) -> tuple[int, list[str]] | None:
    """Return in which folders below others the classes are, -1 the last, and their names; None where nothing tells."""
    for level in (-1, -2, -3):
        known = [path for path in paths if len(path) > -level]
        if len(known) < 0.8 * len(paths) or not known:
            return None
        classes = sorted({canonical_class(path[level]) for path in known})
        uppers = {path[level - 1] for path in known}
        if (
            not 2 <= len(classes) <= _MOST_CLASSES_BELOW
            or any(map(split_of, classes))
            or any(map(is_mask_folder, classes))
        ):
            continue
        above = {"/".join(path[:level]) for path in known}
        if len(above) < 2 or all(map(names_pictures, uppers)):
            continue
        upper = {name for path in known for name in path[:level]}
        if any(meaning_of(name) != "silent" and category_class(name) is None for name in upper):
            continue
        repeated = Counter(
            name
            for each in {("/".join(path[:level]), canonical_class(path[level])) for path in known}
            for name in each[1:]
        )
        telling = [name for name in classes if meaning_of(name) != "silent"]
        if level == -1:
            telling += [name for name in classes if name not in telling and _SHORT_NAME.fullmatch(name)]
            by_name = are_identifiers(list(uppers)) and not are_identifiers(classes)
        else:
            by_name = False
        if (len(telling) == len(classes) or category_map(classes) or by_name) and max(repeated.values()) > 1:
            return level, classes
    return None


def _groups_above_classes(survey: Survey) -> Reading | None:
    """Read PATIENT/CLASS/image, HOSPITAL/CLASS/image and the like: folders that repeat below others are the classes."""
    parts = [file.split("/")[:-1] for file in survey.images]
    pictures = any(names_pictures(folder) for each in parts for folder in each)
    parts = [each for each in parts if not any(is_mask_folder(folder, among_images=pictures) for folder in each)]
    found = _classes_below(parts)
    if found is None:
        return None
    level, classes = found
    groups = groups_above([each for each in parts if len(each) > -level], level, classes)
    doubts = [*_doubts_of_classes(classes), *groups.doubts]
    if level < -1 and "patient" not in groups.fields:
        doubts.append(Text("doubt.patients_inside_classes", {"folder": level + 1}))
    return Reading(
        0.6,
        describe(
            survey,
            "class_folders",
            fields={"label": {"folder": level}, **groups.fields},
            class_map=category_map(classes),
            subgroups=subgroups_of(groups.fields),
        ),
        tuple(doubts),
    )


CLASS_FOLDERS = Recogniser("class_folders", _class_folders)
IMAGE_FOLDER = Recogniser("image_folder", _image_folder)
PATIENT_FOLDERS = Recogniser("class_folders", _groups_above_classes)
