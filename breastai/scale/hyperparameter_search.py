"""Tuning: settings tried by short runs, on training and validation images alone, and the best kept by name."""

import contextlib
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from breastai.data.cases.run_folders import list_folders, usable_folders, with_answers
from breastai.domain.config import Config
from breastai.domain.errors import MissingExtra, StudyExists
from breastai.domain.events import Event, TuningComplete
from breastai.domain.jobs import Tune
from breastai.domain.stored_config import stored_config
from breastai.domain.study import Study, StudyMember, TuningState
from breastai.scale.asking_first import ask_first
from breastai.scale.ray_cluster import on_cluster
from breastai.scale.ray_connection import check_cluster
from breastai.scale.remote_task import RemoteStudy
from breastai.scale.search_state import Search, run_search
from breastai.scale.study_runner import StudyInProgress, run_study
from breastai.scale.trial_run import run_trial, trial_config, tuned_values
from breastai.storage.documents import save_named_config
from breastai.storage.run_recorder import Stop
from breastai.storage.studies import studies, study_file
from breastai.storage.workspace import Workspace

if TYPE_CHECKING:
    from breastai.scale.optuna_trials import Trials

_PACKAGES = ("optuna", "sqlalchemy", "alembic")


def tune(job: Tune, workspace: Workspace, stop_requested: Stop) -> Iterator[Event]:
    """Tune a configuration. Raises InputError before the first event, and before anything is on disk."""
    if job.study_id in studies(workspace):
        raise StudyExists(job.study_id)
    study = _new(job.study_id, job.config, workspace)
    check_space(job.config)
    first = trial_config(job.config, {})
    if not (yield from ask_first(job, first, list_folders(first, workspace.root), workspace, stop_requested)):
        return
    yield from go_on(study, workspace, job.session_id, stop_requested)


def go_on(study: Study, workspace: Workspace, session_id: str, stop_requested: Stop) -> Generator[Event, None, None]:
    """Yield the events of a tuning from where it is."""
    config = with_answers(stored_config(study.config), workspace.root)
    if config.system.cluster is not None:
        check_cluster(config.system.cluster)
    with opened_trials(study_file(workspace, study.study_id).with_name("trials.db"), config) as trials:
        yield from run_study(study, workspace, session_id, stop_requested, partial(_tuned, config, trials))


def _new(study_id: str, config: Config, workspace: Workspace) -> Study:
    """Return a tuning that has not begun; raise what would keep every trial from beginning."""
    usable_folders(trial_config(config, {}), workspace.root)
    return new_search(study_id, config)


def new_search(study_id: str, config: Config) -> Study:
    """Return the record of a search for settings of which no trial has begun."""
    settings = config.tuning
    return Study(
        study_id=study_id,
        kind="tuning",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=config.model_dump(mode="json"),
        members=[],
        tuning=TuningState(trials=settings.trials, max_hours=settings.max_hours),
    )


@contextlib.contextmanager
def opened_trials(path: Path, config: Config) -> Iterator["Trials"]:
    """Yield the trials kept in the file at `path`; raise MissingExtra, ConfigInvalid, StudyDamaged or DiskFull."""
    check_space(config)
    from breastai.scale.optuna_trials import Trials

    trials = Trials(path, config)
    try:
        yield trials
    finally:
        trials.close()


def check_space(config: Config) -> None:
    """Raise MissingExtra without Optuna, ConfigInvalid when there is no search from the settings as they are."""
    try:
        from breastai.scale.optuna_trials import defaults, distributions
    except ModuleNotFoundError as error:
        if error.name in _PACKAGES:
            raise MissingExtra(error.name, "tune") from None
        raise
    distributions(config.tuning.space, defaults(config))


def trial_on_node(progress: RemoteStudy, member: StudyMember) -> Generator[Event, None, StudyMember]:
    """Do one trial on another machine, ended early when who draws the trials says so."""
    over = yield from run_trial(progress, member, stored_config(progress.study.config), progress.lags_behind)
    yield progress.change(over)
    return over


def _tuned(config: Config, trials: "Trials", progress: StudyInProgress) -> Generator[Event, None, Event]:
    """Search, and save what was found; return the event that tells of it."""
    search = Search(config, trials, progress)
    if config.system.cluster is None:
        yield from run_search(search)
    else:
        try:
            yield from on_cluster(progress, search, config.system)
        finally:
            search.take_time()
    state, best = search.state, search.best
    if state.improved:
        name = f"tuned-{progress.study.study_id}"
        save_named_config(progress.workspace, name, tuned_values(config, best.values))
        state = state.model_copy(update={"config_name": name})
        progress.study = progress.study.model_copy(update={"tuning": state})
    return TuningComplete(study_id=progress.study.study_id, tuning=state, values=best.values, reason=search.reason)
