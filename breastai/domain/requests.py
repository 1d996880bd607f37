"""Every request a client may send, one frozen model each, told apart by `type`."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from breastai.domain.events import DocumentKind
from breastai.domain.report_language import Language
from breastai.texts.catalogue import ENGLISH

RunId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
ConfigName = Annotated[str, Field(min_length=1, max_length=95, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
CheckpointName = Annotated[str, Field(min_length=1, max_length=300)]


class Request(BaseModel):
    """What every request may carry. `answered_by` names the events that answer it; an error may come instead."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    answered_by: ClassVar[tuple[str, ...]] = ()

    session_id: str = Field("default", min_length=1, max_length=100, description="Which session the request is for.")
    request_id: Annotated[str, Field(max_length=200)] | Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = Field(
        None, description="Chosen by the client and echoed in the answer."
    )


class Queueable(BaseModel):
    """What a request for a job may carry besides: by default it is refused while another job runs."""

    queue: bool = Field(
        False, description="Wait for its turn when another job runs or waits; answered by job_queued then."
    )


class Configured(BaseModel):
    """The settings a request is about."""

    config: dict[str, Any] = Field({}, description="Settings to change; the rest comes from config.json.")
    preset: str | None = Field(None, description="Preset laid under `config`.")


class StartTraining(Queueable, Request):
    """Train a new run. `config` is partial, nested or in version 3's flat names; it overlays the workspace's config.json."""

    answered_by = ("training_started", "job_queued")
    type: Literal["start_training"] = "start_training"
    config: dict[str, Any] = Field({}, description="Settings to change; the rest comes from config.json.")
    preset: str | None = Field(None, description="Preset laid under `config`: quick, balanced or full.")
    epochs: int | None = Field(None, ge=1, le=10_000, description="Short for config.training.epochs.")


class StopTraining(Request):
    """Stop the running job after its batch, and save; asked a second time, end it at once."""

    answered_by = ("training_stopped", "job_stopped", "study_stopped")
    type: Literal["stop_training"] = "stop_training"


class ResumeTraining(Queueable, Request):
    """Go on with a run; `checkpoint` names it (RUN or RUN/last)."""

    answered_by = ("training_started", "job_queued")
    type: Literal["resume_training"] = "resume_training"
    checkpoint: CheckpointName
    epochs: int | None = Field(None, ge=1, le=10_000, description="Epochs in all; by default as planned.")


class StartCrossval(Queueable, Request):
    """Train and judge a model for each fold of the training and validation images; the test folder is never touched."""

    answered_by = ("study_started", "job_queued")
    type: Literal["start_crossval"] = "start_crossval"
    config: dict[str, Any] = Field({}, description="As for start_training; crossval says how images are dealt.")
    preset: str | None = Field(None, description="Preset laid under `config`.")
    epochs: int | None = Field(None, ge=1, le=10_000, description="Short for config.training.epochs.")


class ResumeStudy(Queueable, Request):
    """Go on with a study that stopped, or was interrupted: its complete runs are not run again."""

    answered_by = ("study_started", "job_queued")
    type: Literal["resume_study"] = "resume_study"
    study_id: RunId


class GetStudy(Request):
    """A study as it is now; by default the latest."""

    answered_by = ("study",)
    type: Literal["get_study"] = "get_study"
    study_id: RunId | None = None


class ListStudies(Request):
    """The cross-validations and searches for settings of the workspace, the latest first, a page at a time."""

    answered_by = ("studies_list",)
    type: Literal["list_studies"] = "list_studies"
    first: int = Field(0, ge=0, description="Place of the first to send, from 0.")
    limit: int = Field(50, ge=1, le=100)


class GetQueue(Request):
    """The jobs that wait for their turn."""

    answered_by = ("queue",)
    type: Literal["get_queue"] = "get_queue"


class MoveJob(Request):
    """Give a waiting job another place in the queue."""

    answered_by = ("queue",)
    type: Literal["move_job"] = "move_job"
    entry: str = Field(min_length=1, max_length=40, description="The waiting job, as the queue names it.")
    place: int = Field(ge=1, description="Its new place; 1 is the next to run.")


