"""Every error a user can meet, each with a code, its data and what to do next.

    BreastAIError
    |-- InputError                the user can mend it: exit status 2
    |   |-- ConfigInvalid         ConfigUnreadable     ConfigNotWritable
    |   |-- DataNotFound          DataOutsideRoots     NoClassFolders       TooFewClasses
    |   |-- UnreadableClass       NumClassesMismatch   ClassesDiffer        NoImages
    |   |-- TargetClassNeeded     SeveralDiseases      ManyClasses          ClassesAreIdentifiers
    |   |-- ImagesBesideMasks     ClassOfMasks         PatientsAboveClasses SplitFoldersAmbiguous
    |   |-- SamePatient
    |   |-- PatientIdMissing      PatientIdInvalid     TooFewPatients       NoTruth
    |   |-- PredictionsInvalid    SplitInvalid         TwinsFound           NoEvaluation
    |   |-- ImageUnreadable       CheckpointNotFound   CheckpointDamaged    ModelUnreadable
    |   |-- RunNotFound           RequestInvalid       RequestUnknown       MissingExtra
    |   |-- ExportNotFound        ImageNotHanded       TooMuchHanded        LeaksDoubtful
    |   |-- RunFinished           DataChanged          FolderNotEmpty       TargetClassUnknown
    |   |-- WeightsUnavailable    WeightsMismatch      ImageTooSmall        DeviceUnavailable
    |   |-- PortInUse             AddressUnusable      WorkspaceUnusable    NameInvalid
    |   |-- TokenUnavailable      TlsUnusable          DocumentNotFound     SubgroupsInvalid
    |   |-- BackupNotFound        BackupDamaged        CommandInvalid       LabelsInvalid
    |   |-- StudyNotFound         StudyDamaged         StudyExists          TuningUndefined
    |   |-- NothingInterrupted    NotUnderTorchrun     ClusterUnreachable
    |   |-- ClusterNotAllowed     WorkspaceNotShared   NodeUnfit
    |   |-- TrackerNotAllowed     FormatTooNew
    |   |-- StorePackageMissing   StoreUnknown         StoreNotFound        StoreRefused
    |   `-- StoreUnreachable      StoreNotAllowed      StoreTooLarge        StoreNotCopied
    |-- SessionError              asked at the wrong moment
    |   |-- SessionBusy           NothingToStop        NoCurrentModel       CheckpointInUse
    |   |-- TooManyRequests       QueueFull            NotQueued
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

An error is raised with data, not with prose: `raise NoClassFolders(path)`. Its message is made from
`template`, and the page translates `code` with the same `params`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from breastai.domain.text import Text

NOTHING = Text("reason.nothing")


class BreastAIError(Exception):
    """An error with a code, parameters fit for JSON and an English message that says what to do."""

    code: ClassVar[str] = "error"
    template: ClassVar[str] = "Something went wrong."
    exit_status: ClassVar[int] = 1

    @property
    def params(self) -> dict[str, Any]:
        """The data of the error, by name: strings, numbers and lists of them."""
        if not hasattr(type(self), "__dataclass_fields__"):
            return {}
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    @property
    def text(self) -> Text:
        """The error as one text among others, in every language; `str` names options of the command line besides."""
        return Text(f"error.{self.code}", self.params)

    def __str__(self) -> str:
        return self.template.format(**{name: _readable(value) for name, value in self.params.items()})


def _readable(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


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
    template = "The configuration can't be used. {problems}. Correct it and try again."
    problems: Sequence[Text | str]

    def __str__(self) -> str:
        return self.template.format(problems="; ".join(map(str, self.problems)))


@dataclass(eq=False)
class ConfigUnreadable(InputError):
    code = "config.unreadable"
    template = "{path} is not readable as JSON ({reason}). Correct it, or delete it to go back to the defaults."
    path: str
    reason: Text | str


@dataclass(eq=False)
class ConfigNotWritable(InputError):
    code = "config.not_writable"
    template = "{path} could not be written ({reason}). Check the folder's permissions and the free space."
    path: str
    reason: Text | str


# --- images and folders ------------------------------------------------------------------------


@dataclass(eq=False)
class DataNotFound(InputError):
    code = "data.not_found"
    template = (
        "The image folder {path} does not exist. Give the folder that holds train/ with --data or data.train_dir."
    )
    path: str


@dataclass(eq=False)
class DataOutsideRoots(InputError):
    code = "data.outside_roots"
    template = (
        "The server may not read {path}: it lies outside the workspace and the data roots. "
        "Start the server with --data-root and that folder."
    )
    path: str


@dataclass(eq=False)
class NoClassFolders(InputError):
    code = "data.no_class_folders"
    template = (
        "No class folders in {path}: expected one folder for each class, "
        "for example {path}/benign/ and {path}/malignant/, found {found}."
    )
    path: str
    found: Text | str = NOTHING


@dataclass(eq=False)
class TooFewClasses(InputError):
    code = "data.too_few_classes"
    template = "Only one class folder in {path} ({found}): a classifier needs at least two, for example benign/ and malignant/."
    path: str
    found: str


@dataclass(eq=False)
class NoImages(InputError):
    code = "data.no_images"
    template = "No image in {path}: expected files ending in {expected}."
    path: str
    expected: list[str]


@dataclass(eq=False)
class UnreadableClass(InputError):
    code = "data.unreadable_class"
    template = (
        "No readable image of class {class_name} in {path} ({skipped} files skipped; the first: {reason}). "
        "Add images to that folder, or remove it."
    )
    path: str
    class_name: str
    skipped: int
    reason: Text | str


@dataclass(eq=False)
class TargetClassUnknown(InputError):
    code = "data.target_class_unknown"
    template = (
        "evaluation.target_class is {wished}, but the classes are {class_names}. Set it to one of them, or to null."
    )
    wished: str
    class_names: list[str]


@dataclass(eq=False)
class TargetClassNeeded(InputError):
    """`example`: one of the classes, for the command."""

    code = "data.target_class_needed"
    template = (
        "The names of the classes ({class_names}) do not say which one is the disease looked for, and sensitivity, the "
        'operating point and the report depend on it. Name it: --set "evaluation.target_class={example}"'
    )
    class_names: list[str]
    example: str


@dataclass(eq=False)
class SeveralDiseases(InputError):
    """`candidates`: the classes whose names say disease; `example`: one of them."""

    code = "data.several_diseases"
    template = (
        "Several classes are a disease or a suspicion of one: {candidates}. An operating point is for one class, and "
        "counts the others as negative. Put their images into one folder, or name the class: "
        '--set "evaluation.target_class={example}"'
    )
    candidates: list[str]
    class_names: list[str]
    example: str


@dataclass(eq=False)
class ManyClasses(InputError):
    code = "data.many_classes"
    template = (
        "{path} holds {count} folders ({class_names}, ...): so many are rarely classes. Give the folder whose "
        "sub-folders are the classes; if these are, say so: --set data.accept_classes=true"
    )
    path: str
    count: int
    class_names: list[str]


@dataclass(eq=False)
class ClassesAreIdentifiers(InputError):
    code = "data.classes_are_identifiers"
    template = (
        "The folders in {path} look like numbers of patients or studies ({class_names}), not like classes. Sort the "
        "images into one folder for each class, such as benign/ and malignant/; if these are the classes, say so: "
        "--set data.accept_classes=true"
    )
    path: str
    class_names: list[str]


@dataclass(eq=False)
class ImagesBesideMasks(InputError):
    """`tables`: files beside the folders that may hold the labels."""

    code = "data.images_beside_masks"
    template = (
        "{path} holds images ({images}) and their masks ({masks}), not one folder for each class. Sort the images into "
        "folders such as benign/ and malignant/ (tables beside them: {tables}); if these are the classes, say so: --set data.masks=keep"
    )
    path: str
    images: list[str]
    masks: list[str]
    tables: list[str]


@dataclass(eq=False)
class ClassOfMasks(InputError):
    code = "data.class_of_masks"
    template = (
        "Every image of class {class_name} in {path} has two grey values only, as masks have. Put images into that "
        "folder, or remove it; if these are the images, say so: --set data.masks=keep"
    )
    path: str
    class_name: str


@dataclass(eq=False)
class PatientsAboveClasses(InputError):
    """`patients`: how many upper folders; `example`: one of them; `class_names`: the folders that repeat in them."""

    code = "data.patients_above_classes"
    template = (
        "{path} holds {patients} folders such as {example}, each with the classes {class_names} in it: the upper "
        "folders are patients or sites, and classes must come first. Copy them into another order with: {command} ; then train with "
        "--set evaluation.patient_id='{{\"folder\": 1}}'"
    )
    path: str
    patients: int
    example: str
    class_names: list[str]
    command: str


@dataclass(eq=False)
class SplitFoldersAmbiguous(InputError):
    code = "data.split_folders_ambiguous"
    template = (
        "{path} holds several folders for {split}: {found}. Keep one of them, or name it: --set data.{split}_dir=FOLDER"
    )
    path: str
    split: str
    found: list[str]


@dataclass(eq=False)
class NumClassesMismatch(InputError):
    code = "data.num_classes_mismatch"
    template = (
        "model.num_classes is {expected} but the folders hold {found} classes ({class_names}). "
        "Set model.num_classes to null to take the number from the folders."
    )
    expected: int
    found: int
    class_names: list[str]


@dataclass(eq=False)
class ClassesDiffer(InputError):
    code = "data.classes_differ"
    template = "{path} has the classes {found}, where {expected} are expected. Rename or add the class folders."
    path: str
    found: list[str]
    expected: list[str]


@dataclass(eq=False)
class ImageUnreadable(InputError):
    code = "data.image_unreadable"
    template = "{file} can't be read as an image: {reason}."
    file: str
    reason: Text | str


@dataclass(eq=False)
class ImageTooSmall(InputError):
    code = "data.image_too_small"
    template = (
        "{architecture} needs images of at least {minimum} pixels, data.image_size is {image_size}. "
        "Raise data.image_size."
    )
    architecture: str
    minimum: int
    image_size: int


@dataclass(eq=False)
class FolderNotEmpty(InputError):
    code = "data.folder_not_empty"
    template = "{path} holds other files already, for example {file}. Give an empty folder, or the name of a new one."
    path: str
    file: str


@dataclass(eq=False)
class NoTruth(InputError):
    code = "data.no_truth"
    template = "{path} has no images sorted into class folders: evaluation needs the true class of each image."
    path: str


@dataclass(eq=False)
class PatientIdMissing(InputError):
    code = "patient_id.missing"
    template = (
        "evaluation.patient_id finds no patient for {count} images, for example {example}. "
        "Correct the rule ({rule}), or set it to null to split by image."
    )
    count: int
    example: str
    rule: str


@dataclass(eq=False)
class PatientIdInvalid(InputError):
    code = "patient_id.invalid"
    template = (
        'evaluation.patient_id can\'t be used: {reason}. Expected a pattern with one group such as "^(P\\d+)_", '
        '{{"folder": 1}}, {{"csv": "patients.csv"}} or {{"dicom": "patient_id"}}.'
    )
    reason: Text | str


@dataclass(eq=False)
class SamePatient(InputError):
    """`setting`: a rule that the images offer, or a dash."""

    code = "patient_id.same_patient"
    template = (
        "evaluation.patient_id gives all {images} images the same patient, so that none can be set aside for validation. "
        "Correct the rule, or set it to null to split by image. Suggested rule: {setting}"
    )
    images: int
    setting: str


@dataclass(eq=False)
class SubgroupsInvalid(InputError):
    code = "data.subgroups_invalid"
    template = "{path} can't be used as a table of subgroups: {reason}."
    path: str
    reason: Text | str


@dataclass(eq=False)
class LabelsInvalid(InputError):
    code = "data.labels_invalid"
    template = "{path} can't be used as a table of labels: {reason}. Expected the columns file and label, and patient_id where patients are known."
    path: str
    reason: Text | str


@dataclass(eq=False)
class PredictionsInvalid(InputError):
    """`problems`: one line each, "row 5, column p_benign: expected a number from 0 to 1, got 'x'"."""

    code = "predictions.invalid"
    template = "{path} can't be used as predictions. {problems}. Correct it and try again."
    path: str
    problems: Sequence[Text | str]

    def __str__(self) -> str:
        return self.template.format(path=self.path, problems="; ".join(map(str, self.problems)))


@dataclass(eq=False)
class SplitInvalid(InputError):
    code = "data.split_invalid"
    template = (
        "The split in {path} can't be used: {reason}. Use the images it was made for, "
        "or set data.split_file to null for a new split."
    )
    path: str
    reason: Text | str


@dataclass(eq=False)
class TwinsFound(InputError):
    code = "data.twins_found"
    template = (
        "{groups} groups of identical or near-identical images were found, {contradicting} of them with different "
        "labels, {across} across given folders; {patients} patients have images in training and in a given val or test "
        "folder. Look at them with breastai audit, then set data.on_leak to group, exclude or continue."
    )
    groups: int
    contradicting: int
    across: int
    patients: int = 0


@dataclass(eq=False)
class LeaksDoubtful(InputError):
    """The run waits for an answer; `pairs` names some of the near-duplicates."""

    code = "data.leaks_doubtful"
    template = (
        "This run waits for your decision. Of {images} images, {alike} are in {groups} groups of near-duplicates, "
        "{largest} in the largest; {patients} patients have images in training and in a given val or test folder; "
        "{lost} of {train} training images would be left out. Grouped together, for example: {pairs}. "
        "Look at them with breastai audit. Then answer with data.on_leak: group keeps near-duplicates and patients on one side and leaves out those {lost}, "
        "exclude moreover keeps one image of each group, continue changes nothing and every report says so. Where "
        "groups join different patients, give the patient rule (evaluation.patient_id): known patients outrank likeness."
    )
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
    template = (
        "Class {class_name} has only {found} {unit}: a split needs at least {needed}, so that training and "
        "validation both have one. Add cases, or give a val folder."
    )
    class_name: str
    found: int
    needed: int
    unit: str


# --- images on shared storage ------------------------------------------------------------------


@dataclass(eq=False)
class StorePackageMissing(InputError):
    code = "store.package_missing"
    template = (
        "Images at {scheme}:// are read by the package {package}, which is not installed. Type: pip install {package}"
    )
    scheme: str
    package: str


@dataclass(eq=False)
class StoreUnknown(InputError):
    code = "store.unknown"
    template = (
        "Nothing here knows how to read {address}: {scheme}:// is no kind of storage known. Expected a folder, or an "
        "address such as s3://bucket/folder, gs://bucket/folder, az://container/folder."
    )
    address: str
    scheme: str


@dataclass(eq=False)
class StoreNotFound(InputError):
    code = "store.not_found"
    template = (
        "There is nothing at {address}. Check the bucket, the folder and the account, and that the images lie "
        "in {address}/CLASS/."
    )
    address: str


@dataclass(eq=False)
class StoreRefused(InputError):
    code = "store.refused"
    template = (
        "The storage does not let this program read {address} ({reason}). Set the keys in the environment of the "
        "server or the command, as the storage's own tools have it, and check that they may list and read there."
    )
    address: str
    reason: Text | str


@dataclass(eq=False)
class StoreUnreachable(InputError):
    code = "store.unreachable"
    template = (
        "The storage of {address} could not be read ({reason}). Check the network and its address, then try again: "
        "what has been copied is kept."
    )
    address: str
    reason: Text | str


@dataclass(eq=False)
class StoreNotAllowed(InputError):
    code = "store.not_allowed"
    template = (
        "The server may not read images from {address}. If it may, its owner adds that address, or one above it, to "
        "server.data_roots in config.json and restarts the server."
    )
    address: str


@dataclass(eq=False)
class StoreTooLarge(InputError):
    code = "store.too_large"
    template = (
        "The images at {address} take {needed_gb} GiB, more than the {limit_gb} GiB that may be kept of shared "
        "storage here. Raise system.remote_cache_gb if the disk has room, or mount the storage as a folder."
    )
    address: str
    needed_gb: float
    limit_gb: float


@dataclass(eq=False)
class StoreNotCopied(InputError):
    code = "store.not_copied"
    template = (
        "The images at {address} have not been copied to this computer yet, so they can't be looked at. An audit or a "
        "training copies them first."
    )
    address: str


# --- models, checkpoints, names ----------------------------------------------------------------


@dataclass(eq=False)
class WeightsUnavailable(InputError):
    code = "model.weights_unavailable"
    template = (
        "Pretrained weights for {architecture} are required but can't be had: {reason}. Connect to the internet once, "
        "give model.weights_file, choose tf_efficientnet_lite0 (its weights are installed), "
        'or set model.pretrained to "none".'
    )
    architecture: str
    reason: Text | str


@dataclass(eq=False)
class WeightsMismatch(InputError):
    code = "model.weights_mismatch"
    template = "The weights in {path} do not fit {architecture}: {reason}. Give the file of that architecture."
    path: str
    architecture: str
    reason: Text | str


@dataclass(eq=False)
class DeviceUnavailable(InputError):
    code = "system.device_unavailable"
    template = 'system.device is "{device}" but this machine has none. Set it to "auto".'
    device: str


@dataclass(eq=False)
class CheckpointNotFound(InputError):
    code = "checkpoint.not_found"
    template = "There is no checkpoint {name}. Known: {known}. Train a model first, or give one of these names."
    name: str
    known: list[str]

    def __str__(self) -> str:
        return self.template.format(name=self.name, known=_readable(self.known) or "none")


@dataclass(eq=False)
class ExportNotFound(InputError):
    code = "export.not_found"
    template = "There is no exported model {path}. Look at the list of exports again."
    path: str


@dataclass(eq=False)
class ImageNotHanded(InputError):
    code = "image.not_handed"
    template = "The image {image} was not handed over whole. Send its parts with add_image, then ask again."
    image: str


@dataclass(eq=False)
class TooMuchHanded(InputError):
    """`images`: of one connection; `megabytes`: of all together."""

    code = "image.too_much_handed"
    template = (
        "No more images can be taken for now: at most {images} wait for their answer, and {megabytes} MB in all. "
        "Ask about those that are there, then hand over the rest."
    )
    images: int
    megabytes: int


@dataclass(eq=False)
class CheckpointDamaged(InputError):
    code = "checkpoint.damaged"
    template = "The checkpoint {name} is damaged: {reason}. Use another checkpoint of the run, or train again."
    name: str
    reason: Text | str


@dataclass(eq=False)
class FormatTooNew(InputError):
    """`what`: the document, as its reader would name it."""

    code = "format.too_new"
    template = "{what} is of format {format}, and this version of BreastAI reads format {known}. Update BreastAI to work with it."
    what: str
    format: int
    known: int


@dataclass(eq=False)
class ModelUnreadable(InputError):
    code = "model.unreadable"
    template = "{path} is not a model of BreastAI: {reason}. Expected a checkpoint's name or an exported .onnx file."
    path: str
    reason: Text | str


@dataclass(eq=False)
class DocumentNotFound(InputError):
    """`kind`: config, named_config, journal, manifest and so on."""

    code = "document.not_found"
    template = "There is no {kind} called {name}. Ask for the list of documents and take a name from there."
    kind: str
    name: str


@dataclass(eq=False)
class RunNotFound(InputError):
    code = "run.not_found"
    template = "There is no run {run_id}. Known: {known}."
    run_id: str
    known: list[str]


@dataclass(eq=False)
class NothingInterrupted(InputError):
    code = "run.nothing_interrupted"
    template = "No run was interrupted or stopped. Name the run to resume. Known: {known}."
    known: list[str]


@dataclass(eq=False)
class StudyNotFound(InputError):
    code = "study.not_found"
    template = "There is no study called {study}. Those there are: {known}."
    study: str
    known: list[str]


@dataclass(eq=False)
class StudyDamaged(InputError):
    code = "study.damaged"
    template = (
        "The record of the study {study} can't be read ({reason}). Its runs are whole: each can be used by its name."
    )
    study: str
    reason: Text | str


@dataclass(eq=False)
class TuningUndefined(InputError):
    code = "tuning.undefined"
    template = (
        "There is nothing to tune by: the AUC on the validation images is not defined. "
        "Each class needs at least one validation image, and there must be two classes or more."
    )


@dataclass(eq=False)
class StudyExists(InputError):
    code = "study.exists"
    template = (
        "There is a study called {study} already. Go on with it (breastai crossval --resume {study}), or begin another."
    )
    study: str


@dataclass(eq=False)
class NoEvaluation(InputError):
    code = "run.no_evaluation"
    template = (
        "The run {run_id} has no best checkpoint yet, so there is nothing to report. Train it for an epoch at least."
    )
    run_id: str


@dataclass(eq=False)
class RunFinished(InputError):
    code = "run.finished"
    template = (
        "The run {run_id} has already done its {epochs} epochs. To go on, ask for more, for example with --epochs."
    )
    run_id: str
    epochs: int


@dataclass(eq=False)
class DataChanged(InputError):
    code = "data.changed"
    template = (
        "The images of run {run_id} are no longer those it began with: {differences}. Put them back to resume, "
        "or train a new run."
    )
    run_id: str
    differences: Text | str


@dataclass(eq=False)
class NameInvalid(InputError):
    code = "name.invalid"
    template = "{name} is not a name BreastAI gives: expected {expected}."
    name: str
    expected: str


@dataclass(eq=False)
class BackupNotFound(InputError):
    code = "backup.not_found"
    template = "There is no backup {name}. Known: {known}."
    name: str
    known: list[str]


@dataclass(eq=False)
class BackupDamaged(InputError):
    code = "backup.damaged"
    template = "The backup {name} can't be used: {reason}. Use another one."
    name: str
    reason: Text | str


@dataclass(eq=False)
class WorkspaceUnusable(InputError):
    code = "workspace.unusable"
    template = "The workspace {path} can't be used: {reason}. Give another folder with --workspace."
    path: str
    reason: Text | str


@dataclass(eq=False)
class MissingExtra(InputError):
    code = "install.missing_extra"
    template = "This needs the package {package}, which is not installed. Type: pip install 'breastai[{extra}]'"
    package: str
    extra: str


@dataclass(eq=False)
class PortInUse(InputError):
    code = "server.port_in_use"
    template = (
        "Port {port} on {host} is in use, perhaps by another BreastAI server. "
        "Stop that program, or start with another number for --port or --rest-port."
    )
    host: str
    port: int


@dataclass(eq=False)
class AddressUnusable(InputError):
    code = "server.address_unusable"
    template = (
        "The server can't listen on {host}, port {port} ({reason}). "
        "Start with --host localhost, or with --port and a number above 1023."
    )
    host: str
    port: int
    reason: Text | str


@dataclass(eq=False)
class TokenUnavailable(InputError):
    code = "server.token_unavailable"
    template = (
        "The server needs its token, and {path} can't be kept for its owner alone ({reason}). Make that folder "
        "writable, or listen on localhost without server.require_token."
    )
    path: str
    reason: Text | str


@dataclass(eq=False)
class TlsUnusable(InputError):
    code = "server.tls_unusable"
    template = (
        "{path} can't be used for TLS ({reason}). Give server.tls_certificate and server.tls_key as PEM files without "
        "a passphrase."
    )
    path: str
    reason: Text | str


# --- requests ----------------------------------------------------------------------------------


@dataclass(eq=False)
class RequestInvalid(InputError):
    code = "request.invalid"
    template = "The request can't be used. {problems}."
    problems: Sequence[Text | str]

    def __str__(self) -> str:
        return self.template.format(problems="; ".join(map(str, self.problems)))


@dataclass(eq=False)
class RequestUnknown(InputError):
    code = "request.unknown"
    template = "Unknown request type {type}. Known: {known}."
    type: str
    known: list[str]


@dataclass(eq=False)
class SessionBusy(SessionError):
    code = "session.busy"
    template = "A job is already running ({job}). Stop it first, or wait for its end."
    job: str


@dataclass(eq=False)
class NothingToStop(SessionError):
    code = "session.nothing_to_stop"
    template = "No job is running, so there is nothing to stop."


@dataclass(eq=False)
class NoCurrentModel(SessionError):
    code = "session.no_model"
    template = "The session has no current model. Train one, load a checkpoint, or name a checkpoint in the request."


@dataclass(eq=False)
class CheckpointInUse(SessionError):
    code = "checkpoint.in_use"
    template = "The checkpoint {name} belongs to the run in progress. Stop the run first."
    name: str


@dataclass(eq=False)
class TooManyRequests(SessionError):
    code = "request.too_many"
    template = "This connection has {limit} requests waiting for their answers. Wait for one of them, then ask again."
    limit: int


@dataclass(eq=False)
class RunInUse(SessionError):
    code = "run.in_use"
    template = "The run {run_id} is in progress. Stop it first."
    run_id: str


@dataclass(eq=False)
class QueueFull(SessionError):
    code = "queue.full"
    template = "{limit} jobs are waiting already. Cancel one of them, or wait until some are done."
    limit: int


@dataclass(eq=False)
class NotQueued(SessionError):
    code = "queue.not_queued"
    template = "The job {entry} does not wait any more: it runs, is done, or was cancelled. Look at the queue again."
    entry: str


@dataclass(eq=False)
class CommandInvalid(InputError):
    code = "command.invalid"
    template = "The command can't be understood: {problem} Type {help} for what it takes."
    problem: Text | str
    help: str


# --- runs --------------------------------------------------------------------------------------


@dataclass(eq=False)
class DiskFull(RunError):
    code = "disk.full"
    template = (
        "No space left to write {path}. Nothing written before is damaged. "
        "Free some space (old checkpoints, backups), then resume the run."
    )
    path: str


@dataclass(eq=False)
class OutOfMemory(RunError):
    code = "worker.out_of_memory"
    template = "The run needed more memory than there is ({detail}). Lower data.batch_size or data.image_size, switch training.gradient_checkpointing on, or choose a smaller model."
    detail: str


@dataclass(eq=False)
class LossNotFinite(RunError):
    code = "training.loss_not_finite"
    template = (
        "The loss in epoch {epoch} was no finite number, and was none again after {rollbacks} returns to the last good "
        "state, at {rate_percent} % of the planned learning rate in the end. The run is kept in that good state: resume "
        "it, at half that rate, or train a new one with a lower training.learning_rate. Look at the images of that "
        "epoch too: breastai audit."
    )
    epoch: int
    rollbacks: int
    rate_percent: float


@dataclass(eq=False)
class NotUnderTorchrun(InputError):
    code = "distributed.not_under_torchrun"
    template = (
        "This command is one process of several: start it with torchrun, for example torchrun --standalone "
        "--nproc-per-node 2 -m breastai.commands.distributed. For one process there is breastai train."
    )


@dataclass(eq=False)
class ProcessLost(RunError):
    code = "distributed.process_lost"
    template = (
        "One of the {processes} processes that trained this run together ended or could not be reached any more, and "
        "the others with it ({detail}). The run is kept as it last was saved: find the cause in that process' own "
        "output, then go on with --resume, with as many processes as you like."
    )
    processes: int
    detail: str


@dataclass(eq=False)
class ProcessesDiffer(RunError):
    code = "distributed.processes_differ"
    template = (
        "Process {rank} differs from the first one in its {what}: expected {expected}, got {got}. Start all processes "
        "with the same options, versions, images and kind of machine."
    )
    rank: int
    what: str
    expected: str
    got: str


@dataclass(eq=False)
class ClusterUnreachable(InputError):
    code = "cluster.unreachable"
    template = (
        "No Ray cluster can be used at {address} ({reason}). Start one there with ray start --head, or correct "
        "system.cluster; null runs everything on this machine. A study begun on a cluster that is gone goes on here "
        "with breastai crossval --resume latest --cluster none."
    )
    address: str
    reason: Text | str


@dataclass(eq=False)
class ClusterNotAllowed(InputError):
    code = "cluster.not_allowed"
    template = (
        "The server may not use the Ray cluster {address}: whoever runs a cluster can run code on this machine. "
        "If you trust it, add it to server.clusters in config.json and restart the server."
    )
    address: str


@dataclass(eq=False)
class TrackerNotAllowed(InputError):
    code = "tracking.not_allowed"
    template = (
        "The server may not tell the MLflow server {address} of runs: what lets it in there would be sent to whoever "
        "answers. If you trust it, write it as tracking.mlflow in config.json itself and restart the server."
    )
    address: str


@dataclass(eq=False)
class WorkspaceNotShared(InputError):
    code = "cluster.workspace_not_shared"
    template = (
        "The node {node} does not find the study in {path}. Put the workspace and the images on storage that every "
        "node mounts under the same path (NFS, say), and go on with the study from there."
    )
    node: str
    path: str


@dataclass(eq=False)
class NodeUnfit(InputError):
    code = "cluster.node_unfit"
    template = (
        "The node {node} can't do its part ({reason}). Install the same BreastAI with its extras train and cluster on "
        "every node, then go on with the study."
    )
    node: str
    reason: Text | str


@dataclass(eq=False)
class MemberLost(RunError):
    code = "cluster.member_lost"
    template = (
        "The run {run_id} was lost with its node {times} times, and is not begun again by itself ({detail}). What it "
        "saved is kept: see what ended the nodes, memory most likely, then go on with the study."
    )
    run_id: str
    times: int
    detail: str


@dataclass(eq=False)
class RunLocked(RunError):
    code = "run.locked"
    template = "The run {run_id} is in use by another process. Wait for its end, or stop it."
    run_id: str


@dataclass(eq=False)
class WorkerCrashed(RunError):
    code = "worker.crashed"
    template = "The worker process ended unexpectedly (exit status {exit_status_code}). See {log}; then resume the run from its last checkpoint."
    exit_status_code: int
    log: str


@dataclass(eq=False)
class WorkerKilled(RunError):
    code = "worker.killed"
    template = "The worker process was killed by signal {signal}. Resume the run from its last checkpoint."
    signal: str


@dataclass(eq=False)
class WorkerFaulted(RunError):
    """A signal that a program's own fault raises, such as SIGSEGV; `place`: the innermost Python line, when known."""

    code = "worker.faulted"
    template = (
        "The worker process crashed in native code ({signal}, {place}). Its trace is in {log}. Resume the run from its "
        "last checkpoint; should it crash there again, set system.autotune to false."
    )
    signal: str
    place: str
    log: str


