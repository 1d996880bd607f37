"""The project's salt: what makes a patient's hash useless to whoever has the hashes alone."""

import hashlib
import hmac
import secrets

from breastai.domain.errors import WorkspaceUnusable
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace, write_once

_BYTES = 32


def project_salt(workspace: Workspace) -> bytes:
    """Return the workspace's salt, made when there is none; raise WorkspaceUnusable when what its file holds is none.

    Its file is its owner's alone, and goes in no backup.
    """
    file = workspace.root / ".salt"
    if not file.exists():
        write_once(file, secrets.token_hex(_BYTES).encode("ascii"))
    try:
        salt = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except ValueError:
        salt = b""
    if len(salt) != _BYTES:
        raise WorkspaceUnusable(str(workspace.root), Text("reason.file_salt_holds_no"))
    return salt


def salted_hash(salt: bytes, text: str) -> str:
    """Return 16 hexadecimal digits that only whoever has the salt could find again."""
    return hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()[:16]