class CancelJob(Request):
    """Take a waiting job out of the queue."""

    answered_by = ("queue",)
    type: Literal["cancel_job"] = "cancel_job"
    entry: str = Field(min_length=1, max_length=40, description="The waiting job, as the queue names it.")


class HoldQueue(Request):
    """Have waiting jobs wait on, or let them go on; the job that runs is not touched."""

    answered_by = ("queue",)
    type: Literal["hold_queue"] = "hold_queue"
    held: bool


class StartTuning(Queueable, Configured, Request):
    """Try settings by short runs (config.tuning says which and how many), and save the best as a named configuration."""

    answered_by = ("study_started", "job_queued")
    type: Literal["start_tuning"] = "start_tuning"


class ListRuns(Request):
    """The runs of the workspace, past ones too, a page at a time."""

    answered_by = ("runs_list",)
    type: Literal["list_runs"] = "list_runs"
    search: str = Field(
        "",
        max_length=200,
        description="Words that must all stand in name, state, network, folder, classes, tags or note.",
    )
    first: int = Field(0, ge=0, description="Place of the first to send, from 0.")
    limit: int = Field(50, ge=1, le=200)


class AnnotateRun(Request):
    """Write tags and a note about a run; what is left out stays."""

    answered_by = ("run_annotated",)
    type: Literal["annotate_run"] = "annotate_run"
    run_id: RunId
    tags: list[Annotated[str, Field(min_length=1, max_length=40)]] | None = Field(None, max_length=20)
    note: str | None = Field(None, max_length=4000)


class DeleteRun(Request):
    """Delete a run for good: its journal, reports, evaluations and checkpoints. Exports and backups stay."""

    answered_by = ("run_deleted",)
    type: Literal["delete_run"] = "delete_run"
    run_id: RunId


class CompareRuns(Request):
    """Curves, figures and differing settings of some runs, from their journals."""

    answered_by = ("runs_compared",)
    type: Literal["compare_runs"] = "compare_runs"
    run_ids: list[RunId] = Field(min_length=2, max_length=6)


class DescribeData(Configured, Request):
    """What a run of this configuration would train on: counts by class and split, what is left out, warnings."""

    answered_by = ("data_described",)
    type: Literal["describe_data"] = "describe_data"


class ListImages(Configured, Request):
    """A page of the images of a split, with thumbnails."""

    answered_by = ("images_list",)
    type: Literal["list_images"] = "list_images"
    split: Literal["train", "val", "test"] = "train"
    class_name: str | None = Field(None, max_length=300, description="Of this class alone.")
    first: int = Field(0, ge=0, description="Place of the first to send, from 0.")
    limit: int = Field(24, ge=1, le=60)


class PreviewImage(Configured, Request):
    """An image as it is, as the network would see it, and some draws of its augmentation."""

    answered_by = ("image_preview",)
    type: Literal["preview_image"] = "preview_image"
    split: Literal["train", "val", "test"] = "train"
    file: str | None = Field(
        None, min_length=1, max_length=1000, description="As images_list names it; null: the first."
    )
    augmented: int = Field(0, ge=0, le=8, description="How many draws.")
    seed: int = Field(0, ge=0, le=2**31 - 1, description="Another number gives other draws.")


class GetStatus(Request):
    """The session as it is now; with `last_seq`, the events of its run after that number come too."""

    answered_by = ("status",)
    type: Literal["get_status"] = "get_status"
    run_id: RunId | None = Field(
        None, description="The run that last_seq counts in; events are sent only if it is still the session's."
    )
    last_seq: int | None = Field(None, ge=0, description="Number of the last event the client has.")
    most: int | None = Field(
        None, ge=1, description="Of more missed events only so many come, the latest; the epochs come by get_history."
    )


class GetHistory(Request):
    """The epochs of a run, a page at a time."""

    answered_by = ("history",)
    type: Literal["get_history"] = "get_history"
    run_id: RunId | None = Field(None, description="By default the session's run.")
    first: int = Field(1, alias="from", ge=1, description="First epoch.")
    last: int | None = Field(None, alias="to", ge=1, description="Last epoch; at most 200 epochs come at a time.")


class ListCheckpoints(Request):
    """All checkpoints of the workspace."""

    answered_by = ("checkpoints_list",)
    type: Literal["list_checkpoints"] = "list_checkpoints"


