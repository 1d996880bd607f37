"""The search for settings inside one fold, by trials that know only the images the fold learns from."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from breastai.domain.config import Config
from breastai.domain.errors import StudyDamaged
from breastai.domain.events import Event, Log, ProgressUpdate, TuningUpdate
from breastai.domain.records import SplitFile
from breastai.domain.stored_config import stored_config
from breastai.domain.study import Study, StudyMember
from breastai.domain.text import Text
from breastai.scale.hyperparameter_search import new_search, opened_trials
from breastai.scale.search_state import Search, run_search
from breastai.scale.study_runner import StudyInProgress
from breastai.storage.studies import study_file
from breastai.storage.workspace import Workspace, atomic_write


@dataclass
class _Inner(StudyInProgress):
    """A fold's search. Its record lies in `folder`, where no list of studies finds it."""

    folder: Path

    def keep(self, study: Study) -> None:
        self.study = study
        atomic_write(_record(self.folder), (study.model_dump_json(indent=1) + "\n").encode())


def search_folder(workspace: Workspace, study_id: str, run_id: str) -> Path:
    """Return where all of a fold's search lies: split.json, search.json and trials.db."""
    return study_file(workspace, study_id).parent / "searches" / run_id


def keep_inner_split(workspace: Workspace, study_id: str, run_id: str, split: SplitFile) -> None:
    """Write down which images a fold's trials may open: those of its split, and no other."""
    path = search_folder(workspace, study_id, run_id) / "split.json"
    if not path.is_file():
        atomic_write(path, (split.model_dump_json(indent=1) + "\n").encode())


def search_in_fold(
    progress: StudyInProgress, member: StudyMember, config: Config, title: Text
) -> Generator[Event, None, StudyMember]:
    """Search for a fold's settings, or go on with it; yield what the study tells of it, return the fold with what was found.

    `config`: what the fold would train with. When the search is done already, nothing is yielded.
    """
    folder = search_folder(progress.workspace, progress.study.study_id, member.run_id)
    study = _kept(folder, progress.study.study_id) or new_search(member.run_id, _inner_config(config, folder, progress))
    inner = _Inner(study, progress.workspace, progress.session_id, progress.stop_requested, folder)
    inner_config = stored_config(study.config)
    with opened_trials(folder / "trials.db", inner_config) as trials:
        search = Search(inner_config, trials, inner)
        member = member.model_copy(update={"tuning": search.state})
        for event in run_search(search):
            if member.state != "running" or isinstance(event, TuningUpdate):
                member = member.model_copy(update={"state": "running", "tuning": search.state})
                yield progress.change(member)
            if isinstance(event, ProgressUpdate):
                share = progress.share_done(share_of_search(config) * (event.progress or 0.0))
                yield event.with_title(title, share)
            elif isinstance(event, Log):
                yield event
        search.drop_weights(keep=None)
        return member.model_copy(update={"tuning": search.state, "values": search.best.values})


def share_of_search(config: Config) -> float:
    """Return how much of a fold's work its search is, each trial taken for as long as the fold's own run."""
    return config.tuning.trials / (config.tuning.trials + 1) if config.crossval.tune else 0.0


def _inner_config(config: Config, folder: Path, progress: StudyInProgress) -> Config:
    """Return what trials begin from: as the fold, but with the images of the inner split alone."""
    split = progress.workspace.relative(folder / "split.json")
    return config.model_copy(update={"data": config.data.model_copy(update={"split_file": split, "split_only": True})})


def _record(folder: Path) -> Path:
    return folder / "search.json"


def _kept(folder: Path, study_id: str) -> Study | None:
    if not _record(folder).is_file():
        return None
    try:
        return Study.model_validate_json(_record(folder).read_bytes())
    except (OSError, ValidationError, ValueError) as error:
        place = f"searches/{folder.name}/{_record(folder).name}"
        raise StudyDamaged(study_id, f"{place}: {type(error).__name__}") from None
