"""Evidence: what an evaluation or an audit found and how cases were split, as plain values fit for JSON and a report."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from breastai.domain.class_match import ClassMatch
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.metric_catalog import rename_metrics
from breastai.domain.patient_settings import DecisionUnit, PoolingRule
from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.text import Text

Number = float | None
# How the images of a patient become one score.
PatientScore = Literal["largest", "mean"]
# Columns of equal length, by name.
Curve = dict[str, list[Number]]


# Where a threshold comes from: chosen on validation images or on a part of a table for a sensitivity, or given by a user.
PointSource = Literal["validation", "part", "option"]

# Why a figure has no interval, or what its interval lacks.
IntervalFlag = Literal[
    "one_patient", "few_patients", "often_undefined", "no_variation", "biased", "loose_bound", "separated"
]


# Which images the decision rule was fitted on: the validation images, which chose the epoch too; a part kept for
# nothing else; those each fold of a cross-validation held out, by models that never saw them; or the local sample of a
# site that a model was adapted to, each image by a last layer that it did not fit.
RulePart = Literal["val", "calibration", "out_of_fold", "sample"]


class Figure(Stored):
    """A figure with its 95 % interval and the number of cases it rests on."""

    value: Number
    low: Number = None
    high: Number = None
    n: int
    flag: IntervalFlag | None = Field(
        None, description="Why there is no interval, or what it lacks; null where there is nothing to say."
    )


class PairedFigure(Stored):
    """One figure of two models on the same cases. `difference`: first minus second."""

    first: Number
    second: Number
    difference: Figure
    z: Number = None
    p_value: Number = Field(None, description="Two-sided, by DeLong's test; null where there is none.")
    adjusted_p: Number = Field(None, description="By Holm's method over all tests of the comparison.")
    bootstrap: Figure | None = Field(None, description="The difference again, with the interval of drawn patients.")


class JudgedPoint(Stored):
    """The operating point, as it was chosen on validation, judged on these images."""

    class_name: str
    threshold: float
    target_sensitivity: float
    source: PointSource = "validation"
    validation_positives: int = Field(description="Positives it was chosen on, counted in validation_unit.")
    validation_unit: Literal["image", "group", "patient"] = "image"
    chosen_on: RulePart = "val"
    reached: bool = Field(description="Whether validation had positives enough to promise the target.")
    figures: dict[str, Figure] = Field(description="sensitivity, specificity, precision and npv, by image.")
    positives: int = Field(description="Positive images.")
    missed: int = Field(description="Positive images below the threshold.")
    negatives: int
    called: int = Field(description="Negative images at or above the threshold.")


class ByPatient(Stored):
    """How the images of each patient become one case of the figures by patient, and what these come to.

    A patient with any image of `target_class` is of that class, any other of the class most images have; with `largest`
    the image most probable to be of the target class speaks for the patient, with `mean` the mean of all.
    """

    score: PatientScore
    target_class: str | None
    patients: int
    mixed: int = Field(description="Patients whose images are of several classes.")
    counts: dict[str, int] = Field(description="Patients by class.")
    positives: int | None = Field(None, description="Patients of the target class; null without an operating point.")
    missed: int | None = Field(None, description="Those below its threshold.")
    negatives: int | None = None
    flagged: int | None = Field(None, description="Other patients at or above the threshold.")


class ImageUse(Stored):
    """How many of the judged images took part in making the model or choosing what it decides by."""

    training: int = 0
    epoch: int = Field(0, description="In choosing the best epoch.")
    temperature: int = 0
    threshold: int = 0
    conformal_sets: int = 0
    novelty: int = 0


class UsedFor(Stored):
    """Which images each part of a model and its figures rest on, by the name of the part; null: no such part, or unknown."""

    weights: str | None = "train"
    epoch: str | None = "val"
    temperature: str | None = None
    threshold: str | None = None
    conformal_sets: str | None = None
    novelty: str | None = None
    figures: str | None = None


class Reliability(Stored):
    """How far probabilities can be taken at their word."""

    curve: Curve
    ece: Number
    brier: Number
    log_loss: Number


class CalibrationEvidence(Stored):
    """Calibration on these cases, before and after the correction that validation cases fitted."""

    temperature: float
    prior_shift: list[float]
    before: Reliability
    after: Reliability


class Referral(Stored):
    """What the conformal sets and the novelty do on these cases."""

    error_rate: float | None = Field(
        None, description="That of the conformal sets; null where validation had too few cases to offer any."
    )
    referred: Figure = Field(
        description="Share of cases whose answer is not the only plausible class, or that are unlike."
    )
    error_among_kept: Figure = Field(description="Share of wrong answers among the others.")
    outside: Figure | None = Field(
        None, description="Share of cases whose true class is outside their set; promised: error_rate."
    )
    unlike: Figure | None = Field(
        None,
        description="Share of cases unlike the validation images; null where the checkpoint keeps no novelty.",
    )


class ReferralTradeOff(Stored):
    """What referral at an `error_rate` would do on `n` validation cases, each by sets fitted without it and its patient.

    `referred`: the share left to a human because its answer is not the only plausible class. `error_among_kept`: the
    share of wrong answers among the others; None where all are referred.
    """

    error_rate: float
    referred: float
    error_among_kept: float | None
    n: int


class ClassCurves(Stored):
    """The curves of one class against the rest. `decision` is empty where a class is in question: `target` has its own."""

    roc: Curve
    precision_recall: Curve
    decision: Curve = {}


class TargetCalibration(Stored):
    """How far the probability of the class in question can be taken at its word.

    `smoothed`: columns probability, observed, low and high (a band of each point by itself).
    """

    slope: Figure = Field(description="1 where calibrated; less: the probabilities are too extreme.")
    intercept: Figure = Field(description="Calibration in the large: 0 where calibrated; less: they are too high.")
    observed_expected: Figure = Field(description="Cases of the class over the sum of their probabilities.")
    smoothed: Curve = {}


class OutcomeProbabilities(Stored):
    """The probabilities of the class in question among the images of one class.

    `counts`: in bins of equal width from 0 to 1; `values`: sorted, evenly thinned where there are many.
    """

    n: int
    median: Number = None
    counts: list[int] = []
    values: list[float] = []


class TargetEvidence(Stored):
    """What the images show of the probability of the class in question, the core set of Van Calster et al. 2025.

    `decision`: columns threshold, model, all, none, low and high (of the model); `decision_at`: the same at each of the
    prevalences, the probabilities moved to it.
    """

    class_name: str
    calibration: TargetCalibration
    by_outcome: dict[str, OutcomeProbabilities] = {}
    decision: Curve = {}
    decision_at: dict[str, Curve] = {}


class SubgroupDifference(Stored):
    """A figure of a subgroup less that of the other images of its column."""

    difference: Figure
    p_value: Number = Field(None, description="Two-sided, from the interval; null where there is none.")
    adjusted_p: Number = Field(None, description="By Holm's method over all subgroups and figures.")


class SubgroupEvidence(Stored):
    """The images with one value in a column of subgroups, and how the model does on them."""

    column: str
    value: str
    n: int = Field(description="Images.")
    patients: int | None = None
    positives: int | None = Field(None, description="Images of the class in question.")
    figures: dict[str, Figure]
    differences: dict[str, SubgroupDifference] = Field({}, description="Of the figures, by the same names.")


class Evidence(Stored):
    """All that a set of judged cases shows. `confusion_matrix`: rows true, columns predicted."""

    class_names: list[str]
    n: int = Field(description="Images.")
    patients: int | None
    by_patient: ByPatient | None = Field(None, description="Null where patients are unknown or have one image each.")
    counts: dict[str, int] = Field(description="Images by class.")
    figures: Annotated[dict[str, Figure], BeforeValidator(rename_metrics)]
    confusion_matrix: list[list[int]]
    operating_point: JudgedPoint | None = None
    target: TargetEvidence | None = Field(None, description="Null where no class is in question, and in older records.")
    prevalences: dict[str, float] = {}
    predictive_values: dict[str, Figure] = {}
    calibration: CalibrationEvidence
    referral: Referral | None = None
    curves: dict[str, ClassCurves] = {}
    coverage_error: Curve = {}
    subgroups: list[SubgroupEvidence] = []

    @property
    def decision_curve(self) -> tuple[str, Curve] | None:
        """The class in question and its net benefit; of records without `target`, that of the operating point's class."""
        if self.target is not None:
            return self.target.class_name, self.target.decision
        point = self.operating_point
        if point is None or point.class_name not in self.curves:
            return None
        return point.class_name, self.curves[point.class_name].decision


