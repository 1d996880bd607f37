"""Every event a worker or the server may send, one frozen model each, told apart by `type`.

Figures are fractions of 1; a figure that is undefined is null, never 0. `confusion_matrix`: rows true, columns
predicted. Epochs and batches count from 1. A field `path` or `checkpoint` is relative to the workspace or a name,
with forward slashes.
"""

from functools import cache
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from breastai.domain.class_match import ClassMatch
from breastai.domain.comparison_record import ComparisonRecord, DecisionComparison, NonInferiority
from breastai.domain.dataset_description import CorrectionKind
from breastai.domain.dataset_inspection import DatasetInspection
from breastai.domain.judged_cases import JudgedFilter, JudgedImage, JudgedOrder, JudgedPictures
from breastai.domain.label_doubts_record import DoubtDecision, LabelDoubts
from breastai.domain.list_entries import (
    ComparisonEntry,
    DataQuestion,
    DatasetEntry,
    DataWarning,
    ExportEntry,
    FolderEntry,
    FolderStep,
    ImageEntry,
    LeftOut,
    PatientExample,
    QueueEntry,
    ResultEntry,
    RunEntry,
    RunOrder,
    SettingDifference,
    SkippedFile,
    StudyEntry,
    WrongCase,
)
from breastai.domain.message_union import union_of
from breastai.domain.patient_settings import DecisionUnit, PoolingRule
from breastai.domain.reader_records import ReaderStudyRecord
from breastai.domain.records import (
    ByPatient,
    CalibrationEvidence,
    Curve,
    Finding,
    ImageUse,
    JudgedPoint,
    PairedFigure,
    Referral,
    ReferralTradeOff,
    SubgroupEvidence,
    TargetEvidence,
    TwinGroup,
    UnitEvidence,
    UsedFor,
)
from breastai.domain.records import Figure as Figure
from breastai.domain.records import Number as Number
from breastai.domain.site_records import Adaptation, InternalSet, PooledFigure, SiteResult
from breastai.domain.stored import Stored
from breastai.domain.study import CrossvalResult, SeedsResult, Study, StudyKind, StudyMember, TuningState
from breastai.domain.study_plan import StudyPlan
from breastai.domain.text import Text, read_param
from breastai.domain.v3_events import collect_metrics

# Every event by its type; each class enters itself.
EVENTS: dict[str, type["Event"]] = {}
Audience = Literal["asker", "all"]


class Event(Stored):
    """What every event may carry. From training_started on, `run_id` and `seq` say where in which run it belongs."""

    # Whether a job's last event is one of these, and who hears of it: by default what a job tells goes to all clients,
    # and an answer to whoever asked.
    ends_a_job: ClassVar[bool] = False
    told_to: ClassVar[Audience | None] = None

    type: str
    session_id: str | None = Field(None, description="The session the event belongs to.")
    request_id: str | int | None = Field(None, description="The request it answers.")
    run_id: str | None = Field(None, description="The run it belongs to.")
    seq: int | None = Field(
        None, ge=1, description="Its number within the run, rising; a resumed run goes on counting."
    )
    time: str | None = Field(None, description="When it happened, ISO 8601 in UTC.")

    def __init_subclass__(cls, *, ends_job: bool = False, told_to: Audience | None = None) -> None:
        super().__init_subclass__()
        cls.ends_a_job, cls.told_to = ends_job, told_to

    @classmethod
    def __pydantic_init_subclass__(cls, **facts: Any) -> None:
        kind = cls.model_fields["type"].default
        if isinstance(kind, str):
            EVENTS[kind] = cls


ENVELOPE = tuple(name for name in Event.model_fields if name != "type")


class UnknownEvent(Event):
    """An event that this version does not know, or whose values it does not: of a later one. Its values are kept."""


# --- a run -------------------------------------------------------------------------------------


class TrainingStarted(Event):
    """A run begins, or goes on after a stop."""

    FORMAT: ClassVar[int] = 1

    type: Literal["training_started"] = "training_started"
    architecture: str
    epochs: int = Field(description="Epochs planned in all.")
    start_epoch: int = Field(1, description="The first epoch to come; more than 1 when the run is resumed.")
    class_names: list[str]
    config: dict[str, Any]
    format: int = Field(1, ge=1, description="Version of the journal that begins, or goes on, with this line.")


class DataLoaded(Event):
    """The images are read: how many of each class train and validate, and what was left out."""

    type: Literal["data_loaded"] = "data_loaded"
    train: dict[str, int] = Field(description="Training images by class.")
    val: dict[str, int] = Field(description="Validation images by class.")
    calibration: dict[str, int] = Field(
        {}, description="Images by class that the decision rule alone is fitted on; empty: validation images serve it."
    )
    split: Text | str = Field(description="How they were split.")
    patients: int | None = Field(None, description="Number of patients, when known.")
    patients_by_part: dict[str, int] | None = Field(None, description="Patients of train and of val, when known.")
    skipped: int = Field(0, description="Files that could not be read.")
    skipped_files: list[dict[str, Text | str]] = Field([], description="The first 50 of them: file and reason.")
    masks: int = Field(0, description="Mask files recognised and left out.")
    on_leak: str = Field("continue", description="What was done about twins: group, exclude or continue.")
    groups: int = Field(0, description="Groups of identical or near-identical images.")
    excluded: dict[str, int] = Field({}, description="Training images left out, by reason.")
    shared_patients: dict[str, int] | None = Field(
        None,
        description="Patients who train the model and are in val or test all the same; null: patients are unknown.",
    )
    shared_groups: dict[str, int] = Field(
        {}, description="Groups of near-duplicates with an image that trains the model and one in val or test."
    )
    cache: Text | str | None = Field(None, description="Anything the user should know of the image cache.")


class ModelLoaded(Event):
    """The network is built: which weights it starts from, and how it computes."""

    type: Literal["model_loaded"] = "model_loaded"
    architecture: str
    weights: Literal["file", "package", "hub", "none", "checkpoint"]
    weights_detail: Text | str
    parameters: int
    device: str
    dtype: str
    threads: int
    plan: str | None = Field(None, description="What was chosen for this machine, and why, in English.")
    plan_reasons: list[Text | str] = Field([], description="The same, a text each; empty in journals of before.")
    expected_s: Number = Field(None, description="About how long the epochs to come will take; null when not known.")
    peak_memory_gb: Number = Field(None, description="Memory the run will take at most, GiB; null when not known.")
    again: bool = Field(
        False,
        description="Told a second time, after an epoch over features alone: only now this machine's fastest way is measured.",
    )


