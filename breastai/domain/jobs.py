"""What may be asked of a worker: one frozen model for each kind of job, and the control lines that may follow."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from breastai.domain.dataset_description import CorrectionKind
from breastai.domain.dataset_inspection import ReadingChanges
from breastai.domain.job import BackupJob as BackupJob
from breastai.domain.job import Job as Job
from breastai.domain.job import LightJob as LightJob
from breastai.domain.job import Need as Need
from breastai.domain.job import RunJob as RunJob
from breastai.domain.job import StudyJob as StudyJob
from breastai.domain.judged_cases import MOST_JUDGED, JudgedFilter, JudgedOrder
from breastai.domain.judgement_jobs import AdaptModel as AdaptModel
from breastai.domain.judgement_jobs import Compare as Compare
from breastai.domain.judgement_jobs import ComparePredictions as ComparePredictions
from breastai.domain.judgement_jobs import CompareReaders as CompareReaders
from breastai.domain.judgement_jobs import Evaluate as Evaluate
from breastai.domain.judgement_jobs import EvaluatePredictions as EvaluatePredictions
from breastai.domain.judgement_jobs import EvaluateSites as EvaluateSites
from breastai.domain.patient_settings import PatientIdRule
from breastai.domain.report_language import Language
from breastai.domain.stored import Stored
from breastai.domain.stored_config import StoredConfig
from breastai.domain.study_plan import PlanAssumptions
from breastai.texts.catalogue import ENGLISH

# x and y of the upper left corner, width and height, in pixels of the image.
BoxPlaces = tuple[int, int, int, int]


class Train(RunJob):
    """Train a new run. Relative paths in `config` are relative to the workspace."""

    begins = True

    kind: Literal["train"] = "train"
    run_id: str
    config: StoredConfig
    leaks_settled: bool = Field(
        False, description="Whether the study this run belongs to has asked about leaks already."
    )


class Resume(RunJob):
    """Go on with a run from where it stopped; `epochs` extends or shortens the plan, None keeps it."""

    kind: Literal["resume"] = "resume"
    run_id: str
    epochs: int | None = Field(None, ge=1, le=10_000)
    cluster: str | None = Field(None, description="In place of the run's system.cluster; none resumes it here.")


class Tune(StudyJob):
    """Try settings by short runs and keep the best as a named configuration; config.tuning says which and how many."""

    begins = True

    kind: Literal["tune"] = "tune"
    study_id: str
    config: StoredConfig


class Crossval(StudyJob):
    """Train and judge a model for each fold of the images; config.crossval says how they are dealt."""

    begins = True

    kind: Literal["crossval"] = "crossval"
    study_id: str
    config: StoredConfig


class TrainSeeds(StudyJob):
    """Train a configuration once for each seed, and tell how far the figures spread."""

    begins = True

    kind: Literal["train_seeds"] = "train_seeds"
    study_id: str
    seeds: list[int] = Field(min_length=2)
    config: StoredConfig


class ResumeStudy(StudyJob):
    """Go on with a study from its record: what is complete is not run again."""

    kind: Literal["resume_study"] = "resume_study"
    study_id: str
    cluster: str | None = Field(None, description="In place of the study's system.cluster; none runs it here.")


class Audit(Job):
    """Look for faults in a folder of images, or in those of a configuration.

    `pictures`: with thumbnails of twins, and not more than a page can take.
    """

    image_fields = ("data",)
    needs = frozenset({"statistics", "remote_images"})

    kind: Literal["audit"] = "audit"
    data: str | None = None
    config: StoredConfig | None = None
    patient_id: PatientIdRule | None = None
    frames: Literal["middle", "each"] = "middle"
    pictures: bool = False


class Report(Job):
    """Write the report of a run, or of the predictions of another model.

    `run_id` is then `predictions`. `evaluation`: the kept one that the report rests on; by default the latest.
    """

    needs = frozenset({"documents", "remote_images"})

    kind: Literal["report"] = "report"
    run_id: str
    evaluation: str | None = None
    language: Language = ENGLISH
    pdf: bool = False
    docx: bool = False
    pictures: bool = True


class Bench(Job):
    """Measure what a training of this configuration would take on this machine."""

    kind: Literal["bench"] = "bench"
    config: StoredConfig


class Export(Job):
    """Write a checkpoint in another format, after proving that it gives the same answers."""

    kind: Literal["export"] = "export"
    checkpoint: str
    others: list[str] = Field([], description="Checkpoints to average with it, in one ONNX file.")
    format: str


class Predict(Job):
    """Classify images by a checkpoint. `images` are paths of files or folders."""

    image_fields = ("images",)

    kind: Literal["predict"] = "predict"
    checkpoint: str
    images: list[str]
    boxes: list[BoxPlaces | None] = Field(
        [], description="Where a lesion is marked in each of `images`; empty: it is looked for beside them."
    )
    one_patient: bool = Field(False, description="All images are of one patient, whatever their names say.")


class DescribeImages(LightJob):
    """Say what a configuration would train on."""

    kind: Literal["describe_images"] = "describe_images"
    config: StoredConfig


class PreFlight(LightJob):
    """Say what a run of a configuration meets on this machine."""

    kind: Literal["pre_flight"] = "pre_flight"
    config: StoredConfig


class ListImages(LightJob):
    """Give a page of the images of a split, with thumbnails."""

    kind: Literal["list_images"] = "list_images"
    config: StoredConfig
    split: Literal["train", "val", "test"]
    class_name: str | None = None
    first: int = 0
    limit: int = Field(24, le=60)


class MakeSampleData(LightJob):
    """Write the sample images to a folder of the workspace."""

    kind: Literal["make_sample_data"] = "make_sample_data"
    path: str


class InspectDataset(LightJob):
    """Say what a place would be read as, or a data set of the workspace, with changes and a few pictures of each class."""

    kind: Literal["inspect_dataset"] = "inspect_dataset"
    path: str
    changes: ReadingChanges = ReadingChanges()
    pictures: int = Field(0, le=8)


class CorrectDataset(LightJob):
    """Leave images of a data set out, give them another class, or take that back, in its description."""

    kind: Literal["correct_dataset"] = "correct_dataset"
    name: str
    action: CorrectionKind
    files: list[str] = Field(min_length=1)
    label: str | None = None
    note: str = ""
    test_images: bool = False


class VerifyExport(LightJob):
    """Ask an exported model again what it was asked at its export."""

    kind: Literal["verify_export"] = "verify_export"
    path: str


class PreviewImage(LightJob):
    """Give one image as it is, as the network sees it, and `augmented` draws of its augmentation."""

    kind: Literal["preview_image"] = "preview_image"
    config: StoredConfig
    split: Literal["train", "val", "test"]
    file: str | None = None
    augmented: int = Field(0, le=8)
    seed: int = 0


class Explain(Job):
    """Draw where a checkpoint finds what speaks for a class. None: for each image its most probable one."""

    image_fields = ("images",)

    kind: Literal["explain"] = "explain"
    checkpoint: str
    images: list[str]
    target_class: str | None = None
    boxes: list[BoxPlaces | None] = []


class HandedImage(Stored):
    """An image handed over: `name` as its owner calls it, `path` where it lies for now; `box`: its lesion, if marked."""

    image: str
    name: str
    path: str
    box: BoxPlaces | None = None


class AskExports(LightJob):
    """Ask exported models about images handed over. `keep`: the folder for copies."""

    kind: Literal["ask_exports"] = "ask_exports"
    images: list[HandedImage]
    models: list[str]
    keep: str | None = None
    one_patient: bool = False


class AskCheckpoints(Job):
    """Ask models about images handed over, at least one of them a checkpoint."""

    kind: Literal["ask_checkpoints"] = "ask_checkpoints"
    images: list[HandedImage]
    models: list[str]
    heat_maps: bool = False
    keep: str | None = None
    one_patient: bool = False


class FindDoubts(Job):
    """Rank the labels of a folder by how doubtful they are, of its training part unless `split` says otherwise."""

    image_fields = ("data",)

    kind: Literal["find_doubts"] = "find_doubts"
    data: str
    split: Literal["train", "val", "test"] | None = None
    config: StoredConfig


class PlanStudy(LightJob):
    """Say how many patients a study needs."""

    needs = frozenset({"statistics"})

    kind: Literal["plan_study"] = "plan_study"
    assumptions: PlanAssumptions


class ShowErrors(LightJob):
    """Show what a run's model was most wrong about."""

    kind: Literal["show_errors"] = "show_errors"
    run_id: str


