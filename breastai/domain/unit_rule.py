"""Decisions by breast, exam or patient: how the images of one become one answer, as a checkpoint keeps it.

Fitted on validation cases, and applied, by `clinical`.
"""

from pydantic import Field

from breastai.domain.case_fields import FieldRule
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.patient_settings import DecisionUnit, PatientIdRule, PoolingRule
from breastai.domain.stored import Stored


class Pooling(Stored):
    """How the probabilities p of a unit's images become the unit's; `class_name` is the target class t.

    mean: their mean. largest: those of the image most probable to be of t. noisy_or: t unless every image is of another
    class, 1 - prod(1 - p_t). learnt: log-sum-exp of the log-odds of t, (1 / sharpness) log mean exp(sharpness * logit), a
    `sharpness` of 0 their mean, a large one the largest. attention: of the images' features, weighted by a small network.
    """

    rule: PoolingRule
    class_name: str
    sharpness: float = Field(0.0, ge=0)


class UnitRule(Stored):
    """The decision rule of a unit: `decision` applies to pooled raw probabilities, one row a unit.

    Its novelty limit is for the most unlike image of a unit. `fields` and `patient_id` tell, of names and headers alone,
    of which unit a new image is.
    """

    unit: DecisionUnit
    pooling: Pooling
    decision: DecisionRule
    fields: dict[str, FieldRule] = {}
    patient_id: PatientIdRule | None = None
