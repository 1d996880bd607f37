"""Runs on disk: what each was and how it ended, read from its journal; its tags and note; and deleting it whole."""

import contextlib
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from breastai.domain.config import settings_that_differ
from breastai.domain.errors import BreastAIError, RunLocked, WorkspaceUnusable
from breastai.domain.events import ComparedRun, RunsCompared, TrainingUpdate
from breastai.domain.list_entries import RunEntry, RunOrder, RunState
from breastai.domain.run_history import columns, thin_history
from breastai.domain.stored import StoredDocument
from breastai.storage.checkpoints import checkpoint_files, checkpoint_kinds, read_manifest
from breastai.storage.evaluations import latest_point, unread_evaluations
from breastai.storage.journal import count_unread, journal_lines
from breastai.storage.lease import HOLDER, LOCK, Lease
from breastai.storage.private_files import read_own
from breastai.storage.studies import study_of, take_whole_run
from breastai.storage.workspace import Workspace, atomic_write, sync_folder

# What the summary is made of. User's words in a line stand inside JSON strings, where quotes are escaped, so these
# bytes can only be fields of the event.
_STARTED, _UPDATE, _BEST = b'"type":"training_started"', b'"type":"training_update"', b'"is_best":true'
_LOADED = b'"type":"data_loaded"'
_COMPLETE, _STOPPED = b'"type":"training_complete"', b'"type":"training_stopped"'
_PARTS = (("training", "train"), ("validation", "val"))
_FIGURES = ("accuracy", "f1_weighted", "f1_macro", "auc_roc", "loss")
# A list is asked for again and again, and most runs are over: a journal that has not changed is not read again.
_MOST_REMEMBERED = 2000


class RunNotes(StoredDocument):
    """What a user wrote about a run."""

    tags: list[str] = []
    note: str = ""


class RunSummaries:
    """The summaries of a workspace's runs, remembered as long as their journals stay as they are."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: dict[str, tuple[tuple[int, int], RunEntry]] = {}

    def list(self, search: str = "", running: str | None = None) -> list[RunEntry]:
        """Return the runs that fit `search`, newest first. `running`: the run this server works on."""
        entries = [self.entry(run_id, running) for run_id in self._workspace.runs()]
        entries.sort(key=lambda entry: (entry.started or "", entry.run_id), reverse=True)
        words = search.casefold().split()
        return [entry for entry in entries if all(word in _text_of(entry) for word in words)]

    def entry(self, run_id: str, running: str | None = None) -> RunEntry:
        """Return one run; raise RunNotFound."""
        known = self._remembered(run_id)
        notes = read_notes(self._workspace, run_id)
        state = known.state
        # A process of the command line trains runs too.
        if run_id == running or (state == "unknown" and Lease(self._workspace).holder(run_id)):
            state = "running"
        judged = latest_point(self._workspace, run_id)
        figure = None if judged is None or judged.point is None else judged.point.figures.get("sensitivity")
        changes = {
            "state": state,
            "sensitivity": None if figure is None else figure.value,
            "sensitivity_on": None
            if judged is None
            else " · ".join(filter(None, (judged.dataset or judged.data, judged.split))),
            "study": study_of(self._workspace, run_id),
            "tags": notes.tags,
            "note": notes.note,
            "size_bytes": sum(path.stat().st_size for path in _files_of(self._workspace, run_id)),
            "checkpoints": checkpoint_kinds(self._workspace, run_id),
            "unread_files": unread_files(self._workspace, run_id),
        }
        return known.model_copy(update=changes)

    def from_journals(self) -> Iterator[RunEntry]:
        """Yield what the journal of each run alone tells: how it ended, and not what lies beside it."""
        return (self._remembered(run_id) for run_id in self._workspace.runs())

    def _remembered(self, run_id: str) -> RunEntry:
        journal = self._workspace.journal_file(self._workspace.existing_run(run_id))
        found = journal.stat()
        stamp = (found.st_mtime_ns, found.st_size)
        known = self._known.get(run_id)
        if known is None or known[0] != stamp:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            known = self._known[run_id] = (stamp, _summary(run_id, journal))
        return known[1]

    def forget(self, run_id: str) -> None:
        self._known.pop(run_id, None)


def sort_runs(entries: Sequence[RunEntry], by: RunOrder, descending: bool) -> list[RunEntry]:
    """Return runs in an order; those that have nothing to be sorted by come last, whichever way."""
    keyed = [(_key(entry, by), entry) for entry in entries]
    numbers = [(key, entry) for key, entry in keyed if isinstance(key, float)]
    words = [(key, entry) for key, entry in keyed if isinstance(key, str)]
    numbers.sort(key=lambda pair: pair[0], reverse=descending)
    words.sort(key=lambda pair: pair[0], reverse=descending)
    rest = [entry for key, entry in keyed if key is None]
    return [*(entry for _, entry in numbers), *(entry for _, entry in words), *rest]


def _key(entry: RunEntry, by: RunOrder) -> str | float | None:
    if by == "duration":
        if entry.started is None or entry.ended is None:
            return None
        return (datetime.fromisoformat(entry.ended) - datetime.fromisoformat(entry.started)).total_seconds()
    if by == "size":
        return float(entry.size_bytes)
    found: str | float | None = entry.metrics[by] if by in entry.metrics else getattr(entry, by, None)
    return float(found) if isinstance(found, int | float) else found


def unread_files(workspace: Workspace, run_id: str) -> list[str]:
    """Return the records in a run's folder that this version can't read, by their names there."""
    folder = workspace.run_dir(run_id)
    unread = unread_evaluations(workspace, run_id)
    if _notes_file(workspace, run_id).is_file() and _stored_notes(workspace, run_id) is None:
        unread.append(_notes_file(workspace, run_id))
    return [path.relative_to(folder).as_posix() for path in unread]


def read_notes(workspace: Workspace, run_id: str) -> RunNotes:
    """Return a run's tags and note; empty when there are none that can be read."""
    return _stored_notes(workspace, run_id) or RunNotes()


