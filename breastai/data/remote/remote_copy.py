"""Copying the images at an address of shared storage into the mirror: in parallel, each whole or not at all, bounded."""

import contextlib
import errno
import itertools
import os
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from breastai.data.decoders.array_images import ARRAYS_ENDING
from breastai.data.remote.remote_store import RemoteObject, RemoteStore, error_text, md5_of
from breastai.data.sources.image_listing import is_system_name, reason_against_ending
from breastai.domain.data_locations import TABLE_ENDINGS
from breastai.domain.errors import DiskFull, StoreTooLarge, StoreUnreachable
from breastai.domain.text import Text
from breastai.storage.private_files import make_private, make_tree_private, open_private, private_folder
from breastai.storage.remote_mirror import (
    INDEX_NAME,
    Copy,
    copies_of,
    local_name,
    mirror_root,
    read_index,
    write_index,
)

Progress = Callable[[int, int], None]

AT_ONCE = 16
# A storage that fails so often in a row is gone; what fails between successes is an object's own fault.
LOST_AFTER = 20
_TRIES = 3
_PAUSES_S = (0.2, 1.0)
_LOCK_TICK_S = 0.5


@dataclass(frozen=True)
class Mirrored:
    """What was done to have the images at an address here. `address`: where they lay, by the name they have there."""

    copied: int = 0
    here_already: int = 0
    not_copied: int = 0
    first_problem: Copy | None = None
    address: str = field(default="", compare=False)


@dataclass
class _Folder:
    """A folder of the mirror: what its index knew, and what it will know; `waiting` are the objects to be copied."""

    path: Path
    known: dict[str, Copy]
    listed: dict[str, Copy | None] = field(default_factory=dict)
    waiting: list[tuple[str, RemoteObject]] = field(default_factory=list)


def mirror(address: str, limit_gb: float, report: Progress) -> Mirrored:
    """Have the images at an address here as they are there now, whichever of its names a split's folder goes by; `report` is told how many of those missing are copied.

    An object that can't be copied is no copy, and its folder's index says why. Raises what `RemoteStore.open` and
    `objects` raise, StoreTooLarge, and DiskFull.
    """
    store = RemoteStore.open_split(address)
    root = copies_of(address)
    private_folder(mirror_root())
    make_tree_private(mirror_root())
    with _alone(report):
        folders = _listed(store, root)
        private_folder(root)
        here = sum(
            copy is not None and copy.problem is None for each in folders.values() for copy in each.listed.values()
        )
        _check_room(address, folders, limit_gb)
        copied = _copy(store, folders, report)
        _forget_what_is_gone(root, folders)
        _make_room(folders, limit_gb)
    problems = [copy for each in folders.values() for copy in each.listed.values() if copy and copy.problem]
    return Mirrored(copied, here, len(problems), problems[0] if problems else None, store.address)


def forget(address: str) -> None:
    """Remove the copies of what is no longer at an address."""
    shutil.rmtree(copies_of(address), ignore_errors=True)


@contextlib.contextmanager
def _alone(report: Progress) -> Iterator[None]:
    """Hold the mirror for this process; `report` is told while it waits, so that whoever waits can be stopped."""
    lock = FileLock(mirror_root() / "mirror.lock", mode=0o600)
    while True:
        try:
            lock.acquire(timeout=_LOCK_TICK_S)
            break
        except Timeout:
            report(0, 0)
    try:
        yield
    finally:
        lock.release()


def _listed(store: RemoteStore, root: Path) -> dict[str, _Folder]:
    """Return the folders of the mirror below `root`, with what lies in each and what of it must be copied."""
    folders: dict[str, _Folder] = {}
    for item in store.objects():
        parts = item.name.split("/")
        if any(is_system_name(part) for part in parts):
            continue
        place, name = "/".join(parts[:-1]), local_name(parts[-1])
        folder = folders.get(place)
        if folder is None:
            path = root.joinpath(*map(local_name, parts[:-1]))
            folder = folders[place] = _Folder(path, read_index(path))
        reason = _reason_against(item, parts)
        if reason is not None:
            folder.listed[name] = Copy(name, problem=reason)
        elif _is_current(folder, name, item):
            folder.listed[name] = folder.known[name]
        else:
            folder.listed[name] = None
            folder.waiting.append((name, item))
    return folders


def _reason_against(item: RemoteObject, parts: list[str]) -> Text | None:
    if item.is_link:
        return Text("reason.link_links_not_followed")
    if any(part.strip(". ") == "" for part in parts):
        return Text("reason.name_no_file_can")
    # What may say the labels of the images is copied with them.
    return None if parts[-1].lower().endswith((*TABLE_ENDINGS, ARRAYS_ENDING)) else reason_against_ending(parts[-1])


def _is_current(folder: _Folder, name: str, item: RemoteObject) -> bool:
    """Return whether the copy is that of this very version; then it counts as used now."""
    known = folder.known.get(name)
    if known is None or known.problem is not None or item.version is None:
        return False
    if known.version != item.version or (item.size_bytes is not None and known.size_bytes != item.size_bytes):
        return False
    path = folder.path / name
    try:
        if path.stat().st_size != known.size_bytes:
            return False
        os.utime(path)
    except OSError:
        return False
    return True


def _check_room(address: str, folders: dict[str, _Folder], limit_gb: float) -> None:
    missing = sum(item.size_bytes or 0 for folder in folders.values() for _, item in folder.waiting)
    here = sum(copy.size_bytes or 0 for folder in folders.values() for copy in folder.listed.values() if copy)
    if missing + here > limit_gb * 2**30:
        raise StoreTooLarge(address, round((missing + here) / 2**30, 2), limit_gb)
    if missing > shutil.disk_usage(mirror_root()).free:
        raise DiskFull(f"the copies of {address}")


