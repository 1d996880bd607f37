"""Answers that are lines of text and nothing else, for people: backups, interrupted runs, what a machine manages."""

from collections.abc import Callable
from typing import Any

from breastai.commands.format_text import count_text, decimals, percent, unit_lines
from breastai.commands.language import say
from breastai.domain.events import (
    BackupRestored,
    BackupsList,
    BackupVerified,
    BenchMeasured,
    DoubtsFound,
    Event,
    InterruptedRuns,
    StudyPlanned,
    UnitPrediction,
)


def lines_of(event: Event) -> list[str]:
    """Return the lines that tell of an event of LINES."""
    return LINES[type(event)](event)


def _backups(event: BackupsList) -> list[str]:
    entries = [
        say(
            "cli.backup.line",
            name=entry.name,
            created=entry.created,
            size=decimals(entry.size_mb, 1),
            kind=say(f"cli.backup.{entry.kind}"),
        )
        for entry in event.backups
    ]
    return entries or [say("cli.backup.none")]


def _verified(event: BackupVerified) -> list[str]:
    size = decimals(event.size_mb, 1)
    return [say("cli.backup.verified", name=event.name, files=event.files, size=size, created=event.created)]


def _restored(event: BackupRestored) -> list[str]:
    lines = [say("cli.backup.restored", name=event.name, count=event.count)]
    for held in event.held_back:
        if held.setting:
            kept = held.kept or say("cli.backup.held_default")
            lines.append(say("cli.backup.held", file=held.file, setting=held.setting, asked=held.asked, kept=kept))
        else:
            lines.append(say("cli.backup.no_configuration", file=held.file))
    return lines


def _interrupted(event: InterruptedRuns) -> list[str]:
    if not event.runs:
        return [say("cli.interrupted.none")]
    lines = []
    for run in event.runs:
        cause = say(f"cli.interrupted.{run.cause}")
        told = say("cli.interrupted.reason", cause=cause, reason=run.reason) if run.reason else cause
        lines.append(say("cli.interrupted.line", run=run.run_id, epoch=run.epoch, epochs=run.epochs, cause=told))
    return [*lines, say("cli.resume", command="breastai resume RUN")]


def _bench(event: BenchMeasured) -> list[str]:
    lines = [
        say(
            "cli.bench",
            architecture=event.architecture,
            size=str(event.image_size),
            batch=event.batch_size,
            dtype=event.dtype,
            threads=count_text(event.threads, "thread"),
            train=decimals(event.train_images_per_second, 1),
            evaluate=decimals(event.evaluate_images_per_second, 1),
            share=percent(event.peak_share),
            gflops=decimals(event.matrix_gflops, 0),
            wait=percent(event.loader_wait_share, 1),
            memory=decimals(event.peak_memory_gb, 1),
        )
    ]
    if event.estimated_s is not None:
        minutes = max(1, round(event.estimated_s / 60))
        epochs, images = count_text(event.epochs, "epoch"), count_text(event.training_images, "image")
        lines.append(f"  {say('cli.bench.estimate', epochs=epochs, images=images, minutes=minutes)}")
    return lines


def _plan(event: StudyPlanned) -> list[str]:
    plan = event.plan
    kind = say(f"cli.plan.{plan.assumptions.purpose}")
    lines = [say("cli.plan.head", kind=kind, patients=plan.patients, images=plan.images, positive=plan.positive_images)]
    for need in plan.needs:
        name = say(f"plan.criterion.{need.criterion}")
        lines.append(say("cli.plan.line", name=name, cases=need.cases, images=need.images, patients=need.patients))
    return [*lines, say("cli.plan.kept", name=plan.plan_id)]


def _doubts(event: DoubtsFound) -> list[str]:
    found = event.found
    head = say("cli.doubts.head", data=found.data, likely=found.likely, images=found.images, twins=found.twins)
    lines = [
        say(
            "cli.doubts.line",
            file=each.file,
            label=each.label,
            given=decimals(each.given_to_label, 2),
            suggested=each.suggested,
            other=decimals(each.given_to_suggested, 2),
        )
        + (f" {say('cli.doubts.twin', file=each.twin, label=each.twin_label)}" if each.twin else "")
        for each in found.doubts[:20]
    ]
    return [
        head,
        *lines,
        *(say("cli.note", text=note) for note in found.notes),
        say("cli.doubts.table", file=event.table),
    ]


LINES: dict[type[Event], Callable[[Any], list[str]]] = {
    BackupsList: _backups,
    BackupVerified: _verified,
    BackupRestored: _restored,
    InterruptedRuns: _interrupted,
    BenchMeasured: _bench,
    StudyPlanned: _plan,
    DoubtsFound: _doubts,
    UnitPrediction: unit_lines,
}
