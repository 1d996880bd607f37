"""A line of each list a page shows: waiting jobs, runs, images, exports."""

from typing import Literal

from pydantic import Field

from breastai.domain.records import Number
from breastai.domain.stored import Stored
from breastai.domain.study import StudyKind
from breastai.domain.text import Text


class QueueEntry(Stored):
    """A job that waits for its turn, and what of it a reader needs to tell it from others."""

    entry: str = Field(description="Its name in the queue.")
    job: str
    queued: str = Field(description="Since when it waits, ISO 8601 in UTC.")
    architecture: str | None = None
    epochs: int | None = None
    data: str | None = Field(None, description="The folder of images it reads.")
    checkpoint: str | None = Field(None, description="The checkpoint or run it is about.")


# asked: it did not begin, since it asked what to do about duplicates.
RunState = Literal["running", "complete", "stopped", "failed", "asked", "unknown"]


class RunEntry(Stored):
    """A run of the workspace, past or going on. `metrics`: the best epoch's validation figures, without val_."""

    run_id: str
    state: RunState
    started: str | None = Field(None, description="ISO 8601 in UTC.")
    ended: str | None = None
    architecture: str | None = None
    epochs: int | None = Field(None, description="Epochs planned.")
    epochs_run: int | None = Field(None, description="The last epoch it finished.")
    best_epoch: int | None = None
    class_names: list[str] = []
    data: str | None = Field(None, description="The folder it was trained on.")
    training_images: int | None = None
    validation_images: int | None = None
    metrics: dict[str, Number] = {}
    sensitivity: Number = Field(
        None, description="At the operating point, on the images of its latest evaluation; null without one."
    )
    sensitivity_on: str | None = Field(None, description="The images of that evaluation: their folder, and the part.")
    study: str | None = Field(None, description="The study it is a member of.")
    checkpoints: list[str] = Field([], description="Which of best and last are there.")
    size_bytes: int = Field(0, description="What its folder and its checkpoints take.")
    tags: list[str] = []
    note: str = ""
    unread_lines: int = Field(0, description="Lines of its journal that this version can't read.")
    unread_files: list[str] = Field([], description="Records in its folder that this version can't read.")


RunOrder = Literal[
    "started",
    "run_id",
    "state",
    "architecture",
    "data",
    "duration",
    "size",
    "training_images",
    "sensitivity",
    "auc_roc",
    "accuracy",
    "f1_weighted",
    "loss",
]


class ResultFile(Stored):
    """A file of a result, and the path a server shows it under."""

    format: str = Field(description="html, pdf, docx, md, json, model_card, data_sheet, or a format of exports.")
    url: str


class ResultEntry(Stored):
    """What was made of a run: an evaluation, a judgement on several sites, a report, an export."""

    kind: Literal["evaluation", "sites", "report", "export"]
    name: str = Field(description="Among those of its kind: val-2, sites-1, fr, or an export's path.")
    created: str = Field(description="ISO 8601 in UTC.")
    checkpoint: str | None = None
    data: str | None = Field(None, description="The images judged.")
    dataset: str | None = Field(None, description="The data set of the workspace that they are of, if of any.")
    split: str | None = None
    n: int | None = Field(None, description="Images, or sites.")
    target_class: str | None = Field(None, description="The class that the figures are of.")
    auc: Number = Field(None, description="Of the target class, else the mean of the classes.")
    sensitivity: Number = Field(None, description="At the operating point.")
    specificity: Number = None
    size_bytes: int | None = None
    files: list[ResultFile] = []


class StudyEntry(Stored):
    """A study of the workspace, past or going on."""

    study_id: str
    kind: StudyKind
    state: Literal["running", "complete", "stopped", "interrupted", "failed"]
    created: str = Field(description="When it began, ISO 8601.")
    done: int = Field(description="Its runs that are over.")
    planned: int = Field(description="Its folds or seeds, or the trials planned.")
    auc_roc: Number = Field(
        None,
        description="Mean AUC: of folds on the parts held out, of seeds on validation; or validation AUC of the best trial.",
    )
    auc_low: Number = Field(None, description="Lowest AUC of a fold or seed; null for a search.")
    auc_high: Number = Field(None, description="Highest AUC of a fold or seed; null for a search.")


