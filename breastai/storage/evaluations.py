"""Evaluations on disk: one record each in the run's folder, and how often a set of images has been opened."""

import hashlib
import json
import re
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from breastai.domain.config import DataSettings
from breastai.domain.data_locations import is_remote
from breastai.domain.errors import EvaluationNotFound, WorkspaceUnusable
from breastai.domain.records import EvaluationRecord, JudgedPoint
from breastai.domain.site_records import SitesRecord
from breastai.storage.private_files import open_private, read_own
from breastai.storage.salt import project_salt, salted_hash
from breastai.storage.workspace import Workspace, atomic_write, naming_full_disk

# Stands where a run's name does: the folder of the records of other models' predictions.
PREDICTIONS = "predictions"
_NUMBERED = re.compile(r"(.+)-(\d+)\.json")
_ODD = re.compile(r"[^A-Za-z0-9._]+")


def sha256_of(text: str) -> str:
    """Return the hash by which a record in the making names a file or a patient; what is kept of it is salted."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def judged_roots(
    record: "EvaluationRecord | EvaluationHead", data: DataSettings | None, workspace: Workspace
) -> list[Path]:
    """Return where the images of an evaluation may lie, the place that was judged first; `data`: of its run.

    Of images outside the workspace a record keeps no more than the last names: they are looked for beside the run's own.
    """
    given = [place for place in (record.data, record.dataset) if place]
    own = [] if data is None else [place for place in (data.val_dir, data.train_dir, data.test_dir) if place]
    beside: list[Path] = []
    if not is_remote(record.data) and not {"..", ""} & set(record.data.split("/")):
        folders = [workspace.resolve(place) for place in own if not is_remote(place)]
        beside = [base / record.data for folder in folders for base in folder.parents[:2]]
    roots = [*map(workspace.resolve, given), *beside, *map(workspace.resolve, own)]
    return list(dict.fromkeys(roots))


def numbers_by_hash(workspace: Workspace, names: Iterable[str]) -> dict[str, int]:
    """Return the number of each name by the hashes that records of this workspace know it by: salted, or of old without.

    Without its salt a workspace's salted records can't be told whose they are.
    """
    salt = _salt_of(workspace)
    found: dict[str, int] = {}
    for number, name in enumerate(names):
        plain = sha256_of(name)
        found[plain] = number
        if salt is not None:
            found[salted_hash(salt, plain)] = number
    return found


def salt_record(record: EvaluationRecord, salt: bytes) -> EvaluationRecord:
    """Return a record whose hashes of names and patients nobody can try out without the salt; a salted one as it is.

    P00417 and its like are a few million: without a salt each is found in no time.
    """
    if record.hashes == "salted":
        return record
    salted = cache(partial(salted_hash, salt))  # repeats of a cross-validation name each image again
    cases = [
        case.model_copy(
            update={
                "name_sha256": salted(case.name_sha256),
                "patient_sha256": None if case.patient_sha256 is None else salted(case.patient_sha256),
            }
        )
        for case in record.cases
    ]
    units = [
        unit.model_copy(
            update={
                "name_sha256": salted(unit.name_sha256),
                "patient_sha256": salted(unit.patient_sha256),
                "images": {salted(name): share for name, share in unit.images.items()},
            }
        )
        for unit in record.units
    ]
    return record.model_copy(update={"hashes": "salted", "cases": cases, "units": units})


def _salt_of(workspace: Workspace) -> bytes | None:
    try:
        return project_salt(workspace)
    except (OSError, WorkspaceUnusable):
        return None


def fingerprint(hashes: Iterable[str]) -> str:
    """Return one hash for a set of content hashes, whatever their order."""
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def evaluations_dir(workspace: Workspace, run_id: str) -> Path:
    return workspace.run_dir(run_id) / "evaluations"


def save_evaluation(workspace: Workspace, record: EvaluationRecord) -> Path:
    """Write a record as evaluations/NAME-N.json, N the next number, its hashes salted; return its path. Raise DiskFull.

    Where the workspace's salt can't be used the record gets one that nobody keeps: its figures hold all the same.
    """
    record = salt_record(record, _salt_of(workspace) or secrets.token_bytes(32))
    folder = evaluations_dir(workspace, record.run_id)
    name = _ODD.sub("_", record.split or Path(record.data).name).strip("._")[:60] or "data"
    numbers = [int(found[2]) for path in folder.glob("*.json") if (found := _NUMBERED.fullmatch(path.name))]
    path = folder / f"{name}-{max(numbers, default=0) + 1}.json"
    atomic_write(path, (record.model_dump_json(indent=1) + "\n").encode())
    return path


def save_sites(workspace: Workspace, record: SitesRecord) -> Path:
    """Write the record of a judgement on several sites as sites/sites-N.json, N the next number; raise DiskFull."""
    folder = sites_dir(workspace, record.run_id)
    numbers = [int(found[2]) for path in folder.glob("*.json") if (found := _NUMBERED.fullmatch(path.name))]
    path = folder / f"sites-{max(numbers, default=0) + 1}.json"
    atomic_write(path, (record.model_dump_json(indent=1) + "\n").encode())
    return path


def latest_sites(workspace: Workspace, run_id: str) -> SitesRecord | None:
    """Return a run's latest judgement on several sites that this version can read; None without one."""
    records = (read_sites(path) for path in reversed(sites_files(workspace, run_id)))
    return next((record for record in records if record is not None), None)


