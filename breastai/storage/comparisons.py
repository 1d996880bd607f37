"""Comparisons on disk: of two models, and of readers, each a document in a folder of its own under logs/."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from breastai.domain.comparison_record import ComparisonRecord
from breastai.domain.errors import ComparisonNotFound
from breastai.domain.events import Comparison
from breastai.domain.reader_records import ReaderStudyRecord
from breastai.storage.workspace import Workspace, atomic_write, safe_name

AnyComparison = ComparisonRecord | ReaderStudyRecord
# By the name of its file, what a folder of logs/ holds.
KINDS: dict[str, type[ComparisonRecord] | type[ReaderStudyRecord]] = {
    "comparison.json": ComparisonRecord,
    "readers.json": ReaderStudyRecord,
}


def save_comparison(workspace: Workspace, record: AnyComparison) -> Path:
    """Write a record into the folder of its name; return its path. Raise DiskFull."""
    name = next(name for name, kind in KINDS.items() if isinstance(record, kind))
    path = workspace.logs_dir / safe_name(record.comparison_id) / name
    atomic_write(path, (record.model_dump_json(indent=1) + "\n").encode())
    return path


def comparison_files(workspace: Workspace) -> list[Path]:
    """Return the files of all comparisons, the latest first."""
    return sorted((path for name in KINDS for path in workspace.logs_dir.glob(f"*/{name}")), reverse=True)


def read_comparisons(workspace: Workspace) -> Iterator[tuple[Path, AnyComparison]]:
    """Yield the comparisons that this version can read, the latest first."""
    for path in comparison_files(workspace):
        record = _read(path)
        if record is not None:
            yield path, record


def find_comparison(workspace: Workspace, comparison_id: str) -> tuple[Path, AnyComparison]:
    """Return a comparison and where it lies; raise ComparisonNotFound."""
    for path in comparison_files(workspace):
        if path.parent.name == comparison_id and (record := _read(path)) is not None:
            return path, record
    raise ComparisonNotFound(comparison_id[:100])


def comparison_event(record: ComparisonRecord) -> Comparison:
    """Return the event that tells of a comparison just made."""
    same = {name: getattr(record, name) for name in Comparison.model_fields if name in ComparisonRecord.model_fields}
    return Comparison(**same)


def _read(path: Path) -> AnyComparison | None:
    try:
        record = KINDS[path.name].model_validate_json(path.read_bytes())
    except (OSError, ValidationError, ValueError):
        return None
    return None if record.is_of_later_version else record
