"""The installation's token: made once, kept in the user's configuration folder, and written beside the page.

A page opened as a file has no origin that a server could know it by; that it holds the token shows that it lies in a
folder which only the owner's server could write. The token outlives restarts, and servers of one installation share it.
"""

import hmac
import os
import re
import secrets
import stat
from pathlib import Path

import platformdirs

from breastai.storage.private_files import private_folder
from breastai.storage.workspace import atomic_write, write_once

SESSION_SCRIPT = "session.js"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_RANDOM_BYTES = 32


def token_file() -> Path:
    """Return where the token of this user's installation is kept."""
    return platformdirs.user_config_path("breastai") / "token"


def installation_token(file: Path) -> str:
    """Return the token in `file`, made first when there is none; raise OSError when it can't be kept.

    One that others may read, or that is no token of ours, is replaced.
    """
    token = read_token(file)
    if token is not None:
        return token
    private_folder(file.parent)
    # Read again: a server that began at the same time may have put one there by now.
    if (file.exists() or file.is_symlink()) and read_token(file) is None:
        file.unlink(missing_ok=True)
    write_once(file, secrets.token_urlsafe(_RANDOM_BYTES).encode("ascii") + b"\n")
    token = read_token(file)
    if token is None:
        raise PermissionError(f"{file} can't be kept for its owner alone")
    return token


def read_token(file: Path) -> str | None:
    """Return the token in `file`; None when there is none that its owner alone can read."""
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as opened:
        if not _is_private(os.fstat(opened.fileno())):
            return None
        text = opened.read(200).decode("ascii", "replace").strip()
    return text if _TOKEN.fullmatch(text) else None


def tokens_match(expected: str, given: str) -> bool:
    """Compare in a time that tells nothing of where they differ."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def write_session_script(folder: Path, token: str) -> None:
    """Write the script by which the page in `folder`, opened as a file, knows the token; raise OSError."""
    file = folder / SESSION_SCRIPT
    content = f'/* Written by the server at its start. Keep it to yourself. */\nBreastAI.sessionToken = "{token}";\n'
    try:
        if file.read_text(encoding="utf-8") == content and _is_private(file.lstat()):
            return
    except (OSError, ValueError):
        pass
    atomic_write(file, content.encode())


def _is_private(status: os.stat_result) -> bool:
    """Return whether a file is the owner's alone. Windows keeps a user's profile from others by itself."""
    if os.name == "nt":
        return True
    mine = status.st_uid == os.getuid()
    return stat.S_ISREG(status.st_mode) and mine and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
