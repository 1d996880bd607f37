"""Going on with a study of whatever kind, from its record."""

import importlib
from collections.abc import Iterator, Mapping

from breastai.domain.config import overlay
from breastai.domain.events import Event
from breastai.domain.jobs import ResumeStudy
from breastai.domain.study import StudyKind
from breastai.storage.run_recorder import Stop
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace

# What goes on with each kind, by module: study, workspace, session_id, stop_requested -> events.
KINDS: Mapping[StudyKind, str] = {
    "crossval": "breastai.scale.cross_validation:go_on",
    "tuning": "breastai.scale.hyperparameter_search:go_on",
    "seeds": "breastai.scale.seed_study:go_on",
}


def resume_study(job: ResumeStudy, workspace: Workspace, stop_requested: Stop) -> Iterator[Event]:
    """Do what is left of a study; of a complete one its last step again. Raises StudyNotFound or StudyDamaged."""
    study = read_study(workspace, job.study_id)
    if job.cluster is not None:
        here = {"cluster": None, "processes": 1}
        elsewhere = {"system": here if job.cluster == "none" else {"cluster": job.cluster}}
        study = study.model_copy(update={"config": overlay(study.config, elsewhere)})
    module, _, name = KINDS[study.kind].partition(":")
    yield from getattr(importlib.import_module(module), name)(study, workspace, job.session_id, stop_requested)
