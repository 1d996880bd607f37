"""Every request a client may send, one frozen model each, told apart by `type`."""

from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationInfo

from breastai.domain import events
from breastai.domain.dataset_description import CorrectionKind
from breastai.domain.dataset_inspection import ReadingChanges
from breastai.domain.events import (
    AuditDone,
    BackupCreated,
    BackupDeleted,
    BackupRestored,
    BackupsList,
    BackupVerified,
    BenchMeasured,
    CheckpointDeleted,
    CheckpointLoaded,
    CheckpointsList,
    CheckpointVerified,
    Comparison,
    ComparisonShown,
    ComparisonsList,
    ConfigChecked,
    ConfigDeleted,
    ConfigSaved,
    ConfigShown,
    DataDescribed,
    DatasetAdded,
    DatasetCorrected,
    DatasetDeleted,
    DatasetInspected,
    DatasetsList,
    DisconnectAck,
    Document,
    DocumentKind,
    DocumentsList,
    DoubtNoted,
    DoubtsFound,
    ErrorsShown,
    EstimatesList,
    Evaluation,
    EvaluationShown,
    Event,
    ExplanationsComplete,
    ExportComplete,
    ExportDeleted,
    ExportsList,
    ExportVerified,
    FolderShown,
    HeatMap,
    History,
    ImageAdded,
    ImageAnswer,
    ImagePreview,
    ImagesAnswered,
    ImagesList,
    InterruptedRuns,
    JobQueued,
    JobStopped,
    JudgedList,
    JudgedShown,
    ModelAdapted,
    Pong,
    Prediction,
    PredictionsComplete,
    QueueShown,
    ReadersCompared,
    ReportCreated,
    ResultsList,
    RunAnnotated,
    RunDeleted,
    RunsCompared,
    RunShown,
    RunsList,
    SitesEvaluated,
    Status,
    StudiesList,
    StudyPlanned,
    StudyShown,
    StudyStarted,
    StudyStopped,
    SystemDiagnostics,
    TrainingStarted,
    TrainingStopped,
    UploadBegun,
    UploadCancelled,
    UploadFinished,
    UploadReceived,
)
from breastai.domain.faults import UnusableSetting
from breastai.domain.judged_cases import MOST_JUDGED, JudgedFilter, JudgedOrder
from breastai.domain.label_doubts_record import DoubtDecision
from breastai.domain.list_entries import RunOrder, RunState
from breastai.domain.message_union import union_of
from breastai.domain.reader_records import CovarianceMethod
from breastai.domain.report_language import Language
from breastai.domain.settings import LONGEST_TEXT
from breastai.domain.study_plan import PlanAssumptions
from breastai.texts.catalogue import ENGLISH

