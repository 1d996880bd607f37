"""The beginning of a training: what it learns from, looked through while the libraries of networks are being loaded.

`list(train(job, workspace))` is a whole run; closing the generator is the stop, and leaves the run resumable. Nothing
imported here loads torch, which takes seconds: so the first word comes soon.
"""

import json
from collections.abc import Generator, Iterator, Sequence
from threading import Thread

from breastai.clinical.audit_job import audit_event, audited_thumbnails
from breastai.clinical.leak_gate import pass_gate
from breastai.data.background import read_with_progress
from breastai.data.cases.cases import Cases, gather_cases
from breastai.data.cases.fingerprints import fingerprints_of
from breastai.data.cases.run_folders import Folders, known_folders, usable_folders, with_answers
from breastai.data.cases.run_warnings import told_before
from breastai.data.preprocessing.inventory import Inventory
from breastai.data.sources.layout import resolved_config
from breastai.domain.catalog import OWN_ARCHITECTURE, architecture_of
from breastai.domain.config import Config
from breastai.domain.errors import (
    CheckpointDamaged,
    CheckpointNotFound,
    DataChanged,
    FormatTooNew,
    RunFinished,
    SplitInvalid,
)
from breastai.domain.events import DataLoaded, Event, Log, ProgressUpdate, TrainingComplete, TrainingStarted
from breastai.domain.jobs import Resume, Train
from breastai.domain.records import AuditRecord, SplitFile, TwinGroup
from breastai.domain.stored_config import stored_config
from breastai.domain.text import Text
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.storage.atomic_checkpoint import fallback_log, load_newest_valid
from breastai.storage.checkpoints import FINGERPRINTS, Manifest, checkpoint_files
from breastai.storage.journal import latest_events, read_events
from breastai.storage.salt import project_salt
from breastai.storage.span_trace import span
from breastai.storage.split_records import save_split, saved_split
from breastai.storage.workspace import Workspace

_LISTED_SKIPPED = 50
# What the first of several processes says to the others of whether the run begins.
_BEGINS, _REFUSED = "begins", "refused"


def train(job: Train, workspace: Workspace, world: ProcessGroup = SINGLE_PROCESS) -> Iterator[Event]:
    """Train a new run. Raises InputError before the first event, or RunError later.

    Of several processes each draws its own events; those of the first one are the run's.
    """
    yield from _events(job.run_id, job.config, workspace, None, world=world, settled=job.leaks_settled)


def resume(job: Resume, workspace: Workspace, world: ProcessGroup = SINGLE_PROCESS) -> Iterator[Event]:
    """Go on with a run from its last whole checkpoint, or, interrupted before its first, from its beginning.

    Raises CheckpointNotFound for a run that never began, CheckpointDamaged when nothing whole is left of it. How many
    processes trained it before makes no difference.
    """
    files = checkpoint_files(workspace, job.run_id, "last")
    try:
        with world.main_process_first():
            found = load_newest_valid(files)
    except CheckpointNotFound:
        started = _began(workspace, job.run_id)
        if started is None:
            raise
        config = with_answers(_lasting(stored_config(started.config), job.epochs), workspace.root)
        yield from _events(job.run_id, config, workspace, None, world=world)
        return
    manifest = found.manifest
    if manifest.state is None:
        raise CheckpointDamaged(files.name, Text("reason.holds_no_state_resume"))
    config, state = _lasting(manifest.config, job.epochs), manifest.state
    if job.epochs is not None:
        state = {**state, "stopping": {**state["stopping"], "waited": 0}}  # whoever asks for more gets more
    # One that was stopped after its last epoch, and before the word that it is complete, has still to say it.
    if state["position"]["epoch"] > config.training.epochs and _is_complete(workspace, job.run_id):
        raise RunFinished(job.run_id, config.training.epochs)
    manifest = manifest.model_copy(update={"state": state})
    yield from _events(job.run_id, config, workspace, manifest, fallback_log(found, files), world)


def _lasting(config: Config, epochs: int | None) -> Config:
    """Return the configuration with another number of epochs, when one is asked for."""
    if epochs is None:
        return config
    return config.model_copy(update={"training": config.training.model_copy(update={"epochs": epochs})})


def _began(workspace: Workspace, run_id: str) -> TrainingStarted | None:
    """Return how a run began, from its journal; None when it never did. Raise FormatTooNew of a later journal."""
    starts = [event for event in read_events(workspace.journal_file(run_id)) if isinstance(event, TrainingStarted)]
    for event in starts:
        if event.format > TrainingStarted.FORMAT:
            raise FormatTooNew(f"{run_id}/events.jsonl", event.format, TrainingStarted.FORMAT)
    return starts[0] if starts else None


def _is_complete(workspace: Workspace, run_id: str) -> bool:
    """Return whether the latest part of a run told of its end."""
    _, told = latest_events(workspace.journal_file(run_id), ("training_started", "training_complete"))
    return bool(told) and isinstance(told[-1], TrainingComplete)


