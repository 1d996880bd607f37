"""Every error a user can meet, each with a code, its data and what to do next.

    BreastAIError
    |-- InputError                the user can mend it: exit status 2
    |   |-- ConfigInvalid         ConfigUnreadable     ConfigNotWritable
    |   |-- DataNotFound          DataOutsideRoots     NoClassFolders       TooFewClasses
    |   |-- UnreadableClass       NumClassesMismatch   ClassesDiffer        NoImages
    |   |-- TargetClassNeeded     SeveralDiseases      ManyClasses          ClassesAreIdentifiers
    |   |-- ImagesBesideMasks     ClassOfMasks         PatientsAboveClasses SplitFoldersAmbiguous
    |   |-- SamePatient           ClassesUnmatched     ClassMapInvalid      EvaluationNotFound
    |   |-- LocalSampleUnfit      PathNotFound         ClassNotTrained      PartNotFound
    |   |-- DatasetNotFound       DatasetInvalid       CorrectionInvalid    LabelsOfTestImages
    |   |-- PatientIdMissing      PatientIdInvalid     TooFewPatients       NoTruth
    |   |-- PredictionsInvalid    SplitInvalid         TwinsFound           NoEvaluation
    |   |-- ImageUnreadable       CheckpointNotFound   CheckpointDamaged    ModelUnreadable
    |   |-- RunNotFound           RequestInvalid       RequestUnknown       MissingExtra
    |   |-- ExportNotFound        ImageNotHanded       TooMuchHanded        LeaksDoubtful
    |   |-- RunFinished           DataChanged          FolderNotEmpty       TargetClassUnknown
    |   |-- WeightsUnavailable    WeightsMismatch      ImageTooSmall        DeviceUnavailable
    |   |-- WeightsInvalid        WeightsNotFound      ArchitectureUnknown  ImageSizeUnfit
    |   |-- PortInUse             AddressUnusable      WorkspaceUnusable    NameInvalid
    |   |-- TokenUnavailable      TlsUnusable          DocumentNotFound     SubgroupsInvalid
    |   |-- BackupNotFound        BackupDamaged        CommandInvalid       LabelsInvalid
    |   |-- StudyNotFound         StudyDamaged         StudyExists          TuningUndefined
    |   |-- NothingInterrupted    NotUnderTorchrun     ClusterUnreachable
    |   |-- ClusterNotAllowed     WorkspaceNotShared   NodeUnfit
    |   |-- TrackerNotAllowed     FormatTooNew         WorkspaceInUse       WatchInUse
    |   |-- UploadNotFound        UploadTooLarge       UploadNameUnsafe     ArchiveRefused
    |   |-- StorePackageMissing   StoreUnknown         StoreNotFound        StoreRefused
    |   |-- StoreUnreachable      StoreNotAllowed      StoreTooLarge        StoreNotCopied
    |   `-- ReadersInvalid        ComparisonNotFound   CasesNotPredicted    PartInvalid
    |       PlanImpossible        EvaluationNotFound    SettingUnknown       DoubtNotFound
    |       DecisionUnitUnknown
    |-- SessionError              asked at the wrong moment
    |   |-- SessionBusy           NothingToStop        NoCurrentModel       CheckpointInUse
    |   |-- TooManyRequests       QueueFull            NotQueued
    |   |-- UploadOutOfStep       NothingAsked
    |   `-- RunInUse
    |-- RunError                  a run could not go on: exit status 1
    |   |-- DiskFull              OutOfMemory          LossNotFinite        RunLocked
    |   |-- WorkerCrashed         WorkerKilled         WorkerSilent         WorkerFrozen
    |   |-- WorkerFaulted         ImageGone
    |   `-- ProcessLost           ProcessesDiffer      MemberLost
    |-- ExportError
    |   |-- ExportFailed          ExportMismatch       ExportLosesAccuracy
    |   `-- ReferencesDiffer
    `-- ClientError
        |-- ServerUnreachable     RequestTimedOut      ConnectionLost
        `-- RefusedByServer       AccessRefused

An error is raised with data, not with prose: `raise NoClassFolders(path)`. Its words are the text `error.CODE` of the
catalogues, filled in with the same `params`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from breastai.domain.text import Text

NOTHING = Text("reason.nothing")
CLASS_FOLDERS_OR_TABLE = Text("reason.read_as_folders")


class BreastAIError(Exception):
    """An error with a code and parameters fit for JSON; `option`: what mends it on the command line, if one does.

    `about`: the setting of a run that is at fault, by its path; "" where none is, or where several could be.
    """

    code: ClassVar[str] = "error"
    option: ClassVar[str] = ""
    about: str = ""
    exit_status: ClassVar[int] = 1

    @property
    def params(self) -> dict[str, Any]:
        """The data of the error, by name: strings, numbers and lists of them."""
        if not hasattr(type(self), "__dataclass_fields__"):
            return {}
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    @property
    def text(self) -> Text:
        """The error as one text among others, in every language."""
        return Text(f"error.{self.code}", self.params)

    def __str__(self) -> str:
        return str(self.text)


class InputError(BreastAIError):
    """What the user gave can't be used; the message says what would be."""

    exit_status = 2