RunId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
ConfigName = Annotated[str, Field(min_length=1, max_length=95, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
ImagePlace = Annotated[str, Field(min_length=1, max_length=1000)]
LesionBox = tuple[
    Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]
]


def _one_for_each(boxes: list[LesionBox | None], values: ValidationInfo) -> list[LesionBox | None]:
    """Return boxes; raise UnusableSetting where there are some, but not one or null for each of the images."""
    images = values.data.get("images")
    if boxes and images is not None and len(boxes) != len(images):
        raise UnusableSetting("expected.box_for_each", boxes=len(boxes), images=len(images))
    return boxes


Boxes = Annotated[
    list[LesionBox | None],
    AfterValidator(_one_for_each),
    Field(
        max_length=1000,
        description="For a model of lesion crops: x, y, width and height of the lesion in each of `images`, in pixels of the "
        "image as stored, null where none is given; empty: masks and tables of boxes beside the images are looked for.",
    ),
]
OnePatient = Annotated[
    bool,
    Field(
        description="All images are of one patient: the answer by breast or patient is for all, whatever their names say."
    ),
]
DatasetName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
CheckpointName = Annotated[str, Field(min_length=1, max_length=300)]
Share = Annotated[float, Field(ge=0, le=1)]
PartOfCases = Annotated[
    str | None,
    Field(max_length=300, description="COLUMN=VALUE: the part that chooses the threshold; the rest is judged."),
]
Prevalences = Annotated[
    dict[str, Annotated[float, Field(gt=0, lt=1)]],
    Field(max_length=10, description="By name: how common the target class is where the model is to be used."),
]


# Every request by its type; each class enters itself.
REQUESTS: dict[str, type["Request"]] = {}
EventType = type[Event]
Answers = tuple[EventType, ...]


class Request(BaseModel):
    """What every request may carry. `answered_by` names the events that answer it; an error may come instead.

    `told_each`: what is told of each image, before the event that says all were looked at.

    One that looks only changes nothing: it is counted in the audit log, and has no line of its own there.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=LONGEST_TEXT, defer_build=True
    )
    looks_only: ClassVar[bool] = False
    is_queueable: ClassVar[bool] = False
    answers: ClassVar[Answers] = ()
    answered_by: ClassVar[tuple[str, ...]] = ()
    told_each: ClassVar[EventType | None] = None

    type: str
    session_id: str = Field("default", min_length=1, max_length=100, description="Which session the request is for.")
    request_id: Annotated[str, Field(max_length=200)] | Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = Field(
        None, description="Chosen by the client and echoed in the answer."
    )

    def __init_subclass__(
        cls, *, looks_only: bool = False, answered_by: Answers = (), told_each: EventType | None = None
    ) -> None:
        super().__init_subclass__()
        cls.looks_only, cls.told_each = looks_only, told_each
        cls.answers = (*answered_by, JobQueued) if cls.is_queueable else answered_by

    @classmethod
    def __pydantic_init_subclass__(cls, **facts: Any) -> None:
        cls.answered_by = tuple(event.model_fields["type"].default for event in cls.answers)
        REQUESTS[cls.model_fields["type"].default] = cls


class Queueable(BaseModel):
    """What a request for a job may carry besides: by default it is refused while another job runs."""

    is_queueable: ClassVar[bool] = True

    queue: bool = Field(
        False, description="Wait for its turn when another job runs or waits; answered by job_queued then."
    )


class Configured(BaseModel):
    """The settings a request is about."""

    config: dict[str, Any] = Field({}, description="Settings to change; the rest comes from config.json.")
    preset: str | None = Field(None, description="Preset laid under `config`.")


class StartTraining(Queueable, Request, answered_by=(TrainingStarted,)):
    """Train a new run. `config` is partial, nested or in version 3's flat names; it overlays the workspace's config.json."""

    type: Literal["start_training"] = "start_training"
    config: dict[str, Any] = Field({}, description="Settings to change; the rest comes from config.json.")
    preset: str | None = Field(None, description="Preset laid under `config`: probe, quick, balanced or full.")
    epochs: int | None = Field(None, ge=1, le=10_000, description="Short for config.training.epochs.")


class TrySample(Request, answered_by=(TrainingStarted,)):
    """Make sample images in the workspace and train on them by the quick preset: a first run without images of one's own."""

    type: Literal["try_sample"] = "try_sample"


class StopTraining(
    Request,
    answered_by=(
        TrainingStopped,
        JobStopped,
        StudyStopped,
    ),
):
    """Stop the running job after its batch, and save; asked a second time, end it at once."""

    type: Literal["stop_training"] = "stop_training"


class ResumeTraining(Queueable, Request, answered_by=(TrainingStarted,)):
    """Go on with a run; `checkpoint` names it (RUN or RUN/last)."""

    type: Literal["resume_training"] = "resume_training"
    checkpoint: CheckpointName
    epochs: int | None = Field(None, ge=1, le=10_000, description="Epochs in all; by default as planned.")


class StartCrossval(Queueable, Request, answered_by=(StudyStarted,)):
    """Train and judge a model for each fold of the training and validation images; the test folder is never touched."""

    type: Literal["start_crossval"] = "start_crossval"
    config: dict[str, Any] = Field({}, description="As for start_training; crossval says how images are dealt.")
    preset: str | None = Field(None, description="Preset laid under `config`.")
    epochs: int | None = Field(None, ge=1, le=10_000, description="Short for config.training.epochs.")


class ResumeStudy(Queueable, Request, answered_by=(StudyStarted,)):
    """Go on with a study that stopped, or was interrupted: its complete runs are not run again."""

    type: Literal["resume_study"] = "resume_study"
    study_id: RunId


class GetStudy(Request, answered_by=(StudyShown,)):
    """A study as it is now; by default the latest."""

    type: Literal["get_study"] = "get_study"
    study_id: RunId | None = None


class ListStudies(Request, looks_only=True, answered_by=(StudiesList,)):
    """The cross-validations and searches for settings of the workspace, the latest first, a page at a time."""

    type: Literal["list_studies"] = "list_studies"
    first: int = Field(0, ge=0, description="Place of the first to send, from 0.")
    limit: int = Field(50, ge=1, le=100)


class GetQueue(Request, looks_only=True, answered_by=(QueueShown,)):
    """The jobs that wait for their turn."""

    type: Literal["get_queue"] = "get_queue"


class MoveJob(Request, answered_by=(QueueShown,)):
    """Give a waiting job another place in the queue."""

    type: Literal["move_job"] = "move_job"
    entry: str = Field(min_length=1, max_length=40, description="The waiting job, as the queue names it.")
    place: int = Field(ge=1, description="Its new place; 1 is the next to run.")


class CancelJob(Request, answered_by=(QueueShown,)):
    """Take a waiting job out of the queue."""

    type: Literal["cancel_job"] = "cancel_job"
    entry: str = Field(min_length=1, max_length=40, description="The waiting job, as the queue names it.")


class HoldQueue(Request, answered_by=(QueueShown,)):
    """Have waiting jobs wait on, or let them go on; the job that runs is not touched."""

    type: Literal["hold_queue"] = "hold_queue"
    held: bool


class StartTuning(Queueable, Configured, Request, answered_by=(StudyStarted,)):
    """Try settings by short runs (config.tuning says which and how many), and save the best as a named configuration."""

    type: Literal["start_tuning"] = "start_tuning"


class ListRuns(Request, looks_only=True, answered_by=(RunsList,)):
    """The runs of the workspace, past ones too, a page at a time."""

    type: Literal["list_runs"] = "list_runs"
    search: str = Field(
        "",
        max_length=200,
        description="Words that must all stand in name, state, network, folder, classes, tags or note.",
    )
    sort: RunOrder = Field("started", description="What they are sorted by; runs without it come last.")
    descending: bool = True
    state: RunState | None = Field(None, description="Only runs in this state.")
    first: int = Field(0, ge=0, description="Place of the first to send, from 0.")
    limit: int = Field(50, ge=1, le=200)


class ShowRun(Request, looks_only=True, answered_by=(RunShown,)):
    """A run of the workspace, past ones too: how it began, on what, how it ended, and the end of its journal."""

    type: Literal["show_run"] = "show_run"
    run_id: RunId


class ListResults(Request, looks_only=True, answered_by=(ResultsList,)):
    """The evaluations, reports and exports of a run."""

    type: Literal["list_results"] = "list_results"
    run_id: RunId


class ShowEvaluation(Request, looks_only=True, answered_by=(EvaluationShown,)):
    """An evaluation that is kept, by the name that list_results gave."""

    type: Literal["show_evaluation"] = "show_evaluation"
    run_id: RunId
    name: str = Field(min_length=1, max_length=100)


class ListEstimates(Request, looks_only=True, answered_by=(EstimatesList,)):
    """What was measured on this machine by estimate_cost, the latest first."""

    type: Literal["list_estimates"] = "list_estimates"


class AnnotateRun(Request, answered_by=(RunAnnotated,)):
    """Write tags and a note about a run; what is left out stays."""

    type: Literal["annotate_run"] = "annotate_run"
    run_id: RunId
    tags: list[Annotated[str, Field(min_length=1, max_length=40)]] | None = Field(None, max_length=20)
    note: str | None = Field(None, max_length=4000)


class DeleteRun(Request, answered_by=(RunDeleted,)):
    """Delete a run for good: its journal, reports, evaluations and checkpoints. Exports and backups stay."""

    type: Literal["delete_run"] = "delete_run"
    run_id: RunId


class CompareRuns(Request, looks_only=True, answered_by=(RunsCompared,)):
    """Curves, figures and differing settings of some runs, from their journals."""

    type: Literal["compare_runs"] = "compare_runs"
    run_ids: list[RunId] = Field(min_length=2, max_length=6)


class DescribeData(Configured, Request, looks_only=True, answered_by=(DataDescribed,)):
    """What a run of this configuration would train on: counts by class and split, what is left out, warnings."""

    type: Literal["describe_data"] = "describe_data"


class PreFlight(Configured, Request, looks_only=True, answered_by=(events.PreFlightChecked,)):
    """What a run of this configuration meets here: classes, patients, weights, minutes, memory, and what would be wiser."""

    type: Literal["pre_flight"] = "pre_flight"


class ListImages(Configured, Request, looks_only=True, answered_by=(ImagesList,)):
    """A page of the images of a split, with thumbnails."""

    type: Literal["list_images"] = "list_images"
    split: Literal["train", "val", "test"] = "train"
    class_name: str | None = Field(None, max_length=300, description="Of this class alone.")
    first: int = Field(0, ge=0, description="Place of the first to send, from 0.")
    limit: int = Field(24, ge=1, le=60)


class InspectDataset(Request, looks_only=True, answered_by=(DatasetInspected,)):
    """Say what a place would be read as, or a data set of the workspace, perhaps with changes; nothing is kept."""

    type: Literal["inspect_dataset"] = "inspect_dataset"
    path: str = Field(min_length=1, max_length=4096, description="A folder or table, or the name of a data set.")
    changes: ReadingChanges = Field(ReadingChanges(), description="What is to be read otherwise.")
    pictures: int = Field(0, ge=0, le=8, description="How many images of each class to show.")


class AddDataset(Request, answered_by=(DatasetAdded,)):
    """Keep how a place is read under a name, over one of that name; its images stay where they are."""

    type: Literal["add_dataset"] = "add_dataset"
    name: DatasetName
    path: str = Field(min_length=1, max_length=4096, description="A folder or table, or the name of a data set.")
    changes: ReadingChanges = Field(ReadingChanges(), description="What is to be read otherwise.")


class CorrectDataset(Request, answered_by=(DatasetCorrected,)):
    """Leave images of a data set out, give them another class, or take that back: in its description, never in the files."""

    type: Literal["correct_dataset"] = "correct_dataset"
    name: DatasetName
    action: CorrectionKind
    files: list[Annotated[str, Field(min_length=1, max_length=1000)]] = Field(
        min_length=1, max_length=1000, description="As the data set names them, relative to its root."
    )
    label: str | None = Field(None, max_length=200, description="With relabel: the class.")
    note: str = Field("", max_length=500, description="Why.")
    test_images: bool = Field(False, description="Whether images of the test part may be among them.")


class ListDatasets(Request, looks_only=True, answered_by=(DatasetsList,)):
    """List the data sets of the workspace."""

    type: Literal["list_datasets"] = "list_datasets"


class DeleteDataset(Request, answered_by=(DatasetDeleted,)):
    """Forget a data set; its images stay where they are."""

    type: Literal["delete_dataset"] = "delete_dataset"
    name: DatasetName


class PreviewImage(Configured, Request, looks_only=True, answered_by=(ImagePreview,)):
    """An image as it is, as the network would see it, and some draws of its augmentation."""

    type: Literal["preview_image"] = "preview_image"
    split: Literal["train", "val", "test"] = "train"
    file: str | None = Field(
        None, min_length=1, max_length=1000, description="As images_list names it; null: the first."
    )
    augmented: int = Field(0, ge=0, le=8, description="How many draws.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Another number gives other draws.")


class GetStatus(Request, looks_only=True, answered_by=(Status,)):
    """The session as it is now; with `last_seq`, the events of its run after that number come too."""

    type: Literal["get_status"] = "get_status"
    run_id: RunId | None = Field(
        None, description="The run that last_seq counts in; events are sent only if it is still the session's."
    )
    last_seq: int | None = Field(None, ge=0, description="Number of the last event the client has.")
    most: int | None = Field(
        None, ge=1, description="Of more missed events only so many come, the latest; the epochs come by get_history."
    )


class GetHistory(Request, looks_only=True, answered_by=(History,)):
    """The epochs of a run, a page at a time."""

    type: Literal["get_history"] = "get_history"
    run_id: RunId | None = Field(None, description="By default the session's run.")
    first: int = Field(1, alias="from", ge=1, description="First epoch.")
    last: int | None = Field(None, alias="to", ge=1, description="Last epoch; at most 200 epochs come at a time.")


class ListCheckpoints(Request, looks_only=True, answered_by=(CheckpointsList,)):
    """All checkpoints of the workspace."""

    type: Literal["list_checkpoints"] = "list_checkpoints"


class LoadCheckpoint(Request, answered_by=(CheckpointLoaded,)):
    """Verify a checkpoint and make it the session's current model."""

    type: Literal["load_checkpoint"] = "load_checkpoint"
    checkpoint: CheckpointName


class DeleteCheckpoint(Request, answered_by=(CheckpointDeleted,)):
    """Delete a checkpoint and its manifest."""

    type: Literal["delete_checkpoint"] = "delete_checkpoint"
    checkpoint: CheckpointName


class VerifyCheckpoint(Request, answered_by=(CheckpointVerified,)):
    """Prove that a checkpoint's weights and state are those its manifest speaks of."""

    type: Literal["verify_checkpoint"] = "verify_checkpoint"
    checkpoint: CheckpointName


class ListExports(Request, looks_only=True, answered_by=(ExportsList,)):
    """All exported models of the workspace."""

    type: Literal["list_exports"] = "list_exports"


class DeleteExport(Request, answered_by=(ExportDeleted,)):
    """Delete an exported model."""

    type: Literal["delete_export"] = "delete_export"
    path: str = Field(min_length=1, max_length=300, description="As exports_list has it.")


class VerifyExport(Request, answered_by=(ExportVerified,)):
    """Ask an exported ONNX model again what it was asked at its export."""

    type: Literal["verify_export"] = "verify_export"
    path: str = Field(min_length=1, max_length=300, description="As exports_list has it.")


class ExportModel(Queueable, Request, answered_by=(ExportComplete,)):
    """Export a checkpoint; by default the session's current model."""

    type: Literal["export_model"] = "export_model"
    format: str = Field("onnx", max_length=40, description="One of the catalog's export formats.")
    checkpoint: CheckpointName | None = None
    others: list[CheckpointName] = Field(
        [],
        max_length=19,
        description="Checkpoints to average with it, in one ONNX file; of the same validation images.",
    )


class ExportOnnx(Queueable, Request, answered_by=(ExportComplete,)):
    """Version 3's name for export_model with format onnx. Its inference_onnx.py misreads the file: see the end."""

    type: Literal["export_onnx"] = "export_onnx"
    checkpoint: CheckpointName | None = None


class EstimateCost(Request, answered_by=(BenchMeasured,)):
    """Measure for some seconds what a training of this configuration would take."""

    type: Literal["estimate_cost"] = "estimate_cost"
    config: dict[str, Any] = Field({}, description="As for start_training.")
    preset: str | None = Field(None, description="Preset laid under `config`.")
    epochs: int | None = Field(None, ge=1, le=10_000, description="Short for config.training.epochs.")


class EvaluatePredictions(Queueable, Request, answered_by=(Evaluation,)):
    """Judge any model by a CSV of its predictions the server may read: label, p_CLASS, perhaps file, patient_id."""

    type: Literal["evaluate_predictions"] = "evaluate_predictions"
    predictions: str = Field(min_length=1, max_length=1000)
    target_class: str | None = Field(None, max_length=200)
    threshold: Share | None = Field(None, description="From which probability the target class is called.")
    target_sensitivity: float | None = Field(
        None, gt=0, lt=1, description="The sensitivity that the threshold is chosen for, on choose_on."
    )
    choose_on: PartOfCases = None
    prevalences: Prevalences = {}
    bands: dict[str, list[float]] = Field(
        {}, max_length=20, description="By the column of a subgroup, the limits that part its numbers."
    )


class EvaluateModel(Queueable, Request, answered_by=(Evaluation, SitesEvaluated)):
    """Judge a checkpoint on labelled images: of one place, or of several sites, each by itself and all together."""

    type: Literal["evaluate_model"] = "evaluate_model"
    checkpoint: CheckpointName | None = None
    data: ImagePlace | Annotated[list[ImagePlace], Field(min_length=1, max_length=50)] | None = Field(
        None,
        description="Class folders, or a folder that holds train/, val/, test/; several for external validation, answered "
        "by sites_evaluated; null: the images its own run validated on, as where it set them aside within this very folder "
        "and no split is asked for.",
    )
    split: Literal["train", "val", "test"] | None = None
    subgroups: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="A CSV with the column file and one for each subgroup (device, density, age).",
    )
    class_map: dict[str, list[str]] = Field(
        {},
        max_length=50,
        description="For a class of the images the model's classes it stands for; an empty list leaves its images out.",
    )
    local_sample: float | None = Field(
        None,
        gt=0,
        description="Of each site, a share of the patients below 1 or a number of them: they choose a threshold and a "
        "recalibration, judged on the rest and apart from the frozen ones. Answered by sites_evaluated.",
    )
    sample_seed: int | None = Field(
        None, ge=0, description="Another number draws other patients; null: the run's seed."
    )

    @property
    def sites(self) -> list[str] | None:
        """The places of external validation; None where one evaluation is meant."""
        if isinstance(self.data, list):
            return self.data
        return [self.data] if self.data is not None and self.local_sample is not None else None