class LoadCheckpoint(Request):
    """Verify a checkpoint and make it the session's current model."""

    answered_by = ("checkpoint_loaded",)
    type: Literal["load_checkpoint"] = "load_checkpoint"
    checkpoint: CheckpointName


class DeleteCheckpoint(Request):
    """Delete a checkpoint and its manifest."""

    answered_by = ("checkpoint_deleted",)
    type: Literal["delete_checkpoint"] = "delete_checkpoint"
    checkpoint: CheckpointName


class VerifyCheckpoint(Request):
    """Prove that a checkpoint's weights and state are those its manifest speaks of."""

    answered_by = ("checkpoint_verified",)
    type: Literal["verify_checkpoint"] = "verify_checkpoint"
    checkpoint: CheckpointName


class ListExports(Request):
    """All exported models of the workspace."""

    answered_by = ("exports_list",)
    type: Literal["list_exports"] = "list_exports"


class DeleteExport(Request):
    """Delete an exported model."""

    answered_by = ("export_deleted",)
    type: Literal["delete_export"] = "delete_export"
    path: str = Field(min_length=1, max_length=300, description="As exports_list has it.")


class VerifyExport(Request):
    """Ask an exported ONNX model again what it was asked at its export."""

    answered_by = ("export_verified",)
    type: Literal["verify_export"] = "verify_export"
    path: str = Field(min_length=1, max_length=300, description="As exports_list has it.")


class ExportModel(Queueable, Request):
    """Export a checkpoint; by default the session's current model."""

    answered_by = ("export_complete", "job_queued")
    type: Literal["export_model"] = "export_model"
    format: str = Field("onnx", max_length=40, description="One of the catalog's export formats.")
    checkpoint: CheckpointName | None = None


class ExportOnnx(Queueable, Request):
    """Version 3's name for export_model with format onnx."""

    answered_by = ("export_complete", "job_queued")
    type: Literal["export_onnx"] = "export_onnx"
    checkpoint: CheckpointName | None = None


class EstimateCost(Request):
    """Measure for some seconds what a training of this configuration would take."""

    answered_by = ("bench",)
    type: Literal["estimate_cost"] = "estimate_cost"
    config: dict[str, Any] = Field({}, description="As for start_training.")
    preset: str | None = Field(None, description="Preset laid under `config`.")
    epochs: int | None = Field(None, ge=1, le=10_000, description="Short for config.training.epochs.")


class EvaluateModel(Queueable, Request):
    """Judge a checkpoint on labelled images."""

    answered_by = ("evaluation", "job_queued")
    type: Literal["evaluate_model"] = "evaluate_model"
    checkpoint: CheckpointName | None = None
    data: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Class folders, or a folder that holds train/, val/, test/; null: the images its own run validated on.",
    )
    split: Literal["train", "val", "test"] | None = None
    subgroups: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="A CSV with the column file and one for each subgroup (device, density, age).",
    )


class CompareModels(Queueable, Request):
    """Compare two checkpoints on the same labelled images, or two CSV files of predictions."""

    answered_by = ("comparison", "job_queued")
    type: Literal["compare_models"] = "compare_models"
    first: CheckpointName
    second: CheckpointName
    data: str | None = Field(
        None, min_length=1, max_length=1000, description="Images for two checkpoints, as in evaluate_model."
    )
    split: Literal["train", "val", "test"] | None = None

    @property
    def compares_predictions(self) -> bool:
        """Whether two files of predictions are meant."""
        return self.first.lower().endswith(".csv") and self.second.lower().endswith(".csv")


ImagePath = Annotated[str, Field(min_length=1, max_length=1000)]


class PredictImages(Queueable, Request):
    """Classify images the server may read; a prediction event for each, then predictions_complete."""

    answered_by = ("predictions_complete", "job_queued")
    type: Literal["predict_images"] = "predict_images"
    images: list[ImagePath] = Field(min_length=1, max_length=1000, description="Image files or folders.")
    checkpoint: CheckpointName | None = Field(None, description="By default the session's current model.")


