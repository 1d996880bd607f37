"""Class folders: which files are images of which class, and what was left out and why."""

import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from breastai.domain.catalog import CLASS_ALIASES, IMAGE_SUFFIXES
from breastai.domain.errors import (
    ClassesDiffer,
    DataNotFound,
    NoClassFolders,
    NoImages,
    TooFewClasses,
    UnreadableClass,
)
from breastai.storage.mirror import as_written, not_copied

# Written by operating systems, archivers and network drives; names starting with a dot are ignored as well.
_SYSTEM_NAMES = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "lost+found", "@eadir"}
)
# A folder that holds only these is a data root and not a folder of classes.
_SPLIT_NAMES = frozenset({"train", "val", "valid", "validation", "test"})
_MASK = re.compile(r".+_mask(_\d+)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Skipped:
    """A file that is not used, and why."""

    file: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageFolder:
    """The images below `root`: `files[i]`, relative and with forward slashes, is of class `class_names[labels[i]]`.

    `labels` has shape (N,) and can't be written to. `masks` are lesion outlines recognised by their name; they
    are no images of a class and stand in no other list. `parts`: of several folders taken as one, the folder in which
    the images lie whose names begin with such a part.
    """

    root: Path
    files: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    class_names: tuple[str, ...]
    skipped: tuple[Skipped, ...] = ()
    masks: tuple[str, ...] = ()
    parts: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.files)

    def path(self, index: int) -> Path:
        """Return where image `index` lies."""
        part, _, rest = self.files[index].partition("/")
        return self.parts[part] / rest if part in self.parts else self.root / self.files[index]

    def counts(self) -> dict[str, int]:
        """Return the number of images of each class, classes without one included."""
        totals = np.bincount(self.labels, minlength=len(self.class_names))
        return {name: int(total) for name, total in zip(self.class_names, totals, strict=True)}

    def subset(self, indices: Sequence[int] | npt.NDArray[np.integer]) -> "ImageFolder":
        """Return the same folder with only the images at `indices`, in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        files = tuple(self.files[index] for index in chosen)
        return replace(self, files=files, labels=self.labels[chosen])

    def renamed(self, files: Sequence[str]) -> "ImageFolder":
        """Return the same folder with other names for its images."""
        return replace(self, files=tuple(files))

    def without(self, files: Iterable[str]) -> "ImageFolder":
        """Return the same folder without the images named."""
        left_out = frozenset(files)
        return self.subset([index for index, file in enumerate(self.files) if file not in left_out])


def pooled(folders: Mapping[str, ImageFolder]) -> ImageFolder:
    """Return several folders of the same classes as one; the names of its files begin with that of their folder."""
    first = next(iter(folders.values()))
    return ImageFolder(
        root=first.root,
        files=tuple(f"{part}/{file}" for part, folder in folders.items() for file in folder.files),
        labels=np.concatenate([folder.labels for folder in folders.values()]),
        class_names=first.class_names,
        skipped=tuple(
            Skipped(f"{part}/{item.file}", item.reason) for part, folder in folders.items() for item in folder.skipped
        ),
        masks=tuple(f"{part}/{file}" for part, folder in folders.items() for file in folder.masks),
        parts={part: folder.root for part, folder in folders.items()},
    )


def scan(root: Path, expected_classes: Sequence[str] | None = None) -> ImageFolder:
    """Return the images in the class folders of `root`, ordered by path, the same on every system.

    Class folders may be written in any case and are merged under their lower-case name; folders inside them
    (patients) are walked. `expected_classes`, those of a model or of the training folder, must be the classes
    found; labels then follow their order. Raises DataNotFound, NoClassFolders, TooFewClasses, ClassesDiffer,
    NoImages and UnreadableClass.
    """
    place = as_written(root)
    if not root.is_dir():
        raise DataNotFound(place)
    folders, skipped = _class_folders(root)
    found = sorted(folders)
    if not found or set(found) <= _SPLIT_NAMES:
        raise NoClassFolders(place)
    if expected_classes is not None:
        class_names = tuple(canonical_class(name) for name in expected_classes)
        if set(found) != set(class_names):
            raise ClassesDiffer(place, found, list(class_names))
    else:
        class_names = tuple(found)
        if len(class_names) < 2:
            raise TooFewClasses(place, class_names[0])

    images: list[tuple[str, int]] = []
    masks: list[str] = []
    left_out: dict[str, list[Skipped]] = {name: [] for name in class_names}
    for label, class_name in enumerate(class_names):
        for folder in folders[class_name]:
            for file, reason in _walk(root, folder):
                if reason is not None:
                    left_out[class_name].append(Skipped(file, reason))
                elif _MASK.fullmatch(Path(file).stem):
                    masks.append(file)
                else:
                    images.append((file, label))
    if not images:
        raise NoImages(place, list(IMAGE_SUFFIXES))
    labelled = {label for _, label in images}
    for label, class_name in enumerate(class_names):
        if label not in labelled:
            reasons = left_out[class_name]
            first = reasons[0].reason if reasons else "the folder holds no image"
            raise UnreadableClass(place, class_name, len(reasons), first)

    images.sort(key=lambda image: _sort_key(image[0]))
    skipped += [item for items in left_out.values() for item in items]
    return ImageFolder(
        root=root,
        files=tuple(file for file, _ in images),
        labels=np.array([label for _, label in images], dtype=np.int64),
        class_names=class_names,
        skipped=tuple(sorted(skipped, key=lambda item: _sort_key(item.file))),
        masks=tuple(sorted(masks, key=_sort_key)),
    )


def canonical_class(folder_name: str) -> str:
    """Return the class a folder's name means: "Benign", "BENIGN" and "begin" are all "benign"."""
    name = unicodedata.normalize("NFC", folder_name).strip().lower()
    return CLASS_ALIASES.get(name, name)