class AdaptModel(Queueable, Request, answered_by=(ModelAdapted,)):
    """Adapt a checkpoint to a site without retraining: a checkpoint of its own, judged on images that it did not use."""

    type: Literal["adapt_model"] = "adapt_model"
    checkpoint: CheckpointName | None = Field(None, description="By default the session's current model.")
    data: ImagePlace = Field(description="Labelled images of the site.")
    split: Literal["train", "val", "test"] | None = None
    class_map: dict[str, list[str]] = Field({}, max_length=50, description="As of evaluate_model.")
    local_sample: float = Field(gt=0, description="A share of the site's patients below 1, or a number of them.")
    sample_seed: int | None = Field(
        None, ge=0, description="Another number draws other patients; null: the run's seed."
    )


class CompareModels(Queueable, Request, answered_by=(Comparison,)):
    """Compare two checkpoints on the same labelled images, or two CSV files of predictions."""

    type: Literal["compare_models"] = "compare_models"
    first: CheckpointName
    second: CheckpointName
    data: str | None = Field(
        None, min_length=1, max_length=1000, description="Images for two checkpoints, as in evaluate_model."
    )
    split: Literal["train", "val", "test"] | None = None
    target_class: str | None = Field(None, max_length=200, description="Of predictions: the class that is called.")
    thresholds: tuple[Share, Share] | None = Field(
        None, description="Of predictions: from which probability the first and the second call it."
    )
    target_sensitivity: float | None = Field(
        None, gt=0, lt=1, description="Of predictions: the sensitivity that each threshold is chosen for, on choose_on."
    )
    choose_on: PartOfCases = None
    prevalences: Prevalences = {}
    margins: dict[str, Annotated[float, Field(gt=0, lt=1)]] = Field(
        {}, max_length=20, description="By figure: by how much the first may be worse and still not inferior."
    )

    @property
    def compares_predictions(self) -> bool:
        """Whether two files of predictions are meant."""
        return self.first.lower().endswith(".csv") and self.second.lower().endswith(".csv")


