"""Class folders: which files are images of which class, and what was left out and why."""

import os
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from breastai.data.decoders.decoder_table import is_image_by_content
from breastai.data.sources.case_table import CaseTable, Skipped
from breastai.data.sources.masks import in_mask_folder, is_mask_folder, masks_among
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.class_words import are_identifiers, canonical_class, meaning_of, names_pictures, split_of
from breastai.domain.errors import (
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
from breastai.storage.remote_mirror import as_written, not_copied

# Written by operating systems, archivers and network drives; names starting with a dot are ignored as well.
_SYSTEM_NAMES = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "lost+found", "@eadir"}
    | {"dicomdir"}  # the list of contents of a hospital's disc
)
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
        raise NoClassFolders(place, what_lies_in(root))
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
            for file, reason in _walk(root, folder):
                if reason is not None:
                    left_out[class_name].append(Skipped(file, reason))
                else:
                    files.append((file, label))
    masks = {} if masks_are == "keep" else masks_among(root, [file for file, _ in files], known)
    images = [image for image in files if image[0] not in masks]
    if not images:
        raise NoImages(place, list(IMAGE_SUFFIXES))
    labelled = {label for _, label in images}
    for label, class_name in enumerate(class_names):
        if label not in labelled:
            reasons = [Skipped(file, masks[file]) for file, number in files if number == label]
            reasons += left_out[class_name]
            first = reasons[0].reason if reasons else Text("reason.folder_holds_no_image")
            raise UnreadableClass(place, class_name, len(reasons), first)

    images.sort(key=lambda image: _sort_key(image[0]))
    for name, paths in beside.items():
        reason = in_mask_folder(name)
        masks |= {file: reason for path in paths for file, fault in _walk(root, path) if fault is None}
    skipped += [item for items in left_out.values() for item in items]
    return CaseTable(
        root=root,
        files=tuple(file for file, _ in images),
        labels=np.array([label for _, label in images], dtype=np.int64),
        class_names=class_names,
        skipped=tuple(sorted(skipped, key=lambda item: _sort_key(item.file))),
        masks=tuple(sorted(masks, key=_sort_key)),
        mask_reasons=masks,
        masks_kept=masks_are == "keep",
        known=frozenset(known),
    )


def class_of_file(root: Path, file: str) -> str:
    """Return the class of an image in the class folders of `root`, by its name."""
    return canonical_class(file.partition("/")[0])


@dataclass(frozen=True)
class Listed:
    """The images below a folder, in order of name, and the masks among them, each with the reason."""

    files: tuple[Path, ...]
    masks: Mapping[Path, Text]


def images_below(root: Path) -> Listed:
    """Return the images anywhere below a folder, without its masks and what is hidden; nothing is told of labels."""
    name = root.absolute().name or "images"
    files = [file for file, reason in _walk(root.absolute().parent, name, inside=root) if reason is None]
    masks = masks_among(root.absolute().parent, files)
    start = len(name) + 1
    return Listed(
        files=tuple(root / file[start:] for file in sorted(files, key=_sort_key) if file not in masks),
        masks={root / file[start:]: reason for file, reason in masks.items()},
    )


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


def _folders_in(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir() and not is_system_name(entry.name)]
    except OSError:
        return []


def what_lies_in(root: Path) -> Text:
    """Return what is in a folder: the folders train, val and 2 files such as list.csv."""
    folders, files = sorted(_folders_in(root)), []
    with os.scandir(root) as entries:
        files = sorted(
            _printable(entry.name) for entry in entries if entry.is_file() and not is_system_name(entry.name)
        )
    params = {
        "folders": [_printable(name) for name in folders[:5]],
        "count": len(files),
        "file": files[0] if files else "",
    }
    if folders and files:
        return Text("reason.folders_and_files", params)
    return Text("reason.folders" if folders else "reason.files_such_as" if files else "reason.nothing", params)


def _class_folders(root: Path) -> tuple[dict[str, list[str]], list[Skipped]]:
    """Return the folders of each class, by name relative to `root`, and what lies beside them."""
    folders: dict[str, list[str]] = {}
    beside: list[Skipped] = []
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda item: item.name):
            if is_system_name(entry.name):
                continue
            if not _is_unicode(entry.name):
                beside.append(Skipped(_printable(entry.name), Text("reason.name_not_valid_unicode")))
            elif _is_link(entry) and entry.is_dir():
                beside.append(Skipped(entry.name, Text("reason.link_another_folder_links")))
            elif entry.is_dir(follow_symlinks=False):
                folders.setdefault(canonical_class(entry.name), []).append(entry.name)
            else:
                beside.append(Skipped(entry.name, Text("reason.lies_beside_class_folders")))
    return folders, beside


def _walk(root: Path, folder: str, inside: Path | None = None) -> Iterator[tuple[str, Text | str | None]]:
    """Yield every file below root/folder, relative to `root`, with the reason to skip it or None.

    Links to files are followed where they stay `inside` a folder, by default `root`.
    """
    real_root = Path(os.path.realpath(inside or root))
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(root / current) as entries:
                children = sorted(entries, key=lambda item: item.name)
        except OSError as error:
            yield current, Text("reason.folder_cannot_opened", {"error": str(error.strerror or error)})
            continue
        for entry in children:
            if is_system_name(entry.name):
                continue
            file = f"{current}/{entry.name}"
            if not _is_unicode(entry.name):
                yield _printable(file), Text("reason.name_not_valid_unicode")
            elif _is_link(entry):
                yield file, _reason_against_link(entry, real_root)
            elif entry.is_dir(follow_symlinks=False):
                pending.append(file)
            else:
                yield file, _reason_against_file(entry)
        for name, reason in not_copied(root / current).items():
            yield f"{current}/{name}", reason


def _reason_against_link(entry: os.DirEntry[str], real_root: Path) -> Text | None:
    if entry.is_dir():
        return Text("reason.link_another_folder_links")
    if not Path(os.path.realpath(entry.path)).is_relative_to(real_root):
        return Text("reason.link_leads_out_image")
    return _reason_against_file(entry)


def _reason_against_file(entry: os.DirEntry[str]) -> Text | None:
    if not entry.is_file():
        return reason_against_ending(entry.name) or Text("reason.not_regular_file")
    return reason_against_file(Path(entry.path))


def reason_against_file(path: Path) -> Text | None:
    """Return why a file is no image, by its ending or else its bytes: DICOM files have no certain ending."""
    reason = reason_against_ending(path.name)
    return None if reason is None or is_image_by_content(path) else reason


def reason_against_ending(name: str) -> Text | None:
    """Return why a file of this name is no image, or None where it may be one."""
    suffix = Path(name).suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return None
    return Text("reason.not_image_suffix", {"suffix": suffix}) if suffix else Text("reason.not_image_no_suffix")


def _is_link(entry: os.DirEntry[str]) -> bool:
    # A junction is Windows' other link to a folder; Python can tell from 3.12 on.
    is_junction = getattr(entry, "is_junction", None)
    return entry.is_symlink() or (is_junction is not None and bool(is_junction()))


def is_system_name(name: str) -> bool:
    """Return whether a file or folder is none of a user's: it is ignored without a word."""
    return name.startswith(".") or name.lower() in _SYSTEM_NAMES


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def _sort_key(file: str) -> tuple[str, str]:
    # macOS decomposes accents in names; composed again they sort as they do elsewhere.
    return unicodedata.normalize("NFC", file), file