class SettingDifference(Stored):
    """A setting that is not the same in all of some runs; `values` in their order, null where it is not known."""

    path: str
    values: list[object]


class SkippedFile(Stored):
    """A file that is not used, and why."""

    split: str
    file: str
    reason: Text | str


class DataWarning(Stored):
    """Something about the images that a user should know before a run; the page has its words."""

    code: Literal[
        "patients_unknown",
        "patients_offered",
        "patients_all_one",
        "patients_views",
        "patients_prefixes",
        "patients_one_each",
        "folders_unused",
        "no_test",
        "few_in_training",
        "few_in_validation",
        "lopsided",
    ]
    params: dict[str, str | int | float | list[str]] = {}


class DataQuestion(Stored):
    """What a run asks about the classes before it begins: the code and the data of the error it would end with."""

    code: str
    message: str
    params: dict[str, str | int | list[str]] = {}


class PatientExample(Stored):
    """An image and the patient that the rule finds for it; from a DICOM header a hash."""

    file: str
    patient: str


class DatasetEntry(Stored):
    """A data set of the workspace."""

    name: str
    layout: str = ""
    root: str = Field("", description="Where its images lie.")
    class_names: list[str] = Field([], description="In order, where it is given.")
    images: int | None = Field(None, description="Files when it was described.")
    problem: Text | None = Field(None, description="Why it can't be read.")


class ImageEntry(Stored):
    """An image in a list: its thumbnail, or the reason why there is none."""

    file: str = Field(description="Relative to the folder of its split, forward slashes.")
    class_name: str
    picture: str | None = Field(None, description="A small JPEG as a data URI.")
    width: int | None = None
    height: int | None = None
    laterality: Literal["L", "R", "B"] | None = Field(None, description="The breast a DICOM header names; B is both.")
    view: str | None = Field(None, description="The view a DICOM header names, such as CC or MLO.")
    problem: Text | str | None = None


class ExportEntry(Stored):
    """An exported model."""

    path: str = Field(description="Relative to the workspace, with forward slashes.")
    format: str
    size: int = Field(description="Bytes.")
    created: str = Field(description="ISO 8601 in UTC.")
    checkpoint: str | None = Field(None, description="The checkpoint it was made from, by its name.")


class WrongCase(Stored):
    """A case a model was wrong about; its file and picture as far as the image is still at hand."""

    label: str
    predicted: str
    probability: float = Field(description="What the wrong class was given.")
    given_to_truth: float
    file: str | None = None
    picture: str | None = Field(None, description="A small JPEG as a data URI.")


class ComparisonEntry(Stored):
    """A comparison that is kept: of two models, or of readers, `second` being then the model beside them."""

    comparison_id: str
    kind: Literal["models", "readers"]
    created: str = Field(description="ISO 8601 in UTC.")
    first: str = Field(description="The first model, or the table of readings.")
    second: str | None = None
    n: int
    patients: int | None = None


class FolderEntry(Stored):
    """What lies in a folder that is looked through: a folder, or a file."""

    name: str
    path: str = Field(description="As a request names it.")
    kind: Literal["folder", "image", "table", "archive", "store", "other"]
    size_bytes: int | None = Field(None, description="Of a file.")
    images: int = Field(0, description="Images in a folder and below, by their endings; of no ending, none.")
    more: bool = Field(False, description="The folder is too large to be counted in passing: there are more.")
    link: str | None = Field(None, description="Where it leads, if it is a link.")
    problem: Text | None = Field(None, description="Why it can't be opened.")


class FolderStep(Stored):
    """A folder on the way down to the one looked at."""

    name: str
    path: str


class LeftOut(Stored):
    """A file of an upload that was not kept."""

    file: str
    reason: Text
