"""What the steps of a study give back: an event with its workspace, and what one does with it next."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from breastai.commands.language import follow_system_language
from breastai.domain.events import (
    AuditDone,
    CrossvalComplete,
    Evaluation,
    Event,
    ExportComplete,
    ReportCreated,
    SitesEvaluated,
    StudyStopped,
    TrainingComplete,
    TrainingStopped,
    TrainingUpdate,
)
from breastai.domain.records import ClassCurves, Curve, Figure, Finding
from breastai.domain.run_history import columns
from breastai.notebook.plot import Plot, draw_plot
from breastai.notebook.shown_result import result_html, result_text

AnEvent = TypeVar("AnEvent", bound=Event)


@dataclass(frozen=True, repr=False)
class Result(Generic[AnEvent]):
    """The last event of a job. Printed, it is what the command line prints; in a notebook, tables."""

    event: AnEvent
    workspace: Path

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, fit for JSON."""
        return self.event.model_dump(mode="json")

    def __repr__(self) -> str:
        follow_system_language()
        return result_text(self.event, self.workspace)

    def _repr_html_(self) -> str:
        follow_system_language()
        return result_html(self.event, self.workspace)


@dataclass(frozen=True, repr=False)
class TrainingResult(Result[TrainingComplete | TrainingStopped]):
    """A run that came to its end, or was stopped and can be resumed."""

    run_id: str
    history: Sequence[TrainingUpdate] = field(default=())

    @property
    def is_complete(self) -> bool:
        return isinstance(self.event, TrainingComplete)

    @property
    def checkpoint(self) -> str | None:
        """The best weights; of a stopped run the last, None where there are none."""
        return self.event.checkpoint

    @property
    def metrics(self) -> dict[str, Any]:
        """The validation metrics of the best epoch; empty for a stopped run."""
        return self.event.final_metrics if isinstance(self.event, TrainingComplete) else {}

    def plot(self) -> Plot:
        """Draw the loss of training and validation over the epochs."""
        curves = columns(self.history)

        def draw(texts: Any) -> Any:
            from breastai.clinical.report.report_charts import losses

            return losses(curves, texts)

        return draw_plot(draw)


@dataclass(frozen=True, repr=False)
class EvaluationResult(Result[Evaluation]):
    """A model judged on labelled images."""

    @property
    def figures(self) -> dict[str, Figure]:
        """Every figure by name, with its 95% confidence interval and the number of cases it rests on."""
        return self.event.figures

    def to_pandas(self) -> Any:
        """Return the figures as a pandas DataFrame: value, low, high, n. Raises MissingExtra without pandas."""
        from breastai.notebook.prediction_list import import_pandas

        rows = {name: figure.model_dump(include={"value", "low", "high", "n"}) for name, figure in self.figures.items()}
        return import_pandas().DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high", "n"])

    def plot_roc(self) -> Plot:
        """Draw the ROC curve of each class against the rest, and the operating point."""

        def draw(texts: Any) -> Any:
            from breastai.clinical.report.report_charts import roc

            return roc(self._curves(), texts, self.event.operating_point)

        return draw_plot(draw)

    def plot_precision_recall(self) -> Plot:
        """Draw precision against recall for each class."""

        def draw(texts: Any) -> Any:
            from breastai.clinical.report.report_charts import precision_recall

            return precision_recall(self._curves(), texts)

        return draw_plot(draw)

    def plot_calibration(self) -> Plot:
        """Draw the share observed against the probability of the class in question; without one, accuracy by confidence."""

        def draw(texts: Any) -> Any:
            from breastai.clinical.report.report_charts import calibration, reliability

            if self.event.target is not None:
                return calibration(self.event.target, texts, self.event.operating_point)
            assert self.event.calibration is not None
            return reliability(self.event.calibration, texts)

        return draw_plot(draw)

    def _curves(self) -> dict[str, ClassCurves]:
        empty: Curve = {}
        return {
            name: ClassCurves(
                roc=self.event.roc.get(name, empty),
                precision_recall=self.event.precision_recall.get(name, empty),
                decision=empty,
            )
            for name in self.event.class_names
        }


@dataclass(frozen=True, repr=False)
class SitesResult(Result[SitesEvaluated]):
    """A model judged on several sites: each, and all together."""


@dataclass(frozen=True, repr=False)
class AuditResult(Result[AuditDone]):
    """What is wrong with the images of a folder."""

    @property
    def findings(self) -> list[Finding]:
        """The findings, the worst first."""
        return self.event.findings


@dataclass(frozen=True, repr=False)
class CrossvalRun(Result[CrossvalComplete | StudyStopped]):
    """A cross-validation that came to its end, or was stopped and can be resumed."""

    @property
    def study_id(self) -> str:
        return self.event.study_id

    @property
    def is_complete(self) -> bool:
        return isinstance(self.event, CrossvalComplete)

    @property
    def figures(self) -> dict[str, Figure]:
        """The figures of all held-out predictions; empty for one that was stopped."""
        return self.event.result.figures if isinstance(self.event, CrossvalComplete) else {}

    def plot_roc(self) -> Plot:
        """Draw the ROC curve of each class over all held-out predictions."""
        curves = self.event.result.roc if isinstance(self.event, CrossvalComplete) else {}

        def draw(texts: Any) -> Any:
            from breastai.clinical.report.report_charts import roc

            empty: Curve = {}
            found = {
                name: ClassCurves(roc=curve, precision_recall=empty, decision=empty) for name, curve in curves.items()
            }
            return roc(found, texts)

        return draw_plot(draw)


@dataclass(frozen=True, repr=False)
class ReportResult(Result[ReportCreated]):
    """A report that was written."""

    @property
    def files(self) -> list[Path]:
        """Where it lies: HTML, JSON and perhaps PDF."""
        return [self.workspace / file for file in self.event.files]


@dataclass(frozen=True, repr=False)
class ExportResult(Result[ExportComplete]):
    """A model in another format, proved to give the same answers."""

    @property
    def path(self) -> Path:
        return self.workspace / self.event.path