class SessionError(BreastAIError):
    """The request is sound but came at the wrong moment."""

    exit_status = 2


class RunError(BreastAIError):
    """A run could not go on."""


class ExportError(BreastAIError):
    """A model could not be exported with equal answers."""


class ClientError(BreastAIError):
    """The server could not be reached or did not answer."""


# --- configuration -----------------------------------------------------------------------------


@dataclass(eq=False)
class ConfigInvalid(InputError):
    """`problems`: one readable line each, "training.epochs: expected a whole number from 1 to 10000, got -1"."""

    code = "config.invalid"
    problems: Sequence[Text | str]


@dataclass(eq=False)
class SettingUnknown(InputError):
    """`near`: a setting that was perhaps meant."""

    code = "config.setting_unknown"
    word: str
    near: str


@dataclass(eq=False)
class ConfigUnreadable(InputError):
    code = "config.unreadable"
    path: str
    reason: Text | str


@dataclass(eq=False)
class ConfigNotWritable(InputError):
    code = "config.not_writable"
    path: str
    reason: Text | str


# --- images and folders ------------------------------------------------------------------------


@dataclass(eq=False)
class DataNotFound(InputError):
    code = "data.not_found"
    option = "--data FOLDER"
    about = "data.train_dir"
    path: str


@dataclass(eq=False)
class PartNotFound(InputError):
    """A place that is there, and is not divided into the part asked for; `parts`: those it has."""

    code = "data.part_not_found"
    option = "--split train|val|test"
    path: str
    part: str
    parts: list[str]


@dataclass(eq=False)
class PathNotFound(InputError):
    """A file, or a folder of which nothing is known but its name."""

    code = "data.path_not_found"
    path: str


@dataclass(eq=False)
class DataOutsideRoots(InputError):
    code = "data.outside_roots"
    about = "data.train_dir"
    path: str


@dataclass(eq=False)
class NoClassFolders(InputError):
    """`first`: the first files that lie there, each with why it is none; `nearest`: what could be read there instead."""

    code = "data.no_class_folders"
    about = "data.train_dir"
    path: str
    found: Text | str = NOTHING
    first: Sequence[Text | str] = (NOTHING,)
    nearest: Text | str = CLASS_FOLDERS_OR_TABLE


@dataclass(eq=False)
class TooFewClasses(InputError):
    code = "data.too_few_classes"
    about = "data.train_dir"
    path: str
    found: str


@dataclass(eq=False)
class NoImages(InputError):
    """`first`: the first files that were left out, each with its reason."""

    code = "data.no_images"
    about = "data.train_dir"
    path: str
    expected: list[str]
    first: Sequence[Text | str] = (NOTHING,)


@dataclass(eq=False)
class ClassNotTrained(InputError):
    """The parts that a data set gives leave its training part without a class."""

    code = "data.class_not_trained"
    about = "data.train_dir"
    path: str
    class_names: list[str]


@dataclass(eq=False)
class UnreadableClass(InputError):
    code = "data.unreadable_class"
    about = "data.train_dir"
    path: str
    class_name: str
    skipped: int
    reason: Text | str


@dataclass(eq=False)
class TargetClassUnknown(InputError):
    code = "data.target_class_unknown"
    about = "evaluation.target_class"
    wished: str
    class_names: list[str]


