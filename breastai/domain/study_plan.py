"""The plan of a study as it is kept: what was assumed, and how many patients each criterion needs."""

from typing import Literal

from pydantic import Field

from breastai.domain.records import Number
from breastai.domain.stored import Stored, StoredDocument

PlanPurpose = Literal["development", "validation"]
Criterion = Literal[
    "shrinkage",
    "optimism",
    "overall_risk",
    "observed_expected",
    "calibration_slope",
    "auc",
    "sensitivity",
    "specificity",
]


class PlanAssumptions(Stored):
    """What a plan rests on. Widths are of 95 % intervals. `icc`: how alike the errors of a patient's images are."""

    purpose: PlanPurpose
    prevalence: float = Field(gt=0, lt=1)
    auc: float = Field(gt=0.5, lt=1)
    parameters: int = Field(10, ge=1, description="Candidate predictor parameters, of a development.")
    shrinkage: float = Field(0.9, gt=0.5, lt=1)
    r_squared: Number = Field(None, gt=0, lt=1, description="Cox and Snell's; null: as the AUC implies.")
    auc_width: float = Field(0.1, gt=0, lt=1)
    sensitivity: Number = Field(None, gt=0, lt=1)
    specificity: Number = Field(None, gt=0, lt=1)
    share_width: float = Field(0.1, gt=0, lt=1, description="Of the interval of sensitivity and of specificity.")
    slope_width: float = Field(0.2, gt=0, lt=2)
    oe_width: float = Field(0.2, gt=0, lt=2, description="Of the interval of observed to expected, around 1.")
    lp_mean: Number = Field(None, description="Mean of the linear predictor, with lp_sd; null: as the AUC implies.")
    lp_sd: Number = Field(None, gt=0)
    images_per_patient: float = Field(1.0, ge=1)
    icc: float = Field(0.5, ge=0, le=1)


class CriterionNeed(Stored):
    """What one criterion needs: `cases` that stand alone, or so many `images` of so many `patients`."""

    criterion: Criterion
    target: Number = Field(
        None, description="How wide an interval may be, how far something may be off, or the least shrinkage."
    )
    cases: int
    images: int
    patients: int


class StudyPlan(StoredDocument):
    """How many patients a study needs: the most that any criterion does."""

    created: str
    breastai: str
    plan_id: str
    assumptions: PlanAssumptions
    r_squared: Number = None
    design_effect: float
    needs: list[CriterionNeed]
    patients: int
    images: int
    positive_images: int