class ExplainImages(Queueable, Request):
    """Draw heat maps over images the server may read; a heat_map event for each, then explanations_complete."""

    answered_by = ("explanations_complete", "job_queued")
    type: Literal["explain_images"] = "explain_images"
    images: list[ImagePath] = Field(min_length=1, max_length=1000, description="Image files or folders.")
    checkpoint: CheckpointName | None = Field(None, description="By default the session's current model.")
    target_class: str | None = Field(
        None, max_length=200, description="What the maps speak of; by default each image's most probable class."
    )


class AuditData(Configured, Request):
    """Look for faults in a folder of images: duplicates, contradicting labels, leaks, shortcuts, broken files."""

    answered_by = ("audit",)
    type: Literal["audit_data"] = "audit_data"
    data: str | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Class folders, or a folder that holds train/, val/, test/; by default those of the configuration.",
    )


class CreateReport(Queueable, Request):
    """Write the report of a run: HTML, the same numbers as JSON, and a PDF when asked for."""

    answered_by = ("report_created", "job_queued")
    type: Literal["create_report"] = "create_report"
    run_id: RunId | None = Field(None, description="By default the run of the session's current model.")
    language: Language = ENGLISH
    pdf: bool = False


class GetSystemDiagnostics(Request):
    """Processor, memory, disk and versions."""

    answered_by = ("system_diagnostics",)
    type: Literal["system_diagnostics"] = "system_diagnostics"


class CreateBackup(Request):
    """Keep a copy of configuration, manifests, logs and best weights; never images."""

    answered_by = ("backup_created",)
    type: Literal["create_backup"] = "create_backup"


class ListBackups(Request):
    """All backups of the workspace."""

    answered_by = ("backups_list",)
    type: Literal["list_backups"] = "list_backups"


class VerifyBackup(Request):
    """Prove that every file in a backup is what was put in."""

    answered_by = ("backup_verified",)
    type: Literal["verify_backup"] = "verify_backup"
    name: str = Field(min_length=1, max_length=300, description="A name list_backups gave.")


class DeleteBackup(Request):
    """Delete a backup for good."""

    answered_by = ("backup_deleted",)
    type: Literal["delete_backup"] = "delete_backup"
    name: str = Field(min_length=1, max_length=300, description="A name list_backups gave.")


class RestoreBackup(Request):
    """Put a backup's files in their places. What is there now is backed up first; other files stay as they are."""

    answered_by = ("backup_restored",)
    type: Literal["restore_backup"] = "restore_backup"
    name: str = Field(min_length=1, max_length=300, description="A name list_backups gave.")


class ListInterrupted(Request):
    """Runs that ended before their end and not by their user's wish; resume_training goes on with one by its name."""

    answered_by = ("interrupted_runs",)
    type: Literal["list_interrupted"] = "list_interrupted"


class DismissRun(Request):
    """Leave an interrupted run as it is: it is no longer offered. It can still be resumed by its name."""

    answered_by = ("interrupted_runs",)
    type: Literal["dismiss_run"] = "dismiss_run"
    run_id: RunId


class GetConfig(Request):
    """The workspace's configuration, and its schema."""

    answered_by = ("config",)
    type: Literal["get_config"] = "get_config"


class SaveConfig(Request):
    """Check a configuration and write it: to config.json, overlaying what is there, or as it is under a name."""

    answered_by = ("config_saved",)
    type: Literal["save_config"] = "save_config"
    config: dict[str, Any]
    name: ConfigName | None = Field(None, description="A named configuration, kept in configs/.")
    whole: bool = Field(False, description="config.json shall hold this alone; its server section stays.")


class DeleteConfig(Request):
    """Delete a named configuration."""

    answered_by = ("config_deleted",)
    type: Literal["delete_config"] = "delete_config"
    name: ConfigName


class CheckConfig(Request):
    """Tell what is wrong with a configuration; nothing is written."""

    answered_by = ("config_checked",)
    type: Literal["check_config"] = "check_config"
    config: dict[str, Any] = Field(description="As for start_training.")
    preset: str | None = Field(None, max_length=100, description="Preset laid under `config`.")
    whole: bool = Field(False, description="Alone, not laid over config.json.")


class ListDocuments(Request):
    """The texts of the workspace that may be read: configurations, logs, journals, manifests, records."""

    answered_by = ("documents_list",)
    type: Literal["list_documents"] = "list_documents"