@dataclass(eq=False)
class TargetClassNeeded(InputError):
    """`example`: one of the classes, for the command."""

    code = "data.target_class_needed"
    option = '--set "evaluation.target_class={example}"'
    about = "evaluation.target_class"
    class_names: list[str]
    example: str


@dataclass(eq=False)
class SeveralDiseases(InputError):
    """`candidates`: the classes whose names say disease; `example`: one of them."""

    code = "data.several_diseases"
    option = '--set "evaluation.target_class={example}"'
    about = "evaluation.target_class"
    candidates: list[str]
    class_names: list[str]
    example: str


@dataclass(eq=False)
class ManyClasses(InputError):
    code = "data.many_classes"
    option = "--set data.accept_classes=true"
    about = "data.accept_classes"
    path: str
    count: int
    class_names: list[str]


@dataclass(eq=False)
class ClassesAreIdentifiers(InputError):
    code = "data.classes_are_identifiers"
    option = "--set data.accept_classes=true"
    about = "data.accept_classes"
    path: str
    class_names: list[str]


@dataclass(eq=False)
class ImagesBesideMasks(InputError):
    """`tables`: files beside the folders that may hold the labels."""

    code = "data.images_beside_masks"
    option = "--set data.masks=keep"
    about = "data.masks"
    path: str
    images: list[str]
    masks: list[str]
    tables: list[str]


@dataclass(eq=False)
class ClassOfMasks(InputError):
    code = "data.class_of_masks"
    option = "--set data.masks=keep"
    about = "data.masks"
    path: str
    class_name: str


@dataclass(eq=False)
class PatientsAboveClasses(InputError):
    """`patients`: how many upper folders; `example`: one of them; `class_names`: the folders that repeat in them."""

    code = "data.patients_above_classes"
    option = "--set evaluation.patient_id='{\"folder\": 1}'"
    about = "data.train_dir"
    path: str
    patients: int
    example: str
    class_names: list[str]
    command: str


@dataclass(eq=False)
class SplitFoldersAmbiguous(InputError):
    code = "data.split_folders_ambiguous"
    option = "--set data.{split}_dir=FOLDER"
    path: str
    split: str
    found: list[str]


@dataclass(eq=False)
class NumClassesMismatch(InputError):
    code = "data.num_classes_mismatch"
    about = "model.num_classes"
    expected: int
    found: int
    class_names: list[str]


@dataclass(eq=False)
class LocalSampleUnfit(InputError):
    code = "data.local_sample_unfit"
    option = "--local-sample"
    data: str
    reason: Text


@dataclass(eq=False)
class ClassesDiffer(InputError):
    code = "data.classes_differ"
    about = "data.train_dir"
    path: str
    found: list[str]
    expected: list[str]


@dataclass(eq=False)
class ClassesUnmatched(InputError):
    code = "data.classes_unmatched"
    option = '--map "{example}"'
    path: str
    unknown: list[str]
    found: list[str]
    expected: list[str]
    example: str
    without: str


@dataclass(eq=False)
class ClassMapInvalid(InputError):
    code = "data.class_map_invalid"
    path: str
    name: str
    found: list[str]
    expected: list[str]


@dataclass(eq=False)
class ImageUnreadable(InputError):
    code = "data.image_unreadable"
    file: str
    reason: Text | str


@dataclass(eq=False)
class ImageTooSmall(InputError):
    code = "data.image_too_small"
    about = "data.image_size"
    architecture: str
    minimum: int
    image_size: int


@dataclass(eq=False)
class FolderNotEmpty(InputError):
    code = "data.folder_not_empty"
    path: str
    file: str


@dataclass(eq=False)
class NoTruth(InputError):
    code = "data.no_truth"
    path: str


@dataclass(eq=False)
class PatientIdMissing(InputError):
    code = "patient_id.missing"
    about = "evaluation.patient_id"
    count: int
    example: str
    rule: str


@dataclass(eq=False)
class PatientIdInvalid(InputError):
    code = "patient_id.invalid"
    about = "evaluation.patient_id"
    reason: Text | str


@dataclass(eq=False)
class DecisionUnitUnknown(InputError):
    """`unit`: what decisions were to be of: breast, exam or patient."""

    code = "decision_unit.unknown"
    about = "evaluation.decision_unit"
    unit: str
    reason: Text | str


