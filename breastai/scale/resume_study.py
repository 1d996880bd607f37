"""Going on with a study of whatever kind, from its record."""

from collections.abc import Iterator

from breastai.domain.config import overlay
from breastai.domain.events import Event
from breastai.domain.jobs import ResumeStudy
from breastai.scale.study_kinds import study_resumer
from breastai.storage.run_recorder import Stop
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace


def resume_study(job: ResumeStudy, workspace: Workspace, stop_requested: Stop) -> Iterator[Event]:
    """Do what is left of a study; of a complete one its last step again. Raises StudyNotFound, StudyDamaged or FormatTooNew."""
    study = read_study(workspace, job.study_id).check_format(f"{job.study_id}/study.json")
    if job.cluster is not None:
        here = {"cluster": None, "processes": 1}
        elsewhere = {"system": here if job.cluster == "none" else {"cluster": job.cluster}}
        study = study.model_copy(update={"config": overlay(study.config, elsewhere)})
    yield from study_resumer(study.kind)(study, workspace, job.session_id, stop_requested)
