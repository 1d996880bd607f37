"""What the operating system refuses, as an error of ours: a workspace that is gone or read-only, a full disk, no memory."""

import errno
from pathlib import Path

from breastai.domain.errors import BreastAIError, DiskFull, OutOfMemory, WorkspaceUnusable
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace

# How Python, the loader of shared libraries, the C++ library and torch say that there is no memory left.
_NO_MEMORY = (
    "allocate memory",
    "failed to map segment",
    "out of memory",
    "can't start new thread",
    "bad_alloc",
    "bad allocation",
    "not enough memory",
)
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
# A file where a folder of ours was, or the other way round.
_UNFIT = (errno.ENOTDIR, errno.EISDIR)
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


def as_system_fault(error: BaseException, workspace: Workspace) -> BreastAIError | None:
    """Return the error of ours that tells of a fault of the system; None where it is something else."""
    if is_lack_of_memory(error):
        return OutOfMemory((str(error).splitlines() or [""])[0][:200] or type(error).__name__)
    if not isinstance(error, OSError):
        return None
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(workspace.relative(Path(error.filename)) if isinstance(error.filename, str) else "a file")
    if not (workspace.root.is_dir() and workspace.logs_dir.is_dir()) and error.errno in _GONE:
        return WorkspaceUnusable(str(workspace.root), Text("reason.workspace_gone"))
    if error.errno in (*_READ_ONLY, *_UNFIT) and _lies_in(error.filename, workspace):
        place = {"file": str(error.filename)[-200:], "error": error.strerror or ""}
        return WorkspaceUnusable(str(workspace.root), Text("reason.workspace_not_writable", place))
    return None


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether a fault says that there is no memory, whoever raised it."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    said = str(error).lower()
    return isinstance(error, OSError | RuntimeError | ImportError) and any(sign in said for sign in _NO_MEMORY)


def _lies_in(filename: object, workspace: Workspace) -> bool:
    if not isinstance(filename, str):
        return False
    path = Path(filename)
    return not path.is_absolute() or path.is_relative_to(workspace.root)