class BatchProgress(Stored):
    """Where in an epoch the run is."""

    batch: int
    total_batches: int
    current_loss: Number = None
    current_accuracy: Number = None


class ProgressUpdate(Event):
    """Progress within an epoch or a stage; at most twice a second."""

    type: Literal["progress_update"] = "progress_update"
    stage: Literal[
        "copying",
        "preparing",
        "auditing",
        "tuning",
        "training",
        "validating",
        "evaluating",
        "exporting",
        "predicting",
        "reporting",
        "inspecting",
        "waiting",
    ]
    text: Text | None = Field(None, description="What is being done; null in journals of before.")
    message: str = Field("", description="The text in English.")
    epoch: int | None = None
    epochs: int | None = None
    progress: float | None = Field(None, ge=0, le=1, description="Share of the whole job that is done, when known.")
    eta_s: Number = None
    batch_progress: BatchProgress | None = None

    @model_validator(mode="after")
    def _in_english(self) -> Self:
        if self.text is not None:
            object.__setattr__(self, "message", str(self.text))
        return self

    def with_title(self, title: Text, progress: float) -> Self:
        """Return the same of a part of a study: named by its title, with the share of the whole that is done."""
        doing = Text("progress.with_title", {"title": title, "doing": self.message if self.text is None else self.text})
        return self.model_copy(update={"text": doing, "message": str(doing), "progress": progress})


class TrainingUpdate(Event):
    """The metrics of one epoch. For scripts each number of `metrics` is a field of its own too, such as val_accuracy."""

    type: Literal["training_update"] = "training_update"
    epoch: int
    epochs: int
    metrics: dict[str, Number] = Field(
        description="By the names that early stopping knows: train_loss, train_accuracy, and those of validation with "
        "val_ before the catalog's name."
    )
    val_confusion_matrix: list[list[int]]
    val_per_class: dict[str, dict[str, int | float | None]] = Field(description="By class, then by the catalog's name.")
    learning_rate: float
    images_per_second: Number = Field(
        description="Training images over seconds of training, loader included, evaluation excluded."
    )
    epoch_s: float
    eta_s: Number
    is_best: bool

    @model_validator(mode="before")
    @classmethod
    def _collect_metrics(cls, values: Any) -> Any:
        return collect_metrics(values)

    def __getattr__(self, name: str) -> Any:
        """Return a metric as scripts in Python ask for it: `update.val_accuracy`."""
        metrics = self.__dict__.get("metrics", {})
        return metrics[name] if name in metrics else super().__getattr__(name)  # type: ignore[misc]

    def number(self, name: str) -> Number:
        """Return a number of the epoch by the name of its column: a metric, learning_rate and so on."""
        found: Number = self.metrics[name] if name in self.metrics else getattr(self, name, None)
        return found


class CheckpointSaved(Event):
    """A checkpoint is on disk, verified and with its manifest."""

    type: Literal["checkpoint_saved"] = "checkpoint_saved"
    checkpoint: str = Field(description="Its name, for example RUN/best.")
    filename: str
    path: str
    epoch: int
    accuracy: Number
    size_mb: float


class TrainingComplete(Event, ends_job=True):
    """The run reached its end; the best epoch's weights are in `checkpoint`."""

    type: Literal["training_complete"] = "training_complete"
    final_metrics: dict[str, Any] = Field(description="The best epoch's validation figures, without val_.")
    history: dict[str, list[Any]] = Field(description="One list for each figure; the last 200 epochs.")
    checkpoint: str
    best_epoch: int
    epochs_run: int
    stopped_early: bool
    duration_s: float
    referral: list[ReferralTradeOff] = Field(
        [],
        description="What referral would cost at a few error rates, on validation images; empty where they are too few.",
    )


class LeakQuestion(Stored):
    """What keeps a job from beginning until data.on_leak answers: `code` and `params` are those of its error."""

    job: Literal["train", "crossval", "tune", "train_seeds"]
    config: dict[str, Any] = Field(description="What the job was to begin with; data.on_leak is to be set in it.")
    code: str
    params: dict[str, Any]
    run_id: str | None = Field(None, description="The run that asked, and did not begin.")


class TrainingStopped(Event, ends_job=True):
    """The run ended before its end; `reason` is user, server_gone or error."""

    type: Literal["training_stopped"] = "training_stopped"
    reason: Literal["user", "server_gone", "error"]
    epoch: int | None = Field(None, description="Epochs completed.")
    checkpoint: str | None = Field(None, description="What a resume goes on from.")
    message: str = ""
    text: Text | str = Field("", description="The error, as a text; empty where none ended the run.")
    dismissed: bool = Field(False, description="The user leaves the run as it is: nothing goes on with it unnamed.")
    question: LeakQuestion | None = Field(None, description="What the run asked: it did not begin.")


class JobStopped(Event, ends_job=True):
    """A job other than a training was stopped."""

    type: Literal["job_stopped"] = "job_stopped"
    job: str


# --- other jobs --------------------------------------------------------------------------------


# --- a study -----------------------------------------------------------------------------------


class StudyStarted(Event):
    """A study begins, or goes on after a stop: all that is known of it. Its runs' own events stay in their journals."""

    type: Literal["study_started"] = "study_started"
    study: Study


class StudyShown(Event):
    """A study as it is now, and the names of all there are."""

    type: Literal["study"] = "study"
    study: Study | None = Field(description="null when there is none.")
    studies: list[str] = Field(description="All studies of the workspace, the latest first, at most 100.")


class StudiesList(Event):
    """Studies of the workspace, the latest first, a page at a time."""

    type: Literal["studies_list"] = "studies_list"
    studies: list[StudyEntry]
    unreadable: list[str] = Field([], description="Those of this page whose file can't be read.")
    total: int = Field(description="How many studies there are.")
    first: int = Field(0, description="Place of the first of these among them, from 0.")


class StudyMemberChanged(Event):
    """One of a study's runs as it is now: begun, an epoch further, judged, stopped."""

    type: Literal["study_member"] = "study_member"
    study_id: str
    member: StudyMember


class StudyStopped(Event, ends_job=True):
    """A study has stopped before its end; it can be gone on with."""

    type: Literal["study_stopped"] = "study_stopped"
    study_id: str
    kind: StudyKind
    reason: Literal["user", "server_gone"]


