"""Evidence from several sites: a model judged on the images of each, what they show together, and what a local sample changes."""

from typing import Any, Literal

from pydantic import Field, model_validator

from breastai.domain.class_match import ClassMatch
from breastai.domain.records import Figure, Number
from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.text import Text

# The frozen operating point; one chosen anew on a local sample; the frozen one on probabilities recalibrated on it.
PointKind = Literal["frozen", "refitted", "recalibrated"]
InternalSet = Literal["test", "validation"]


class Recalibration(Stored):
    """logit(p) of the class in question becomes intercept + slope * logit(p)."""

    intercept: float
    slope: float


class PointOnRest(Stored):
    """An operating point judged on the images that a local sample left. Only the frozen one owes the sample nothing."""

    kind: PointKind
    threshold: float
    sensitivity: Figure
    specificity: Figure
    brier: Number = Field(description="Of the class in question against the rest: 0 to 1.")
    calibration: Recalibration | None = Field(
        description="What would still have to be done to the probabilities here: 0 and 1 where nothing."
    )


# What the notes of a site must not leave out: how its classes were taken, and what the model has seen of its images.
TOLD_OF_SITES = (
    "note.classes",
    "note.one_class",
    "note.trained",
    "note.validated",
    "note.chose_epoch",
    "note.calibrated",
    "note.units",
    "log.evaluation.",
)


class LocalSample(Stored):
    """What labelled cases of a site would change: drawn by patient, used to fit, and kept out of all figures here."""

    share: float = Field(description="The share asked for, or a number of patients from 1 up.")
    seed: int
    unit: Literal["patient", "image"]
    units: int = Field(description="Patients, or images where patients are unknown.")
    positive_units: int
    images: int
    rest_units: int
    rest_images: int
    rest_positives: int = Field(description="Positive images among the rest.")
    positives_needed: int = Field(description="Positive patients that could promise the target sensitivity.")
    recalibration: Recalibration | None = None
    points: list[PointOnRest] = Field([], description="All on the same images: the rest.")
    fault: Text | None = Field(None, description="Why nothing could be fitted.")


class AdaptationSample(Stored):
    """The images of a site that adapted a model, whole patients, and those left to judge it. Counts by class."""

    share: float = Field(description="The share asked for, or a number of patients from 1 up.")
    seed: int
    unit: Literal["patient", "image"]
    units: int = Field(description="Patients, or images where patients are unknown.")
    images: int
    counts: dict[str, int]
    rest_units: int
    rest_images: int
    rest_counts: dict[str, int]
    sha256: list[str] = Field([], description="Of the content of each image of the sample.")


class Adaptation(Stored):
    """How a checkpoint was adapted to a site: from which one, by which sample, and what was changed."""

    checkpoint: str
    sha256: str
    data: str
    sample: AdaptationSample
    norm_layers: int = Field(
        description="Layers of batch normalisation whose statistics were moved; weights are as before."
    )
    norms: Literal["moved", "kept", "none"] = Field(
        description="Kept: moving the statistics was no better on cases of the sample held out. None: there are none."
    )
    norm_prior_images: int = Field(description="As how many images the statistics of training count.")
    head_strength: float | None = Field(
        description="How strongly the head is held where it was, chosen within the sample; null: it stays as it was."
    )
    head_log_loss: dict[str, float] = Field({}, description="Of each strength on the parts of the sample held out.")
    novelty_images: int | None = Field(
        None,
        description="Images of the sample that a new limit for unlike images rests on; null: too few patients for one.",
    )
    earlier_sha256: list[str] = Field([], description="Of the samples that adapted the checkpoint before, if any did.")

    @model_validator(mode="before")
    @classmethod
    def _norms_of_earlier(cls, values: Any) -> Any:
        """Give a record without `norms` what an earlier version said by two other fields."""
        if isinstance(values, dict) and "norms" not in values:
            moved, kept = values.get("norm_layers"), values.get("norms_kept")
            return {**values, "norms": "moved" if moved else "kept" if kept else "none"}
        return values

    @property
    def used_sha256(self) -> set[str]:
        """Of the content of each image that this sample or an earlier one holds."""
        return {*self.sample.sha256, *self.earlier_sha256}

    def without_hashes(self) -> "Adaptation":
        """Return the same without the hashes of single images, to hand on."""
        return self.model_copy(update={"sample": self.sample.model_copy(update={"sha256": []}), "earlier_sha256": []})


class Drift(Stored):
    """A mean over the images of a site and over those the model was validated on; the difference: site minus those."""

    name: Literal["unlike", "brightness", "contrast", "size"]
    site: Number
    internal: Number = None
    difference: Figure | None = None


class SiteResult(Stored):
    """A model on the images of one site. Figures by name as in an evaluation; differences: site minus internal."""

    data: str
    n: int = Field(description="Images.")
    patients: int | None
    counts: dict[str, int] = Field(description="Images by class judged.")
    class_match: ClassMatch
    figures: dict[str, Figure]
    internal: dict[str, Figure] = Field({}, description="The same on internal images of the classes that are here.")
    differences: dict[str, Figure] = {}
    drift: list[Drift] = []
    modalities: dict[str, int] = Field({}, description="Images by the modality that their headers name.")
    modalities_learnt: list[str] = []
    local_sample: LocalSample | None = None
    record: str | None = Field(None, description="The file with all the evidence of this site.")
    notes: list[Text | str] = []

    @property
    def told_notes(self) -> list[Text | str]:
        """The notes that stand beside the figures of a site; the others are of the model, and the same for every site."""
        return [note for note in self.notes if str(getattr(note, "code", "")).startswith(TOLD_OF_SITES)]


class PooledFigure(Stored):
    """A figure over sites by a random-effects meta-analysis on the logit scale.

    `low` to `high`: where the mean over sites like these lies; the prediction interval: where a new site's figure does.
    """

    sites: int
    value: Number
    low: Number = None
    high: Number = None
    prediction_low: Number = Field(None, description="Null with fewer than three sites.")
    prediction_high: Number = None
    tau2: Number = Field(None, description="Variance between sites, of the logit.")
    i2: Number = Field(None, description="Share of the variation that is between sites.")
    lowest: Number = None
    highest: Number = None


class SitesRecord(StoredDocument):
    """A judgement on several sites as it is kept."""

    notice: str
    created: str
    breastai: str
    run_id: str
    checkpoint: str
    checkpoint_sha256: str | None = None
    target_class: str | None = None
    threshold: float | None = Field(None, description="Of the frozen operating point.")
    target_sensitivity: float | None = None
    internal_set: InternalSet | None = None
    internal_n: int | None = None
    sites: list[SiteResult]
    pooled: dict[str, PooledFigure] = {}
    notes: list[Text | str] = []