class JudgedCase(Stored):
    """One case: who it is only by hashes, what is true and what the model says."""

    name_sha256: str
    patient_sha256: str | None = None
    label: str
    probabilities: list[float]
    novelty: float | None = None
    subgroups: dict[str, str] = {}


class UnitEvidence(Stored):
    """What judged cases show by breast, exam or patient. In `evidence` a case is a unit, not an image."""

    unit: DecisionUnit
    pooling: PoolingRule
    sharpness: float = 0.0
    units: int | None = Field(None, description="How many; repeats of a cross-validation count each again in evidence.")
    images: int
    several: int = Field(description="Units with more than one image.")
    mixed: int = Field(description="Units whose images are of several classes.")
    evidence: Evidence


class JudgedUnit(Stored):
    """One unit, by hashes alone. `images`: by the hash of each of its images, its share in the unit's answer."""

    name_sha256: str
    patient_sha256: str
    label: str
    probabilities: list[float]
    novelty: float | None = None
    images: dict[str, float]


class SeenBefore(Stored):
    """How many of the judged images a part of the model's own images shows already; null: it can't be told.

    `near_duplicates` and `of_patients`, images of `patients` who are in that part, leave out the identical ones.
    """

    identical: int
    near_duplicates: int | None = None
    of_patients: int | None = None
    patients: int | None = None