class CompareReaders(Queueable, Request, answered_by=(ReadersCompared,)):
    """Analyse a table of readings: readers, tests, and perhaps a model beside them."""

    type: Literal["compare_readers"] = "compare_readers"
    table: str = Field(
        min_length=1,
        max_length=1000,
        description="A CSV with a row for each reading: reader, file, label, score or call, perhaps test and patient_id.",
    )
    target_class: str | None = Field(None, max_length=200, description="The class that is read for.")
    predictions: str | None = Field(
        None, min_length=1, max_length=1000, description="A model's predictions of the same cases, as CSV."
    )
    model_run: RunId | None = Field(None, description="A run whose latest evaluation has the same cases.")
    model_threshold: float | None = Field(None, ge=0, le=1, description="From which probability the model's is a call.")
    call_from: float | None = Field(None, description="From which score a reading is a call, where none is written.")
    covariance: CovarianceMethod = "delong"


class FindDoubts(Queueable, Configured, Request, answered_by=(DoubtsFound,)):
    """Rank the labels of a folder by how doubtful they are, of its training part unless `split` says otherwise."""

    type: Literal["find_doubts"] = "find_doubts"
    data: str = Field(min_length=1, max_length=1000)
    split: Literal["train", "val", "test"] | None = None


class NoteDoubt(Request, answered_by=(DoubtNoted,)):
    """Keep a note, or what was decided, of an image whose label is in doubt; what is not given stays as it was."""

    type: Literal["note_doubt"] = "note_doubt"
    doubts_id: RunId
    file: str = Field(min_length=1, max_length=1000, description="As the list names it.")
    note: str | None = Field(None, max_length=500)
    decision: DoubtDecision | None = None


