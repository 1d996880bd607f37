"""What may be asked of a worker: one frozen model for each kind of job, and the control lines that may follow."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from breastai.domain.config import Config
from breastai.domain.patient_settings import PatientIdRule
from breastai.domain.records import PatientScore


class Job(BaseModel):
    """Work for the worker process. `workspace` is an absolute path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workspace: str
    session_id: str = "default"


class Train(Job):
    """Train a new run. Relative paths in `config` are relative to the workspace."""

    kind: Literal["train"] = "train"
    run_id: str
    config: Config
    leaks_settled: bool = Field(
        False, description="Whether the study this run belongs to has asked about leaks already."
    )


class Resume(Job):
    """Go on with a run from where it stopped; `epochs` extends or shortens the plan, None keeps it."""

    kind: Literal["resume"] = "resume"
    run_id: str
    epochs: int | None = Field(None, ge=1, le=10_000)
    cluster: str | None = Field(None, description="In place of the run's system.cluster; none resumes it here.")


class Tune(Job):
    """Try settings by short runs and keep the best as a named configuration; config.tuning says which and how many."""

    kind: Literal["tune"] = "tune"
    study_id: str
    config: Config


class Crossval(Job):
    """Train and judge a model for each fold of the images; config.crossval says how they are dealt."""

    kind: Literal["crossval"] = "crossval"
    study_id: str
    config: Config


class TrainSeeds(Job):
    """Train a configuration once for each seed, and tell how far the figures spread."""

    kind: Literal["train_seeds"] = "train_seeds"
    study_id: str
    seeds: list[int] = Field(min_length=2)
    config: Config


class ResumeStudy(Job):
    """Go on with a study from its record: what is complete is not run again."""

    kind: Literal["resume_study"] = "resume_study"
    study_id: str
    cluster: str | None = Field(None, description="In place of the study's system.cluster; none runs it here.")


class Evaluate(Job):
    """Judge a checkpoint on labelled images: class folders, or a root that holds train/, val/, test/.

    Without `data` on the images that its own run validated on.
    `subgroups`: a CSV with the column file and one for each thing to tell parts apart by.
    """

    kind: Literal["evaluate"] = "evaluate"
    checkpoint: str
    data: str | None = None
    split: Literal["train", "val", "test"] | None = None
    subgroups: str | None = None


class EvaluatePredictions(Job):
    """Judge any model by a CSV of its predictions: columns label, one p_CLASS per class, perhaps file, patient_id.

    A patient with any image of `target_class` is of that class.
    """

    kind: Literal["evaluate_predictions"] = "evaluate_predictions"
    predictions: str
    target_class: str | None = None
    patient_score: PatientScore = "largest"


class Compare(Job):
    """Compare two checkpoints on the same labelled images."""

    kind: Literal["compare"] = "compare"
    first: str
    second: str
    data: str
    split: Literal["train", "val", "test"] | None = None


class ComparePredictions(Job):
    """Compare two models by CSV files of their predictions on the same cases. Needs no network."""

    kind: Literal["compare_predictions"] = "compare_predictions"
    first: str
    second: str


class Audit(Job):
    """Look for faults in a folder of images, or in those of a configuration.

    `pictures`: with thumbnails of twins, and not more than a page can take.
    """

    kind: Literal["audit"] = "audit"
    data: str | None = None
    config: Config | None = None
    patient_id: PatientIdRule | None = None
    frames: Literal["middle", "each"] = "middle"
    pictures: bool = False


class Report(Job):
    """Write the report of a run."""

    kind: Literal["report"] = "report"
    run_id: str
    language: Literal["en", "fr"] = "en"
    pdf: bool = False
    pictures: bool = True


class Bench(Job):
    """Measure what a training of this configuration would take on this machine."""

    kind: Literal["bench"] = "bench"
    config: Config


class Export(Job):
    """Write a checkpoint in another format, after proving that it gives the same answers."""

    kind: Literal["export"] = "export"
    checkpoint: str
    format: str


class Predict(Job):
    """Classify images by a checkpoint. `images` are paths of files or folders."""

    kind: Literal["predict"] = "predict"
    checkpoint: str
    images: list[str]


class DescribeImages(Job):
    """Say what a configuration would train on. For the light worker, as the two below."""

    kind: Literal["describe_images"] = "describe_images"
    config: Config


class ListImages(Job):
    """Give a page of the images of a split, with thumbnails."""

    kind: Literal["list_images"] = "list_images"
    config: Config
    split: Literal["train", "val", "test"]
    class_name: str | None = None
    first: int = 0
    limit: int = Field(24, le=60)


class VerifyExport(Job):
    """Ask an exported model again what it was asked at its export. For the light worker too."""

    kind: Literal["verify_export"] = "verify_export"
    path: str


class PreviewImage(Job):
    """Give one image as it is, as the network sees it, and `augmented` draws of its augmentation."""

    kind: Literal["preview_image"] = "preview_image"
    config: Config
    split: Literal["train", "val", "test"]
    file: str | None = None
    augmented: int = Field(0, le=8)
    seed: int = 0


class Explain(Job):
    """Draw where a checkpoint finds what speaks for a class. None: for each image its most probable one."""

    kind: Literal["explain"] = "explain"
    checkpoint: str
    images: list[str]
    target_class: str | None = None


class HandedImage(BaseModel):
    """An image handed over: `name` as its owner calls it, `path` where it lies for now."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    image: str
    name: str
    path: str


class AskExports(Job):
    """Ask exported models about images handed over. For the light worker. `keep`: the folder for copies."""

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


class ShowErrors(Job):
    """Show what a run's model was most wrong about. For the light worker."""

    kind: Literal["show_errors"] = "show_errors"
    run_id: str


AnyJob = Annotated[
    Train
    | Resume
    | Tune
    | Crossval
    | TrainSeeds
    | ResumeStudy
    | Evaluate
    | EvaluatePredictions
    | Compare
    | ComparePredictions
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
    | ShowErrors,
    Field(discriminator="kind"),
]
JOB: TypeAdapter[AnyJob] = TypeAdapter(AnyJob)
# Jobs made of several runs. Their functions are also given who asks them to stop: job, workspace, stop -> events.
STUDY_JOBS: tuple[type[Job], ...] = (Tune, Crossval, TrainSeeds, ResumeStudy)


class Control(BaseModel):
    """A line the server sends to a worker after its job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["stop"]
