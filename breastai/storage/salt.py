"""The project's salt: what makes a patient's hash useless to whoever has the hashes alone."""

import hashlib
import hmac
import secrets

from breastai.storage.workspace import Workspace, write_once

_BYTES = 32


def project_salt(workspace: Workspace) -> bytes:
    """Return the workspace's salt, made when there is none. Its file is its owner's alone, and goes in no backup."""
    file = workspace.root / ".salt"
    if not file.exists():
        write_once(file, secrets.token_hex(_BYTES).encode("ascii"))
    return bytes.fromhex(file.read_text(encoding="ascii").strip())


def hashed(salt: bytes, text: str) -> str:
    """Return 16 hexadecimal digits that only whoever has the salt could find again."""
    return hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()[:16]