@dataclass(eq=False)
class SamePatient(InputError):
    """`setting`: a rule that the images offer, or a dash."""

    code = "patient_id.same_patient"
    about = "evaluation.patient_id"
    images: int
    setting: str


@dataclass(eq=False)
class SubgroupsInvalid(InputError):
    code = "data.subgroups_invalid"
    path: str
    reason: Text | str


@dataclass(eq=False)
class LabelsInvalid(InputError):
    code = "data.labels_invalid"
    about = "data.train_dir"
    path: str
    reason: Text | str


@dataclass(eq=False)
class DatasetNotFound(InputError):
    """`known`: the names of the descriptions there are."""

    code = "data.dataset_not_found"
    about = "data.train_dir"
    name: str
    known: list[str]


@dataclass(eq=False)
class DatasetInvalid(InputError):
    """`problems`: one readable line each, as of a configuration."""

    code = "data.dataset_invalid"
    about = "data.train_dir"
    name: str
    problems: Sequence[Text | str]


@dataclass(eq=False)
class CorrectionInvalid(InputError):
    """`problems`: one readable line each; nothing was written."""

    code = "data.correction_invalid"
    name: str
    problems: Sequence[Text | str]


@dataclass(eq=False)
class LabelsOfTestImages(InputError):
    """`count` of the images to be left out or relabelled are of the test part, `file` for one."""

    code = "data.labels_of_test"
    name: str
    count: int
    file: str


@dataclass(eq=False)
class PredictionsInvalid(InputError):
    """`problems`: one line each, "row 5, column p_benign: expected a number from 0 to 1, got 'x'"."""

    code = "predictions.invalid"
    path: str
    problems: Sequence[Text | str]


@dataclass(eq=False)
class ReadersInvalid(InputError):
    """`problems`: one line each, as in PredictionsInvalid."""

    code = "readers.invalid"
    path: str
    problems: Sequence[Text | str]


@dataclass(eq=False)
class CasesNotPredicted(InputError):
    code = "readers.cases_not_predicted"
    name: str
    count: int
    case: str
    reason: Text | str


@dataclass(eq=False)
class PartInvalid(InputError):
    code = "predictions.part_invalid"
    part: str
    path: str
    reason: Text | str


@dataclass(eq=False)
class PlanImpossible(InputError):
    code = "plan.impossible"
    criterion: Text | str


@dataclass(eq=False)
class EvaluationNotFound(InputError):
    code = "evaluation.not_found"
    run_id: str
    name: str


@dataclass(eq=False)
class DoubtNotFound(InputError):
    code = "doubts.not_found"
    doubts_id: str
    file: str


@dataclass(eq=False)
class ComparisonNotFound(InputError):
    code = "comparison.not_found"
    comparison_id: str


@dataclass(eq=False)
class SplitInvalid(InputError):
    code = "data.split_invalid"
    about = "data.split_file"
    path: str
    reason: Text | str


@dataclass(eq=False)
class TwinsFound(InputError):
    code = "data.twins_found"
    option = "--set data.on_leak=group"
    about = "data.on_leak"
    groups: int
    contradicting: int
    across: int
    patients: int = 0


@dataclass(eq=False)
class LeaksDoubtful(InputError):
    """The run waits for an answer; `pairs` names some of the near-duplicates."""

    code = "data.leaks_doubtful"
    option = "--set data.on_leak=group"
    about = "data.on_leak"
    images: int
    alike: int
    groups: int
    largest: int
    patients: int
    lost: int
    train: int
    pairs: str


@dataclass(eq=False)
class TooFewPatients(InputError):
    code = "data.too_few_patients"
    about = "data.train_dir"
    class_name: str
    found: int
    needed: int
    unit: str


# --- images on shared storage ------------------------------------------------------------------


@dataclass(eq=False)
class StorePackageMissing(InputError):
    code = "store.package_missing"
    scheme: str
    package: str


@dataclass(eq=False)
class StoreUnknown(InputError):
    code = "store.unknown"
    about = "data.train_dir"
    address: str
    scheme: str


@dataclass(eq=False)
class StoreNotFound(InputError):
    code = "store.not_found"
    about = "data.train_dir"
    address: str


