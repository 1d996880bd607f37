"""Cross-validation: a run for each fold, each judged once on its part, and what all of them show together."""

from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from functools import partial

from breastai.data.cases.run_folders import Folders, usable_folders, with_answers
from breastai.data.sources.layout import resolved_config
from breastai.domain.config import Config, overlay
from breastai.domain.errors import BreastAIError, StudyExists
from breastai.domain.events import CrossvalComplete, Event, Log, ProgressUpdate
from breastai.domain.jobs import Crossval
from breastai.domain.search_space import layer
from breastai.domain.stored_config import stored_config
from breastai.domain.study import CrossvalResult, Study, StudyMember
from breastai.domain.text import Text
from breastai.scale.asking_first import ask_first
from breastai.scale.ensemble import export_ensemble
from breastai.scale.fold_assignment import Folds, assign_folds, read_folds, split_of_fold, split_of_search
from breastai.scale.fold_evaluation import evaluate_fold
from breastai.scale.fold_search import keep_inner_split, search_in_fold, share_of_search
from breastai.scale.hyperparameter_search import check_space
from breastai.scale.pooled_evaluation import ensemble_rule, pool_of, pooled_result
from breastai.scale.probe_folds import fits_on_store, probe_folds
from breastai.scale.ray_cluster import rest_done
from breastai.scale.ray_connection import check_cluster
from breastai.scale.study_runner import StudyInProgress, run_member, run_study
from breastai.storage.run_recorder import Stop
from breastai.storage.studies import studies
from breastai.storage.workspace import Workspace, atomic_write


def crossval(job: Crossval, workspace: Workspace, stop_requested: Stop) -> Iterator[Event]:
    """Cross-validate a configuration. Raises InputError before the study leaves a trace on disk."""
    if job.study_id in studies(workspace):
        raise StudyExists(job.study_id)
    config = pool_config(resolved_config(job.config, workspace.root))
    folders = _checked(config, workspace)
    if not (yield from ask_first(job, config, folders, workspace, stop_requested)):
        return
    settings = config.crossval
    members = [
        StudyMember(run_id=f"{job.study_id}-r{repeat}f{fold}", repeat=repeat, fold=fold, epochs=config.training.epochs)
        for repeat in range(1, settings.repeats + 1)
        for fold in range(1, settings.folds + 1)
    ]
    study = Study(
        study_id=job.study_id,
        kind="crossval",
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        config=config.model_dump(mode="json"),
        members=members,
    )
    yield from go_on(study, workspace, job.session_id, stop_requested)


def go_on(study: Study, workspace: Workspace, session_id: str, stop_requested: Stop) -> Iterator[Event]:
    """Do what is left of a cross-validation: folds not judged yet, then what all show together."""
    config = with_answers(stored_config(study.config), workspace.root)
    folders = _checked(config, workspace)
    if config.system.cluster is not None:
        check_cluster(config.system.cluster)
    yield from run_study(study, workspace, session_id, stop_requested, partial(_work, config, folders))


def pool_config(config: Config) -> Config:
    """Return the configuration of a study's runs: one pool of images, no export of each, and nothing else changed."""
    data = config.data.model_copy(update={"pool_val": True, "split_file": None, "split_only": False})
    return config.model_copy(update={"data": data})


def config_of(study: Study, member: StudyMember, config: Config) -> Config:
    """Return the configuration of one fold's run: with its split, and a seed that differs between repeats."""
    split_file = f"logs/{study.study_id}/splits/{member.run_id}.json"
    seed = config.system.seed + (member.repeat or 1) - 1
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"split_file": split_file}),
            "training": config.training.model_copy(update={"export_onnx": False}),
            "system": config.system.model_copy(update={"seed": seed, "cluster": None, "processes": 1}),
        }
    )


