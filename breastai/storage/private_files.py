"""Private files: what is made here holds patients' images and figures, so its owner alone can read it, whatever the umask.

On Windows nothing is done: a user's folders are kept from others by the rights they inherit.
"""

import contextlib
import errno
import hashlib
import os
import stat
from io import BufferedReader
from pathlib import Path
from typing import IO, Any

_FOLDER, _FILE = 0o700, 0o600
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_files_private() -> None:
    """Let this process and those it starts make no file that others can read, also where another library writes it."""
    os.umask(0o077)


def private_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner alone; one that is there stays as it is.

    Raise FileExistsError where something else has its name.
    """
    missing = [folder]
    while not (above := missing[-1].parent).exists() and above != missing[-1]:
        missing.append(above)
    for each in reversed(missing):
        try:
            each.mkdir(mode=_FOLDER)
        except FileExistsError:
            if not each.is_dir():
                raise


def open_private(path: Path, mode: str, **options: Any) -> IO[Any]:
    """Open a file as `open` does; one that is made is for its owner alone, and a link is not followed."""
    return open(path, mode, opener=_opener, **options)


def file_sha256(path: Path, own: bool = True) -> str:
    """Return the hash of a file's content; not `own`: of one outside the workspace's folders, where links are followed."""
    with open_own(path) if own else path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_own(path: Path) -> BufferedReader:
    """Open a file of the workspace's own folders to read; raise FileNotFoundError for a link, and for what is no file.

    Whatever lay in its place, a link that leads elsewhere or a pipe that nobody writes to, nothing of it is read.
    """
    try:
        file = open(path, "rb", opener=_no_link)  # noqa: SIM115 - it is the caller's
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):
            raise FileNotFoundError(errno.ENOENT, "a link or no file", str(path)) from None
        raise
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode) or path.parent.is_symlink():
        file.close()
        raise FileNotFoundError(errno.ENOENT, "no file of its own", str(path))
    return file


def is_own_file(path: Path) -> bool:
    """Return whether a file lies in a folder of the workspace, neither of them a link."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()


def read_own(path: Path) -> bytes:
    """Return the content of such a file; raise OSError."""
    with open_own(path) as file:
        return file.read()


def make_private(path: Path) -> None:
    """Take a file or folder of ours from all but its owner; links, others' files and what can't be changed stay."""
    if os.name == "nt":
        return
    with contextlib.suppress(OSError):
        facts = path.lstat()
        if not facts.st_mode & _OTHERS or stat.S_ISLNK(facts.st_mode) or facts.st_uid != os.geteuid():
            return
        if stat.S_ISDIR(facts.st_mode) or stat.S_ISREG(facts.st_mode):
            path.chmod(stat.S_IMODE(facts.st_mode) & ~_OTHERS)


def make_tree_private(root: Path) -> None:
    """Do so with a folder and all below it, once: of a folder that is private already nothing is looked at.

    The folder itself comes first: whatever keeps the rest from being done, nobody else gets to it any more.
    """
    if os.name == "nt" or not _is_open_to_others(root):
        return
    make_private(root)
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            make_private(Path(folder) / name)


def _is_open_to_others(root: Path) -> bool:
    try:
        facts = root.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and bool(facts.st_mode & _OTHERS)


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | _NO_LINK, _FILE)


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | _NO_LINK | getattr(os, "O_NONBLOCK", 0))