class ListJudged(LightJob):
    """Give a page of the images of an evaluation, by its name; without one of the latest, on validation images first."""

    needs = frozenset({"statistics"})

    kind: Literal["list_judged"] = "list_judged"
    run_id: str
    name: str | None = None
    only: JudgedFilter = JudgedFilter()
    sort: JudgedOrder = "given_to_truth"
    descending: bool = False
    first: int = 0
    limit: int = Field(50, le=MOST_JUDGED)


class ShowJudged(LightJob):
    """Give one image of an evaluation, large, with its mask and a heat map that was drawn of it."""

    needs = frozenset({"statistics"})

    kind: Literal["show_judged"] = "show_judged"
    run_id: str
    name: str | None = None
    number: int
    heat_map: str | None = None


class ShowEvaluation(LightJob):
    """Show an evaluation that is kept."""

    needs = frozenset({"statistics"})

    kind: Literal["show_evaluation"] = "show_evaluation"
    run_id: str
    name: str


class CreateBackup(BackupJob):
    """Back up the project; the latest `keep` backups stay."""

    answer = "backup_created"

    kind: Literal["create_backup"] = "create_backup"
    keep: int = Field(5, ge=1)


class VerifyBackup(BackupJob):
    """Prove that every file in a backup is what was put in."""

    answer = "backup_verified"

    kind: Literal["verify_backup"] = "verify_backup"
    name: str


class RestoreBackup(BackupJob):
    """Put a backup's files in their places."""

    answer = "backup_restored"

    kind: Literal["restore_backup"] = "restore_backup"
    name: str


AnyJob = Annotated[
    Train
    | Resume
    | Tune
    | Crossval
    | TrainSeeds
    | ResumeStudy
    | Evaluate
    | EvaluateSites
    | AdaptModel
    | EvaluatePredictions
    | Compare
    | ComparePredictions
    | CompareReaders
    | Audit
    | Report
    | Bench
    | Export
    | CorrectDataset
    | Predict
    | DescribeImages
    | PreFlight
    | ListImages
    | PreviewImage
    | Explain
    | InspectDataset
    | MakeSampleData
    | VerifyExport
    | AskExports
    | AskCheckpoints
    | ShowErrors
    | FindDoubts
    | PlanStudy
    | ShowEvaluation
    | ListJudged
    | ShowJudged
    | CreateBackup
    | VerifyBackup
    | RestoreBackup,
    Field(discriminator="kind"),
]
# The kinds of the jobs whose life is recorded as a run.
RUN_KINDS: frozenset[str] = frozenset(job.model_fields["kind"].default for job in RunJob.__subclasses__())


@cache
def job_adapter() -> TypeAdapter[AnyJob]:
    """Return what reads a job of any kind; made when first asked for."""
    return TypeAdapter(AnyJob)


class Control(Stored):
    """A line the server sends to a worker after its job."""

    type: Literal["stop"]
