"""Folders, archives and files that clients hand over to stay: received part by part, gone on with after a broken
connection, and given their place in the workspace when they are whole.

An upload in progress is a folder: what it is to become (upload.json), the files that are whole (files/), and the one
that is coming (part). So it outlives a connection, and the server too, until it is abandoned.
"""

import base64
import binascii
import secrets
import shutil
import threading
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from breastai.domain.errors import RequestInvalid, UploadNameUnsafe, UploadNotFound, UploadOutOfStep, UploadTooLarge
from breastai.domain.events import UploadBegun, UploadFinished, UploadReceived
from breastai.domain.faults import describe_mismatch
from breastai.domain.list_entries import LeftOut
from breastai.domain.requests import BeginUpload, UploadPart
from breastai.domain.server_settings import ServerSettings
from breastai.domain.stored import Stored
from breastai.domain.text import Text
from breastai.storage.private_files import open_private, private_folder
from breastai.storage.safe_paths import folder_name, reason_against_path
from breastai.storage.workspace import Workspace, atomic_write, naming_full_disk
from breastai.storage.zip_archive import Bounds, is_archive, unpack_archive

IN_PROGRESS, PLACE = ".uploads", "datasets/uploads"
# What nobody has sent a part of for so long is deleted.
ABANDONED_AFTER_S = 86_400.0
_RECORD, _FILES, _PART = "upload.json", "files", "part"
_MOST_AT_ONCE = 20
_MOST_LEFT_OUT_TOLD = 50
_GIB = 2**30


class UploadRecord(Stored):
    """What an upload is to become."""

    version: int = 1
    name: str
    files: int
    size_bytes: int
    fingerprint: str


@dataclass
class _Upload:
    name: str
    folder: Path
    record: UploadRecord
    files_received: int = 0
    bytes_received: int = 0
    received: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def state(self) -> dict[str, int]:
        return {
            "files_received": self.files_received,
            "received": self.received,
            "bytes_received": self.bytes_received,
        }