class PlanStudy(Request, answered_by=(StudyPlanned,)):
    """Say how many patients a study needs, to develop a model or to judge one."""

    type: Literal["plan_study"] = "plan_study"
    assumptions: PlanAssumptions


class ListComparisons(Request, looks_only=True, answered_by=(ComparisonsList,)):
    """List the comparisons kept in the workspace."""

    type: Literal["list_comparisons"] = "list_comparisons"


class ShowComparison(Request, looks_only=True, answered_by=(ComparisonShown,)):
    """Show a comparison again."""

    type: Literal["show_comparison"] = "show_comparison"
    comparison_id: RunId


ImagePath = Annotated[str, Field(min_length=1, max_length=1000)]


class PredictImages(Queueable, Request, answered_by=(PredictionsComplete,), told_each=Prediction):
    """Classify images the server may read; a prediction event for each, then predictions_complete.

    A model that decides by breast, exam or patient tells a unit_prediction of each of these before the end.
    """

    type: Literal["predict_images"] = "predict_images"
    images: list[ImagePath] = Field(min_length=1, max_length=1000, description="Image files or folders.")
    checkpoint: CheckpointName | None = Field(None, description="By default the session's current model.")
    boxes: Boxes = []
    one_patient: OnePatient = False


class ExplainImages(Queueable, Request, answered_by=(ExplanationsComplete,), told_each=HeatMap):
    """Draw heat maps over images the server may read; a heat_map event for each, then explanations_complete."""

    type: Literal["explain_images"] = "explain_images"
    images: list[ImagePath] = Field(min_length=1, max_length=1000, description="Image files or folders.")
    checkpoint: CheckpointName | None = Field(None, description="By default the session's current model.")
    target_class: str | None = Field(
        None, max_length=200, description="What the maps speak of; by default each image's most probable class."
    )
    boxes: Boxes = []