def _class_folders(root: Path) -> tuple[dict[str, list[str]], list[Skipped]]:
    """Return the folders of each class, by name relative to `root`, and what lies beside them."""
    folders: dict[str, list[str]] = {}
    beside: list[Skipped] = []
    with os.scandir(root) as entries:
        for entry in sorted(entries, key=lambda item: item.name):
            if is_system_name(entry.name):
                continue
            if not _is_unicode(entry.name):
                beside.append(Skipped(_printable(entry.name), "its name is not valid Unicode"))
            elif _is_link(entry) and entry.is_dir():
                beside.append(Skipped(entry.name, "a link to another folder; links are not followed"))
            elif entry.is_dir(follow_symlinks=False):
                folders.setdefault(canonical_class(entry.name), []).append(entry.name)
            else:
                beside.append(Skipped(entry.name, "it lies beside the class folders, so its class is unknown"))
    return folders, beside


def _walk(root: Path, folder: str) -> Iterator[tuple[str, str | None]]:
    """Yield every file below root/folder, relative to `root`, with the reason to skip it or None."""
    real_root = Path(os.path.realpath(root))
    pending = [folder]
    while pending:
        current = pending.pop()
        try:
            with os.scandir(root / current) as entries:
                children = sorted(entries, key=lambda item: item.name)
        except OSError as error:
            yield current, f"the folder can't be opened: {error.strerror or error}"
            continue
        for entry in children:
            if is_system_name(entry.name):
                continue
            file = f"{current}/{entry.name}"
            if not _is_unicode(entry.name):
                yield _printable(file), "its name is not valid Unicode"
            elif _is_link(entry):
                yield file, _reason_against_link(entry, real_root)
            elif entry.is_dir(follow_symlinks=False):
                pending.append(file)
            else:
                yield file, _reason_against_file(entry)
        for name, reason in not_copied(root / current).items():
            yield f"{current}/{name}", reason


def _reason_against_link(entry: os.DirEntry[str], real_root: Path) -> str | None:
    if entry.is_dir():
        return "a link to another folder; links are not followed"
    if not Path(os.path.realpath(entry.path)).is_relative_to(real_root):
        return "a link that leads out of the image folder"
    return _reason_against_file(entry)


def _reason_against_file(entry: os.DirEntry[str]) -> str | None:
    reason = reason_against_ending(entry.name)
    if reason is None and not entry.is_file():
        return "not a regular file"
    return reason


def reason_against_ending(name: str) -> str | None:
    """Return why a file of this name is no image, or None where it may be one."""
    suffix = Path(name).suffix.lower()
    return None if suffix in IMAGE_SUFFIXES else f"not an image file ({suffix or 'no ending'})"


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
