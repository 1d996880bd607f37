"""A command's events as text for people: a line for each epoch, a progress bar, a table of figures at the end."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from breastai.commands.evaluation_text import evaluation_lines, plain_table
from breastai.commands.format_text import count_text, counts, decision, duration, interval, number, trade_off
from breastai.commands.listing_text import LINES, lines_of
from breastai.commands.study_text import STUDY_LINES, study_lines
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.events import (
    AuditDone,
    BackupCreated,
    CheckpointSaved,
    Comparison,
    DataLoaded,
    Error,
    Evaluation,
    Event,
    ExplanationsComplete,
    ExportComplete,
    HeatMap,
    JobStopped,
    Log,
    ModelLoaded,
    Prediction,
    PredictionsComplete,
    ProgressUpdate,
    ReportCreated,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
)

_LEVEL_STYLES = {"warning": "yellow", "error": "red", "success": "green", "debug": "dim"}
_LISTED_FILES = 10
_LISTED_OF_GROUP = 6
# What the audit's look for duplicates sees and what not; the page says the same (audit.limits).
_NOT_FOUND = (
    "Finds copies that were cropped, framed, mirrored, inverted, compressed or given another contrast. It can miss images "
    "that share less than half of what they show, copies that fill less than half the width of a screen, and images with "
    "little texture. Other views of the same breast are no duplicates: give patient ids to keep them together."
)


class Display:
    """Results go to stdout; the progress bar and warnings to stderr, so that a redirected result stays clean."""

    def __init__(self, console: Console | None = None, errors: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)
        self._errors = errors or Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[remaining]}"),
            console=self._errors,
            transient=True,
            disable=not self._errors.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID | None = None
        self._run_id: str | None = None
        self._workspace = Path.cwd()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_progress()

    def work_in(self, workspace: Path) -> None:
        """Take the workspace that the paths in events are relative to."""
        self._workspace = workspace

    def _path(self, name: str) -> str:
        """Return a path of the workspace as one can type it here."""
        path = self._workspace / name
        with contextlib.suppress(ValueError):
            return path.relative_to(Path.cwd()).as_posix()
        return path.as_posix()

    def event(self, event: Event) -> None:
        self._run_id = event.run_id or self._run_id
        show = _VIEWS.get(type(event))
        if show is not None:
            show(self, event)

    def result(self, values: dict[str, Any], text: str) -> None:
        self._line(text)

    # --- a run -----------------------------------------------------------------------------------

    def _training_started(self, event: TrainingStarted) -> None:
        first = f", from epoch {event.start_epoch}" if event.start_epoch > 1 else ""
        self._line(f"Run {event.run_id}: {event.architecture}, {count_text(event.epochs, 'epoch')}{first}")

    def _data_loaded(self, event: DataLoaded) -> None:
        self._line(f"Training images:   {counts(event.train)}")
        self._line(f"Validation images: {counts(event.val)} ({event.split})")
        if event.masks:
            self._line(f"Left out: {event.masks} mask files")
        for reason, count in event.excluded.items():
            self._line(f"Left out of training: {count} ({reason.replace('_', ' ')})")
        if event.skipped:
            self._warn(f"{event.skipped} files could not be used:")
            for item in event.skipped_files[:10]:
                self._warn(f"  {item.get('file')}: {item.get('reason')}")

    def _model_loaded(self, event: ModelLoaded) -> None:
        if not event.again:
            self._line(f"Weights: {event.weights_detail}")
        millions = f"{event.parameters / 1e6:.1f} million parameters"
        self._line(f"Computing: {event.device}, {event.dtype}, {count_text(event.threads, 'thread')}; {millions}")
        about = [] if event.expected_s is None else [f"about {duration(event.expected_s)}"]
        most = [] if event.peak_memory_gb is None else [f"at most {event.peak_memory_gb:.1f} GiB of memory"]
        if about or most:
            self._line(f"Expected: {', '.join(about + most)}")

    def _progress_update(self, event: ProgressUpdate) -> None:
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=None, remaining="")
        remaining = "" if event.eta_s is None else f"about {duration(event.eta_s)} left"
        total = None if event.progress is None else 1.0
        self._progress.update(
            self._task, description=event.message, total=total, completed=event.progress or 0, remaining=remaining
        )

    def _training_update(self, event: TrainingUpdate) -> None:
        figures = (
            f"loss {number(event.train_loss)}  val: loss {number(event.val_loss)}  "
            f"accuracy {number(event.val_accuracy)}  F1 {number(event.val_f1_weighted)}  "
            f"AUC {number(event.val_auc_roc)}"
        )
        speed = "" if event.images_per_second is None else f"  {event.images_per_second:.0f} images/s"
        best = "  best so far" if event.is_best else ""
        self._line(f"Epoch {event.epoch:>{len(str(event.epochs))}}/{event.epochs}  {figures}{speed}{best}")

    def _training_complete(self, event: TrainingComplete) -> None:
        self._end_progress()
        why = " (stopped early: no further improvement)" if event.stopped_early else ""
        self._line(
            f"\nTrained {count_text(event.epochs_run, 'epoch')} in {duration(event.duration_s)}{why}; best: epoch {event.best_epoch}"
        )
        numbers = {name: value for name, value in event.final_metrics.items() if isinstance(value, int | float | None)}
        table = plain_table("Validation, best epoch")
        table.add_column("figure")
        table.add_column("value", justify="right")
        for name, value in numbers.items():
            table.add_row(name, number(value))
        self._console.print(table)
        self._per_class(event.final_metrics.get("per_class"))
        self._trade_off(event)
        self._line(f"Checkpoint: {event.checkpoint}")
        self._line(f"Journal:    {self._path(f'logs/{self._run_id}/events.jsonl')}")
        self._notice()

    def _trade_off(self, event: TrainingComplete) -> None:
        if not event.referral:
            return
        table = plain_table("Referral to a human, on validation images")
        for name in ("error rate allowed", "referred", "wrong among the others"):
            table.add_column(name, justify="right")
        for row in trade_off(event.referral):
            table.add_row(*row)
        self._console.print(table)

    def _per_class(self, per_class: Any) -> None:
        if not isinstance(per_class, dict) or not per_class:
            return
        columns = list(next(iter(per_class.values())))
        table = plain_table("By class")
        table.add_column("class")
        for name in columns:
            table.add_column(name, justify="right")
        for class_name, figures in per_class.items():
            table.add_row(class_name, *(number(figures[name]) for name in columns))
        self._console.print(table)

    def _training_stopped(self, event: TrainingStopped) -> None:
        self._end_progress()
        if event.reason != "error":  # else the error itself follows
            self._line(event.message or "The run was stopped.")
        if event.checkpoint is not None:
            self._line(f"Go on with: breastai resume {event.checkpoint.partition('/')[0]}")

    def _audit(self, event: AuditDone) -> None:
        self._end_progress()
        self._line(f"Audit of {event.images} images: {event.groups_total} groups of identical or near-identical ones.")
        if event.run_id is None:
            self._line(_NOT_FOUND, "dim")
        for finding in event.findings:
            self._line(f"{finding.severity.upper():<8} {finding.message}", _LEVEL_STYLES.get(finding.severity, ""))
            if event.run_id is None:
                self._line(f"         {finding.why} {finding.advice}")
                for file in finding.files[:_LISTED_FILES]:
                    self._line(f"           {file}")
                if finding.count > _LISTED_FILES:
                    self._line(f"           and {finding.count - _LISTED_FILES} more")
        if event.run_id is None:
            telling = [
                group for group in event.groups if group.contradicts or group.crosses or event.question is not None
            ]
            for group in telling[:_LISTED_FILES]:
                more = len(group.files) - _LISTED_OF_GROUP
                rest = f" and {more} more" if more > 0 else ""
                self._line("Twins: " + ", ".join(group.files[:_LISTED_OF_GROUP]) + rest)

    # --- other jobs ------------------------------------------------------------------------------

    def _evaluation(self, event: Evaluation) -> None:
        self._end_progress()
        for part in evaluation_lines(event):
            self._console.print(part)
        for item in event.skipped[:10]:
            self._warn(f"Left out: {item.get('file')}: {item.get('reason')}")
        if event.record is not None:
            self._line(f"Evidence: {event.record}")
        self._notice()

    def _comparison(self, event: Comparison) -> None:
        self._end_progress()
        patients = "" if event.patients is None else f" of {count_text(event.patients, 'patient')}"
        self._line(f"{event.first} and {event.second} on {count_text(event.n, 'image')}{patients}")
        table = plain_table("Figures")
        table.add_column("figure")
        for name in ("first", "second", "difference", "95 % interval", "p"):
            table.add_column(name, justify="right")
        for name, pair in event.figures.items():
            p_value = "" if pair.p_value is None else f"{pair.p_value:.2g}"
            change = number(pair.difference.value)
            table.add_row(name, number(pair.first), number(pair.second), change, interval(pair.difference), p_value)
        self._console.print(table)
        for note in event.notes:
            self._line(f"Note: {note}")
        self._notice()

    def _prediction(self, event: Prediction) -> None:
        if self._console.is_terminal:  # else the bar and the answers go to different places
            self._end_progress()
        if event.probabilities is None:
            self._warn(f"{event.file}: {event.error}")
            return
        chances = "  ".join(f"{name} {number(value)}" for name, value in event.probabilities.items())
        for note in event.notes:
            self._warn(f"{event.file}: {note}")
        seen = "".join(f" {word}" for word in (event.laterality, event.view) if word)
        self._line(f"{event.file}:{seen} {decision(event)}  ({chances})")

    def _predictions_complete(self, event: PredictionsComplete) -> None:
        self._end_progress()
        unread = f", {event.failed} could not be read" if event.failed else ""
        self._line(f"{count_text(event.count, 'image')}{unread}")
        self._notice()

    def _heat_map(self, event: HeatMap) -> None:
        if event.path is None:
            self._warn(f"{event.file}: {event.error}")
            return
        self._line(f"{event.file}: what speaks for {event.explained_class}: {self._path(event.path)}")

    def _explanations_complete(self, event: ExplanationsComplete) -> None:
        self._end_progress()
        unread = f", {event.failed} could not be read" if event.failed else ""
        self._line(f"{event.count} images{unread}; the maps lie in {self._path(event.folder)}")
        self._line("A heat map shows where the network looked, not whether it was right.")
        self._notice()

    def _report_created(self, event: ReportCreated) -> None:
        self._end_progress()
        for file in event.files:
            self._line(f"Report: {file}")
        self._notice()

    def _export_complete(self, event: ExportComplete) -> None:
        self._end_progress()
        self._line(f"Exported {event.checkpoint} to {self._path(event.path)} ({event.size_mb:.1f} MB)")
        if event.max_difference is not None:
            on = f" on {event.compared}" if event.compared else ""
            self._line(f"Largest difference of a probability from the checkpoint's{on}: {event.max_difference:.1e}")
        for name, pair in event.figures.items():
            self._line(f"  {name}: {number(pair.first)} in float32, {number(pair.second)} here")
        self._notice()

    def _backup_created(self, event: BackupCreated) -> None:
        self._line(f"Backup: {self._path(event.path)} ({count_text(event.files, 'file')}, {event.size_mb:.1f} MB)")

    def _lines(self, event: Event) -> None:
        self._end_progress()
        for line in lines_of(event):
            self._line(line)

    def _study(self, event: Event) -> None:
        self._end_progress()
        for line in study_lines(event):
            self._line(line)

    def _job_stopped(self, event: JobStopped) -> None:
        self._end_progress()
        self._line(f"Stopped: {event.job}")

    def _log(self, event: Log) -> None:
        show = self._warn if event.level in ("warning", "error") else self._line
        show(event.message, _LEVEL_STYLES.get(event.level, ""))

    def _error(self, event: Error) -> None:
        self._end_progress()
        self._warn(f"Error: {event.message}", "red")

    # --- writing ---------------------------------------------------------------------------------

    def _end_progress(self) -> None:
        if self._task is not None:
            self._progress.stop()
            self._progress.remove_task(self._task)
            self._task = None

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(text, style=style))

    def _warn(self, text: str, style: str = "yellow") -> None:
        self._errors.print(Text(text, style=style))

    def _notice(self) -> None:
        self._line(RESEARCH_USE)


_VIEWS: dict[type[Event], Callable[[Display, Any], None]] = {
    TrainingStarted: Display._training_started,
    DataLoaded: Display._data_loaded,
    ModelLoaded: Display._model_loaded,
    ProgressUpdate: Display._progress_update,
    TrainingUpdate: Display._training_update,
    CheckpointSaved: lambda display, event: None,  # the list of files at the end says it
    TrainingComplete: Display._training_complete,
    TrainingStopped: Display._training_stopped,
    Evaluation: Display._evaluation,
    Comparison: Display._comparison,
    AuditDone: Display._audit,
    ReportCreated: Display._report_created,
    Prediction: Display._prediction,
    PredictionsComplete: Display._predictions_complete,
    HeatMap: Display._heat_map,
    ExplanationsComplete: Display._explanations_complete,
    ExportComplete: Display._export_complete,
    BackupCreated: Display._backup_created,
    JobStopped: Display._job_stopped,
    Log: Display._log,
    Error: Display._error,
    **dict.fromkeys(LINES, Display._lines),
    **dict.fromkeys(STUDY_LINES, Display._study),
}