class AuditData(Configured, Request, answered_by=(AuditDone,)):
    """Look for faults in a folder of images: duplicates, contradicting labels, leaks, shortcuts, broken files."""

    type: Literal["audit_data"] = "audit_data"
    data: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Class folders, or a folder that holds train/, val/, test/; by default those of the configuration.",
    )


class ShowQuestion(Request, looks_only=True, answered_by=(AuditDone, Status)):
    """The audit whose question about duplicates and leaks waits for an answer, with its pictures; else the status."""

    type: Literal["show_question"] = "show_question"


class AnswerLeaks(Request, answered_by=(TrainingStarted, StudyStarted, Status)):
    """Answer what a job asked before it began: it begins again with this data.on_leak. Null: it does not begin."""

    type: Literal["answer_leaks"] = "answer_leaks"
    choice: Literal["group", "exclude", "continue"] | None


class CreateReport(Queueable, Request, answered_by=(ReportCreated,)):
    """Write the report of a run: HTML, the same numbers as JSON, and a PDF or a Word document when asked for."""

    type: Literal["create_report"] = "create_report"
    run_id: RunId | None = Field(
        None,
        description="By default the run of the session's current model; predictions: the evaluation of another model's.",
    )
    evaluation: str | None = Field(
        None, min_length=1, max_length=100, description="The kept one that it rests on; by default the latest on test."
    )
    language: Language = ENGLISH
    pdf: bool = False
    docx: bool = False