@dataclass(eq=False)
class WorkerFrozen(RunError):
    code = "worker.frozen"
    template = (
        "The worker process gave no sign of life for {timeout_s} s and was ended; what it was doing is in {log}. "
        "Resume the run from its last checkpoint."
    )
    timeout_s: float
    log: str


@dataclass(eq=False)
class ImageGone(RunError):
    code = "run.image_gone"
    template = (
        "{file} could no longer be read in the middle of the run ({reason}). The run is saved. Put the image back as it "
        "was and resume the run, or train a new one without it."
    )
    file: str
    reason: Text | str


@dataclass(eq=False)
class WorkerSilent(RunError):
    code = "worker.silent"
    template = (
        "The worker process got no further for {timeout_s} s and was ended; where it stood is in {log}. "
        "Resume the run from its last checkpoint."
    )
    timeout_s: float
    log: str


@dataclass(eq=False)
class ExportFailed(ExportError):
    code = "export.failed"
    template = "The export to {format} failed: {reason}. Nothing was written."
    format: str
    reason: Text | str


@dataclass(eq=False)
class ExportMismatch(ExportError):
    code = "export.mismatch"
    template = (
        "The exported model disagrees with the trained one: probabilities differ by up to {difference} "
        "(allowed {allowed}), {changed} decisions changed. Nothing was written."
    )
    difference: float
    allowed: float
    changed: int


