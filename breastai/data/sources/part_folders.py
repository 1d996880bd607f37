"""The folders of the parts of a data set: train, val and test, whatever they are called, and where they lie."""

import os
from collections.abc import Sequence
from pathlib import Path

from breastai.data.sources.image_listing import is_system_name, reason_against_file
from breastai.data.sources.masks import is_mask_folder
from breastai.domain.catalog import SPLIT_ALIASES
from breastai.domain.class_words import meaning_of, names_pictures, split_of
from breastai.domain.errors import SplitFoldersAmbiguous
from breastai.storage.remote_mirror import as_written

_DEEPEST = 6
_MOST_LOOKED_INTO = 300


def split_folders(root: Path) -> dict[str, Path]:
    """Return the folders of the splits in `root`, by split; raise SplitFoldersAmbiguous where two mean the same.

    An empty folder beside one that holds something is none.
    """
    found: dict[str, list[Path]] = {}
    for folder in subfolders(root):
        split = split_of(folder.name)
        if split is not None:
            found.setdefault(split, []).append(folder)
    chosen: dict[str, Path] = {}
    for split, folders in found.items():
        filled = [folder for folder in folders if _holds_anything(folder)] or folders[:1]
        if len(filled) > 1:
            raise SplitFoldersAmbiguous(as_written(root), split, [folder.name for folder in filled])
        chosen[split] = filled[0]
    return {split: chosen[split] for split in SPLIT_ALIASES if split in chosen}


def data_root(root: Path) -> Path:
    """Return the folder that holds split or class folders: `root`, or the only folder in it, and so on downwards."""
    for _ in range(_DEEPEST):
        found = subfolders(root)
        pictures = any(names_pictures(folder.name) for folder in found)
        inside = [folder for folder in found if not is_mask_folder(folder.name, among_images=pictures)]
        if len(inside) > 1 and all(meaning_of(folder.name) == "silent" for folder in inside):
            # Beside the images a download has papers and programs.
            inside = [folder for folder in inside if holds_images(folder)]
            # Beside the classes are pictures of something else: documents, screenshots.
            counts = [_classes_in(folder) for folder in inside]
            if sum(count > 0 for count in counts) == 1 and max(counts) > 1:
                inside = [inside[counts.index(max(counts))]]
        if len(inside) != 1 or split_folders(root) or _has_images(root):
            return root
        below = subfolders(inside[0])
        # A single class with folders of patients is still a class.
        is_class = meaning_of(inside[0].name) != "silent" and not any(
            subfolders(folder) or meaning_of(folder.name) != "silent" for folder in below[:20]
        )
        if not below or is_class:
            return root
        root = inside[0]
    return root


def _classes_in(folder: Path) -> int:
    """Return how many folders in a folder are called after classes."""
    return sum(meaning_of(each.name) != "silent" for each in subfolders(folder))


def unused_folders(root: Path, used: Sequence[Path]) -> list[str]:
    """Return the folders with images beside the splits of `root` that no split is taken from."""
    taken = {path.resolve() for path in used}
    return [
        folder.name
        for folder in subfolders(root)
        if folder.resolve() not in taken
        and split_of(folder.name) != "test"  # known by its name, and listed by nobody who does not judge on it
        and not is_mask_folder(folder.name)
        and holds_images(folder)
    ]


def subfolders(root: Path) -> list[Path]:
    """Return the folders in `root` that a user made, in order of name; none where it can't be opened."""
    try:
        with os.scandir(root) as entries:
            found = sorted(entry.path for entry in entries if entry.is_dir() and not is_system_name(entry.name))
    except OSError:
        return []
    return [Path(path) for path in found]


def _holds_anything(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return any(True for _ in entries)
    except OSError:
        return False


def _has_images(folder: Path) -> bool:
    """Return whether images lie in a folder itself."""
    try:
        with os.scandir(folder) as entries:
            return any(entry.is_file() and _may_be_image(Path(entry.path)) for entry in entries)
    except OSError:
        return False


def _may_be_image(path: Path) -> bool:
    return not is_system_name(path.name) and reason_against_file(path) is None


def holds_images(folder: Path) -> bool:
    """Return whether images lie somewhere below a folder, as far as its first few hundred folders tell."""
    pending = [folder]
    for _ in range(_MOST_LOOKED_INTO):
        if not pending:
            return False
        current = pending.pop()
        if _has_images(current):
            return True
        pending += reversed(subfolders(current))
    return False
