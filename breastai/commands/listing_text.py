"""Answers that are lines of text and nothing else, for people: backups, interrupted runs, what a machine manages."""

from collections.abc import Callable
from typing import Any

from breastai.commands.format_text import count_text
from breastai.domain.events import BackupRestored, BackupsList, BackupVerified, BenchMeasured, Event, InterruptedRuns

_BACKUP_KINDS = {"project": "the project", "run": "one run"}
_CAUSES = {
    "crash": "no word of an end",
    "server_gone": "its server was stopped",
    "error": "stopped by an error",
    "stopped": "stopped by its user",
}


def lines_of(event: Event) -> list[str]:
    """Return the lines that tell of an event of LINES."""
    return LINES[type(event)](event)


def _backups(event: BackupsList) -> list[str]:
    entries = [
        f"{entry.name}  {entry.created}  {entry.size_mb:.1f} MB  {_BACKUP_KINDS[entry.kind]}" for entry in event.backups
    ]
    return entries or ["No backup yet."]


def _verified(event: BackupVerified) -> list[str]:
    return [f"{event.name} is whole: {event.files} files, {event.size_mb:.1f} MB, made {event.created}"]


def _restored(event: BackupRestored) -> list[str]:
    lines = [f"{event.name} was put back: {event.count} files. What was there before is in the newest backup."]
    for held in event.held_back:
        if held.setting:
            lines.append(
                f"Not put back: {held.file} asks for {held.setting} = {held.asked}, which reaches beyond this workspace; "
                f"yours stays ({held.kept or 'the default'}). If you trust it, set it yourself."
            )
        else:
            lines.append(f"Not put back: {held.file} is no configuration; yours stays.")
    return lines


def _interrupted(event: InterruptedRuns) -> list[str]:
    if not event.runs:
        return ["No run was interrupted or stopped."]
    lines = [
        f"{run.run_id}  {run.epoch} of {run.epochs} epochs  {_CAUSES[run.cause]}{f': {run.reason}' if run.reason else ''}"
        for run in event.runs
    ]
    return [*lines, "Go on with: breastai resume RUN"]


def _bench(event: BenchMeasured) -> list[str]:
    lines = [
        f"{event.architecture} at {event.image_size}, batch {event.batch_size}, {event.dtype}, "
        f"{count_text(event.threads, 'thread')}: learns from {event.train_images_per_second:.1f} images/s, judges "
        f"{event.evaluate_images_per_second:.1f}; {event.peak_share:.0%} of the matrix peak "
        f"({event.matrix_gflops:.0f} GFLOP/s); waits for images {event.loader_wait_share:.1%}; "
        f"{event.peak_memory_gb:.1f} GiB"
    ]
    if event.estimated_s is not None:
        minutes = max(1, round(event.estimated_s / 60))
        lines.append(
            f"  {count_text(event.epochs, 'epoch')} on {count_text(event.training_images, 'image')}: about {minutes} min"
        )
    return lines


LINES: dict[type[Event], Callable[[Any], list[str]]] = {
    BackupsList: _backups,
    BackupVerified: _verified,
    BackupRestored: _restored,
    InterruptedRuns: _interrupted,
    BenchMeasured: _bench,
}
