"""Class folders: which files are images of which class, and what was left out and why."""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from breastai.data.decoders.array_images import ARRAYS_ENDING
from breastai.data.sources.case_table import CaseTable, Skipped, first_reasons
from breastai.data.sources.image_listing import (
    is_link,
    is_system_name,
    is_unicode,
    printable,
    reason_against_ending,
    reason_against_link,
    sort_key,
    walk,
)
from breastai.data.sources.masks import in_mask_folder, is_mask_folder, masks_among
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.class_words import are_identifiers, canonical_class, meaning_of, names_pictures, split_of
from breastai.domain.errors import (
    CLASS_FOLDERS_OR_TABLE,
    NOTHING,
    ClassesDiffer,
    DataNotFound,
    ImagesBesideMasks,
    NoClassFolders,
    NoImages,
    PatientsAboveClasses,
    TooFewClasses,
    UnreadableClass,
)
from breastai.domain.text import Text
from breastai.storage.remote_mirror import as_written

_TABLES = frozenset({".csv", ".tsv", ".xlsx", ".xls", ".ods", ".txt", ".json"})
# Folders that repeat below others are the classes when they are at most this many, in at least this share of them.
_MOST_CLASSES_BELOW, _SHARE_WITH_CLASSES = 10, 0.5
_SHORT_NAME = re.compile(r"(?:class|label|cls|c)?[\W_]*\d", re.IGNORECASE)
# Puts patient/class into by_class/train/class/patient, in any shell of a Unix system.
_REORDER = (
    'cd "{path}" && for f in */*/; do mkdir -p "../by_class/train/$(basename "$f")" && '
    'cp -r "$f" "../by_class/train/$(basename "$f")/$(dirname "$f")"; done'
)
MaskRule = Literal["leave_out", "keep"]


def scan(
    root: Path,
    expected_classes: Sequence[str] | None = None,
    masks_are: MaskRule = "leave_out",
    known: Collection[str] = (),
) -> CaseTable:
    """Return the images in the class folders of `root`, ordered by path, the same on every system.

    Class folders may be written in any case and are merged under their lower-case name; folders inside them
    (patients) are walked. `expected_classes`, those of a model or of the training folder, must be the classes
    found; labels then follow their order; an empty list takes any, even one alone. `known`: files that are no masks in any case. Raises DataNotFound,
    NoClassFolders, TooFewClasses, ClassesDiffer, NoImages, UnreadableClass, ImagesBesideMasks, PatientsAboveClasses.
    """
    place = as_written(root)
    if not root.is_dir():
        raise DataNotFound(place)
    folders, skipped = _class_folders(root)
    expected = {canonical_class(name) for name in expected_classes or ()}
    beside = {} if masks_are == "keep" else _mask_folders_beside(root, folders, expected, skipped)
    folders = {name: paths for name, paths in folders.items() if name not in beside}
    found = sorted(folders)
    if not found or all(split_of(name) for name in found):
        raise no_class_folders(root, skipped)
    if expected != set(found):
        _check_order(root, folders)
    if expected_classes:
        class_names = tuple(canonical_class(name) for name in expected_classes)
        if set(found) != set(class_names):
            raise ClassesDiffer(place, found, list(class_names))
    else:
        class_names = tuple(found)
        if expected_classes is None and len(class_names) < 2:
            raise TooFewClasses(place, class_names[0])

    files: list[tuple[str, int]] = []
    left_out: dict[str, list[Skipped]] = {name: [] for name in class_names}
    for label, class_name in enumerate(class_names):
        for folder in folders[class_name]:
            for file, reason in walk(root, folder):
                if reason is not None:
                    left_out[class_name].append(Skipped(file, reason))
                else:
                    files.append((file, label))
    masks = {} if masks_are == "keep" else masks_among(root, [file for file, _ in files], known)
    images = [image for image in files if image[0] not in masks]
    if not images:
        reasons = [Skipped(file, reason) for file, reason in masks.items()] + [
            item for each in left_out.values() for item in each
        ]
        raise NoImages(place, list(IMAGE_SUFFIXES), first_reasons(reasons) or (NOTHING,))
    labelled = {label for _, label in images}
    for label, class_name in enumerate(class_names):
        if label not in labelled:
            reasons = [Skipped(file, masks[file]) for file, number in files if number == label]
            reasons += left_out[class_name]
            first = reasons[0].reason if reasons else Text("reason.folder_holds_no_image")
            raise UnreadableClass(place, class_name, len(reasons), first)

    images.sort(key=lambda image: sort_key(image[0]))
    for name, paths in beside.items():
        reason = in_mask_folder(name)
        masks |= {file: reason for path in paths for file, fault in walk(root, path) if fault is None}
    skipped += [item for items in left_out.values() for item in items]
    return CaseTable(
        root=root,
        files=tuple(file for file, _ in images),
        labels=np.array([label for _, label in images], dtype=np.int64),
        class_names=class_names,
        skipped=tuple(sorted(skipped, key=lambda item: sort_key(item.file))),
        masks=tuple(sorted(masks, key=sort_key)),
        mask_reasons=masks,
        masks_kept=masks_are == "keep",
        known=frozenset(known),
    )


