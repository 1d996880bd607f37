"""The configuration of a run or a job: its own, or the one that what it goes on with began with."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from breastai.domain.config import Config
from breastai.domain.data_locations import is_remote
from breastai.domain.errors import BreastAIError, CheckpointNotFound
from breastai.domain.events import TrainingStarted
from breastai.domain.jobs import Job
from breastai.domain.stored_config import stored_config
from breastai.storage.checkpoints import Manifest, checkpoint_files, checkpoint_kinds, find_checkpoint, read_manifest
from breastai.storage.journal import read_events
from breastai.storage.studies import read_study
from breastai.storage.workspace import Workspace


def read_run_config(workspace: Workspace, run_id: str) -> Config:
    """Return the configuration a run began with, from its journal, or else from its checkpoints.

    Raises CheckpointNotFound when neither tells.
    """
    for event in read_events(workspace.journal_file(run_id)):
        if isinstance(event, TrainingStarted):
            return stored_config(event.config)
    kinds = [kind for kind in ("best", "last") if kind in checkpoint_kinds(workspace, run_id)]
    if not kinds:
        raise CheckpointNotFound(run_id[:200], workspace.runs()[-10:])
    return read_manifest(checkpoint_files(workspace, run_id, kinds[0])).config


def find_job_config(workspace: Workspace, job: Job) -> Config | None:
    """Return the configuration a job works by; None where it has none, or none that can be read.

    Of what can't be read the job itself says what is wrong.
    """
    config = getattr(job, "config", None)
    if isinstance(config, Config) or job.held is None:
        return config
    try:
        if job.holds == "run_id":
            return read_run_config(workspace, job.held)
        return stored_config(read_study(workspace, job.held).config)
    except BreastAIError:
        return None


def recorded_configs(workspace: Workspace, job: Job) -> Iterator[Config]:
    """Yield each configuration that a job works by and that was not given with it: of journals, studies, checkpoints.

    Such a record may have come in a backup or a copied folder. What can't be read the job itself tells of.
    """
    if not job.begins and job.held is not None:
        config = find_job_config(workspace, job)
        if config is not None:
            yield config
        if job.holds == "run_id":
            for kind in checkpoint_kinds(workspace, job.held):
                yield from _manifest_config(workspace, f"{job.held}/{kind}")
    for field in ("checkpoint", "first", "second", "run_id"):
        name = getattr(job, field, None)
        if isinstance(name, str) and not (field == "run_id" and job.holds == "run_id"):
            yield from _manifest_config(workspace, name)
    for name in getattr(job, "others", ()):
        yield from _manifest_config(workspace, name)


def configs_of(manifest: Manifest) -> Iterator[Config]:
    """Yield the configuration of a checkpoint, and one that names the root of the data set whose description it keeps."""
    config, dataset = manifest.config, manifest.split.dataset
    yield config
    if dataset is not None:
        # A name alone might be that of another data set.
        named = is_remote(dataset.root) or Path(dataset.root).expanduser().is_absolute()
        place = dataset.root if named else f"./{dataset.root}"
        yield config.model_copy(update={"data": config.data.model_copy(update={"train_dir": place})})


def _manifest_config(workspace: Workspace, name: str) -> Iterator[Config]:
    with contextlib.suppress(BreastAIError, OSError):
        yield from configs_of(read_manifest(find_checkpoint(workspace, name)))