class Overlap(Stored):
    """What a model has seen before of the images it is judged on. `unchecked`: what could not be looked for."""

    train: SeenBefore
    val: SeenBefore
    unchecked: list[str] = []


class EvaluationRecord(StoredDocument):
    """An evaluation as it is kept: no pixel, no name of a file or patient, no path outside the workspace."""

    notice: str
    created: str
    breastai: str
    run_id: str
    checkpoint: str
    checkpoint_sha256: str | None = None
    data: str
    dataset: str | None = Field(None, description="The data set of the workspace that the images are of, if of any.")
    split: str | None = None
    fingerprint: str | None = Field(None, description="Hash of the hashes of the images' content, in any order.")
    opened: int | None = Field(None, description="How often this set has been judged in this workspace, this time too.")
    skipped: int = 0
    uses: ImageUse | None = Field(None, description="Null where it is not known what made the model.")
    used_for: UsedFor | None = Field(None, description="Which part of the images made and chose what.")
    notes: list[Text | str] = []
    overlap: Overlap | None = None
    class_match: ClassMatch | None = Field(None, description="Null where the images have the classes judged by name.")
    evidence: Evidence
    hashes: Literal["sha256", "salted"] = Field(
        "sha256", description="Whether those of the cases need the salt of the workspace to be found again."
    )
    cases: list[JudgedCase] = []
    by_unit: UnitEvidence | None = Field(None, description="Null where decisions are of single images.")
    units: list[JudgedUnit] = []


# --- the audit -----------------------------------------------------------------------------------

Severity = Literal["error", "warning", "info"]


class Finding(Stored):
    """Something an audit found. `files` are relative to the data folder; `count` tells of those not listed too."""

    code: str
    severity: Severity
    message: str
    why: str
    advice: str
    files: list[str] = []
    count: int = 0
    params: dict[str, Any] = {}


class TwinGroup(Stored):
    """Images that are twins of each other: for each its file, class and split.

    Of the first ones, where an audit is told of: pictures as data URIs, and the names by which a data set that is kept
    has them, null of those that none has.
    """

    files: list[str]
    classes: list[str]
    splits: list[str]
    pictures: list[str] = []
    dataset_files: list[str | None] = []

    @property
    def contradicts(self) -> bool:
        """Whether the twins carry different labels."""
        return len(set(self.classes)) > 1

    @property
    def crosses(self) -> bool:
        """Whether the twins lie in different folders of a split."""
        return len(set(self.splits)) > 1


class AuditRecord(StoredDocument):
    """An audit as it is kept; `fingerprint` is of the images, their names, classes, splits and patients."""

    breastai: str
    fingerprint: str
    images: int
    findings: list[Finding]
    groups: list[TwinGroup]
    bit_depth: int | None = None

    def finding(self, code: str) -> Finding | None:
        """Return the finding of a code, if there is one."""
        return next((finding for finding in self.findings if finding.code == code), None)


# --- the split -----------------------------------------------------------------------------------


class SplitCase(Stored):
    """Where one image went. `file` is relative to its folder; `reason` is why it was left out.

    `label`: its class; None in splits saved before this was kept, where the first folder of its name tells it.

    `laterality` L, R or B (both), `view` CC, MLO and so on, `modality` US, MG and so on, where a DICOM header names them.
    """

    folder: Literal["train", "val"]
    file: str
    sha256: str
    part: Literal["train", "val", "calibration", "left_out"]
    label: str | None = None
    reason: str | None = None
    laterality: Literal["L", "R", "B"] | None = None
    view: str | None = None
    modality: str | None = None


class SplitFile(StoredDocument):
    """A split as it is saved and can be used again."""

    description: Text | str
    seed: int
    on_leak: str
    class_names: list[str]
    groups: int = 0
    dataset: DatasetDescription | None = Field(None, description="By which the images were read, if by any.")
    cases: list[SplitCase]
