"""What may be asked of a worker: one frozen model for each kind of job, and the control lines that may follow."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, TypeAdapter

from breastai.domain.patient_settings import PatientIdRule
from breastai.domain.reader_records import CovarianceMethod
from breastai.domain.records import PatientScore
from breastai.domain.report_language import Language
from breastai.domain.stored import Stored
from breastai.domain.stored_config import StoredConfig
from breastai.texts.catalogue import ENGLISH

# What must be there before a job begins: packages beyond the base install, or copies of what lies on shared storage.
Need = Literal["torch", "statistics", "documents", "remote_images"]


# x and y of the upper left corner, width and height, in pixels of the image.
BoxPlaces = tuple[int, int, int, int]


class Job(Stored):
    """Work for the worker process. `workspace` is an absolute path.

    Each kind says what it reads, needs and holds; whoever prepares, checks, queues or runs a job asks it and knows no kind.
    """

    # The fields that name what it reads beside its configuration: images (folders, files, addresses), and tables.
    image_fields: ClassVar[tuple[str, ...]] = ()
    table_fields: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[frozenset[Need]] = frozenset({"torch", "remote_images"})
    # The field with the name of the run or study whose lease it takes.
    holds: ClassVar[Literal["run_id", "study_id"] | None] = None
    # Whether what it holds is new: it gets its name when the job's turn comes, since names sort by when runs began.
    begins: ClassVar[bool] = False

    workspace: str
    session_id: str = "default"

    @property
    def held(self) -> str | None:
        """The run or study whose lease it takes."""
        return None if self.holds is None else str(getattr(self, self.holds))

    @property
    def images_read(self) -> list[str]:
        """The folders, files and addresses that it names as images."""
        return self._values(self.image_fields)

    @property
    def paths_read(self) -> list[str]:
        """All that it names to be read, images and tables; what its configuration names stands there."""
        return self._values(self.image_fields + self.table_fields)

    def with_name(self, name: str) -> Self:
        """Return the job with `name` for what it begins; itself when it begins nothing."""
        return self.model_copy(update={self.holds: name}) if self.begins and self.holds is not None else self

    def _values(self, fields: tuple[str, ...]) -> list[str]:
        found = [getattr(self, field) for field in fields]
        return [path for value in found for path in ([value] if isinstance(value, str) else value or [])]


class RunJob(Job):
    """A job whose life is recorded as a run: its worker takes the run's lease and writes its journal."""

    holds = "run_id"


class StudyJob(Job):
    """A job made of several runs. Its function is also given who asks it to stop: job, workspace, stop -> events."""

    holds = "study_id"


class LightJob(Job):
    """A short job for the light worker, which has no torch and copies nothing, also while a run goes on."""

    needs = frozenset()


class BackupJob(LightJob):
    """Work on backups, which may be large, in a light worker of its own; its last event is of `answer`'s type."""

    answer: ClassVar[str]


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


class Evaluate(Job):
    """Judge a checkpoint on labelled images: class folders, or a root that holds train/, val/, test/.

    Without `data` on the images that its own run validated on.
    `subgroups`: a CSV with the column file and one for each thing to tell parts apart by.
    """

    image_fields = ("data",)
    table_fields = ("subgroups",)

    kind: Literal["evaluate"] = "evaluate"
    checkpoint: str
    data: str | None = None
    split: Literal["train", "val", "test"] | None = None
    subgroups: str | None = None
    class_map: dict[str, list[str]] = Field(
        {}, description="For a class of the images the model's classes it stands for; none leaves it out."
    )


class EvaluateSites(Job):
    """Judge a checkpoint on labelled images of several sites, each as by `Evaluate`, and tell what they show together.

    `local_sample`: a share of the patients of each site below 1, or a number of them; they choose a threshold and a
    recalibration that are judged on the rest, apart from the frozen ones.
    """

    image_fields = ("data",)

    kind: Literal["evaluate_sites"] = "evaluate_sites"
    checkpoint: str
    data: list[str] = Field(min_length=1)
    split: Literal["train", "val", "test"] | None = None
    class_map: dict[str, list[str]] = {}
    local_sample: float | None = Field(None, gt=0)
    sample_seed: int | None = Field(None, description="By default that of the run.")