class TuningUpdate(Event):
    """A trial of a tuning is over: what is known now."""

    type: Literal["tuning_update"] = "tuning_update"
    study_id: str
    tuning: TuningState


class TuningComplete(Event, ends_job=True):
    """A tuning has reached its end. Its best figure, the highest of many on the same images, is an optimistic one."""

    type: Literal["tuning_complete"] = "tuning_complete"
    study_id: str
    tuning: TuningState
    values: dict[str, Any] = Field(description="The settings of the best trial that were searched.")
    reason: Literal["trials", "time"] = Field(description="What was used up.")


class CrossvalComplete(Event, ends_job=True):
    """A cross-validation is complete: what the parts held out show together."""

    type: Literal["crossval_complete"] = "crossval_complete"
    study_id: str
    result: CrossvalResult


class SeedsComplete(Event, ends_job=True):
    """Runs that differ in their seed alone have all reached their end: how far they spread."""

    type: Literal["seeds_complete"] = "seeds_complete"
    study_id: str
    result: SeedsResult


# --- judging -----------------------------------------------------------------------------------


class Evaluation(Event, ends_job=True):
    """The figures of a checkpoint on labelled images, or of a file of predictions."""

    type: Literal["evaluation"] = "evaluation"
    checkpoint: str = Field(description="The checkpoint, or the name of the file of predictions.")
    data: str
    dataset: str | None = Field(None, description="The data set of the workspace that the images are of, if of any.")
    split: str | None
    n: int = Field(description="Images.")
    patients: int | None = None
    by_patient: ByPatient | None = Field(
        None, description="How each patient's images become one case, and what they come to."
    )
    uses: ImageUse | None = Field(
        None, description="How many of these images made the model or chose what it decides by."
    )
    used_for: UsedFor | None = Field(None, description="Which part of the images made and chose what.")
    class_names: list[str]
    counts: dict[str, int] = Field(description="Images by class.")
    figures: dict[str, Figure]
    confusion_matrix: list[list[int]]
    skipped: list[dict[str, Text | str]] = []
    notes: list[Text | str] = Field([], description="What a reader must know to believe the figures.")
    operating_point: JudgedPoint | None = Field(None, description="The frozen operating point, judged on these cases.")
    target: TargetEvidence | None = Field(
        None, description="The probability of the class in question: calibration, distribution, net benefit."
    )
    prevalences: dict[str, float] = Field({}, description="By NAME: how common the called class is there.")
    predictive_values: dict[str, Figure] = Field({}, description="ppv.NAME and npv.NAME at the prevalence of NAME.")
    roc: dict[str, Curve] = Field({}, description="Each class against the rest, at most 100 points.")
    precision_recall: dict[str, Curve] = Field({}, description="Each class against the rest, thinned alike.")
    decision: Curve = Field(
        {},
        description="Net benefit of the operating point's class by threshold: of the model, of calling all, of none.",
    )
    calibration: CalibrationEvidence | None = None
    referral: Referral | None = Field(None, description="Which share is left to a human, and what that is worth.")
    subgroups: list[SubgroupEvidence] = Field(
        [], description="The model in each subgroup, and how that differs from the rest."
    )
    fingerprint: str | None = Field(None, description="Which images: the same for the same contents.")
    opened: int | None = Field(None, description="How often these images have been judged in this workspace.")
    record: str | None = Field(None, description="The file with all the evidence.")
    class_match: ClassMatch | None = Field(
        None, description="How the classes of the images were taken for the model's, and how many were left out."
    )
    by_unit: UnitEvidence | None = Field(
        None,
        description="The same by breast, exam or patient, where the model decides of these; curves are in the record.",
    )


class SitesEvaluated(Event, ends_job=True):
    """A checkpoint judged on several sites: each, what they show together, and what a local sample would change."""

    type: Literal["sites_evaluated"] = "sites_evaluated"
    checkpoint: str
    target_class: str | None = Field(None, description="The class of the operating point.")
    threshold: float | None = Field(None, description="The frozen one, as it was chosen on validation.")
    target_sensitivity: float | None = None
    internal_set: InternalSet | None = Field(None, description="What the sites are compared with; null: nothing left.")
    internal_n: int | None = None
    sites: list[SiteResult]
    pooled: dict[str, PooledFigure] = Field({}, description="Over sites, by the name of the figure.")
    notes: list[Text | str] = []
    record: str | None = Field(None, description="The file with all of it.")


class ModelAdapted(Event, ends_job=True):
    """A checkpoint adapted to a site, and what both show on the images that the sample left."""

    type: Literal["model_adapted"] = "model_adapted"
    checkpoint: str = Field(description="The adapted one.")
    adaptation: Adaptation
    target_class: str
    before: dict[str, Figure] = Field(description="Of the model as it was, by name as in an evaluation.")
    after: dict[str, Figure] = Field(description="Of the adapted one, on the same images.")
    records: list[str] = Field([], description="The files with all the evidence of both.")
    notes: list[Text | str] = []


class AuditDone(Event, ends_job=True):
    """What is wrong with the images of a folder, the worst first, and every group of duplicates."""

    type: Literal["audit"] = "audit"
    data: str = ""
    images: int
    findings: list[Finding]
    groups: list[TwinGroup] = Field(description="Those with different labels first; of many perhaps not all.")
    groups_total: int = 0
    groups_contradicting: int | None = Field(None, description="Of all groups, those with different labels.")
    groups_crossing: int | None = Field(None, description="Of all groups, those with images in several folders.")
    dataset: str | None = Field(None, description="The data set that is kept, in which images can be corrected.")
    class_names: list[str] = []
    question: LeakQuestion | None = Field(
        None, description="Set where a job does not begin before a person has answered; its error follows."
    )


class ReportCreated(Event, ends_job=True):
    """A report was written; `files` are relative to the workspace, `url` is where this server shows it."""

    type: Literal["report_created"] = "report_created"
    report_of: str = Field(description="The run; predictions: the evaluation of another model's.")
    language: str
    files: list[str]
    url: str


class Comparison(Event, ends_job=True):
    """Two models on the same cases; differences are first minus second."""

    type: Literal["comparison"] = "comparison"
    first: str
    second: str
    n: int
    patients: int | None = None
    class_names: list[str]
    figures: dict[str, PairedFigure]
    notes: list[Text | str] = []
    decisions: DecisionComparison | None = Field(
        None, description="At the operating points; null where one of the two has none."
    )
    non_inferiority: list[NonInferiority] = []
    created: str | None = None
    comparison_id: str | None = Field(None, description="By which it is kept.")