@dataclass(eq=False)
class StoreRefused(InputError):
    code = "store.refused"
    about = "data.train_dir"
    address: str
    reason: Text | str


@dataclass(eq=False)
class StoreUnreachable(InputError):
    code = "store.unreachable"
    about = "data.train_dir"
    address: str
    reason: Text | str


@dataclass(eq=False)
class StoreNotAllowed(InputError):
    code = "store.not_allowed"
    about = "data.train_dir"
    address: str


@dataclass(eq=False)
class StoreTooLarge(InputError):
    code = "store.too_large"
    about = "data.train_dir"
    address: str
    needed_gb: float
    limit_gb: float


@dataclass(eq=False)
class StoreNotCopied(InputError):
    code = "store.not_copied"
    about = "data.train_dir"
    address: str


# --- models, checkpoints, names ----------------------------------------------------------------


@dataclass(eq=False)
class WeightsUnavailable(InputError):
    code = "model.weights_unavailable"
    about = "model.architecture"
    architecture: str
    reason: Text | str


@dataclass(eq=False)
class WeightsMismatch(InputError):
    code = "model.weights_mismatch"
    about = "model.weights_file"
    path: str
    architecture: str
    reason: Text | str


@dataclass(eq=False)
class ArchitectureUnknown(InputError):
    code = "model.architecture_unknown"
    about = "model.architecture"
    name: str
    close: list[str]


@dataclass(eq=False)
class ImageSizeUnfit(InputError):
    code = "model.image_size_unfit"
    about = "data.image_size"
    architecture: str
    image_size: int
    native: int
    reason: str


@dataclass(eq=False)
class WeightsNotFound(InputError):
    code = "model.weights_not_found"
    name: str
    known: list[str]


@dataclass(eq=False)
class WeightsInvalid(InputError):
    code = "model.weights_invalid"
    about = "model.weights_file"
    path: str
    reason: Text | str


@dataclass(eq=False)
class DeviceUnavailable(InputError):
    code = "system.device_unavailable"
    about = "system.device"
    device: str


@dataclass(eq=False)
class CheckpointNotFound(InputError):
    code = "checkpoint.not_found"
    name: str
    known: list[str]


@dataclass(eq=False)
class ExportNotFound(InputError):
    code = "export.not_found"
    path: str


@dataclass(eq=False)
class ImageNotHanded(InputError):
    code = "image.not_handed"
    image: str


@dataclass(eq=False)
class UploadNotFound(InputError):
    code = "upload.not_found"
    upload: str


@dataclass(eq=False)
class UploadTooLarge(InputError):
    code = "upload.too_large"
    reason: Text


@dataclass(eq=False)
class UploadNameUnsafe(InputError):
    code = "upload.name_unsafe"
    file: str
    reason: Text


@dataclass(eq=False)
class ArchiveRefused(InputError):
    code = "upload.archive_refused"
    archive: str
    reason: Text


@dataclass(eq=False)
class TooMuchHanded(InputError):
    """`images`: of one connection; `megabytes`: of all together."""

    code = "image.too_much_handed"
    images: int
    megabytes: int


@dataclass(eq=False)
class CheckpointDamaged(InputError):
    code = "checkpoint.damaged"
    name: str
    reason: Text | str


@dataclass(eq=False)
class FormatTooNew(InputError):
    """`what`: the document, as its reader would name it."""

    code = "format.too_new"
    what: str
    format: int
    known: int


@dataclass(eq=False)
class ModelUnreadable(InputError):
    code = "model.unreadable"
    path: str
    reason: Text | str


@dataclass(eq=False)
class DocumentNotFound(InputError):
    """`kind`: config, named_config, journal, manifest and so on."""

    code = "document.not_found"
    kind: str
    name: str


@dataclass(eq=False)
class RunNotFound(InputError):
    code = "run.not_found"
    run_id: str
    known: list[str]


@dataclass(eq=False)
class NothingInterrupted(InputError):
    code = "run.nothing_interrupted"
    known: list[str]


@dataclass(eq=False)
class StudyNotFound(InputError):
    code = "study.not_found"
    study: str
    known: list[str]


@dataclass(eq=False)
class StudyDamaged(InputError):
    code = "study.damaged"
    study: str
    reason: Text | str