@dataclass(eq=False)
class ExportLosesAccuracy(ExportError):
    """`losses`: one readable line for each figure that fell by more than it may."""

    code = "export.loses_accuracy"
    template = "The {format} model loses too much on {compared}: {losses}. Nothing was written; export as onnx instead."
    format: str
    compared: Text | str
    losses: list[str]


@dataclass(eq=False)
class ReferencesDiffer(ExportError):
    code = "export.references_differ"
    template = (
        "{path} does not answer as it did when it was exported: probabilities differ by up to {difference} "
        "(allowed {allowed}), {changed} decisions changed; {drawn}. Copy it again from its source, or export it anew."
    )
    path: str
    difference: float
    allowed: float
    changed: int
    drawn: str


# --- client ------------------------------------------------------------------------------------


@dataclass(eq=False)
class ServerUnreachable(ClientError):
    code = "client.unreachable"
    template = "No BreastAI server answers at {url} ({reason}). Start one with: python -m breastai.server"
    url: str
    reason: Text | str


@dataclass(eq=False)
class RequestTimedOut(ClientError):
    code = "client.timed_out"
    template = "The server did not answer {request} within {timeout_s} s."
    request: str
    timeout_s: float


@dataclass(eq=False)
class ConnectionLost(ClientError):
    code = "client.connection_lost"
    template = "The connection to {url} was lost. The job goes on in the server; connect again to follow it."
    url: str


@dataclass(eq=False)
class RefusedByServer(ClientError):
    """An error of the server whose code this version does not know."""

    code = "client.refused"
    template = "The server answered: {detail} ({server_code})"
    server_code: str
    detail: str


@dataclass(eq=False)
class AccessRefused(ClientError):
    code = "client.access_refused"
    template = (
        "The server at {url} does not let this program in: {reason} Give it the server's token with token=, or in the "
        "environment variable BREASTAI_TOKEN."
    )
    url: str
    reason: Text | str


@dataclass(eq=False)
class InternalError(BreastAIError):
    """A fault of ours: shown with what is safe to show, and logged in full."""

    code = "internal"
    template = "BreastAI met a fault of its own ({detail}). Please report it with the file {log}."
    detail: str
    log: str


def all_errors() -> dict[str, type[BreastAIError]]:
    """Return every error class that can be raised, by code."""

    def descend(parent: type[BreastAIError]) -> list[type[BreastAIError]]:
        return [leaf for child in parent.__subclasses__() for leaf in (descend(child) or [child])]

    return {leaf.code: leaf for leaf in descend(BreastAIError)}