class GetSystemDiagnostics(Request, looks_only=True, answered_by=(SystemDiagnostics,)):
    """Processor, memory, disk and versions."""

    type: Literal["system_diagnostics"] = "system_diagnostics"


class CreateBackup(Request, answered_by=(BackupCreated,)):
    """Keep a copy of configuration, manifests, logs and best weights; never images."""

    type: Literal["create_backup"] = "create_backup"


class ListBackups(Request, answered_by=(BackupsList,)):
    """All backups of the workspace."""

    type: Literal["list_backups"] = "list_backups"


class VerifyBackup(Request, answered_by=(BackupVerified,)):
    """Prove that every file in a backup is what was put in."""

    type: Literal["verify_backup"] = "verify_backup"
    name: str = Field(min_length=1, max_length=300, description="A name list_backups gave.")


class DeleteBackup(Request, answered_by=(BackupDeleted,)):
    """Delete a backup for good."""

    type: Literal["delete_backup"] = "delete_backup"
    name: str = Field(min_length=1, max_length=300, description="A name list_backups gave.")


class RestoreBackup(Request, answered_by=(BackupRestored,)):
    """Put a backup's files in their places. What is there now is backed up first; other files stay as they are."""

    type: Literal["restore_backup"] = "restore_backup"
    name: str = Field(min_length=1, max_length=300, description="A name list_backups gave.")


class ListInterrupted(Request, answered_by=(InterruptedRuns,)):
    """Runs that ended before their end and not by their user's wish; resume_training goes on with one by its name."""

    type: Literal["list_interrupted"] = "list_interrupted"


class DismissRun(Request, answered_by=(InterruptedRuns,)):
    """Leave an interrupted run as it is: it is no longer offered. It can still be resumed by its name."""

    type: Literal["dismiss_run"] = "dismiss_run"
    run_id: RunId


class GetConfig(Request, looks_only=True, answered_by=(ConfigShown,)):
    """The workspace's configuration, and its schema."""

    type: Literal["get_config"] = "get_config"


class SaveConfig(Request, answered_by=(ConfigSaved,)):
    """Check a configuration and write it: to config.json, overlaying what is there, or as it is under a name."""

    type: Literal["save_config"] = "save_config"
    config: dict[str, Any]
    name: ConfigName | None = Field(None, description="A named configuration, kept in configs/.")
    whole: bool = Field(False, description="config.json shall hold this alone; its server section stays.")


class DeleteConfig(Request, answered_by=(ConfigDeleted,)):
    """Delete a named configuration."""

    type: Literal["delete_config"] = "delete_config"
    name: ConfigName


class CheckConfig(Request, looks_only=True, answered_by=(ConfigChecked,)):
    """Tell what is wrong with a configuration; nothing is written."""

    type: Literal["check_config"] = "check_config"
    config: dict[str, Any] = Field(description="As for start_training.")
    preset: str | None = Field(None, max_length=100, description="Preset laid under `config`.")
    whole: bool = Field(False, description="Alone, not laid over config.json.")


class ListDocuments(Request, looks_only=True, answered_by=(DocumentsList,)):
    """The texts of the workspace that may be read: configurations, logs, journals, manifests, records."""

    type: Literal["list_documents"] = "list_documents"


class GetDocument(Request, answered_by=(Document,)):
    """One of the listed texts; of a long one, its end."""

    type: Literal["get_document"] = "get_document"
    kind: DocumentKind
    name: str = Field(min_length=1, max_length=300)


ImageId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
MOST_IMAGE_BYTES = 2**26
MOST_IMAGES_ASKED = 24
_MOST_PART_CHARACTERS = 700_000


class AddImage(Request, looks_only=True, answered_by=(ImageAdded,)):
    """Hand over a part of an image to ask about. The parts of an image come in order, each after the answer to the last.

    The server keeps it in a temporary place, for this connection, until ask_images has been answered.
    """

    type: Literal["add_image"] = "add_image"
    image: ImageId = Field(description="Chosen by the client, to name the image in ask_images.")
    file: str = Field(min_length=1, max_length=300, description="What its file is called.")
    size: int = Field(ge=1, le=MOST_IMAGE_BYTES, description="Its bytes in all.")
    start: int = Field(0, ge=0, description="How many bytes come before this part; 0 begins the image anew.")
    part: str = Field(max_length=_MOST_PART_CHARACTERS, description="The bytes of this part, in base64.")