@dataclass(eq=False)
class TuningUndefined(InputError):
    code = "tuning.undefined"


@dataclass(eq=False)
class StudyExists(InputError):
    code = "study.exists"
    option = "--resume {study}"
    study: str


@dataclass(eq=False)
class NoEvaluation(InputError):
    code = "run.no_evaluation"
    run_id: str


@dataclass(eq=False)
class RunFinished(InputError):
    code = "run.finished"
    option = "--epochs N"
    run_id: str
    epochs: int


@dataclass(eq=False)
class DataChanged(InputError):
    code = "data.changed"
    run_id: str
    differences: Text | str


@dataclass(eq=False)
class NameInvalid(InputError):
    code = "name.invalid"
    name: str
    expected: str


@dataclass(eq=False)
class BackupNotFound(InputError):
    code = "backup.not_found"
    name: str
    known: list[str]


@dataclass(eq=False)
class BackupDamaged(InputError):
    code = "backup.damaged"
    name: str
    reason: Text | str


@dataclass(eq=False)
class WorkspaceUnusable(InputError):
    code = "workspace.unusable"
    path: str
    reason: Text | str


@dataclass(eq=False)
class WatchInUse(InputError):
    code = "watch.in_use"
    folder: str


@dataclass(eq=False)
class WorkspaceInUse(InputError):
    """`pid`: 0 where it is not known."""

    code = "workspace.in_use"
    path: str
    host: str
    pid: int


@dataclass(eq=False)
class MissingExtra(InputError):
    code = "install.missing_extra"
    package: str
    extra: str


@dataclass(eq=False)
class PortInUse(InputError):
    code = "server.port_in_use"
    host: str
    port: int


@dataclass(eq=False)
class AddressUnusable(InputError):
    code = "server.address_unusable"
    host: str
    port: int
    reason: Text | str


@dataclass(eq=False)
class TokenUnavailable(InputError):
    code = "server.token_unavailable"
    path: str
    reason: Text | str


@dataclass(eq=False)
class TlsUnusable(InputError):
    code = "server.tls_unusable"
    path: str
    reason: Text | str


# --- requests ----------------------------------------------------------------------------------


@dataclass(eq=False)
class RequestInvalid(InputError):
    code = "request.invalid"
    problems: Sequence[Text]


@dataclass(eq=False)
class RequestUnknown(InputError):
    code = "request.unknown"
    type: str
    known: list[str]


@dataclass(eq=False)
class SessionBusy(SessionError):
    code = "session.busy"
    job: str


@dataclass(eq=False)
class NothingToStop(SessionError):
    code = "session.nothing_to_stop"


@dataclass(eq=False)
class NothingAsked(SessionError):
    code = "session.nothing_asked"


@dataclass(eq=False)
class NoCurrentModel(SessionError):
    code = "session.no_model"


@dataclass(eq=False)
class CheckpointInUse(SessionError):
    code = "checkpoint.in_use"
    name: str


@dataclass(eq=False)
class TooManyRequests(SessionError):
    code = "request.too_many"
    limit: int


@dataclass(eq=False)
class RunInUse(SessionError):
    code = "run.in_use"
    run_id: str


@dataclass(eq=False)
class QueueFull(SessionError):
    code = "queue.full"
    limit: int


@dataclass(eq=False)
class UploadOutOfStep(SessionError):
    """`files`: those that are there whole; `received`: bytes of the one after them."""

    code = "upload.out_of_step"
    file: str
    files: int
    received: int


@dataclass(eq=False)
class NotQueued(SessionError):
    code = "queue.not_queued"
    entry: str


@dataclass(eq=False)
class CommandInvalid(InputError):
    code = "command.invalid"
    problem: Text | str
    help: str


# --- runs --------------------------------------------------------------------------------------


@dataclass(eq=False)
class DiskFull(RunError):
    code = "disk.full"
    path: str


@dataclass(eq=False)
class OutOfMemory(RunError):
    code = "worker.out_of_memory"
    detail: str


@dataclass(eq=False)
class LossNotFinite(RunError):
    code = "training.loss_not_finite"
    epoch: int
    rollbacks: int
    rate_percent: float


