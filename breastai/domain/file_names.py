"""File names: which are a system's own, and what kind of file an ending promises."""

from pathlib import PurePath
from typing import Literal

from breastai.domain.catalog import IMAGE_SUFFIXES

FileKind = Literal["image", "table", "archive", "other"]

# Written by operating systems, archivers and network drives; names starting with a dot are ignored as well.
SYSTEM_NAMES = frozenset(
    {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "lost+found", "@eadir"}
    | {"dicomdir"}  # the list of contents of a hospital's disc
)
_KINDS: dict[FileKind, frozenset[str]] = {
    "image": frozenset(IMAGE_SUFFIXES),
    "table": frozenset({".csv", ".tsv", ".xlsx", ".npz"}),
    "archive": frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}),
}


def is_system_name(name: str) -> bool:
    """Return whether a file or folder is none of a user's: it is ignored without a word."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES


def kind_of_file(name: str) -> FileKind:
    """Return what a file's ending promises; of none, other."""
    suffix = PurePath(name).suffix.lower()
    return next((kind for kind, suffixes in _KINDS.items() if suffix in suffixes), "other")
