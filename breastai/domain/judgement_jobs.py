"""Jobs that judge: models by images or by predictions, two models, readers."""

from typing import Annotated, Literal

from pydantic import Field

from breastai.domain.job import Job
from breastai.domain.reader_records import CovarianceMethod
from breastai.domain.records import PatientScore

Share = Annotated[float, Field(ge=0, le=1)]


class Evaluate(Job):
    """Judge a checkpoint on labelled images: class folders, or a root that holds train/, val/, test/.

    Without `data` on the images that its own run validated on; so too where `data` is what that run learnt from and set them
    aside within, and no `split` is asked for.
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


class AdaptModel(Job):
    """Adapt a checkpoint to a site on a local sample of it, and judge both on the images it did not use.

    `run_id`: what the adapted one is called; `local_sample`: a share of the patients below 1, or a number of them.
    """

    image_fields = ("data",)

    kind: Literal["adapt"] = "adapt"
    checkpoint: str
    run_id: str
    data: str
    split: Literal["train", "val", "test"] | None = None
    class_map: dict[str, list[str]] = {}
    local_sample: float = Field(gt=0)
    sample_seed: int | None = Field(None, description="By default that of the run.")


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
    threshold: float | None = Field(None, ge=0, le=1)
    target_sensitivity: float | None = Field(None, gt=0, lt=1)
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
    thresholds: tuple[Share, Share] | None = None
    target_sensitivity: float | None = Field(None, gt=0, lt=1)
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
    model_threshold: float | None = Field(None, ge=0, le=1)
    call_from: float | None = None
    covariance: CovarianceMethod = "delong"
