"""A study: runs of related configurations, such as the folds of a cross-validation, with what is known of each."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from breastai.domain.metric_catalog import rename_metrics
from breastai.domain.records import Curve, Figure, Number, UnitEvidence
from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.text import Text

StudyKind = Literal["crossval", "tuning", "seeds"]
StudyState = Literal["running", "complete", "stopped", "interrupted", "failed"]
MemberState = Literal["waiting", "running", "complete", "pruned", "stopped", "failed"]
# The figures of each epoch that a study shows of its members.
CURVES = ("epoch", "train_loss", "val_loss", "val_accuracy", "val_auc_roc")


class SettingImportance(Stored):
    """How much of the differences between trials is put down to one setting."""

    setting: str
    share: Number = Field(description="From 0 to 1; those of all settings add up to 1.")


class TuningState(Stored):
    """How far a tuning is, and what it has found. Every figure is on validation images."""

    trials: int = Field(description="Trials planned, the first with the configuration as it is.")
    done: int = Field(0, description="Trials that are over.")
    max_hours: float | None = Field(None, description="After so many hours of trials no new one begins.")
    spent_s: float = Field(0, description="Seconds the trials have taken so far.")
    default_auc: Number = Field(None, description="Validation AUC of the first trial.")
    best: str | None = Field(None, description="The run with the highest validation AUC.")
    best_auc: Number = None
    val_images: int | None = Field(None, description="Validation images all trials are judged on.")
    epochs_run: int = Field(0, description="Epochs of all trials that are over.")
    epochs_saved: int = Field(0, description="Epochs planned for trials that were ended early, and not run.")
    importance: list[SettingImportance] = Field([], description="The most important first; empty while unknown.")
    config_name: str | None = Field(None, description="The named configuration the best settings were saved as.")

    @property
    def improved(self) -> bool:
        """Whether a trial was better than the configuration as it is."""
        return self.best_auc is not None and (self.default_auc is None or self.best_auc > self.default_auc)

    @property
    def share_saved(self) -> float | None:
        """Share of the planned epochs that ending trials early has saved."""
        planned = self.epochs_run + self.epochs_saved
        return self.epochs_saved / planned if planned else None


class StudyMember(Stored):
    """One run of a study: an ordinary run with journal, checkpoints and split of its own."""

    run_id: str
    trial: int | None = Field(None, description="Of a tuning: which trial, from 0, the configuration as it is.")
    repeat: int | None = Field(None, description="Of a fold: which dealing of the cases, from 1.")
    fold: int | None = Field(None, description="Of a fold: which of its repeat, from 1.")
    state: MemberState = "waiting"
    epoch: int = Field(0, description="Epochs completed.")
    epochs: int = Field(description="Epochs planned.")
    best_epoch: int | None = None
    curves: Curve = Field({}, description="Figures of the epochs, at most 200 of them, by name; epoch among them.")
    figures: dict[str, Number] = Field({}, description="What the run is judged by, once it is: of a fold, on its part.")
    n: int | None = Field(None, description="Cases those figures rest on.")
    values: dict[str, Any] = Field({}, description="Settings in which the run differs from the study's.")
    tuning: TuningState | None = Field(
        None, description="Of a fold with a search for settings of its own: how far that is, and what it has found."
    )
    message: Text | str = ""

    @property
    def is_over(self) -> bool:
        """Whether the run need not be gone on with."""
        return self.state in ("complete", "pruned")


class Spread(Stored):
    """How far a figure spreads over runs: mean and sample standard deviation, lowest and highest."""

    mean: float
    standard_deviation: float
    low: float
    high: float
    n: int = Field(description="Runs in which the figure is defined.")
    interval_low: Number = Field(
        None, description="Of folds: 95 % interval of the mean, with the variation of training (Nadeau and Bengio)."
    )
    interval_high: Number = None


class CrossvalResult(Stored):
    """What the held-out parts of a cross-validation show, taken together."""

    class_names: list[str]
    cases: int = Field(description="Images held out once in each repeat.")
    predictions: int = Field(description="cases times repeats.")
    counts: dict[str, int] = Field(description="Images by class.")
    units: int | None = Field(None, description="Patients and groups of duplicates; null when none are known.")
    patients_known: bool = False
    grouped: bool = Field(description="Whether patients and duplicates were kept whole within a fold.")
    tuned: bool = Field(
        False,
        description="Whether each fold searched for its settings, without its held-out part: the figures judge that too.",
    )
    figures: Annotated[dict[str, Figure], BeforeValidator(rename_metrics)] = Field(
        description="Of all held-out predictions, each calibrated by its own fold."
    )
    at_thresholds: dict[str, Figure] = Field(
        {}, description="Of the target class, each prediction called by the threshold of its own fold."
    )
    by_unit: UnitEvidence | None = Field(
        None, description="The same by breast, exam or patient, each decided by the rule of its own fold."
    )
    unit_at_thresholds: dict[str, Figure] = Field({}, description="at_thresholds by that unit.")
    target_class: str | None = None
    thresholds: list[float] = Field([], description="Of the target class, chosen by each fold, in their order.")
    confusion_matrix: list[list[int]]
    roc: dict[str, Curve] = Field({}, description="By class, thinned for a chart.")
    spread: dict[str, Spread] = Field(description="Of the figures of each fold.")
    notes: list[Text | str] = Field([], description="What a reader must know to believe the figures.")
    record: str = Field(description="Where the evidence lies.")
    export: str | None = Field(None, description="The ensemble of the folds as one ONNX file.")
    export_difference: Number = Field(
        None, description="Largest difference of a probability from the mean of the folds' checkpoints."
    )


class SeedsResult(Stored):
    """How far runs that differ in their seed alone spread, each at its best epoch, on validation images."""

    seeds: list[int]
    checkpoints: list[str] = Field(description="The best weights of each, in the order of the seeds.")
    spread: dict[str, Spread] = Field(description="Of each figure that is defined in every run.")


class Study(StoredDocument):
    """A study as it is on disk and as a page shows it."""

    study_id: str
    kind: StudyKind
    state: StudyState = "running"
    created: str
    message: Text | str = Field("", description="Why it ended, when it did so before its end.")
    config: dict[str, Any] = Field(description="The configuration its runs begin from.")
    members: list[StudyMember]
    tuning: TuningState | None = Field(None, description="Of a tuning: how far it is, and what it has found.")
    crossval: CrossvalResult | None = Field(None, description="What a cross-validation showed, once it is complete.")
    seeds: SeedsResult | None = Field(None, description="Of runs by seed: how far they spread, once all are over.")

    def member(self, run_id: str) -> StudyMember:
        """Return the member with that run; raise KeyError."""
        return next(member for member in self.members if member.run_id == run_id)

    def with_member(self, changed: StudyMember) -> "Study":
        """Return the study with a member as it is now, put in its place, or at the end when it is new."""
        known = any(member.run_id == changed.run_id for member in self.members)
        members = [changed if member.run_id == changed.run_id else member for member in self.members]
        return self.model_copy(update={"members": members if known else [*members, changed]})

    def with_end(self, state: StudyState, message: Text | str = "") -> "Study":
        """Return the study as over; a member in progress stopped with it."""
        members = [
            member.model_copy(update={"state": "stopped"}) if member.state == "running" else member
            for member in self.members
        ]
        return self.model_copy(update={"state": state, "message": message, "members": members})
