"""The mirror: copies of images that lie on shared storage, in the user's cache folder, and what is known of each copy.

s3://bucket/folder lies in remote/s3/bucket/folder, so that addresses below one another share their copies. Signs that
some file system has no room for in a name are written as %XX. Each folder keeps an index of its copies, a line of JSON
for each: appended to as they arrive, written anew at the end.
"""

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import platformdirs

from breastai.domain.data_locations import is_remote, scheme_of
from breastai.domain.text import Text, read_param
from breastai.storage.private_files import open_private

INDEX_NAME = ".copied.jsonl"
DATASETS = "datasets"
_DATASET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_NO_SIGN_OF_A_NAME = re.compile(r'[%<>:"|?*\\\x00-\x1f]')


@dataclass(frozen=True)
class Copy:
    """What an index says of one file: how its original was when it was copied, or why it could not be."""

    name: str
    size_bytes: int | None = None
    version: str | None = None
    problem: Text | str | None = None

    @property
    def line(self) -> str:
        problem = self.problem.model_dump() if isinstance(self.problem, Text) else self.problem
        return json.dumps([self.name, self.size_bytes, self.version, problem], ensure_ascii=False) + "\n"


def mirror_root() -> Path:
    """Return the folder of all copies."""
    return platformdirs.user_cache_path("breastai").resolve() / "remote"


def local_place(base: Path, place: str) -> Path:
    """Return where the images of a place lie on this machine: a folder, relative to `base`, or an address' copies.

    The name of a data set means its description, where there is one; a folder of that name is ./NAME.
    """
    return dataset_place(base, place) or root_place(base, place)


def root_place(base: Path, root: str) -> Path:
    """Return where a folder lies on this machine that is no name of a data set: the root of one."""
    return copies_of(root) if is_remote(root) else base / Path(root).expanduser()


def dataset_place(base: Path, place: str) -> Path | None:
    """Return the description that is kept under a name in the workspace `base`; None of what is no such name."""
    if not _DATASET_NAME.fullmatch(place):
        return None
    path = base / DATASETS / f"{place}.json"
    return path if path.is_file() else None


def copies_of(address: str) -> Path:
    """Return the folder of the copies of what lies at an address; it need not exist."""
    parts = [part for part in address.partition("://")[2].split("/") if part]
    return mirror_root().joinpath(scheme_of(address), *map(local_name, parts))


def local_name(name: str) -> str:
    """Return what one part of an object's name is called here."""
    return _NO_SIGN_OF_A_NAME.sub(lambda sign: f"%{ord(sign[0]):02X}", name)


def as_written(path: Path) -> str:
    """Return a path as a user knows it: the address, of a copy."""
    root = mirror_root()
    if not path.is_absolute() or not path.is_relative_to(root):
        return str(path)
    scheme, *rest = path.relative_to(root).parts or ("",)
    start = "/" if scheme in ("file", "local") else ""
    return f"{scheme}://{start}{'/'.join(map(unquote, rest))}" if rest else str(path)


def read_index(folder: Path) -> dict[str, Copy]:
    """Return what is known of the copies in a folder, by name; lines that a kill cut short are passed over."""
    found: dict[str, Copy] = {}
    try:
        with (folder / INDEX_NAME).open(encoding="utf-8") as lines:
            for line in lines:
                try:
                    name, size_bytes, version, problem = json.loads(line)
                    copy = Copy(name, size_bytes, version, read_param(problem))
                except (ValueError, TypeError):
                    continue
                found[copy.name] = copy
    except (OSError, UnicodeDecodeError):
        return {}
    return found


def write_index(folder: Path, copies: Iterable[Copy]) -> None:
    """Write the whole index of a folder in one step."""
    temporary = folder / f"{INDEX_NAME}.{os.getpid()}.tmp"
    with open_private(temporary, "w", encoding="utf-8") as file:
        file.writelines(copy.line for copy in copies)
    temporary.replace(folder / INDEX_NAME)


def not_copied(folder: Path) -> dict[str, Text | str]:
    """Return the files of a folder that could not be copied, with the reason; none of a folder that is no copy."""
    if not folder.is_relative_to(mirror_root()):
        return {}
    return {copy.name: copy.problem for copy in read_index(folder).values() if copy.problem is not None}