def sites_dir(workspace: Workspace, run_id: str) -> Path:
    return workspace.run_dir(run_id) / "sites"


def read_evaluations(workspace: Workspace, run_id: str) -> list[tuple[Path, EvaluationRecord]]:
    """Return the records of a run, oldest first; `unread_evaluations` names those that can't be read."""
    found = ((path, _read(path)) for path in evaluation_files(workspace, run_id))
    return [(path, record) for path, record in found if record is not None]


def find_evaluation(workspace: Workspace, run_id: str, name: str) -> tuple[Path, EvaluationRecord]:
    """Return a record of a run by the name of its file without the ending; raise RunNotFound or EvaluationNotFound."""
    return _find_named(workspace, workspace.existing_model(run_id), name)


def find_predictions(workspace: Workspace, name: str) -> EvaluationRecord:
    """Return the record of another model's predictions by its name; raise EvaluationNotFound."""
    return _find_named(workspace, PREDICTIONS, name)[1]


def _find_named(workspace: Workspace, run_id: str, name: str) -> tuple[Path, EvaluationRecord]:
    for path in evaluation_files(workspace, run_id):
        if path.stem == name and (record := _read(path)) is not None:
            return path, record
    raise EvaluationNotFound(run_id, name[:100])


def sites_files(workspace: Workspace, run_id: str) -> list[Path]:
    """Return the files of a run's judgements on several sites, oldest first."""
    names = ((path, _NUMBERED.fullmatch(path.name)) for path in sites_dir(workspace, run_id).glob("*.json"))
    return [path for _, path in sorted((int(name[2]), path) for path, name in names if name is not None)]


def read_sites(path: Path) -> SitesRecord | None:
    """Return a judgement on several sites; None for one that this version can't read."""
    try:
        record = SitesRecord.model_validate_json(read_own(path))
    except (OSError, ValidationError, ValueError):
        return None
    return None if record.is_of_later_version else record


def unread_evaluations(workspace: Workspace, run_id: str) -> list[Path]:
    """Return the files among a run's evaluations that this version can't read, or must not go by."""
    unread = []
    for path in evaluation_files(workspace, run_id):
        try:
            facts = path.stat()
        except OSError:
            continue
        if not _is_readable(path, facts.st_size, facts.st_mtime_ns):
            unread.append(path)
    return unread


def evaluation_files(workspace: Workspace, run_id: str) -> list[Path]:
    """Return the files of a run's evaluations, oldest first."""
    names = ((path, _NUMBERED.fullmatch(path.name)) for path in evaluations_dir(workspace, run_id).glob("*.json"))
    return [path for _, path in sorted((int(name[2]), path) for path, name in names if name is not None)]