def _stored_notes(workspace: Workspace, run_id: str) -> RunNotes | None:
    try:
        return RunNotes.model_validate_json(read_own(_notes_file(workspace, run_id)))
    except (OSError, ValidationError, ValueError):
        return None


def write_notes(workspace: Workspace, run_id: str, notes: RunNotes) -> None:
    """Keep what a user wrote about a run in its folder; raise RunNotFound or DiskFull."""
    path = _notes_file(workspace, workspace.existing_run(run_id))
    atomic_write(path, (notes.model_dump_json(indent=1) + "\n").encode())


def delete_run(workspace: Workspace, run_id: str) -> list[str]:
    """Delete a run's checkpoints and its folder, the journal last, so that a half deleted run is still listed.

    Exports and backups stay. Returns the checkpoints that went; raises RunNotFound, or RunLocked for a run that a
    process works on, or whose study one does.
    """
    workspace.existing_run(run_id)
    try:
        folder, weights = workspace.run_dir(run_id), workspace.checkpoint_dir(run_id)
    except WorkspaceUnusable:  # a link: what it leads to is not ours to delete
        raise RunLocked(run_id) from None
    gone = [f"{run_id}/{kind}" for kind in checkpoint_kinds(workspace, run_id)]
    with take_whole_run(workspace, run_id):
        if weights.is_dir():
            for manifest in weights.glob("*.json"):  # without it what is left is never listed
                manifest.unlink()
            shutil.rmtree(weights)
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name not in ("events.jsonl", LOCK, HOLDER):
                path.unlink()
        workspace.journal_file(run_id).unlink()
    shutil.rmtree(folder, ignore_errors=True)
    sync_folder(workspace.logs_dir)
    return gone


def compare_runs(workspace: Workspace, summaries: RunSummaries, run_ids: Sequence[str]) -> RunsCompared:
    """Return curves, figures and differing settings of some runs; raise RunNotFound."""
    configs: list[dict[str, Any]] = []
    compared: list[ComparedRun] = []
    for run_id in run_ids:
        entry = summaries.entry(run_id)
        config, updates = _course(workspace.journal_file(run_id))
        configs.append(config)
        kept = thin_history(updates)
        compared.append(ComparedRun(run=entry, curves=columns(kept), epochs=len(updates), config=config))
    same = _same_images([_validated_on(workspace, run_id) for run_id in run_ids], [each.run for each in compared])
    return RunsCompared(runs=compared, differences=settings_that_differ(configs), same_images=same)


def _validated_on(workspace: Workspace, run_id: str) -> frozenset[str] | None:
    """Return the content hashes of a run's validation images; None where no checkpoint tells them."""
    for kind in checkpoint_kinds(workspace, run_id):
        with contextlib.suppress(BreastAIError, OSError):
            hashes = read_manifest(checkpoint_files(workspace, run_id, kind)).split.val_sha256
            return frozenset(hashes) or None
    return None