def class_of_file(root: Path, file: str) -> str:
    """Return the class of an image in the class folders of `root`, by its name."""
    return canonical_class(file.partition("/")[0])


def _mask_folders_beside(
    root: Path, folders: Mapping[str, list[str]], expected: Collection[str], beside: Sequence[Skipped]
) -> dict[str, list[str]]:
    """Return the folders of masks among the class folders; raise ImagesBesideMasks where only images lie beside them."""
    masks = {name: paths for name, paths in folders.items() if name not in expected and is_mask_folder(paths[0])}
    others = [name for name in folders if name not in masks]
    if masks and (len(others) < 2 or all(names_pictures(name) for name in others)):
        tables = [item.file for item in beside if Path(item.file).suffix.lower() in _TABLES]
        raise ImagesBesideMasks(as_written(root), others or ["-"], list(masks), tables or ["-"])
    return masks


def _check_order(root: Path, folders: Mapping[str, list[str]]) -> None:
    """Raise PatientsAboveClasses where the folders below those of `root` are the classes, the same again and again."""
    upper = [path for paths in folders.values() for path in paths]
    if len(upper) < 2 or any(meaning_of(name) != "silent" for name in folders):
        return
    below = {path: {canonical_class(name) for name in _folders_in(root / path)} for path in upper}
    classes = sorted(set().union(*below.values()))
    if not 2 <= len(classes) <= _MOST_CLASSES_BELOW or any(split_of(name) for name in classes):
        return
    repeating = [sum(name in inside for inside in below.values()) for name in classes]
    telling = [name for name in classes if meaning_of(name) != "silent" or _SHORT_NAME.fullmatch(name)]
    like_classes = len(telling) == len(classes) or (are_identifiers(list(folders)) and not are_identifiers(classes))
    shared = sum(len(inside) > 0 for inside in below.values()) >= _SHARE_WITH_CLASSES * len(upper)
    if like_classes and shared and max(repeating) > 1:
        place = as_written(root)
        raise PatientsAboveClasses(place, len(upper), upper[0], classes, _REORDER.format(path=place))


def _files_in(root: Path) -> list[str]:
    with os.scandir(root) as entries:
        return sorted(printable(entry.name) for entry in entries if entry.is_file() and not is_system_name(entry.name))


def _folders_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir() and not is_system_name(entry.name)]
    except OSError:
        return []


def no_class_folders(root: Path, skipped: Sequence[Skipped] = ()) -> NoClassFolders:
    """Return the error for a folder without class folders: what lies there, and what could be read there instead."""
    files = _files_in(root)
    lists = (*(_TABLES - {".json"}), ARRAYS_ENDING)
    table = next((name for name in files if Path(name).suffix.lower() in lists), None)
    nearest = CLASS_FOLDERS_OR_TABLE
    if table is not None:
        nearest = Text("reason.read_as_file", {"file": f"{as_written(root)}/{table}"})
    elif any(reason_against_ending(name) is None for name in files):
        nearest = Text("reason.read_by_description", {"path": as_written(root)})
    return NoClassFolders(as_written(root), what_lies_in(root), first_reasons(skipped) or (NOTHING,), nearest)


def what_lies_in(root: Path) -> Text:
    """Return what is in a folder: the folders train, val and 2 files such as list.csv."""
    folders, files = sorted(_folders_in(root)), _files_in(root)
    params = {
        "folders": [printable(name) for name in folders[:5]],
        "count": len(files),
        "file": files[0] if files else "",
    }
    if folders and files:
        return Text("reason.folders_and_files", params)
    return Text("reason.folders" if folders else "reason.files_such_as" if files else "reason.nothing", params)


def _class_folders(root: Path) -> tuple[dict[str, list[str]], list[Skipped]]:
    """Return the folders of each class, by name relative to `root`, and what lies beside them."""
    folders: dict[str, list[str]] = {}
    real_root = Path(os.path.realpath(root))
    beside: list[Skipped] = []
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda item: item.name):
            if is_system_name(entry.name):
                continue
            if not is_unicode(entry.name):
                beside.append(Skipped(printable(entry.name), Text("reason.name_not_valid_unicode")))
            elif is_link(entry) and entry.is_dir():
                reason = reason_against_link(entry, Path(os.path.realpath(entry.path)), real_root)
                if reason is None:
                    folders.setdefault(canonical_class(entry.name), []).append(entry.name)
                else:
                    beside.append(Skipped(entry.name, reason))
            elif entry.is_dir(follow_symlinks=False):
                folders.setdefault(canonical_class(entry.name), []).append(entry.name)
            else:
                beside.append(Skipped(entry.name, Text("reason.lies_beside_class_folders")))
    return folders, beside