class ReadersCompared(Event, ends_job=True):
    """What a table of readings shows of its readers and tests, and of a model beside them."""

    type: Literal["readers_compared"] = "readers_compared"
    study: ReaderStudyRecord


class DoubtsFound(Event, ends_job=True):
    """The images of a folder whose labels are most in doubt, with pictures; `table` has all of them."""

    type: Literal["doubts_found"] = "doubts_found"
    found: LabelDoubts
    table: str


class DoubtNoted(Event):
    """What a person says of an image whose label is in doubt, as it is kept now."""

    type: Literal["doubt_noted"] = "doubt_noted"
    doubts_id: str
    file: str
    note: str
    decision: DoubtDecision


class StudyPlanned(Event, ends_job=True):
    """How many patients a study needs, by each criterion."""

    type: Literal["study_planned"] = "study_planned"
    plan: StudyPlan


class ComparisonShown(Event):
    """A comparison that is kept, shown again: of two models, or a study of readers."""

    type: Literal["comparison_shown"] = "comparison_shown"
    models: ComparisonRecord | None = None
    readers: ReaderStudyRecord | None = None


class ComparisonsList(Event):
    """The comparisons kept in the workspace, of models and of readers, the latest first."""

    type: Literal["comparisons_list"] = "comparisons_list"
    comparisons: list[ComparisonEntry]


class Processing(Stored):
    """What was done to an image before the network saw it. `crop`: left, top, width and height in its pixels."""

    width: int
    height: int
    colour: bool
    crop: tuple[int, int, int, int] | None = None
    flipped: bool = False
    resize: str
    clahe: bool
    image_size: int


RefersFor = Literal["modality", "unlike", "several_classes", "no_class", "answer_not_plausible"]


class Prediction(Event):
    """The answer for one image, or why there is none."""

    type: Literal["prediction"] = "prediction"
    file: str
    label: str | None = Field(description="The most probable class.")
    probabilities: dict[str, float] | None = Field(description="Calibrated.")
    target_class: str | None = Field(None, description="The class the operating point is for.")
    threshold: Number = Field(None, description="The operating point: from this probability on the class is called.")
    called: bool | None = Field(None, description="Whether it is called; null without an operating point.")
    refer: bool | None = Field(None, description="Whether a human should decide; null when the model can't say.")
    decision: str | None = Field(
        None,
        description="The one answer: the target class from its threshold on, below it the most probable of the other classes; without an operating point the most probable class.",
    )
    refer_reason: RefersFor | None = Field(
        None,
        description="Why: the DICOM header names a modality the model did not learn from, the image is unlike those it was judged on, several classes are plausible, none is, or the answer is none of them.",
    )
    plausible: list[str] = Field([], description="The classes that can't be ruled out at the error rate allowed.")
    sets_offered: bool | None = Field(
        None, description="Whether the model can say which classes are plausible; null in older answers."
    )
    novelty: Number = Field(
        None,
        description="How unlike the validation images it is, to compare with its limit; null where the model can't say.",
    )
    novelty_limit: Number = Field(None, description="Above this novelty a case is referred as unlike.")
    processing: Processing | None = None
    laterality: Literal["L", "R", "B"] | None = Field(None, description="The breast a DICOM header names; B is both.")
    view: str | None = Field(None, description="The view a DICOM header names, such as CC or MLO.")
    modality: str | None = Field(None, description="The modality a DICOM header names, such as US or MG.")
    known_modalities: list[str] = Field([], description="Those that headers of the training images named.")
    notes: list[Text | str] = Field([], description="What to know of how the image was read: its pages, its bit depth.")
    error: str | None = Field(None, description="Why there is no answer, in English.")
    error_text: Text | str | None = Field(None, description="The same as a text.")


class ImageShare(Stored):
    """An image of a breast, an exam or a patient, and its share in the answer, from 0 to 1."""

    file: str
    share: float


class UnitPrediction(Event):
    """The answer for a breast, an exam or a patient, from all its images; told when those are."""

    type: Literal["unit_prediction"] = "unit_prediction"
    unit: DecisionUnit
    name: str = Field(description="As the file names say it; a number where only a DICOM header says who it is.")
    model: str | None = Field(None, description="Where several were asked.")
    pooling: PoolingRule
    images: list[ImageShare] = Field(description="Those that were read, the one that carries the answer first.")
    failed: int = Field(0, description="Its images that could not be read: the answer is without them.")
    label: str = Field(description="The most probable class.")
    probabilities: dict[str, float] = Field(description="Calibrated.")
    decision: str
    target_class: str | None = None
    threshold: Number = None
    called: bool | None = None
    refer: bool | None = None
    refer_reason: RefersFor | None = None
    plausible: list[str] = []
    sets_offered: bool | None = None
    novelty: Number = Field(None, description="Of the image most unlike the validation images.")
    novelty_limit: Number = None
    modality: str | None = Field(None, description="The modality a DICOM header of the images names.")
    known_modalities: list[str] = []


class PredictionsComplete(Event, ends_job=True):
    """All images were looked at."""

    type: Literal["predictions_complete"] = "predictions_complete"
    count: int
    failed: int


class HeatMap(Event):
    """Where a network found what speaks for a class, laid over one image; or why there is no map."""

    type: Literal["heat_map"] = "heat_map"
    file: str
    explained_class: str | None
    probabilities: dict[str, float] | None = Field(description="Calibrated.")
    path: str | None = Field(description="The image with its map, as a PNG.")
    notes: list[Text | str] = Field([], description="What to know of how the image was read: its pages, its bit depth.")
    error: Text | str | None = None


class ExplanationsComplete(Event, ends_job=True):
    """All images were looked at."""

    type: Literal["explanations_complete"] = "explanations_complete"
    count: int
    failed: int
    folder: str = Field(description="Where the maps lie.")


class ImageAdded(Event):
    """A part of an image arrived."""

    type: Literal["image_added"] = "image_added"
    image: str
    received: int = Field(description="Bytes so far; the image is whole when they are its size.")


class SampleDataMade(Event, ends_job=True):
    """The sample images are written."""

    type: Literal["sample_data_made"] = "sample_data_made"
    path: str = Field(description="The folder that holds train/, val/ and test/.")
    images: int
    patients: int