class AskImages(Request, answered_by=(ImagesAnswered,), told_each=ImageAnswer):
    """Ask one or two models about images handed over; one image_answer each comes before the end, to the asker alone.

    Exported .onnx files are asked beside a running job; checkpoints and heat maps are a job of their own.
    """

    type: Literal["ask_images"] = "ask_images"
    images: list[ImageId] = Field(min_length=1, max_length=MOST_IMAGES_ASKED)
    models: list[CheckpointName] = Field(
        min_length=1, max_length=2, description="Checkpoints, or exported .onnx files by their path in the workspace."
    )
    heat_maps: bool = Field(False, description="Draw where checkpoints found what speaks for their answer.")
    keep: bool = Field(False, description="Keep copies of the images in the workspace; else they are removed.")
    boxes: Boxes = []
    one_patient: OnePatient = False


class BrowseFolder(Request, looks_only=True, answered_by=(FolderShown,)):
    """What lies in a folder of the workspace, or of another that the server may read images from."""

    type: Literal["browse_folder"] = "browse_folder"
    path: str | None = Field(
        None, min_length=1, max_length=1000, description="The folder; null: those that may be looked through."
    )


UploadId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
MOST_PARTS = 500


class BeginUpload(Request, answered_by=(UploadBegun,)):
    """Begin to hand over files that are to stay in the workspace, or go on with an upload of the same fingerprint."""

    type: Literal["begin_upload"] = "begin_upload"
    name: str = Field(min_length=1, max_length=300, description="What its folder is to be called.")
    files: int = Field(ge=1, description="How many files will come.")
    size_bytes: int = Field(ge=0, description="Their bytes in all.")
    fingerprint: str = Field(
        min_length=1,
        max_length=200,
        description="The same for the same files in the same order: a broken upload goes on by it.",
    )


class UploadPart(BaseModel):
    """Some bytes of a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: str = Field(min_length=1, max_length=1000, description="Of the file in the upload, with forward slashes.")
    size: int = Field(ge=0, description="The bytes of the file in all.")
    start: int = Field(0, ge=0, description="How many bytes of it come before this part.")
    part: str = Field(max_length=_MOST_PART_CHARACTERS, description="The bytes of this part, in base64.")
    crc32: int = Field(ge=0, lt=2**32, description="Their CRC-32.")


class AddUploadParts(Request, looks_only=True, answered_by=(UploadReceived,)):
    """Hand over parts of an upload's files, in order: of a large file a part, of small files many at once."""

    type: Literal["add_upload_parts"] = "add_upload_parts"
    upload: UploadId
    parts: list[UploadPart] = Field(min_length=1, max_length=MOST_PARTS)


class FinishUpload(Request, answered_by=(UploadFinished,)):
    """Unpack the archives of an upload whose files are all there, and give it its place in the workspace."""

    type: Literal["finish_upload"] = "finish_upload"
    upload: UploadId


class CancelUpload(Request, answered_by=(UploadCancelled,)):
    """Give up an upload and delete what is there of it."""

    type: Literal["cancel_upload"] = "cancel_upload"
    upload: UploadId


class ShowErrors(Request, looks_only=True, answered_by=(ErrorsShown,)):
    """The cases a run's model was most wrong about, by its latest evaluation: on validation images where there is one."""

    type: Literal["show_errors"] = "show_errors"
    run_id: RunId


class ListJudged(Request, looks_only=True, answered_by=(JudgedList,)):
    """The images of an evaluation, a page at a time: by default of the latest, on validation images where there is one."""

    type: Literal["list_judged"] = "list_judged"
    run_id: RunId
    name: str | None = Field(None, min_length=1, max_length=100, description="As list_results names it.")
    only: JudgedFilter = JudgedFilter()
    sort: JudgedOrder = Field("given_to_truth", description="What they are sorted by; images without it come last.")
    descending: bool = False
    first: int = Field(0, ge=0, description="Place of the first to send, from 0.")
    limit: int = Field(50, ge=1, le=MOST_JUDGED)


class ShowJudged(Request, looks_only=True, answered_by=(JudgedShown,)):
    """One image of an evaluation, large, with its mask and a heat map that explain_images has drawn of it."""

    type: Literal["show_judged"] = "show_judged"
    run_id: RunId
    name: str | None = Field(None, min_length=1, max_length=100, description="As list_results names it.")
    number: int = Field(ge=0, description="Its place in the evaluation's record.")
    heat_map: str | None = Field(None, max_length=1000, description="As heat_map names it.")


class Ping(Request, looks_only=True, answered_by=(Pong,)):
    """Answered at once."""

    type: Literal["ping"] = "ping"
    timestamp: float | str | None = Field(None, description="Sent back as it came.")


class Disconnect(Request, looks_only=True, answered_by=(DisconnectAck,)):
    """A polite goodbye; the server answers and closes the connection."""

    type: Literal["disconnect"] = "disconnect"
    message: str | None = Field(None, max_length=1000)
    timestamp: float | str | None = None


@cache
def request_adapter() -> TypeAdapter[Request]:
    """Return what describes a request of any kind; one that is read is read by its own kind."""
    return union_of(REQUESTS.values())