class EvaluatePredictions(Job):
    """Judge any model by a CSV of its predictions: columns label, one p_CLASS per class, perhaps file, patient_id.

    A patient with any image of `target_class` is of that class. The operating point is the `threshold`, or one chosen
    for `target_sensitivity` on the part `choose_on`, COLUMN=VALUE, and judged on the rest. `bands`: by the column of a
    subgroup, the limits that part its numbers.
    """

    table_fields = ("predictions",)
    needs = frozenset({"statistics", "remote_images"})

    kind: Literal["evaluate_predictions"] = "evaluate_predictions"
    predictions: str
    target_class: str | None = None
    patient_score: PatientScore = "largest"
    threshold: float | None = None
    target_sensitivity: float | None = None
    choose_on: str | None = None
    prevalences: dict[str, float] = {}
    bands: dict[str, list[float]] = {}


class Compare(Job):
    """Compare two checkpoints on the same labelled images."""

    image_fields = ("data",)

    kind: Literal["compare"] = "compare"
    first: str
    second: str
    data: str
    split: Literal["train", "val", "test"] | None = None
    margins: dict[str, float] = {}


class ComparePredictions(Job):
    """Compare two models by CSV files of their predictions on the same cases. Needs no network.

    `thresholds`: of the first and the second. Or each is chosen for `target_sensitivity` on the part `choose_on`,
    COLUMN=VALUE, and judged on the rest.
    """

    table_fields = ("first", "second")
    needs = frozenset({"statistics", "remote_images"})

    kind: Literal["compare_predictions"] = "compare_predictions"
    first: str
    second: str
    target_class: str | None = None
    thresholds: tuple[float, float] | None = None
    target_sensitivity: float | None = None
    choose_on: str | None = None
    prevalences: dict[str, float] = {}
    margins: dict[str, float] = {}


class CompareReaders(Job):
    """Analyse a table of readings, and compare the readers with a model: its predictions, or a run's evaluation.

    `model_threshold`: from which probability of the target class the model's answer is a call; a run has its own.
    """

    table_fields = ("table", "predictions")
    needs = frozenset({"statistics", "remote_images"})

    kind: Literal["compare_readers"] = "compare_readers"
    table: str
    target_class: str | None = None
    predictions: str | None = None
    model_run: str | None = None
    model_threshold: float | None = None
    call_from: float | None = None
    covariance: CovarianceMethod = "delong"


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
    """Write the report of a run."""

    needs = frozenset({"documents", "remote_images"})

    kind: Literal["report"] = "report"
    run_id: str
    language: Language = ENGLISH
    pdf: bool = False
    pictures: bool = True


class Bench(Job):
    """Measure what a training of this configuration would take on this machine."""

    kind: Literal["bench"] = "bench"
    config: StoredConfig


class Export(Job):
    """Write a checkpoint in another format, after proving that it gives the same answers."""

    kind: Literal["export"] = "export"
    checkpoint: str
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


class DescribeImages(LightJob):
    """Say what a configuration would train on."""

    kind: Literal["describe_images"] = "describe_images"
    config: StoredConfig


class ListImages(LightJob):
    """Give a page of the images of a split, with thumbnails."""

    kind: Literal["list_images"] = "list_images"
    config: StoredConfig
    split: Literal["train", "val", "test"]
    class_name: str | None = None
    first: int = 0
    limit: int = Field(24, le=60)


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


class HandedImage(Stored):
    """An image handed over: `name` as its owner calls it, `path` where it lies for now."""

    image: str
    name: str
    path: str


class AskExports(LightJob):
    """Ask exported models about images handed over. `keep`: the folder for copies."""

    kind: Literal["ask_exports"] = "ask_exports"
    images: list[HandedImage]
    models: list[str]
    keep: str | None = None


class AskCheckpoints(Job):
    """Ask models about images handed over, at least one of them a checkpoint."""

    kind: Literal["ask_checkpoints"] = "ask_checkpoints"
    images: list[HandedImage]
    models: list[str]
    heat_maps: bool = False
    keep: str | None = None


class ShowErrors(LightJob):
    """Show what a run's model was most wrong about."""

    kind: Literal["show_errors"] = "show_errors"
    run_id: str


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
    | EvaluatePredictions
    | Compare
    | ComparePredictions
    | CompareReaders
    | Audit
    | Report
    | Bench
    | Export
    | Predict
    | DescribeImages
    | ListImages
    | PreviewImage
    | Explain
    | VerifyExport
    | AskExports
    | AskCheckpoints
    | ShowErrors
    | CreateBackup
    | VerifyBackup
    | RestoreBackup,
    Field(discriminator="kind"),
]
JOB: TypeAdapter[AnyJob] = TypeAdapter(AnyJob)
# The kinds of the jobs whose life is recorded as a run.
RUN_KINDS: frozenset[str] = frozenset(job.model_fields["kind"].default for job in RunJob.__subclasses__())


class Control(Stored):
    """A line the server sends to a worker after its job."""

    type: Literal["stop"]