class FolderShown(Event):
    """What lies in a folder that the server may read images from, folders first."""

    type: Literal["folder_shown"] = "folder_shown"
    path: str | None = Field(description="As a request names it; null: the folders that may be looked through.")
    steps: list[FolderStep] = Field(
        [], description="The folders on the way to it, from one that may be looked through."
    )
    entries: list[FolderEntry] = Field(description="At most 500.")
    total: int = Field(description="Of how many folders and files.")
    images: int = Field(0, description="Images in the folder itself, by their endings.")


class UploadBegun(Event):
    """An upload begins, or goes on where it was broken off."""

    type: Literal["upload_begun"] = "upload_begun"
    upload: str = Field(description="Its name in the requests that follow.")
    files_received: int = Field(0, description="Files that are there whole; the next part is of the one after them.")
    received: int = Field(0, description="Bytes of that file that are there.")
    bytes_received: int = Field(0, description="Bytes in all.")


class UploadReceived(Event):
    """Parts of an upload arrived."""

    type: Literal["upload_received"] = "upload_received"
    upload: str
    files_received: int = Field(description="Files that are there whole.")
    received: int = Field(description="Bytes of the file after them.")
    bytes_received: int = Field(description="Bytes in all.")


class UploadFinished(Event):
    """An upload is whole, its archives unpacked, and lies in the workspace."""

    type: Literal["upload_finished"] = "upload_finished"
    upload: str
    path: str = Field(description="The folder it lies in.")
    files: int
    size_bytes: int
    left_out: list[LeftOut] = Field([], description="The first 50 files that were not kept, and why.")
    left_out_total: int = 0


class UploadCancelled(Event):
    """An upload was given up, and what was there of it is deleted."""

    type: Literal["upload_cancelled"] = "upload_cancelled"
    upload: str


class ModelAnswer(Stored):
    """What one model says of an image. `heat_map`: over the whole image, a PNG as a data URI, clear where it is cold."""

    model: str
    prediction: Prediction
    heat_map: str | None = None


class ImageAnswer(Event, told_to="asker"):
    """What the models say of an image handed over; without a picture it could not be read, as each answer tells."""

    type: Literal["image_answer"] = "image_answer"
    image: str
    name: str
    picture: str | None = Field(description="The image as it is, a JPEG as a data URI.")
    width: int | None = Field(None, description="Of the image as stored, in pixels.")
    height: int | None = None
    answers: list[ModelAnswer]


class ImagesAnswered(Event, ends_job=True):
    """All images handed over were asked about, and are removed."""

    type: Literal["images_answered"] = "images_answered"
    count: int
    failed: int
    units: list[UnitPrediction] = Field(
        [], description="The answers by breast, exam or patient of each model that decides of these."
    )
    notes: list[Text] = Field([], description="Which images have no such answer, and why.")
    kept: str | None = Field(None, description="The folder of the copies, when they were to be kept.")


class ErrorsShown(Event, ends_job=True):
    """The wrong answers of a run's model, the most confident first."""

    type: Literal["errors_shown"] = "errors_shown"
    errors_of: str = Field(description="The run.")
    data: str | None = Field(description="The folder that was evaluated; null without an evaluation.")
    split: str | None = None
    cases: int = Field(0, description="How many were judged.")
    wrong: int = 0
    worst: list[WrongCase] = []


class JudgedList(Event, ends_job=True):
    """A page of the images of an evaluation. `cases`: how many were judged, `total`: how many of them are meant."""

    type: Literal["judged_list"] = "judged_list"
    judged_of: str = Field(description="The run.")
    name: str = Field(description="The evaluation.")
    data: str
    checkpoint: str = Field("", description="What was evaluated.")
    split: str | None = None
    dataset: str | None = Field(None, description="The data set that is kept, in which images can be corrected.")
    class_names: list[str]
    target_class: str | None = None
    subgroups: dict[str, list[str]] = Field({}, description="By which images can be filtered, each with its values.")
    patients: bool = Field(description="Whether it is known who is shown.")
    cases: int
    total: int
    first: int
    sort: JudgedOrder
    descending: bool
    only: JudgedFilter
    images: list[JudgedImage]


class JudgedShown(Event, ends_job=True):
    """One image of an evaluation, large."""

    type: Literal["judged_shown"] = "judged_shown"
    judged_of: str = Field(description="The run.")
    name: str = Field(description="The evaluation.")
    image: JudgedImage
    pictures: JudgedPictures


class ExportComplete(Event, ends_job=True):
    """A model was exported and gives the same answers as the checkpoint."""

    type: Literal["export_complete"] = "export_complete"
    format: str
    path: str
    size: float = Field(description="Size in MB, as version 3 named it.")
    size_mb: float
    checkpoint: str
    max_difference: Number = Field(None, description="Worst difference of a probability from the checkpoint's.")
    compared: Text | str | None = Field(None, description="On what the two were compared.")
    figures: dict[str, PairedFigure] = Field(
        {}, description="Where weights were rounded: the float32 model's figures (first) and this one's (second)."
    )


class BenchMeasured(Event, ends_job=True):
    """What this machine manages with a model, and what a run of this configuration would take."""

    type: Literal["bench"] = "bench"
    architecture: str
    image_size: int
    batch_size: int
    dtype: str
    threads: int
    train_images_per_second: float = Field(description="Learnt from, loader included.")
    evaluate_images_per_second: float = Field(description="Judged, in float32.")
    matrix_gflops: float = Field(
        description="This machine's matrix peak in the training dtype, 1e9 operations a second."
    )
    peak_share: float = Field(description="Share of that peak that training reaches, at 6 operations a multiply-add.")
    loader_wait_share: float = Field(description="Share of a step spent waiting for images.")
    peak_memory_gb: float = Field(description="Largest resident memory of the process, GiB.")
    training_images: int = Field(description="Images a run would train on; 0 when the folder is missing.")
    validation_images: int
    epochs: int
    estimated_s: Number = Field(description="Seconds that many epochs would take; null without images.")
    plan: str | None = None


# --- what a page asks in passing ------------------------------------------------------------------


