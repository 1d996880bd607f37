"""Margins of non-inferiority: when each was first stated in a workspace, a line each, so that none can be antedated."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from breastai.domain.comparison_record import StatedMargin
from breastai.storage.private_files import open_private
from breastai.storage.workspace import Workspace, naming_full_disk


@dataclass(frozen=True)
class MarginStatement:
    """When a margin was first stated, whether before now, and which others of the same figure were before it or since."""

    stated: str
    beforehand: bool
    others: list[StatedMargin]


def state_margin(workspace: Workspace, figure: str, margin: float) -> MarginStatement:
    """Return what is known of a margin; one that was never stated is written down. Raise DiskFull."""
    path = workspace.logs_dir / "margins.jsonl"
    known = _known_margins(path, figure)
    others = [StatedMargin(margin=each, stated=time) for each, time in known.items() if each != margin]
    if margin in known:
        return MarginStatement(known[margin], True, others)
    stated = datetime.now(UTC).isoformat(timespec="seconds")
    with naming_full_disk(path), open_private(path, "ab") as file:
        fact = {"figure": figure, "margin": margin, "time": stated}
        file.write((json.dumps(fact, ensure_ascii=False) + "\n").encode())
    return MarginStatement(stated, False, others)


def _known_margins(path: Path, figure: str) -> dict[float, str]:
    """Return each margin of a figure with the time at which it was first stated."""
    known: dict[float, str] = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            fact = json.loads(line)
            if fact["figure"] == figure:
                known.setdefault(float(fact["margin"]), str(fact["time"]))
        except (ValueError, TypeError, KeyError):  # cut off, or not a line of ours
            continue
    return known