def _read(path: Path) -> EvaluationRecord | None:
    try:
        record = EvaluationRecord.model_validate_json(read_own(path))
    except (OSError, ValidationError, ValueError):
        return None
    return None if record.is_of_later_version else record


@lru_cache(maxsize=4096)
def _is_readable(path: Path, size: int, modified: int) -> bool:
    """Return whether it is; kept as long as the file is the same: every list of runs asks."""
    return _read(path) is not None


def count_opening(workspace: Workspace, images: str, checkpoint: str) -> int:
    """Write down that a set of images, by its fingerprint, is judged, or two models compared on it; return how often, this time too."""
    path = openings_file(workspace)
    line = {"fingerprint": images, "checkpoint": checkpoint, "time": datetime.now(UTC).isoformat(timespec="seconds")}
    with naming_full_disk(path), open_private(path, "ab") as file:
        file.write((json.dumps(line, ensure_ascii=False) + "\n").encode())
    return sum(f'"{images}"'.encode() in row for row in read_own(path).splitlines())


def openings_file(workspace: Workspace) -> Path:
    """Return where each judgement of a set of images is written down, a line each."""
    return workspace.logs_dir / "test_sets.jsonl"


def merge_openings(workspace: Workspace, restored: bytes) -> None:
    """Add to what is written down of judgements what a backup knows beyond it; raise DiskFull.

    Each line is kept as often as where it stands more often, so that no count falls below that of either.
    """
    path = openings_file(workspace)
    present = read_own(path) if path.exists() else b""
    missing = Counter(restored.splitlines()) - Counter(present.splitlines())
    lines = [*_in_order(restored, missing), *present.splitlines()]
    if missing:
        atomic_write(path, b"".join(line + b"\n" for line in lines))


def _in_order(content: bytes, wanted: Counter[bytes]) -> Iterator[bytes]:
    left = wanted.copy()
    for line in content.splitlines():
        if left[line] > 0:
            left[line] -= 1
            yield line


class _Head(EvaluationRecord):
    """A record without its thousands of cases, which are read over."""

    cases: Any = None


class EvaluationHead(NamedTuple):
    """What is needed of an evaluation before its thousands of cases are: where it lies, and on what it was made."""

    path: Path
    data: str
    dataset: str | None
    split: str | None
    checkpoint: str
    point: JudgedPoint | None


def latest_point(workspace: Workspace, run_id: str) -> EvaluationHead | None:
    """Return a run's latest evaluation that judged its operating point; None without one."""
    heads = (_head(path) for path in reversed(evaluation_files(workspace, run_id)))
    return next((head for head in heads if head is not None and head.point is not None), None)


def find_judged(workspace: Workspace, run_id: str, name: str | None) -> EvaluationHead:
    """Return the evaluation NAME of a run; without a name the latest, of those on validation images where there are any:
    whoever looks at the images of a test has begun to choose by them.

    Raises RunNotFound and EvaluationNotFound.
    """
    heads = [head for path in evaluation_files(workspace, workspace.existing_model(run_id)) if (head := _head(path))]
    if name is None:
        heads = [head for head in heads if head.split == "val"] or heads
    found = [head for head in heads if name in (None, head.path.stem)]
    if not found:
        raise EvaluationNotFound(run_id, (name or "-")[:100])
    return found[-1]


def _head(path: Path) -> EvaluationHead | None:
    try:
        facts = path.stat()
    except OSError:
        return None
    return _head_of(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=4096)
def _head_of(path: Path, size: int, modified: int) -> EvaluationHead | None:
    try:
        head = _Head.model_validate_json(read_own(path))
    except (OSError, ValidationError, ValueError):
        return None
    if head.is_of_later_version:
        return None
    return EvaluationHead(path, head.data, head.dataset, head.split, head.checkpoint, head.evidence.operating_point)