def _events(
    run_id: str,
    config: Config,
    workspace: Workspace,
    resumed: Manifest | None,
    note: Log | None = None,
    world: ProcessGroup = SINGLE_PROCESS,
    settled: bool = True,
) -> Iterator[Event]:
    """Yield the events of a run. `settled`: what to do about leaks is no question any more, as when it goes on."""
    config = resolved_config(config, workspace.root)
    if config.model.architecture.startswith(OWN_ARCHITECTURE):
        _check_name(config)
    if resumed is None:
        folders = usable_folders(config, workspace.root)
    else:
        saved = saved_split(config, workspace, run_id)
        folders = known_folders(config, workspace.root, resumed.split, saved)
    Thread(target=_load_libraries, name="loading", daemon=True).start()
    record: AuditRecord | None = None
    inventory = Inventory(config)
    if world.is_main:
        try:
            with span("audit"):
                record = yield from pass_gate(
                    config, folders, workspace, asker=None if settled else ("train", config), inventory=inventory
                )
        except Exception:
            world.broadcast(lambda: _REFUSED)  # the others would wait for ever
            raise
    if world.size > 1 and world.broadcast(lambda: _BEGINS) == _REFUSED:
        return
    if record is not None and resumed is None:
        config = _with_bit_depth(config, record)
    yield TrainingStarted(
        architecture=config.model.architecture,
        epochs=config.training.epochs,
        start_epoch=resumed.state["position"]["epoch"] if resumed and resumed.state else 1,
        class_names=list(folders.class_names),
        config=config.model_dump(mode="json"),
    )
    if note is not None:
        yield note
    if record is not None:
        yield from told_before(config, folders, workspace.root)
        yield audit_event(record, config.data.train_dir, folders.by_split(), workspace, bounded=True)
        cases = yield from _cases(run_id, config, folders, workspace, resumed, record, inventory)
    else:  # when the first has split them, and perhaps cached them
        saved = SplitFile.model_validate_json(world.broadcast(str))
        config = stored_config(json.loads(world.broadcast(str)))
        cases = yield from _preparing(config, folders, workspace, (), saved)
    if world.is_main and world.size > 1:
        world.broadcast(cases.split_file.model_dump_json)
        world.broadcast(config.model_dump_json)
    yield _data_loaded(cases)
    if cases.units is not None and cases.units.reason is not None:
        reason = cases.units.reason
        yield Log(level="info", code=reason.code.removeprefix("log."), message=str(reason), params=reason.params)
    yield from _shared(cases)
    with span("wait for the import"):
        from breastai.engine.training.loop import training_loop

    yield from training_loop(run_id, config, workspace, cases, resumed, world)


def _check_name(config: Config) -> None:
    """Raise ArchitectureUnknown before an image is read: which networks timm has, timm must be loaded to know."""
    from breastai.engine.network.feature_map import check_name

    check_name(architecture_of(config.model.architecture))


def _with_bit_depth(config: Config, record: AuditRecord) -> Config:
    """Return the configuration with the bit depth that the audit found, where it states none."""
    if config.preprocessing.bit_depth is not None:
        return config
    preprocessing = config.preprocessing.model_copy(update={"bit_depth": record.bit_depth})
    return config.model_copy(update={"preprocessing": preprocessing})


def _cases(
    run_id: str,
    config: Config,
    folders: Folders,
    workspace: Workspace,
    resumed: Manifest | None,
    record: AuditRecord,
    inventory: Inventory,
) -> Generator[Event, None, Cases]:
    """Read every image, split them and keep the split."""
    yield ProgressUpdate(stage="preparing", text=Text("progress.reading"))
    # A resumed run keeps its split, whatever an audit would say today.
    saved = saved_split(config, workspace, run_id if resumed else None)
    try:
        cases = yield from _preparing(config, folders, workspace, record.groups, saved, inventory)
    except SplitInvalid as error:
        if resumed is None:
            raise
        raise DataChanged(run_id, error.reason) from None
    save_split(workspace, run_id, cases.split_file)
    seen = fingerprints_of(cases, project_salt(workspace), audited_thumbnails(record, workspace))
    seen.save(workspace.checkpoint_dir(run_id) / FINGERPRINTS)
    return cases


def _preparing(
    config: Config,
    folders: Folders,
    workspace: Workspace,
    twins: Sequence[TwinGroup],
    saved: SplitFile | None,
    inventory: Inventory | None = None,
) -> Generator[Event, None, Cases]:
    with span("split and cache"):
        return (
            yield from read_with_progress(
                lambda report: gather_cases(config, folders, workspace.root, report, twins, saved, inventory)
            )
        )


def _data_loaded(cases: Cases) -> DataLoaded:
    return DataLoaded(
        train=cases.train.counts(),
        val=cases.val.counts(),
        calibration=cases.calibration.counts() if cases.calibration else {},
        split=cases.split_description,
        patients=cases.patients,
        patients_by_part=cases.patients_by_part,
        skipped=len(cases.skipped),
        skipped_files=[{"file": item.file, "reason": item.reason} for item in cases.skipped[:_LISTED_SKIPPED]],
        masks=cases.masks,
        on_leak=cases.split_file.on_leak,
        groups=cases.split_file.groups,
        excluded=cases.left_out,
        shared_patients=None if cases.patients is None else dict(cases.shared_patients),
        shared_groups=dict(cases.shared_groups),
        cache=cases.cache_note,
    )


def _shared(cases: Cases) -> Iterator[Log]:
    """Yield a warning for what trains the model and judges it all the same."""
    for name in ("val", "test"):
        patients, groups = cases.shared_patients.get(name, 0), cases.shared_groups.get(name, 0)
        if patients or groups:
            yield Log(
                level="warning",
                code="data.shared",
                message=f"{patients} patients and {groups} groups of near-duplicates have images in training and in "
                f"{name}: results on {name} look better than they are.",
                params={"patients": patients, "groups": groups, "split": name},
            )


def _load_libraries() -> None:
    """Import what trains, torch with it, while the images are looked at."""
    with span("import"):
        from breastai.engine.training import loop  # noqa: F401
