"""The project's salt: what makes a patient's hash useless to whoever has the hashes alone."""

import hashlib
import hmac
import os
import secrets

from breastai.storage.workspace import Workspace

_BYTES = 32


def project_salt(workspace: Workspace) -> bytes:
    """Return the workspace's salt, made when there is none. Its file is its owner's alone, and goes in no backup."""
    file = workspace.root / ".salt"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return bytes.fromhex(file.read_text(encoding="ascii").strip())
    with os.fdopen(descriptor, "w", encoding="ascii") as opened:
        salt = secrets.token_bytes(_BYTES)
        opened.write(salt.hex())
    return salt


def hashed(salt: bytes, text: str) -> str:
    """Return 16 hexadecimal digits that only whoever has the salt could find again."""
    return hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()[:16]
