"""Runs that differ in their seed alone, as one study: side by side on a cluster, and how far their figures spread."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from functools import partial

from breastai.clinical.run_spread import spread
from breastai.data.cases.run_folders import usable_folders, with_answers
from breastai.domain.config import Config, overlay
from breastai.domain.errors import StudyExists
from breastai.domain.events import DataLoaded, Event, SeedsComplete
from breastai.domain.jobs import TrainSeeds
from breastai.domain.search_space import layer
from breastai.domain.stored_config import stored_config
from breastai.domain.study import SeedsResult, Study, StudyMember
from breastai.domain.text import Text
from breastai.scale.asking_first import ask_first
from breastai.scale.ray_cluster import rest_done
from breastai.scale.ray_connection import check_cluster
from breastai.scale.study_runner import StudyInProgress, run_member, run_study
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.journal import read_events
from breastai.storage.run_recorder import Stop
from breastai.storage.studies import studies
from breastai.storage.workspace import Workspace


def train_seeds(job: TrainSeeds, workspace: Workspace, stop_requested: Stop) -> Iterator[Event]:
    """Train once for each seed. Raises InputError before the study leaves a trace on disk."""
    if job.study_id in studies(workspace):
        raise StudyExists(job.study_id)
    folders = usable_folders(job.config, workspace.root)
    if not (yield from ask_first(job, job.config, folders, workspace, stop_requested)):
        return
    study = Study(
        study_id=job.study_id,
        kind="seeds",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=job.config.model_dump(mode="json"),
        members=[
            StudyMember(
                run_id=f"{job.study_id}-s{seed}", values={"system.seed": seed}, epochs=job.config.training.epochs
            )
            for seed in job.seeds
        ],
    )
    yield from go_on(study, workspace, job.session_id, stop_requested)


def go_on(study: Study, workspace: Workspace, session_id: str, stop_requested: Stop) -> Iterator[Event]:
    """Do what is left: seeds whose run is not over yet, then how far all of them spread."""
    config = stored_config(study.config)
    if any(member.state != "waiting" for member in study.members):
        config = with_answers(config, workspace.root)
    usable_folders(config, workspace.root)
    if config.system.cluster is not None:
        check_cluster(config.system.cluster)
    yield from run_study(study, workspace, session_id, stop_requested, partial(_work, config))


def config_of(member: StudyMember, config: Config) -> Config:
    """Return the configuration of one seed's run."""
    changes = {"system": {"cluster": None, "processes": 1}}
    return stored_config(overlay(config.model_dump(mode="json"), changes, layer(member.values)))


def seed_on_node(progress: StudyInProgress, member: StudyMember) -> Generator[Event, None, StudyMember]:
    """Train one seed's run to its end; yield what the study tells of it, return it with its figures."""
    own = config_of(member, stored_config(progress.study.config))
    trained = yield from run_member(progress, member, own, Text("title.seed", {"seed": own.system.seed}))
    over = trained.model_copy(update={"state": "complete", **_judged(progress.workspace, member.run_id)})
    yield progress.change(over)
    return over


def _judged(workspace: Workspace, run_id: str) -> dict[str, object]:
    """Return the validation figures of a run's best epoch, and the number of images they rest on."""
    metrics = read_manifest(checkpoint_files(workspace, run_id, "best")).metrics.items()
    events = read_events(workspace.journal_file(run_id))
    images = [sum(event.val.values()) for event in events if isinstance(event, DataLoaded)]
    return {
        "figures": {name: value for name, value in metrics if value is None or isinstance(value, int | float)},
        "n": images[-1] if images else None,
    }


def _work(config: Config, progress: StudyInProgress) -> Generator[Event, None, Event]:
    yield from rest_done(progress, config.system, partial(seed_on_node, progress))
    members = progress.study.members
    result = SeedsResult(
        seeds=[member.values["system.seed"] for member in members],
        checkpoints=[f"{member.run_id}/best" for member in members],
        spread=spread([member.figures for member in members]),
    )
    progress.study = progress.study.model_copy(update={"seeds": result})
    return SeedsComplete(study_id=progress.study.study_id, result=result)
