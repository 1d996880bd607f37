"""Keeping a run on disk: which checkpoints, room enough for them, and waiting for room when there is none."""

import shutil
import time
from collections.abc import Generator, Iterator

from breastai.domain.errors import DiskFull
from breastai.domain.events import CheckpointSaved, Event, Log, ProgressUpdate, TrainingUpdate
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.text import Text
from breastai.engine.training.run_state import NOTHING_FITTED, Fitted, Run, save
from breastai.storage.atomic_checkpoint import waiting_for_room
from breastai.storage.checkpoints import Kind, checkpoint_files, remove_checkpoint
from breastai.storage.disk_use import disk_use
from breastai.storage.runs import RunSummaries
from breastai.storage.span_trace import span

RETRY_S = 2.0
_LOOK_EVERY_S = 0.25
_MARGIN_BYTES = 500 * 10**6  # journal, logs, cache, and the rest of the machine
_NUMBERS_KEPT = {"adamw": 2, "adam": 2, "sgd": 1}  # by the optimiser, for each weight


def save_with_retry(run: Run, kind: Kind, fitted: Fitted = NOTHING_FITTED) -> Generator[Event, None, CheckpointSaved]:
    """Save; while the disk is full, wait and say so: the run goes on by itself when there is room again."""
    waited = False
    while True:
        try:
            with span("save", kind=kind):
                saved = save(run, kind, fitted)
        except DiskFull as error:
            if not waited:
                yield waiting_for_room(error.path, error.path)
            waited = True
            yield from _a_while(run, error.path)
            continue
        if waited:
            yield Log(level="info", code="disk.room_again", message="There is room on the disk again: the run goes on.")
        return saved


def save_silently(run: Run) -> Iterator[Event]:
    """Save the place before the first step; no event but when the disk is full."""
    yield from save_with_retry(run, "last")


def _a_while(run: Run, path: str) -> Iterator[Event]:
    """Let some time pass, with a word now and then so that a stop is heard."""
    until = time.monotonic() + RETRY_S
    while True:
        yield ProgressUpdate(
            stage="waiting",
            text=Text("progress.waiting_disk", {"path": str(path)}),
            epoch=min(run.position.epoch, run.config.training.epochs),
            epochs=run.config.training.epochs,
        )
        if time.monotonic() >= until:
            return
        time.sleep(_LOOK_EVERY_S)


def disk_warning(run: Run) -> Iterator[Log]:
    """Yield a warning when the disk has less room than the run's checkpoints and backup will take."""
    needed, free = bytes_needed(run), shutil.disk_usage(run.workspace.root).free
    if free < needed:
        yield Log(
            level="warning",
            code="disk.low",
            message=f"The disk has {free / 1e9:.1f} GB left; this run may write {needed / 1e9:.1f} GB. At a full disk it "
            "waits, and loses nothing.",
            params={"free_gb": round(free / 1e9, 1), "needed_gb": round(needed / 1e9, 1)},
        )


def budget_warning(run: Run) -> Iterator[Log]:
    """Yield a warning when the workspace takes more than storage.disk_budget_gb. Nothing is deleted."""
    budget_gb = run.config.storage.disk_budget_gb
    if budget_gb is not None and (use := disk_use(run.workspace, RunSummaries(run.workspace), budget_gb)).is_over:
        yield Log.of("warning", Text("log.disk.over_budget", use.in_gb))


def bytes_needed(run: Run) -> int:
    """Return how much the run may come to write, with a margin: checkpoints, one being written, and a backup."""
    storage, training = run.config.storage, run.config.training
    weights: int = sum(value.numel() * value.element_size() for value in run.learner.model.state_dict().values())
    resume_point = weights * (1 + _NUMBERS_KEPT[training.optimizer] + training.use_ema)
    points = resume_point * (storage.keep_last + 1)
    return points + weights * (storage.keep_best + 1 + storage.backup_after_run) + _MARGIN_BYTES


# --- the best epochs ---------------------------------------------------------------------------


def save_good_epochs(run: Run, update: TrainingUpdate) -> Generator[Event, None, list[CheckpointSaved]]:
    """Keep the weights of the latest epoch if it is one of the best few; delete those that no longer are.

    With storage.keep_best at 1 only `best` itself is kept, and nothing is done here.
    """
    saved: list[CheckpointSaved] = []
    if not run.world.is_main:
        return saved
    wanted = _good_epochs(run)
    if update.epoch in wanted:
        saved.append((yield from save_with_retry(run, epoch_kind(update.epoch))))
    prefix = run.files("best").weights.parent
    for path in prefix.glob("epoch-*.json") if run.config.storage.keep_best > 1 else ():
        if path.stem not in {epoch_kind(epoch) for epoch in wanted}:
            remove_checkpoint(checkpoint_files(run.workspace, run.run_id, path.stem))
    return saved


def epoch_kind(epoch: int) -> Kind:
    return f"epoch-{epoch:04d}"


def _good_epochs(run: Run) -> set[int]:
    """Return the best few epochs by the monitored figure, the later one first among equals; none when one is kept."""
    count = run.config.storage.keep_best
    if count < 2:
        return set()
    monitor = run.config.training.early_stopping.monitor
    sign = 1.0 if MONITORS[monitor] == "higher" else -1.0
    watched = [(update.epoch, update.metrics.get(monitor)) for update in run.updates]
    ranked = sorted((-sign * value, -epoch) for epoch, value in watched if value is not None)
    return {-epoch for _, epoch in ranked[:count]}
