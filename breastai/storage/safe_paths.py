"""Paths that came from elsewhere, in an upload or an archive: what keeps one from being written below a folder."""

import os
import unicodedata

from breastai.domain.text import Text
from breastai.storage.workspace import RESERVED_NAMES

_LONGEST_NAME, _LONGEST_PATH, _DEEPEST = 255, 1000, 32
_KEPT_BY_WINDOWS = set('<>:"|?*')


def reason_against_path(path: str) -> Text | None:
    """Return why a path with forward slashes can't be written below a folder, on any system; None where it can."""
    parts = path.split("/")
    if path.startswith("/") or (len(path) > 1 and path[1] == ":"):
        return Text("reason.path_absolute")
    if any(part in ("", ".", "..") for part in parts):
        return Text("reason.path_leads_out")
    if "\\" in path or any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return Text("reason.path_signs")
    if os.name == "nt" and _KEPT_BY_WINDOWS.intersection(path):
        return Text("reason.path_signs")
    if any(part.split(".")[0].strip().lower() in RESERVED_NAMES or part[-1] in ". " for part in parts):
        return Text("reason.path_reserved")
    if len(path) > _LONGEST_PATH or len(parts) > _DEEPEST or any(len(os.fsencode(p)) > _LONGEST_NAME for p in parts):
        return Text("reason.path_long")
    return None


def folder_name(text: str) -> str:
    """Return a name for a folder as near to `text` as `safe_name` allows; `upload` where nothing of it does."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    kept = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in plain).strip("._-")[:80].rstrip("._-")
    return f"{kept}_" if kept.split(".")[0].lower() in RESERVED_NAMES else kept or "upload"