class DatasetUploads:
    """One per server. Its methods write files: not for the event loop."""

    def __init__(self, workspace: Workspace, settings: ServerSettings) -> None:
        self._workspace, self._settings = workspace, settings
        self._root = workspace.root / IN_PROGRESS
        self._uploads: dict[str, _Upload] | None = None
        self._finished: dict[str, UploadFinished] = {}
        self._lock = threading.Lock()

    def begin(self, wanted: BeginUpload) -> UploadBegun:
        """Begin an upload, or return how far the one of the same fingerprint is; raise UploadTooLarge."""
        with self._lock:
            known = self._known()
            for upload in known.values():
                if upload.record.fingerprint == wanted.fingerprint and upload.record.files == wanted.files:
                    return UploadBegun(upload=upload.name, **upload.state)
            self._check_size(wanted, known.values())
            name = secrets.token_hex(8)
            folder = self._root / name
            private_folder(folder / _FILES)
            record = UploadRecord(
                name=wanted.name, files=wanted.files, size_bytes=wanted.size_bytes, fingerprint=wanted.fingerprint
            )
            atomic_write(folder / _RECORD, record.model_dump_json().encode())
            known[name] = _Upload(name, folder, record)
            return UploadBegun(upload=name)

    def add(self, name: str, parts: Iterable[UploadPart]) -> UploadReceived:
        """Write parts down, in their order. Raise UploadNotFound, UploadOutOfStep, UploadNameUnsafe or UploadTooLarge."""
        upload = self._find(name)
        with upload.lock, naming_full_disk(upload.folder):
            for part in parts:
                self._add(upload, part)
            return UploadReceived(upload=name, **upload.state)

    def finish(self, name: str) -> UploadFinished:
        """Unpack what is packed and move the files to their place; an upload that is refused is deleted."""
        with self._lock:
            done = self._finished.get(name)
        if done is not None:  # asked again, since the answer was lost with a connection
            return done
        upload = self._find(name)
        with upload.lock:
            if name in self._finished:
                return self._finished[name]
            if upload.files_received < upload.record.files:
                raise RequestInvalid(
                    [
                        describe_mismatch(
                            "upload",
                            Text("expected.files_whole", {"count": upload.record.files}),
                            upload.files_received,
                        )
                    ]
                )
            try:
                files, size, left_out = self._unpack(upload)
                target = self._place(upload)
                done = UploadFinished(
                    upload=name,
                    path=self._workspace.relative(target),
                    files=files,
                    size_bytes=size,
                    left_out=left_out[:_MOST_LEFT_OUT_TOLD],
                    left_out_total=len(left_out),
                )
            finally:
                with self._lock:
                    self._known().pop(name, None)
                    if done is not None:
                        self._finished[name] = done
                shutil.rmtree(upload.folder, ignore_errors=True)
        return done

    def cancel(self, name: str) -> None:
        """Delete what is there of an upload; raise UploadNotFound."""
        with self._lock:
            upload = self._known().pop(name, None)
        if upload is None:
            raise UploadNotFound(name)
        shutil.rmtree(upload.folder, ignore_errors=True)

    def clear_abandoned(self) -> None:
        """Delete uploads of which nothing has come for long."""
        with self._lock:
            self._clear(self._known())

    def _find(self, name: str) -> _Upload:
        with self._lock:
            upload = self._known().get(name)
        if upload is None:
            raise UploadNotFound(name)
        return upload

    def _known(self) -> dict[str, _Upload]:
        """Return the uploads in progress: of those a server before this one left, how far they are is counted once."""
        if self._uploads is None:
            self._uploads = {}
            if self._root.is_dir() and not self._root.is_symlink():
                for folder in self._root.iterdir():
                    try:
                        record = UploadRecord.model_validate_json((folder / _RECORD).read_bytes())
                    except (OSError, ValidationError):
                        shutil.rmtree(folder, ignore_errors=True)
                        continue
                    self._uploads[folder.name] = _counted(_Upload(folder.name, folder, record))
        return self._uploads

    def _clear(self, known: dict[str, _Upload]) -> None:
        for name, upload in list(known.items()):
            try:
                last = max(path.stat().st_mtime for path in (upload.folder, upload.folder / _PART) if path.exists())
            except (OSError, ValueError):
                last = 0.0
            if time.time() - last > ABANDONED_AFTER_S and not upload.lock.locked():
                del known[name]
                shutil.rmtree(upload.folder, ignore_errors=True)

    def _check_size(self, wanted: BeginUpload, others: Iterable[_Upload]) -> None:
        self._clear(self._known())
        most = self._settings.upload_gb
        if wanted.size_bytes > most * _GIB:
            raise UploadTooLarge(Text("reason.upload_bytes", {"gb": round(wanted.size_bytes / _GIB, 2), "most": most}))
        if wanted.files > self._settings.upload_files:
            raise UploadTooLarge(
                Text("reason.upload_files", {"files": wanted.files, "most": self._settings.upload_files})
            )
        if len(self._known()) >= _MOST_AT_ONCE:
            raise UploadTooLarge(Text("reason.upload_others", {"most": _MOST_AT_ONCE}))
        coming = sum(upload.record.size_bytes - upload.bytes_received for upload in others)
        self._check_free(wanted.size_bytes + coming)

    def _check_free(self, size_bytes: int) -> None:
        free = shutil.disk_usage(self._workspace.root).free
        keep = self._settings.upload_keep_free_gb
        if size_bytes > free - keep * _GIB:
            told = {"gb": round(size_bytes / _GIB, 2), "free": round(free / _GIB, 2), "keep": keep}
            raise UploadTooLarge(Text("reason.upload_disk", told))

    def _add(self, upload: _Upload, part: UploadPart) -> None:
        content = decode_part(part.part)
        if part.start != upload.received or zlib.crc32(content) != part.crc32:
            raise UploadOutOfStep(part.path[:300], upload.files_received, upload.received)
        reason = reason_against_path(part.path)
        target = upload.folder / _FILES / part.path
        if reason is None and target.exists():
            reason = Text("reason.path_twice")
        if reason is not None:
            raise UploadNameUnsafe(part.path[:300].encode("utf-8", "backslashreplace").decode(), reason)
        there = upload.received + len(content)
        is_whole = there == part.size
        if there > part.size or (not content and not is_whole) or upload.files_received >= upload.record.files:
            most = Text("expected.bytes_to", {"limit": part.size - upload.received})
            raise RequestInvalid([describe_mismatch("part", most, len(content))])
        if upload.bytes_received + len(content) > upload.record.size_bytes:
            raise UploadTooLarge(
                Text("reason.upload_promised", {"gb": round(upload.record.size_bytes / _GIB, 4)}),
            )
        with open_private(upload.folder / _PART, "ab") as file:
            file.write(content)
        upload.received += len(content)
        upload.bytes_received += len(content)
        if is_whole:
            private_folder(target.parent)
            (upload.folder / _PART).replace(target)
            upload.files_received += 1
            upload.received = 0

    def _unpack(self, upload: _Upload) -> tuple[int, int, list[LeftOut]]:
        """Unpack the archives that lie at the top; return files, bytes, and what was left out of archives."""
        root = upload.folder / _FILES
        files, size, left_out = upload.record.files, upload.bytes_received, list[LeftOut]()
        archives = sorted(path for path in root.iterdir() if path.is_file() and is_archive(path))
        alone = len(archives) == 1 and len(list(root.iterdir())) == 1
        for archive in archives:
            keep_free = int(self._settings.upload_keep_free_gb * _GIB)
            room = max(0, shutil.disk_usage(root).free - keep_free)
            bounds = Bounds(self._settings.upload_files, min(int(self._settings.upload_gb * _GIB), room))
            # Unpacked beside the files: a name within must not meet one of theirs.
            place = upload.folder / "unpacked"
            private_folder(place)
            unpacked, unpacked_bytes, beside = unpack_archive(archive, place, bounds)
            files, size = files - 1 + unpacked, size - archive.stat().st_size + unpacked_bytes
            left_out += beside
            archive.unlink()
            target = root if alone else _free_name(root, folder_name(archive.stem))
            if alone:
                root.rmdir()
            place.replace(target)
        return files, size, left_out

    def _place(self, upload: _Upload) -> Path:
        root = upload.folder / _FILES
        inside = list(root.iterdir())
        name = upload.record.name
        # A dropped folder, or the one folder of an archive, is the data set itself.
        if len(inside) == 1 and inside[0].is_dir():
            root = inside[0]
        above = self._workspace.root / PLACE
        private_folder(above)
        target = _free_name(above, folder_name(Path(name).stem if is_archive(Path(name)) else name))
        root.replace(target)
        return target


def decode_part(text: str) -> bytes:
    """Return the bytes of a part; raise RequestInvalid."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        fault = describe_mismatch("part", Text("expected.base64"), Text("came.something_else"))
        raise RequestInvalid([fault]) from None


def _counted(upload: _Upload) -> _Upload:
    whole = [path for path in (upload.folder / _FILES).rglob("*") if path.is_file()]
    part = upload.folder / _PART
    upload.files_received = len(whole)
    upload.received = part.stat().st_size if part.exists() else 0
    upload.bytes_received = sum(path.stat().st_size for path in whole) + upload.received
    return upload


def _free_name(folder: Path, name: str) -> Path:
    """Return a path in `folder` that is not taken: `name`, or with a number."""
    taken = {path.name.casefold() for path in folder.iterdir()}
    number, wanted = 1, name
    while wanted.casefold() in taken:
        number += 1
        wanted = f"{name}-{number}"
    return folder / wanted