def _same_images(images: Sequence[frozenset[str] | None], entries: Sequence[RunEntry]) -> bool | None:
    """Return whether all runs were validated on the same images; without their hashes, folder and number may differ."""
    known = {hashes for hashes in images if hashes is not None}
    if None not in images:
        return len(known) == 1
    differ = len(known) > 1 or len({(entry.data, entry.validation_images) for entry in entries}) > 1
    return False if differ else None


def _notes_file(workspace: Workspace, run_id: str) -> Path:
    return workspace.run_dir(run_id) / "notes.json"


def _files_of(workspace: Workspace, run_id: str) -> Iterable[Path]:
    for folder in (workspace.run_dir(run_id), workspace.checkpoint_dir(run_id)):
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _summary(run_id: str, journal: Path) -> RunEntry:
    """Read what a run was from its journal, of which only a few lines are understood: it may be long."""
    started = begun = update = best = ended = loaded = b""
    for line in journal_lines(journal):
        if _UPDATE in line:
            update = line
            best = line if _BEST in line else best
        elif _STARTED in line:
            started, begun, ended = line, begun or line, b""
        elif _LOADED in line:
            loaded = line
        elif _COMPLETE in line or _STOPPED in line:
            ended = line
    first, start, latest, chosen, end = (_values(line) for line in (begun, started, update, best, ended))
    images = _values(loaded)
    unread = {"unread_lines": count_unread(journal)}
    try:
        entry = _entry(run_id, first, start, latest, chosen, end)
        counts = {f"{part}_images": sum(images[name].values()) for part, name in _PARTS if name in images}
        return entry.model_copy(update=unread | counts)
    except (ValidationError, AttributeError, TypeError):  # lines of the right kinds that hold other values
        return RunEntry(run_id=run_id, state="unknown", unread_lines=unread["unread_lines"])


def _entry(
    run_id: str,
    first: dict[str, Any],
    start: dict[str, Any],
    latest: dict[str, Any],
    chosen: dict[str, Any],
    end: dict[str, Any],
) -> RunEntry:
    asked: dict[str, Any] = end.get("question") or {}
    config: dict[str, Any] = start.get("config") or asked.get("config") or {}
    return RunEntry(
        run_id=run_id,
        state=_state(end),
        started=first.get("time") or (end.get("time") if asked else None),
        ended=end.get("time"),
        architecture=start.get("architecture") or (config.get("model") or {}).get("architecture"),
        epochs=start.get("epochs") or (config.get("training") or {}).get("epochs"),
        epochs_run=latest.get("epoch"),
        best_epoch=chosen.get("epoch"),
        class_names=start.get("class_names") or [],
        data=(config.get("data") or {}).get("train_dir"),
        metrics={name: chosen.get(f"val_{name}") for name in _FIGURES if chosen},
    )


def _state(end: dict[str, Any]) -> RunState:
    if end.get("type") == "training_complete":
        return "complete"
    if end.get("question"):
        return "asked"
    if end.get("type") == "training_stopped":
        return "failed" if end.get("reason") == "error" else "stopped"
    return "unknown"


def _values(line: bytes) -> dict[str, Any]:
    try:
        values = json.loads(line) if line else {}
    except (ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}


def _course(journal: Path) -> tuple[dict[str, Any], list[TrainingUpdate]]:
    """Return the configuration a run had last, and each of its epochs once, as it was the last time."""
    config: dict[str, Any] = {}
    updates: dict[int, TrainingUpdate] = {}
    for line in journal_lines(journal):
        if _UPDATE in line:
            try:
                update = TrainingUpdate.model_validate_json(line)
            except ValidationError:
                continue
            updates[update.epoch] = update
        elif _STARTED in line:
            values = _values(line)
            config = values.get("config") or config
            start = values.get("start_epoch") or 1
            updates = {epoch: update for epoch, update in updates.items() if epoch < start}
    return config, [updates[epoch] for epoch in sorted(updates)]


def _text_of(entry: RunEntry) -> str:
    """Return what a search looks through."""
    parts = [entry.run_id, entry.state, entry.architecture, entry.data, entry.note, *entry.tags, *entry.class_names]
    return " ".join(part for part in parts if part).casefold()
