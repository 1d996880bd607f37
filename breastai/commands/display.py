"""A command's events as text for people: a line for each epoch, a progress bar, a table of figures at the end."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from breastai.commands.adaptation_text import adaptation_lines
from breastai.commands.comparison_text import comparison_lines, reader_lines
from breastai.commands.evaluation_text import evaluation_lines, plain_table
from breastai.commands.format_text import (
    count_text,
    counts,
    decimals,
    decision,
    duration,
    large,
    number,
    trade_off,
)
from breastai.commands.language import error_text, log_text, say, translate, words
from breastai.commands.listing_text import LINES, lines_of
from breastai.commands.shown_event import shown_event
from breastai.commands.sites_text import sites_lines
from breastai.commands.study_text import STUDY_LINES, study_lines
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
    ModelAdapted,
    ModelLoaded,
    Prediction,
    PredictionsComplete,
    ProgressUpdate,
    ReadersCompared,
    ReportCreated,
    SitesEvaluated,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.text import Text as Doing
from breastai.texts.shown_name import show_text

_LEVEL_STYLES = {"warning": "yellow", "error": "red", "success": "green", "debug": "dim"}
# Columns of a table that goes to a file; a table takes no more than it needs.
_UNBOUNDED = 10_000
# Where there is no bar, what goes on for long is told so often.
_LINE_EVERY_S = 30.0
_LISTED_FILES = 10
_LISTED_OF_GROUP = 6


class Display:
    """Results go to stdout; the progress bar and warnings to stderr, so that a redirected result stays clean."""

    def __init__(self, console: Console | None = None, errors: Console | None = None) -> None:
        self._console = console or _console()
        self._errors = errors or _console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[remaining]}"),
            console=self._errors,
            transient=True,
            disable=not self._errors.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID | None = None
        # What was told last of where there is no bar: its code, and when.
        self._told = ("", 0.0)
        self._run_id: str | None = None
        self._is_probe = False
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

    def wait_for(self, text: Doing) -> None:
        """Show what takes a while before the first event comes."""
        self._show_progress(words(text), text.code)

    def event(self, event: Event) -> None:
        self._run_id = event.run_id or self._run_id
        show = _VIEWS.get(type(event))
        if show is not None:
            show(self, shown_event(event))

    def result(self, values: dict[str, Any], text: str) -> None:
        self._line(text)

    # --- a run -----------------------------------------------------------------------------------

    def _training_started(self, event: TrainingStarted) -> None:
        self._is_probe = event.config.get("training", {}).get("recipe") == "probe"  # which has no epochs to tell of
        key = "cli.run.fitting" if self._is_probe else "cli.run.resumed" if event.start_epoch > 1 else "cli.run.started"
        epochs = count_text(event.epochs, "epoch")
        self._say(key, run=event.run_id, architecture=event.architecture, epochs=epochs, first=event.start_epoch)

    def _data_loaded(self, event: DataLoaded) -> None:
        self._say("cli.run.train", counts=counts(event.train))
        self._say("cli.run.val", counts=counts(event.val), split=event.split)
        if event.masks:
            self._say("cli.run.masks", count=event.masks)
        for reason, count in event.excluded.items():
            self._say("cli.run.excluded", count=count, reason=say(f"report.reason.{reason}"))
        if event.skipped:
            self._warn(say("cli.run.skipped", count=event.skipped))
            for item in event.skipped_files[:10]:
                self._warn(f"  {words(item['file'])}: {words(item['reason'])}")

    def _model_loaded(self, event: ModelLoaded) -> None:
        if not event.again:
            self._say("cli.run.weights", weights=event.weights_detail)
        self._say(
            "cli.run.computing",
            device=event.device,
            dtype=event.dtype,
            threads=count_text(event.threads, "thread"),
            parameters=large(event.parameters),
        )
        about = [] if event.expected_s is None else [say("cli.about", duration=duration(event.expected_s))]
        most = [] if event.peak_memory_gb is None else [say("cli.run.memory", gib=decimals(event.peak_memory_gb, 1))]
        if about or most:
            self._say("cli.run.expected", what=", ".join(about + most))

    def _progress_update(self, event: ProgressUpdate) -> None:
        remaining = "" if event.eta_s is None else say("cli.left", duration=duration(event.eta_s))
        code = event.stage if event.text is None else event.text.code
        self._show_progress(words(event.text or event.message), code, event.progress, remaining)

    def _show_progress(self, doing: str, code: str, share: float | None = None, remaining: str = "") -> None:
        """Show what is being done: on a terminal in the bar, elsewhere as a line when it begins and now and then."""
        if not self._errors.is_terminal:
            now = time.monotonic()
            if code != self._told[0] or now - self._told[1] >= _LINE_EVERY_S:
                self._told = (code, now)
                self._errors.print(Text(show_text("  ".join(part for part in (doing, remaining) if part))))
            return
        if self._task is None:
            self._progress.start()
            self._task = self._progress.add_task("", total=None, remaining="")
        total = None if share is None else 1.0
        self._progress.update(self._task, description=doing, total=total, completed=share or 0, remaining=remaining)

    def _training_update(self, event: TrainingUpdate) -> None:
        parts = [
            say(
                "cli.run.fitted" if self._is_probe else "cli.run.epoch",
                epoch=f"{event.epoch:>{len(str(event.epochs))}}",
                epochs=str(event.epochs),
                train_loss=number(event.metrics.get("train_loss")),
                val_loss=number(event.metrics.get("val_loss")),
                accuracy=number(event.metrics.get("val_accuracy")),
                f1=number(event.metrics.get("val_f1_weighted")),
                auc=number(event.metrics.get("val_auc_roc")),
            )
        ]
        if event.images_per_second is not None:
            parts.append(say("cli.run.speed", speed=decimals(event.images_per_second, 0)))
        if event.is_best and not self._is_probe:
            parts.append(say("cli.run.best"))
        self._line("  ".join(parts))

    def _training_complete(self, event: TrainingComplete) -> None:
        self._end_progress()
        key = "stopped_early" if event.stopped_early else "fit_complete" if self._is_probe else "complete"
        self._line("")
        epochs = count_text(event.epochs_run, "epoch")
        self._say(f"cli.run.{key}", epochs=epochs, duration=duration(event.duration_s), best=event.best_epoch)
        numbers = {name: value for name, value in event.final_metrics.items() if isinstance(value, int | float | None)}
        table = plain_table(say("cli.run.validation_alone" if self._is_probe else "cli.run.validation"))
        table.add_column(say("cli.figure"))
        table.add_column(say("cli.value"), justify="right")
        for name, value in numbers.items():
            table.add_row(name, number(value))
        self._console.print(table)
        self._per_class(event.final_metrics.get("per_class"))
        self._trade_off(event)
        self._say("cli.run.checkpoint", name=event.checkpoint)
        self._say("cli.run.journal", file=self._path(f"logs/{self._run_id}/events.jsonl"))
        self._notice()

    def _trade_off(self, event: TrainingComplete) -> None:
        if not event.referral:
            return
        table = plain_table(say("cli.referral.title"))
        for name in ("error_rate", "referred", "wrong"):
            table.add_column(say(f"cli.referral.{name}"), justify="right")
        for row in trade_off(event.referral):
            table.add_row(*row)
        self._console.print(table)

    def _per_class(self, per_class: Any) -> None:
        if not isinstance(per_class, dict) or not per_class:
            return
        columns = list(next(iter(per_class.values())))
        table = plain_table(say("cli.run.by_class"))
        table.add_column(say("cli.class"))
        for name in columns:
            table.add_column(name, justify="right")
        for class_name, figures in per_class.items():
            table.add_row(class_name, *(number(figures[name]) for name in columns))
        self._console.print(table)

    def _training_stopped(self, event: TrainingStopped) -> None:
        self._end_progress()
        if event.reason != "error":  # else the error itself follows
            self._line(event.message or say("cli.run.stopped"))
        if event.checkpoint is not None:
            self._say("cli.resume", command=f"breastai resume {event.checkpoint.partition('/')[0]}")

    def _audit(self, event: AuditDone) -> None:
        self._end_progress()
        self._say("cli.audit.counts", images=event.images, groups=event.groups_total)
        if event.run_id is None:
            self._line(say("cli.audit.limits"), "dim")
        for finding in event.findings:
            mark = say(f"cli.severity.{finding.severity}")
            message, why, advice = (
                translate(getattr(finding, part), f"finding.{finding.code}.{part}", finding.params)
                for part in ("message", "why", "advice")
            )
            self._line(f"{mark:<8} {message}", _LEVEL_STYLES.get(finding.severity, ""))
            if event.run_id is None:
                self._line(f"         {why} {advice}")
                for file in finding.files[:_LISTED_FILES]:
                    self._line(f"           {file}")
                if finding.count > _LISTED_FILES:
                    self._line(f"           {say('cli.audit.more', count=finding.count - _LISTED_FILES)}")
        if event.run_id is None:
            telling = [
                group for group in event.groups if group.contradicts or group.crosses or event.question is not None
            ]
            for group in telling[:_LISTED_FILES]:
                more = len(group.files) - _LISTED_OF_GROUP
                rest = f" {say('cli.audit.more', count=more)}" if more > 0 else ""
                self._say("cli.audit.twins", files=", ".join(group.files[:_LISTED_OF_GROUP]) + rest)

    # --- other jobs ------------------------------------------------------------------------------

    def _evaluation(self, event: Evaluation) -> None:
        self._end_progress()
        for part in evaluation_lines(event):
            self._console.print(part)
        for item in event.skipped[:10]:
            self._warn(say("cli.left_out", file=item.get("file"), reason=item.get("reason")))
        if event.record is not None:
            self._say("cli.evidence", file=event.record)
        self._notice()

    def _sites(self, event: SitesEvaluated) -> None:
        self._end_progress()
        for part in sites_lines(event):
            self._console.print(part)
        if event.record is not None:
            self._say("cli.evidence", file=event.record)
        self._notice()

    def _adapted(self, event: ModelAdapted) -> None:
        self._end_progress()
        for part in adaptation_lines(event):
            self._console.print(part)
        for file in event.records:
            self._say("cli.evidence", file=file)
        self._notice()

    def _comparison(self, event: Comparison) -> None:
        self._print(comparison_lines(event), event.comparison_id)

    def _readers(self, event: ReadersCompared) -> None:
        self._print(reader_lines(event), event.study.comparison_id)

    def _print(self, parts: Iterable[Text | Table], kept: str | None) -> None:
        self._end_progress()
        for part in parts:
            self._console.print(part)
        if kept is not None:
            self._say("cli.comparison.kept", name=kept)
        self._notice()

    def _prediction(self, event: Prediction) -> None:
        if self._console.is_terminal:  # else the bar and the answers go to different places
            self._end_progress()
        if event.probabilities is None:
            self._warn(f"{event.file}: {words(event.error_text or event.error or '')}")
            return
        chances = "  ".join(f"{name} {number(value)}" for name, value in event.probabilities.items())
        for note in event.notes:
            self._warn(f"{event.file}: {words(note)}")
        seen = "".join(f" {word}" for word in (event.laterality, event.view) if word)
        self._line(f"{event.file}:{seen} {decision(event)}  ({chances})")

    def _predictions_complete(self, event: PredictionsComplete) -> None:
        self._end_progress()
        key = "cli.predictions.failed" if event.failed else "cli.predictions"
        self._say(key, images=count_text(event.count, "image"), failed=event.failed)
        self._notice()

    def _heat_map(self, event: HeatMap) -> None:
        if event.path is None:
            self._warn(f"{event.file}: {words(event.error or '')}")
            return
        for note in event.notes:
            self._warn(f"{event.file}: {words(note)}")
        self._say("cli.heat_map", file=event.file, name=event.explained_class, map=self._path(event.path))

    def _explanations_complete(self, event: ExplanationsComplete) -> None:
        self._end_progress()
        key = "cli.heat_maps.failed" if event.failed else "cli.heat_maps"
        self._say(key, images=event.count, failed=event.failed, folder=self._path(event.folder))
        self._say("cli.heat_maps.caution")
        self._notice()

    def _report_created(self, event: ReportCreated) -> None:
        self._end_progress()
        for file in event.files:
            self._say("cli.report", file=file)
        self._notice()

    def _export_complete(self, event: ExportComplete) -> None:
        self._end_progress()
        size = decimals(event.size_mb, 1)
        self._say("cli.export", checkpoint=event.checkpoint, file=self._path(event.path), size=size)
        if event.max_difference is not None:
            key = "cli.export.difference_on" if event.compared else "cli.export.difference"
            self._say(key, compared=event.compared or "", difference=f"{event.max_difference:.1e}")
        for name, pair in event.figures.items():
            line = say("cli.export.pair", name=name, first=number(pair.first), second=number(pair.second))
            self._line(f"  {line}")
        self._notice()

    def _backup_created(self, event: BackupCreated) -> None:
        files = count_text(event.files, "file")
        self._say("cli.backup", file=self._path(event.path), files=files, size=decimals(event.size_mb, 1))

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
        self._say("cli.job_stopped", job=event.job)

    def _log(self, event: Log) -> None:
        show = self._warn if event.level in ("warning", "error") else self._line
        show(log_text(event), _LEVEL_STYLES.get(event.level, ""))

    def _error(self, event: Error) -> None:
        self._end_progress()
        self._warn(say("cli.error", text=error_text(event)), "red")

    # --- writing ---------------------------------------------------------------------------------

    def _end_progress(self) -> None:
        if self._task is not None:
            self._progress.stop()
            self._progress.remove_task(self._task)
            self._task = None

    def _say(self, key: str, **values: Any) -> None:
        self._line(say(key, **values))

    def _line(self, text: str, style: str = "") -> None:
        self._console.print(Text(show_text(text), style=style))

    def _warn(self, text: str, style: str = "yellow") -> None:
        self._errors.print(Text(show_text(text), style=style))

    def _notice(self) -> None:
        self._say("page.research_use")


def _console(stderr: bool = False) -> Console:
    """Return a console as wide as the terminal; what is redirected has no width, and no table in it is cut."""
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _UNBOUNDED
    return Console(stderr=stderr, width=width, highlight=False, soft_wrap=True, markup=False, emoji=False)


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
    SitesEvaluated: Display._sites,
    ModelAdapted: Display._adapted,
    Comparison: Display._comparison,
    ReadersCompared: Display._readers,
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