class GetDocument(Request):
    """One of the listed texts; of a long one, its end."""

    answered_by = ("document",)
    type: Literal["get_document"] = "get_document"
    kind: DocumentKind
    name: str = Field(min_length=1, max_length=300)


ImageId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9-]+$")]
MOST_IMAGE_BYTES = 2**26
MOST_IMAGES_ASKED = 24
_MOST_PART_CHARACTERS = 700_000


class AddImage(Request):
    """Hand over a part of an image to ask about. The parts of an image come in order, each after the answer to the last.

    The server keeps it in a temporary place, for this connection, until ask_images has been answered.
    """

    answered_by = ("image_added",)
    type: Literal["add_image"] = "add_image"
    image: ImageId = Field(description="Chosen by the client, to name the image in ask_images.")
    file: str = Field(min_length=1, max_length=300, description="What its file is called.")
    size: int = Field(ge=1, le=MOST_IMAGE_BYTES, description="Its bytes in all.")
    start: int = Field(0, ge=0, description="How many bytes come before this part; 0 begins the image anew.")
    part: str = Field(max_length=_MOST_PART_CHARACTERS, description="The bytes of this part, in base64.")


class AskImages(Request):
    """Ask one or two models about images handed over; one image_answer each comes before the end, to the asker alone.

    Exported .onnx files are asked beside a running job; checkpoints and heat maps are a job of their own.
    """

    answered_by = ("images_answered",)
    type: Literal["ask_images"] = "ask_images"
    images: list[ImageId] = Field(min_length=1, max_length=MOST_IMAGES_ASKED)
    models: list[CheckpointName] = Field(
        min_length=1, max_length=2, description="Checkpoints, or exported .onnx files by their path in the workspace."
    )
    heat_maps: bool = Field(False, description="Draw where checkpoints found what speaks for their answer.")
    keep: bool = Field(False, description="Keep copies of the images in the workspace; else they are removed.")


class ShowErrors(Request):
    """The cases a run's model was most wrong about, by its latest evaluation: on validation images where there is one."""

    answered_by = ("errors_shown",)
    type: Literal["show_errors"] = "show_errors"
    run_id: RunId


class Ping(Request):
    """Answered at once."""

    answered_by = ("pong",)
    type: Literal["ping"] = "ping"
    timestamp: float | str | None = Field(None, description="Sent back as it came.")


class Disconnect(Request):
    """A polite goodbye; the server answers and closes the connection."""

    answered_by = ("disconnect_ack",)
    type: Literal["disconnect"] = "disconnect"
    message: str | None = Field(None, max_length=1000)
    timestamp: float | str | None = None


AnyRequest = Annotated[
    StartTraining
    | StopTraining
    | ResumeTraining
    | StartCrossval
    | ResumeStudy
    | GetStudy
    | ListStudies
    | GetQueue
    | MoveJob
    | CancelJob
    | HoldQueue
    | StartTuning
    | ListRuns
    | AnnotateRun
    | DeleteRun
    | CompareRuns
    | DescribeData
    | ListImages
    | PreviewImage
    | GetStatus
    | GetHistory
    | ListCheckpoints
    | LoadCheckpoint
    | DeleteCheckpoint
    | VerifyCheckpoint
    | ListExports
    | DeleteExport
    | VerifyExport
    | ExportModel
    | ExportOnnx
    | EvaluateModel
    | EstimateCost
    | CompareModels
    | PredictImages
    | ExplainImages
    | AuditData
    | CreateReport
    | GetSystemDiagnostics
    | CreateBackup
    | ListBackups
    | VerifyBackup
    | DeleteBackup
    | RestoreBackup
    | ListInterrupted
    | DismissRun
    | GetConfig
    | SaveConfig
    | DeleteConfig
    | CheckConfig
    | ListDocuments
    | GetDocument
    | AddImage
    | AskImages
    | ShowErrors
    | Ping
    | Disconnect,
    Field(discriminator="type"),
]
REQUEST: TypeAdapter[AnyRequest] = TypeAdapter(AnyRequest)
REQUESTS: dict[str, type[Request]] = {model.model_fields["type"].default: model for model in Request.__subclasses__()}
