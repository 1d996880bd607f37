"""Zip archives that came from elsewhere: looked through before a byte is written, unpacked within bounds."""

import contextlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from breastai.domain.errors import ArchiveRefused, UploadNameUnsafe
from breastai.domain.file_names import is_system_name, kind_of_file
from breastai.domain.list_entries import LeftOut
from breastai.domain.text import Text
from breastai.storage.private_files import open_private, private_folder
from breastai.storage.safe_paths import reason_against_path
from breastai.storage.workspace import naming_full_disk

# No image or table gets this much smaller: a file of zeros does.
_MOST_RATIO, _RATIO_FROM_BYTES = 200, 2**20
_BLOCK_BYTES = 2**20
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Bounds:
    """What an archive may become: files, and bytes in all."""

    files: int
    size_bytes: int


def is_archive(path: Path) -> bool:
    """Return whether a file is one that can be unpacked here."""
    return path.suffix.lower() == ".zip"


def unpack_archive(archive: Path, target: Path, bounds: Bounds) -> tuple[int, int, list[LeftOut]]:
    """Unpack a zip into `target`; return how many files and bytes there are, and which files were left out.

    Archives within it stay packed, and are left out. Raises ArchiveRefused, UploadNameUnsafe or DiskFull: then some of
    it may lie in `target`, which is the caller's to remove.
    """
    left_out: list[LeftOut] = []
    files = written = 0
    with _opened(archive) as packed:
        members = [member for member in packed.infolist() if not _is_systems(member)]
        _check(archive.name, members, bounds)
        for member in members:
            if member.is_dir():
                continue
            if kind_of_file(member.filename) == "archive":
                left_out.append(LeftOut(file=member.filename, reason=Text("reason.archive_in_archive")))
                continue
            path = target / member.filename
            private_folder(path.parent)
            with naming_full_disk(path), open_private(path, "xb") as file, packed.open(member) as content:
                # Where a header lies about the size, zipfile ends the file at what it says.
                shutil.copyfileobj(content, file, _BLOCK_BYTES)
                written += file.tell()
            files += 1
            if written > bounds.size_bytes:
                _refuse(archive.name, "reason.archive_too_large", most_gb=round(bounds.size_bytes / 2**30, 1))
    return files, written, left_out


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(archive) as packed:
            yield packed
    except FileExistsError as error:
        raise UploadNameUnsafe(str(error.filename)[-300:], Text("reason.path_twice")) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, UnicodeDecodeError, ValueError) as error:
        raise ArchiveRefused(archive.name, Text("reason.archive_damaged", {"text": str(error)[:200]})) from None


def _check(archive: str, members: list[zipfile.ZipInfo], bounds: Bounds) -> None:
    """Raise ArchiveRefused or UploadNameUnsafe for what must not be unpacked, before anything is."""
    if len(members) > bounds.files:
        _refuse(archive, "reason.archive_files", files=len(members), most=bounds.files)
    size = sum(member.file_size for member in members)
    if size > bounds.size_bytes:
        _refuse(archive, "reason.archive_too_large", most_gb=round(bounds.size_bytes / 2**30, 1))
    seen: set[str] = set()
    for member in members:
        name = member.filename.rstrip("/").removeprefix("./")
        reason = reason_against_path(name)
        if reason is None and not member.is_dir() and name.casefold() in seen:
            reason = Text("reason.path_twice")
        if reason is not None:
            raise UploadNameUnsafe(name[:300].encode("utf-8", "backslashreplace").decode(), reason)
        if not member.is_dir():
            seen.add(name.casefold())
        if stat.S_ISLNK(member.external_attr >> 16):
            _refuse(archive, "reason.archive_link", file=name[:300])
        if member.flag_bits & _ENCRYPTED:
            _refuse(archive, "reason.archive_encrypted", file=name[:300])
        if member.file_size > max(_RATIO_FROM_BYTES, _MOST_RATIO * member.compress_size):
            ratio = round(member.file_size / max(1, member.compress_size))
            _refuse(archive, "reason.archive_bomb", file=name[:300], ratio=ratio)


def _is_systems(member: zipfile.ZipInfo) -> bool:
    return any(is_system_name(part) and part not in (".", "..") for part in member.filename.split("/"))


def _refuse(archive: str, reason: str, **params: str | int | float) -> NoReturn:
    raise ArchiveRefused(archive, Text(reason, params))
