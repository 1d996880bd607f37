"""Margins of non-inferiority: when each was first stated in a workspace, a line each, so that none can be antedated."""

import json
from datetime import UTC, datetime

from breastai.storage.private_files import open_private
from breastai.storage.workspace import Workspace, naming_full_disk


def state_margin(workspace: Workspace, figure: str, margin: float) -> tuple[str, bool]:
    """Return when a margin was first stated, and whether before now; one that never was is written down. Raise DiskFull."""
    path = workspace.logs_dir / "margins.jsonl"
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            known = json.loads(line)
        except ValueError:
            continue
        if known.get("figure") == figure and known.get("margin") == margin:
            return str(known["time"]), True
    stated = datetime.now(UTC).isoformat(timespec="seconds")
    with naming_full_disk(path), open_private(path, "ab") as file:
        fact = {"figure": figure, "margin": margin, "time": stated}
        file.write((json.dumps(fact, ensure_ascii=False) + "\n").encode())
    return stated, False