@dataclass(eq=False)
class NotUnderTorchrun(InputError):
    code = "distributed.not_under_torchrun"


@dataclass(eq=False)
class ProcessLost(RunError):
    code = "distributed.process_lost"
    processes: int
    detail: str


@dataclass(eq=False)
class ProcessesDiffer(RunError):
    code = "distributed.processes_differ"
    rank: int
    what: str
    expected: str
    got: str


@dataclass(eq=False)
class ClusterUnreachable(InputError):
    code = "cluster.unreachable"
    about = "system.cluster"
    address: str
    reason: Text | str


@dataclass(eq=False)
class ClusterNotAllowed(InputError):
    code = "cluster.not_allowed"
    about = "system.cluster"
    address: str


@dataclass(eq=False)
class TrackerNotAllowed(InputError):
    code = "tracking.not_allowed"
    about = "tracking.mlflow"
    address: str


@dataclass(eq=False)
class WorkspaceNotShared(InputError):
    code = "cluster.workspace_not_shared"
    about = "system.cluster"
    node: str
    path: str


@dataclass(eq=False)
class NodeUnfit(InputError):
    code = "cluster.node_unfit"
    node: str
    reason: Text | str


@dataclass(eq=False)
class MemberLost(RunError):
    code = "cluster.member_lost"
    run_id: str
    times: int
    detail: str


@dataclass(eq=False)
class RunLocked(RunError):
    code = "run.locked"
    run_id: str


@dataclass(eq=False)
class WorkerCrashed(RunError):
    code = "worker.crashed"
    exit_status_code: int
    log: str


@dataclass(eq=False)
class WorkerKilled(RunError):
    code = "worker.killed"
    signal: str


@dataclass(eq=False)
class WorkerFaulted(RunError):
    """A signal that a program's own fault raises, such as SIGSEGV; `place`: the innermost Python line, when known."""

    code = "worker.faulted"
    signal: str
    place: str
    log: str


@dataclass(eq=False)
class WorkerFrozen(RunError):
    code = "worker.frozen"
    timeout_s: float
    log: str


@dataclass(eq=False)
class ImageGone(RunError):
    code = "run.image_gone"
    file: str
    reason: Text | str


@dataclass(eq=False)
class WorkerSilent(RunError):
    code = "worker.silent"
    timeout_s: float
    log: str


@dataclass(eq=False)
class ExportFailed(ExportError):
    code = "export.failed"
    format: str
    reason: Text | str


@dataclass(eq=False)
class ExportMismatch(ExportError):
    code = "export.mismatch"
    difference: float
    allowed: float
    changed: int


@dataclass(eq=False)
class ExportLosesAccuracy(ExportError):
    """`losses`: one readable line for each figure that fell by more than it may."""

    code = "export.loses_accuracy"
    format: str
    compared: Text | str
    losses: list[str]


@dataclass(eq=False)
class ReferencesDiffer(ExportError):
    code = "export.references_differ"
    path: str
    difference: float
    allowed: float
    changed: int
    drawn: str


# --- client ------------------------------------------------------------------------------------


@dataclass(eq=False)
class ServerUnreachable(ClientError):
    code = "client.unreachable"
    url: str
    reason: Text | str


@dataclass(eq=False)
class RequestTimedOut(ClientError):
    code = "client.timed_out"
    request: str
    timeout_s: float


@dataclass(eq=False)
class ConnectionLost(ClientError):
    code = "client.connection_lost"
    url: str


@dataclass(eq=False)
class RefusedByServer(ClientError):
    """An error of the server whose code this version does not know."""

    code = "client.refused"
    server_code: str
    detail: str


@dataclass(eq=False)
class AccessRefused(ClientError):
    code = "client.access_refused"
    url: str
    reason: Text | str


@dataclass(eq=False)
class InternalError(BreastAIError):
    """A fault of ours: shown with what is safe to show, and logged in full."""

    code = "internal"
    detail: str
    log: str


def all_errors() -> dict[str, type[BreastAIError]]:
    """Return every error class that can be raised, by code."""

    def descend(parent: type[BreastAIError]) -> list[type[BreastAIError]]:
        return [leaf for child in parent.__subclasses__() for leaf in (descend(child) or [child])]

    return {leaf.code: leaf for leaf in descend(BreastAIError)}
