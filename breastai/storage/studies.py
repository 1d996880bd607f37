"""Studies on disk: study.json in a folder of their own under logs/, beside those of their runs."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from breastai.domain.errors import RunLocked, StudyDamaged, StudyNotFound
from breastai.domain.study import Study
from breastai.storage.lease import Lease
from breastai.storage.private_files import read_own
from breastai.storage.workspace import Workspace, atomic_write, safe_name


def study_file(workspace: Workspace, study_id: str) -> Path:
    return workspace.logs_dir / safe_name(study_id) / "study.json"


def studies(workspace: Workspace) -> list[str]:
    """Return the studies of the workspace, oldest first."""
    return workspace.run_folders_with("study.json")


def save_study(workspace: Workspace, study: Study) -> None:
    """Write a study down; raise DiskFull."""
    atomic_write(study_file(workspace, study.study_id), (study.model_dump_json(indent=1) + "\n").encode())


def read_study(workspace: Workspace, study_id: str) -> Study:
    """Return a study as it is now; raise StudyNotFound or StudyDamaged.

    One that says it is running though no process holds it was interrupted.
    """
    if study_id not in studies(workspace):
        raise StudyNotFound(study_id[:100], studies(workspace)[-10:])
    try:
        study = Study.model_validate_json(read_own(study_file(workspace, study_id)))
    except (OSError, ValidationError, ValueError) as error:
        raise StudyDamaged(study_id, type(error).__name__) from None
    if study.state == "running" and not is_going_on(workspace, study_id):
        return study.with_end("interrupted")
    return study


def latest_study(workspace: Workspace) -> Study | None:
    """Return the study begun last that can be read."""
    for study_id in reversed(studies(workspace)):
        with contextlib.suppress(StudyNotFound, StudyDamaged):
            return read_study(workspace, study_id)
    return None


def is_going_on(workspace: Workspace, study_id: str) -> bool:
    """Return whether a process works on the study."""
    return Lease(workspace).holder(study_id) is not None


@contextlib.contextmanager
def take_whole_run(workspace: Workspace, run_id: str) -> Iterator[None]:
    """Hold a run whose files are to be deleted or replaced; raise RunLocked.

    Also while a process works on the study that the run is a member of: the study still needs the run.
    """
    study_id = study_of(workspace, run_id)
    if study_id is not None and is_going_on(workspace, study_id):
        raise RunLocked(study_id)
    with Lease(workspace).take(run_id):
        yield


def study_of(workspace: Workspace, run_id: str) -> str | None:
    """Return the study a run is a member of, by its name STUDY-MEMBER; None for a run of its own."""
    parts = run_id.split("-")
    for count in range(len(parts) - 1, 0, -1):
        name = "-".join(parts[:count])
        if study_file(workspace, name).is_file():
            return name
    return None