def fold_events(
    progress: StudyInProgress, member: StudyMember, config: Config, folders: Folders, dealt: Folds
) -> Generator[Event, None, StudyMember]:
    """Train a fold's run to its end and judge it on its part; yield what the study tells of it, return it complete."""
    title = title_of(member, config)
    own = config_of(progress.study, member, config)
    if config.crossval.tune:
        member = yield from search_in_fold(progress, member, own, title)
        own = stored_config(overlay(own.model_dump(mode="json"), layer(member.values)))
    before = share_of_search(config)
    trained = yield from run_member(progress, member, own, title, share=lambda done: before + (1 - before) * done)
    over = yield from evaluate_fold(progress, trained, folders, dealt, title)
    yield progress.change(over)
    return over


def keep_splits(study: Study, config: Config, dealt: Folds, workspace: Workspace) -> None:
    """Write down the split of each fold, unless it is there: one that can't be is told before hours of training."""
    for member in study.members:
        split = split_of_fold(dealt, config, member.repeat or 1, member.fold or 1)
        path = workspace.resolve(config_of(study, member, config).data.split_file or "")
        if not path.is_file():
            atomic_write(path, (split.model_dump_json(indent=1) + "\n").encode())
        if config.crossval.tune:
            keep_inner_split(workspace, study.study_id, member.run_id, split_of_search(split, dealt, config))


def fold_on_node(progress: StudyInProgress, member: StudyMember) -> Generator[Event, None, StudyMember]:
    """Do the same on another machine, from what lies in the workspace."""
    config = with_answers(stored_config(progress.study.config), progress.workspace.root)
    dealt = read_folds(progress.workspace, progress.study.study_id)
    return (yield from fold_events(progress, member, config, _checked(config, progress.workspace), dealt))


def title_of(member: StudyMember, config: Config) -> Text:
    fold = {"fold": member.fold, "folds": config.crossval.folds}
    if config.crossval.repeats == 1:
        return Text("title.fold", fold)
    return Text("title.repeat", {**fold, "repeat": member.repeat, "repeats": config.crossval.repeats})


def _checked(config: Config, workspace: Workspace) -> Folders:
    """Return the folders; raise what would keep every run from beginning."""
    folders = usable_folders(config, workspace.root)
    if config.crossval.tune:
        check_space(config)
    return folders


def _work(config: Config, folders: Folders, progress: StudyInProgress) -> Generator[Event, None, Event]:
    study, workspace = progress.study, progress.workspace
    dealt = yield from assign_folds(study.study_id, config, folders, workspace)
    on_store = fits_on_store(config)
    if on_store:
        pool = yield from probe_folds(progress, config, folders, dealt)
    else:
        keep_splits(study, config, dealt, workspace)
        yield from rest_done(
            progress, config.system, lambda member: fold_events(progress, member, config, folders, dealt)
        )
        pool = pool_of(progress.study, dealt, workspace)
    yield ProgressUpdate(stage="evaluating", text=Text("progress.pooling"), progress=1.0)
    result = pooled_result(progress.study, config, dealt, workspace, pool)
    progress.check_stop()
    if config.crossval.ensemble and not on_store:
        yield ProgressUpdate(stage="exporting", text=Text("progress.ensemble"), progress=1.0)
        result = yield from _with_ensemble(result, progress.study, config, dealt, workspace)
    progress.study = progress.study.model_copy(update={"crossval": result})
    return CrossvalComplete(study_id=study.study_id, result=result)


def _with_ensemble(
    result: CrossvalResult, study: Study, config: Config, dealt: Folds, workspace: Workspace
) -> Generator[Event, None, CrossvalResult]:
    """Export the ensemble; a failure is told, and the study stays complete."""
    try:
        found = export_ensemble(study, ensemble_rule(pool_of(study, dealt, workspace), config, dealt), workspace)
    except (BreastAIError, ModuleNotFoundError) as error:
        yield Log(
            level="warning",
            code="export.ensemble_failed",
            message=f"The cross-validation is complete, but its ensemble could not be exported to ONNX: {error}",
            params={"reason": error.text if isinstance(error, BreastAIError) else str(error)},
        )
        return result
    if result.by_unit is not None:
        yield Log.of("warning", Text("log.export.by_image", {"unit": Text(f"unit.{result.by_unit.unit}")}))
    return result.model_copy(update={"export": workspace.relative(found.path), "export_difference": found.difference})