class DataDescribed(Event, ends_job=True):
    """What a run of a configuration would train on; twins are not looked for yet."""

    type: Literal["data_described"] = "data_described"
    folders: dict[str, str] = Field(description="The folder of each split that is there.")
    class_names: list[str]
    counts: dict[str, dict[str, int]] = Field(description="Images by split and class.")
    set_aside: Number = Field(description="Share of the training images set aside for validation; null: own folder.")
    patients: int | None
    patient_examples: list[PatientExample] = []
    masks: int
    skipped: list[SkippedFile] = Field(description="The first 200 files left out, and why.")
    skipped_total: int
    looked_at: int = Field(description="Images whose beginning was read; the rest may still be unreadable.")
    images: int
    warnings: list[DataWarning]
    target_class: str | None = Field(None, description="The class in question; null where a run would ask for it.")
    questions: list[DataQuestion] = Field([], description="What a run would ask before it begins.")


class PreFlightChecked(Event, ends_job=True):
    """What a run of a configuration meets on this machine, told before it starts; nothing is trained for it."""

    type: Literal["pre_flight"] = "pre_flight"
    data: str = Field(description="The folder of training images.")
    architecture: str
    classes: dict[str, int] = Field(description="Training images by class.")
    validation: int = Field(description="Validation images.")
    patients: int | None = Field(None, description="Null: not known.")
    patient_examples: list[PatientExample] = Field([], description="Some training images of different patients.")
    weights: Literal["here", "to_fetch", "missing", "none"] = Field(
        description="Whether pretrained weights are on this machine, would be downloaded, are not to be had, or not asked for."
    )
    minutes_low: Number = Field(
        None, description="Range of the duration; null where nothing like it was measured here."
    )
    minutes_high: Number = None
    memory_gb: Number = Field(None, description="As measured of such a configuration, GiB; null where it was not.")
    advice: list[Text] = Field([], description="What would be wiser.")
    preset: str | None = Field(
        None, description="The preset proposed for so many images; null where config.json says what is wanted."
    )


class ImagesList(Event, ends_job=True):
    """A page of the images of a split, by path."""

    type: Literal["images_list"] = "images_list"
    split: str
    class_name: str | None
    class_names: list[str]
    first: int
    total: int
    images: list[ImageEntry]


class DatasetInspected(Event, ends_job=True):
    """What a place would be read as, with a few images of each class; nothing is kept of it."""

    type: Literal["dataset_inspected"] = "dataset_inspected"
    inspection: DatasetInspection
    pictures: list[ImageEntry] = Field([], description="A few images of each class, where they were asked for.")
    preset: str = Field("quick", description="The preset proposed for a training on so many images.")


class DatasetAdded(Event):
    """A data set is kept under a name, or how it is read was changed."""

    type: Literal["dataset_added"] = "dataset_added"
    name: str
    inspection: DatasetInspection


class DatasetCorrected(Event, ends_job=True):
    """Images of a data set were left out, given another class, or are again as their source says; no file is changed."""

    type: Literal["dataset_corrected"] = "dataset_corrected"
    name: str
    action: CorrectionKind
    files: list[str]
    label: str | None = Field(None, description="The class they were given.")
    of_test: int = Field(0, description="How many of them are of the test part.")
    left_out: int = Field(description="How many images the description leaves out now.")
    relabelled: int = Field(description="How many it gives another class now.")


class DatasetsList(Event):
    """The data sets of the workspace, by name."""

    type: Literal["datasets_list"] = "datasets_list"
    datasets: list[DatasetEntry]


class DatasetDeleted(Event):
    """A data set is forgotten; its images stay."""

    type: Literal["dataset_deleted"] = "dataset_deleted"
    name: str


class ImagePreview(Event, ends_job=True):
    """An image as it is, as the network sees it, and augmented; each a JPEG as a data URI."""

    type: Literal["image_preview"] = "image_preview"
    split: str
    file: str
    class_name: str
    width: int
    height: int
    grey: bool
    laterality: Literal["L", "R", "B"] | None = Field(None, description="The breast a DICOM header names; B is both.")
    view: str | None = Field(None, description="The view a DICOM header names, such as CC or MLO.")
    image_size: int
    original: str
    preprocessed: str
    augmented: list[str]


# --- the server's own --------------------------------------------------------------------------


class Snapshot(Stored):
    """A session as it is: enough to draw the page from nothing."""

    session_id: str
    state: Literal["idle", "starting", "running", "stopping"]
    job: str | None = None
    run_id: str | None = None
    running_run: str | None = Field(
        None, description="The run in progress; null while another job, such as an export, or none goes on."
    )
    about: str | None = Field(None, description="What the job is about: its run, study, checkpoint or images.")
    question: LeakQuestion | None = Field(
        None, description="What a job asked before it began; any client answers it by answer_leaks."
    )
    seq: int | None = None
    started: dict[str, Any] | None = Field(None, description="The run's training_started.")
    data: dict[str, Any] | None = Field(None, description="The run's data_loaded.")
    model: dict[str, Any] | None = Field(None, description="The run's model_loaded.")
    progress: dict[str, Any] | None = Field(None, description="The latest progress_update.")
    update: dict[str, Any] | None = Field(None, description="The latest training_update.")
    outcome: dict[str, Any] | None = Field(None, description="How the latest run ended; without its history.")
    current_model: str | None = None
    study: Study | None = Field(None, description="The latest study.")


class InterruptedRun(Stored):
    """A run that ended before its end."""

    run_id: str
    cause: Literal["crash", "server_gone", "error", "stopped"] = Field(
        description="crash: no word of an end, as after a power failure; server_gone: its server stopped; error: an error; "
        "stopped: its user stopped it, which only the command line lists."
    )
    reason: Text | str = Field("", description="The error's message.")
    epoch: int = Field(description="Epochs completed.")
    epochs: int = Field(description="Epochs planned.")
    time: str | None = Field(None, description="When it was last heard of.")
    architecture: str


class InterruptedRuns(Event, told_to="all"):
    """Runs that can be gone on with, the latest first."""

    type: Literal["interrupted_runs"] = "interrupted_runs"
    runs: list[InterruptedRun]


class ConnectionEstablished(Event):
    """The first message on a connection: all a page needs to draw itself."""

    type: Literal["connection_established"] = "connection_established"
    version: str
    research_use: str
    catalog: dict[str, Any]
    config: dict[str, Any]
    config_schema: dict[str, Any]
    config_error: Text | str | None = Field(None, description="Why config.json was not used, when it was not.")
    preset: str | None = Field(
        None, description="The preset proposed before the images are known; null where config.json says what is wanted."
    )
    token_required: bool = Field(False, description="Whether whatever is read over HTTP needs the token too.")
    interrupted: list[InterruptedRun] = Field([], description="Runs that can be gone on with, the latest first.")
    snapshot: Snapshot