# --- copying ---


def _copy(store: RemoteStore, folders: dict[str, _Folder], report: Progress) -> int:
    """Copy what waits, so many at once; return how many could be. Each copy stands in its folder's index at once."""
    total = sum(len(folder.waiting) for folder in folders.values())
    jobs = ((folder, name, item) for folder in folders.values() for name, item in folder.waiting)
    running: dict[Future[Copy], _Folder] = {}
    done = copied = failed_in_a_row = 0
    report(0, total)
    pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="copying")
    try:
        while True:
            for folder, name, item in itertools.islice(jobs, 4 * AT_ONCE - len(running)):
                running[pool.submit(_one, store, folder.path / name, item)] = folder
            if not running:
                return copied
            finished, _ = wait(running, timeout=_LOCK_TICK_S, return_when=FIRST_COMPLETED)
            arrived: dict[Path, list[Copy]] = defaultdict(list)
            for future in finished:
                folder, copy = running.pop(future), future.result()
                folder.listed[copy.name] = copy
                arrived[folder.path].append(copy)
                copied += copy.problem is None
                failed_in_a_row = 0 if copy.problem is None else failed_in_a_row + 1
                if failed_in_a_row >= LOST_AFTER:
                    raise StoreUnreachable(store.address, copy.problem or "")
            for path, copies in arrived.items():
                if path.is_dir():  # else a file has the folder's name, and none of these could be copied
                    with open_private(path / INDEX_NAME, "a", encoding="utf-8") as index:
                        index.writelines(copy.line for copy in copies)
            done += len(finished)
            report(done, total)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one(store: RemoteStore, path: Path, item: RemoteObject) -> Copy:
    """Copy one object under its name in one step; a storage's fault is the copy's problem, and what lay there goes."""
    temporary = path.with_name(f".{threading.get_ident()}-{os.getpid()}.tmp")
    problem: Text | str = ""
    seen = ""
    try:
        private_folder(path.parent)
        for attempt in range(_TRIES):
            try:
                if attempt or item.version is None or item.size_bytes is None:
                    item = store.looked_up(item)  # changed since it was listed, perhaps
                store.fetch(item, temporary)
                size = temporary.stat().st_size
                if item.size_bytes not in (None, size):
                    problem = Text("reason.bytes_arrived_expected", {"size": size, "expected": item.size_bytes})
                    continue
                digest = md5_of(temporary) if item.md5 is not None else ""
                # An ETag that two equal downloads contradict is no MD5.
                if item.md5 in (None, digest) or (digest == seen and not item.md5_certain):
                    make_private(temporary)
                    temporary.replace(path)
                    return Copy(path.name, size, item.version)
                problem, seen = Text("reason.what_arrived_not_what"), digest
            except FileNotFoundError:
                problem = Text("reason.no_longer")
                break
            except PermissionError:
                problem = Text("reason.storage_does_not_let")
                break
            except Exception as fault:  # of any of many libraries
                _raise_when_full(fault)
                problem = Text("reason.could_not_copied", {"error": error_text(fault)})
                if attempt < len(_PAUSES_S):
                    time.sleep(_PAUSES_S[attempt])
        path.unlink(missing_ok=True)
        return Copy(path.name, problem=problem)
    except OSError as fault:
        _raise_when_full(fault)
        return Copy(path.name, problem=Text("reason.could_not_copied", {"error": error_text(fault)}))
    finally:
        _removed(temporary)


def _raise_when_full(fault: Exception) -> None:
    """Raise a fault again that is no object's own but that of the disk here."""
    if isinstance(fault, OSError) and fault.errno in (errno.ENOSPC, errno.EDQUOT):
        raise fault


# --- what is gone, and what there is no room for ---


def _removed(path: Path) -> None:
    with contextlib.suppress(OSError):  # in use by another run, on Windows
        path.unlink(missing_ok=True)


def _forget_what_is_gone(root: Path, folders: dict[str, _Folder]) -> None:
    """Remove copies below `root` whose originals are gone, and write each folder's index anew."""
    listed = {folder.path: folder for folder in folders.values()}
    for path, _, files in os.walk(root, topdown=False):
        here = Path(path)
        folder = listed.get(here)
        for name in files:
            if name != INDEX_NAME and (folder is None or name not in folder.listed):
                _removed(here / name)
        if folder is None:
            _removed(here / INDEX_NAME)
            if here != root:
                with contextlib.suppress(OSError):  # something below is still there
                    here.rmdir()
    for folder in folders.values():
        with contextlib.suppress(FileExistsError, NotADirectoryError):  # a file has the folder's name
            private_folder(folder.path)
            write_index(folder.path, (copy for copy in folder.listed.values() if copy is not None))


def _all_copies() -> Iterator[tuple[float, int, Path]]:
    """Yield when each copy of any address was used last, its size and its path."""
    for path, _, files in os.walk(mirror_root()):
        for name in files:
            if name.startswith(".") or name == "mirror.lock":
                continue
            try:
                status = (Path(path) / name).stat()
            except OSError:
                continue
            yield status.st_mtime, status.st_size, Path(path) / name


def _make_room(folders: dict[str, _Folder], limit_gb: float) -> None:
    """Remove the copies of other addresses that were unused the longest, until all keep to the limit."""
    copies = list(_all_copies())
    total = sum(size for _, size, _ in copies)
    kept = {folder.path for folder in folders.values()}
    for _, size, path in sorted(copies):
        if total <= limit_gb * 2**30:
            return
        if path.parent not in kept:
            _removed(path)
            total -= size
