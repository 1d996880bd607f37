"""Lists of labels in doubt on disk: a record and a table in a folder of their own under logs/, and what a person notes."""

import csv
import io
import threading
from pathlib import Path

from pydantic import ValidationError

from breastai.domain.errors import DoubtNotFound
from breastai.domain.label_doubts_record import DoubtDecision, LabelDoubt, LabelDoubts
from breastai.storage.private_files import is_own_file, read_own
from breastai.storage.workspace import Workspace, atomic_write, safe_name
from breastai.texts.shown_name import show_name

RECORD, TABLE = "doubtful_labels.json", "doubtful_labels.csv"
_COLUMNS = ("rank", "file", "label", "suggested", "given_to_label", "given_to_suggested", "doubt", "likely", "twin")
# Two notes at once are written one after the other, so that neither is lost.
_noting = threading.Lock()


def doubt_tables(workspace: Workspace) -> list[Path]:
    """Return the tables of all lists that are kept."""
    return [path for path in sorted(workspace.logs_dir.glob(f"*/{TABLE}")) if is_own_file(path)]


def save_doubts(workspace: Workspace, record: LabelDoubts) -> Path:
    """Write the record and its table into the folder of its name; return the table's path. Raise DiskFull."""
    folder = workspace.logs_dir / safe_name(record.doubts_id)
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow([*_COLUMNS, "twin_label", "decision", "note"])
    for rank, each in enumerate(record.doubts, 1):
        shares = [f"{value:.4f}" for value in (each.given_to_label, each.given_to_suggested, each.doubt)]
        names = (each.file, each.label, each.suggested, each.twin or "", each.twin_label or "", each.note)
        file, label, suggested, twin, twin_label, note = (show_name(name, "csv") for name in names)
        likely = "yes" if each.likely else "no"
        writer.writerow([rank, file, label, suggested, *shares, likely, twin, twin_label, each.decision, note])
    path = folder / TABLE
    atomic_write(path, lines.getvalue().encode())
    atomic_write(folder / RECORD, (record.model_dump_json(indent=1) + "\n").encode())
    return path


def note_doubt(
    workspace: Workspace, doubts_id: str, file: str, note: str | None, decision: DoubtDecision | None
) -> LabelDoubt:
    """Keep what a person says of an image of a list, in the record and its table; raise DoubtNotFound or DiskFull.

    None leaves the note, or the decision, as it was.
    """
    with _noting:
        record = _read(workspace, doubts_id)
        places = {each.file: number for number, each in enumerate(record.doubts)} if record else {}
        if record is None or file not in places:
            raise DoubtNotFound(doubts_id[:100], file[:200])
        before = record.doubts[places[file]]
        said = {"note": note, "decision": decision}
        after = before.model_copy(update={name: value for name, value in said.items() if value is not None})
        doubts = [*record.doubts]
        doubts[places[file]] = after
        save_doubts(workspace, record.model_copy(update={"doubts": doubts}))
    return after


def _read(workspace: Workspace, doubts_id: str) -> LabelDoubts | None:
    """Return a list by its name; None where there is none that this version can read."""
    path = workspace.run_dir(doubts_id) / RECORD
    if not is_own_file(path):
        return None
    try:
        record = LabelDoubts.model_validate_json(read_own(path))
    except (OSError, ValidationError, ValueError):
        return None
    return None if record.is_of_later_version else record