class Status(Event):
    """The session as it is."""

    type: Literal["status"] = "status"
    snapshot: Snapshot
    connected_clients: int
    missed: int | None = Field(None, description="How many events of the run follow, in answer to last_seq.")
    left_out: bool = Field(False, description="Whether earlier missed events do not follow, because of most.")


class JobQueued(Event):
    """The job asked for waits for its turn."""

    type: Literal["job_queued"] = "job_queued"
    entry: QueueEntry
    place: int = Field(description="Its place in the queue; 1 is the next to run.")


class QueueShown(Event):
    """The jobs that wait, the next first; sent to all when it changes."""

    type: Literal["queue"] = "queue"
    entries: list[QueueEntry]
    held: bool = Field(description="Whether waiting jobs wait on, though the place is free.")
    limit: int = Field(description="How many jobs may wait.")
    unread: int = Field(0, description="Waiting jobs that this version can't read: they stay in the file.")


class RunsList(Event):
    """Runs of the workspace, newest first, a page at a time."""

    type: Literal["runs_list"] = "runs_list"
    runs: list[RunEntry]
    total: int = Field(description="How many runs fit the search.")
    first: int = Field(description="Place of the first of these among them, from 0.")
    search: str
    sort: RunOrder = Field("started", description="What they are sorted by.")
    descending: bool = True
    state: str | None = Field(None, description="The state that was asked for.")


class RunAnnotated(Event, told_to="all"):
    """The tags and the note of a run were written."""

    type: Literal["run_annotated"] = "run_annotated"
    run: RunEntry


class RunDeleted(Event, told_to="all"):
    """A run is gone, with its journal and its checkpoints; exports and backups stay."""

    type: Literal["run_deleted"] = "run_deleted"
    deleted: str
    checkpoints: list[str]


class ComparedRun(Stored):
    """One of the runs compared. `curves`: one list for each figure, at most 200 epochs, the first and last among them."""

    run: RunEntry
    epochs: int = Field(description="Epochs the run has in all.")
    curves: dict[str, list[Any]]
    config: dict[str, Any]


class RunShown(Event):
    """A run of the workspace, past or going on: enough to draw its page. Its epochs come by get_history."""

    type: Literal["run_shown"] = "run_shown"
    run: RunEntry
    started: dict[str, Any] | None = Field(None, description="Its latest training_started.")
    data: dict[str, Any] | None = Field(None, description="Its data_loaded.")
    model: dict[str, Any] | None = Field(None, description="Its model_loaded.")
    outcome: dict[str, Any] | None = Field(None, description="How it ended, without its history; null while it runs.")
    log: list[dict[str, Any]] = Field(
        [], description="The latest events of its journal, the oldest first, at most 500."
    )


class ResultsList(Event):
    """What was made of a run, the latest first: evaluations, reports and exports, with where to find each."""

    type: Literal["results_list"] = "results_list"
    results_of: str = Field(description="The run.")
    results: list[ResultEntry]
    unread: list[str] = Field([], description="Records that this version can't read.")


class EvaluationShown(Event, ends_job=True):
    """An evaluation that is kept."""

    type: Literal["evaluation_shown"] = "evaluation_shown"
    evaluation_of: str = Field(description="The run.")
    name: str = Field(description="As a list of results names it.")
    evaluation: dict[str, Any] = Field(description="The values of the event evaluation.")


class EstimatesList(Event):
    """What was measured on this machine, the latest first."""

    type: Literal["estimates_list"] = "estimates_list"
    estimates: list[BenchMeasured]


class RunsCompared(Event):
    """Some runs side by side: their curves, and the settings that differ."""

    type: Literal["runs_compared"] = "runs_compared"
    runs: list[ComparedRun]
    differences: list[SettingDifference]
    same_images: bool | None = Field(
        None, description="Whether their best epochs were chosen on the same validation images; null: not known."
    )


LogLevel = Literal["debug", "info", "success", "warning", "error"]


class Log(Event):
    """A line for people; `code` and `params` let the page translate it."""

    type: Literal["log"] = "log"
    level: LogLevel
    message: str
    code: str | None = None
    params: dict[str, Any] = {}

    @classmethod
    def of(cls, level: LogLevel, text: Text) -> Self:
        """Return the line that tells a text of the catalogue, one below `log.`."""
        params = text.model_dump(mode="json")["params"]
        return cls(level=level, message=str(text), code=text.code.removeprefix("log."), params=params)


class History(Event):
    """Epochs of a run."""

    type: Literal["history"] = "history"
    epochs: list[dict[str, Any]] = Field(description="training_update events, by epoch.")
    first: int | None
    last: int | None
    total: int = Field(description="Epochs the run has in all.")


class CheckpointEntry(Stored):
    """A line of the list of checkpoints. `path` is its name."""

    checkpoint: str
    filename: str = Field(description="Tells runs apart: RUN_best.safetensors.")
    path: str = Field(description="The checkpoint's file, relative to the workspace, with forward slashes.")
    size: int = Field(description="Bytes.")
    created: str = Field(description="ISO 8601.")
    run_id: str
    epoch: int | None
    accuracy: Number
    architecture: str | None
    class_names: list[str] = []
    metrics: dict[str, Any] = {}
    resumable: bool = False
    sha256: str | None = Field(None, description="Of its weights.")
    image_input: str | None = Field(None, description="Hash of the size of its images and how they are prepared.")
    validated_on: str | None = Field(
        None,
        description="Hash of its validation images. Checkpoints that agree in it, in image_input and in class_names, "
        "with weights of their own, can be averaged into one export.",
    )
    problem: Text | str | None = Field(None, description="Why it can't be used, when it can't.")


class CheckpointsList(Event):
    """All checkpoints, newest first."""

    type: Literal["checkpoints_list"] = "checkpoints_list"
    checkpoints: list[CheckpointEntry]


class CheckpointLoaded(Event, told_to="all"):
    """A checkpoint was verified and is the session's current model."""

    type: Literal["checkpoint_loaded"] = "checkpoint_loaded"
    checkpoint: str
    start_epoch: int = Field(description="The epoch a resume would begin with.")
    architecture: str
    class_names: list[str]
    metrics: dict[str, Any]


class CheckpointDeleted(Event, told_to="all"):
    """A checkpoint is gone."""

    type: Literal["checkpoint_deleted"] = "checkpoint_deleted"
    checkpoint: str
    filename: str


