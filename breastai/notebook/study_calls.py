"""The steps of a study as functions: audit, train, evaluate, cross-validate, report, export; each in a worker process."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from breastai.commands.checkpoint_name import checkpoint_name
from breastai.commands.effective_config import image_place, require_images, workspace_config
from breastai.commands.language import current_language, follow_system_language
from breastai.commands.preset_choice import chosen_config
from breastai.domain.config import Config
from breastai.domain.events import (
    AuditDone,
    CrossvalComplete,
    Evaluation,
    Event,
    ExportComplete,
    JobStopped,
    ReportCreated,
    SitesEvaluated,
    StudyStopped,
    TrainingComplete,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.jobs import AnyJob, Audit, Crossval, Evaluate, EvaluateSites, Export, Report, Resume, Train
from breastai.notebook.loaded_model import ModelName, name_of, workspace_of
from breastai.notebook.progress_lines import run_shown
from breastai.notebook.study_results import (
    AuditResult,
    CrossvalRun,
    EvaluationResult,
    ExportResult,
    ReportResult,
    SitesResult,
    TrainingResult,
)
from breastai.storage.workspace import Workspace, removing_unused_folders

Place = str | Path
Split = Literal["train", "val", "test"]


@removing_unused_folders()
def train(
    data: Place | None = None,
    preset: str | None = None,
    *,
    workspace: Place = ".",
    config: Place | None = None,
    epochs: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> TrainingResult:
    """Train a run as `breastai train` does, and return how it ended.

    `data`: a folder, a labels table or a data set of the workspace. `settings`: sections (`training={"epochs": 3}`), or
    single settings with two underscores for the dot (`training__learning_rate=0.001`), laid over preset and config.json.
    Raises what is wrong with the settings or the images, and what the run fails by.
    """
    place = Workspace.open(workspace)
    wanted, first = _configuration(place, data, preset, config, epochs, settings)
    job = Train(workspace=str(place.root), run_id=place.new_run_id(), config=wanted)
    return _run(job, place, progress, first)


@removing_unused_folders()
def resume(run: str, *, workspace: Place = ".", epochs: int | None = None, progress: bool = True) -> TrainingResult:
    """Go on with a run from where it stopped, to the same result as without the interruption."""
    place = Workspace.open(workspace)
    run_id = run if run in place.runs() else checkpoint_name(place, run).partition("/")[0]
    return _run(Resume(workspace=str(place.root), run_id=run_id, epochs=epochs), place, progress)


@removing_unused_folders()
def crossval(
    data: Place | None = None,
    preset: str | None = None,
    *,
    workspace: Place = ".",
    config: Place | None = None,
    folds: int | None = None,
    repeats: int | None = None,
    epochs: int | None = None,
    progress: bool = True,
    **settings: Any,
) -> CrossvalRun:
    """Cross-validate as `breastai crossval` does: every training and validation image is judged once."""
    place = Workspace.open(workspace)
    own = {f"crossval.{name}": each for name, each in (("folds", folds), ("repeats", repeats)) if each is not None}
    wanted, first = _configuration(place, data, preset, config, epochs, {**settings, **own})
    job = Crossval(workspace=str(place.root), study_id=place.new_run_id(), config=wanted)
    return CrossvalRun(_ended(run_shown(job, progress, first=first), CrossvalComplete, StudyStopped), place.root)


@removing_unused_folders()
def evaluate(
    model: ModelName,
    data: Place | Sequence[Place],
    *,
    split: Split | None = None,
    subgroups: Place | None = None,
    class_map: Mapping[str, Sequence[str]] | None = None,
    workspace: Place | None = None,
    progress: bool = True,
) -> EvaluationResult | SitesResult:
    """Judge a checkpoint on labelled images, as `breastai evaluate` does; on several places as external validation.

    `class_map`: for a class of the images, the classes of the model it stands for; none leaves it out.
    """
    place = workspace_of(model, workspace)
    root, name = str(place.root), checkpoint_name(place, name_of(model))
    matched = {of: list(stands_for) for of, stands_for in (class_map or {}).items()}
    if not isinstance(data, str | Path):
        where = [image_place(str(each), place) for each in data]
        sites = EvaluateSites(workspace=root, checkpoint=name, data=where, split=split, class_map=matched)
        return SitesResult(_ended(run_shown(sites, progress), SitesEvaluated), place.root)
    job = Evaluate(
        workspace=root,
        checkpoint=name,
        data=image_place(str(data), place),
        split=split,
        subgroups=None if subgroups is None else str(Path(subgroups).expanduser().resolve()),
        class_map=matched,
    )
    return EvaluationResult(_ended(run_shown(job, progress), Evaluation), place.root)


@removing_unused_folders()
def audit(data: Place, *, workspace: Place = ".", progress: bool = True) -> AuditResult:
    """Look for duplicates, contradicting labels, leaks, shortcuts and broken images, as `breastai audit` does."""
    place = Workspace.open(workspace)
    own = workspace_config(place)
    job = Audit(
        workspace=str(place.root),
        data=image_place(str(data), place),
        patient_id=own.evaluation.patient_id,
        frames=own.preprocessing.frames,
    )
    return AuditResult(_ended(run_shown(job, progress), AuditDone), place.root)


@removing_unused_folders()
def report(
    run: ModelName = "latest",
    *,
    pdf: bool = False,
    docx: bool = False,
    pictures: bool = True,
    language: str | None = None,
    workspace: Place | None = None,
    progress: bool = True,
) -> ReportResult:
    """Write the report of a run, as `breastai report` does; by default in the language of the texts."""
    follow_system_language()
    place = workspace_of(run, workspace)
    run_id = place.existing_model(checkpoint_name(place, name_of(run)).partition("/")[0])
    spoken = current_language() if language is None else language
    job = Report(workspace=str(place.root), run_id=run_id, language=spoken, pdf=pdf, docx=docx, pictures=pictures)
    return ReportResult(_ended(run_shown(job, progress), ReportCreated), place.root)


@removing_unused_folders()
def export(
    model: ModelName = "latest", format: str = "onnx", *, workspace: Place | None = None, progress: bool = True
) -> ExportResult:
    """Export a checkpoint, proved to give the same answers, as `breastai export` does."""
    place = workspace_of(model, workspace)
    job = Export(workspace=str(place.root), checkpoint=checkpoint_name(place, name_of(model)), format=format)
    return ExportResult(_ended(run_shown(job, progress), ExportComplete), place.root)


def _configuration(
    workspace: Workspace,
    data: Place | None,
    preset: str | None,
    config: Place | None,
    epochs: int | None,
    settings: Mapping[str, Any],
) -> tuple[Config, list[Event]]:
    """Return the configuration, as the command line would put it together, and what to tell of it first.

    Raises what is wrong with it or the images.
    """
    follow_system_language()
    place = None if data is None else str(data)
    wishes = {name.replace("__", "."): value for name, value in settings.items()}
    file = None if config is None else Path(config)
    found, told = chosen_config(workspace, file=file, data=place, preset=preset, settings=wishes, epochs=epochs)
    require_images(workspace, found.data.train_dir)
    return found, told


def _run(job: AnyJob, workspace: Workspace, progress: bool, first: Sequence[Event] = ()) -> TrainingResult:
    history: list[TrainingUpdate] = []

    def remember(event: Event) -> None:
        if isinstance(event, TrainingUpdate):
            history.append(event)

    last = _ended(run_shown(job, progress, remember, first), TrainingComplete, TrainingStopped)
    return TrainingResult(last, workspace.root, job.held or "", history)


def _ended(last: Event, *kinds: type[Any]) -> Any:
    """Return a job's last event; raise KeyboardInterrupt for one that was stopped and leaves nothing to go on with."""
    if isinstance(last, kinds):
        return last
    if isinstance(last, JobStopped):
        raise KeyboardInterrupt
    raise TypeError(f"a job ended with {last.type}")