class CheckpointVerified(Event):
    """A checkpoint's weights and state are those its manifest speaks of."""

    type: Literal["checkpoint_verified"] = "checkpoint_verified"
    checkpoint: str
    sha256: str


class ExportsList(Event):
    """The exported models, newest first."""

    type: Literal["exports_list"] = "exports_list"
    exports: list[ExportEntry]


class ExportDeleted(Event, told_to="all"):
    """An exported model is gone."""

    type: Literal["export_deleted"] = "export_deleted"
    path: str


class ExportVerified(Event, ends_job=True):
    """An exported model answers as it did at its export."""

    type: Literal["export_verified"] = "export_verified"
    path: str
    references: int
    max_difference: float
    allowed_difference: float


class SystemDiagnostics(Event):
    """The machine, now."""

    type: Literal["system_diagnostics"] = "system_diagnostics"
    cpu_percent: float
    cpu_count: int
    usable_cores: int | None = Field(None, description="Fewer than cpu_count in a container or batch job with a limit.")
    memory_used_gb: float
    memory_total_gb: float
    memory_percent: float
    disk_percent: float
    disk_free_gb: float
    workspace_gb: Number = Field(None, description="What checkpoints, exports, logs and backups take, GiB.")
    workspace_spare_gb: Number = Field(None, description="What of it `breastai runs --prune` would free, GiB.")
    disk_budget_gb: Number = Field(None, description="storage.disk_budget_gb; null: there is none.")
    platform: str
    versions: dict[str, str | None]
    server_memory_mb: float
    worker_memory_mb: Number = None
    worker_cpu_percent: Number = None
    uptime_s: float


class BackupCreated(Event):
    """A backup is on disk and verified."""

    type: Literal["backup_created"] = "backup_created"
    path: str
    size_mb: float
    files: int


class BackupEntry(Stored):
    """A line of the list of backups. `kind`: of the whole project, or of one run at its end."""

    name: str
    created: str = Field(description="ISO 8601.")
    size_mb: float
    kind: Literal["project", "run"]


class BackupsList(Event):
    """All backups, newest first."""

    type: Literal["backups_list"] = "backups_list"
    backups: list[BackupEntry]


class BackupVerified(Event):
    """Every file in a backup is what was put in."""

    type: Literal["backup_verified"] = "backup_verified"
    name: str
    created: str
    files: int
    size_mb: float


class BackupDeleted(Event, told_to="all"):
    """A backup is gone."""

    type: Literal["backup_deleted"] = "backup_deleted"
    name: str


class HeldBack(Stored):
    """A setting that a restored configuration asks for and that stays as its owner has it: JSON of both, "" for none."""

    file: str
    setting: str = Field(description="Its path; empty where the file is no configuration, and was not put back.")
    asked: str
    kept: str


class BackupRestored(Event):
    """A backup's files are in their places; what was there before is in the newest backup."""

    type: Literal["backup_restored"] = "backup_restored"
    name: str
    files: list[str] = Field(description="The first 100 of them, relative to the workspace.")
    count: int
    held_back: list[HeldBack] = Field(
        [], description="Settings that reach beyond the workspace: the owner confirms one by making it in config.json."
    )


class ConfigShown(Event):
    """The workspace's configuration with defaults filled in, and its schema."""

    type: Literal["config"] = "config"
    config: dict[str, Any]
    config_schema: dict[str, Any]


class ConfigSaved(Event, told_to="all"):
    """A configuration was written: config.json, or the one called `name`."""

    type: Literal["config_saved"] = "config_saved"
    config: dict[str, Any] = Field(description="With defaults filled in.")
    path: str
    name: str | None = None


class ConfigDeleted(Event, told_to="all"):
    """A named configuration is gone."""

    type: Literal["config_deleted"] = "config_deleted"
    name: str


class ConfigChecked(Event):
    """What is wrong with a configuration, a line for each fault; none when it can be used."""

    type: Literal["config_checked"] = "config_checked"
    problems: list[str] = Field(description="In English.")
    faults: list[Text | str] = Field(
        [], description="The same as texts; `name` among a text's parameters is the path of the setting."
    )


DocumentKind = Literal[
    "config", "named_config", "server_log", "worker_log", "journal", "evaluation", "report", "manifest"
]


class DocumentEntry(Stored):
    """A line of the list of documents."""

    kind: DocumentKind
    name: str
    size: int = Field(description="Bytes.")
    modified: str = Field(description="ISO 8601.")


class DocumentsList(Event):
    """The texts of the workspace that may be read: configurations first, then the latest."""

    type: Literal["documents_list"] = "documents_list"
    documents: list[DocumentEntry]


class Document(Event):
    """A text of the workspace; of a long one, its end."""

    type: Literal["document"] = "document"
    kind: DocumentKind
    name: str
    text: str
    size: int = Field(description="Bytes of the whole file.")
    cut: bool = Field(description="Whether something comes before `text`.")
    editable: bool


class Pong(Event):
    """The answer to ping."""

    type: Literal["pong"] = "pong"
    timestamp: float | str | None = None


class DisconnectAck(Event):
    """The answer to disconnect."""

    type: Literal["disconnect_ack"] = "disconnect_ack"


class Error(Event, ends_job=True):
    """Something could not be done: which rule was broken, by what, and what to do."""

    type: Literal["error"] = "error"
    code: str
    message: str
    params: dict[str, Any] = {}
    setting: str | None = Field(None, description="The setting of a run that it is about, where it is about one.")

    @property
    def text(self) -> Text | str:
        """The error as one text among others; its message where another version has named it."""
        text = Text(f"error.{self.code}", {name: read_param(value) for name, value in self.params.items()})
        return self.message if str(text) == text.code else text


# A job's last event is one of these.
TERMINAL = tuple(kind for kind, model in EVENTS.items() if model.ends_a_job)


@cache
def event_adapter() -> TypeAdapter[Event]:
    """Return what reads an event of any kind; made when first asked for, since a command that only writes needs none."""
    return union_of(EVENTS.values())


def ends_job(event: Event) -> bool:
    """Whether an event is the last of its job; an audit and an export are one only where they are jobs of their own."""
    part_of_a_run = isinstance(event, AuditDone | ExportComplete) and event.run_id is not None
    if isinstance(event, AuditDone) and event.question is not None:
        return False
    return event.ends_a_job and not part_of_a_run
