"""The units of decision of a run: what they are, and of which each training, validation and calibration image is."""

from collections.abc import Sequence
from dataclasses import dataclass

from breastai.data.cases.image_set import ImageSet
from breastai.data.patients.decision_units import choose_unit, rules_for_files, unit_names
from breastai.data.preprocessing.image_cache import Prepared
from breastai.domain.case_fields import FieldRule
from breastai.domain.config import EvaluationSettings
from breastai.domain.errors import DecisionUnitUnknown
from breastai.domain.patient_settings import DecisionUnit
from breastai.domain.text import Text


@dataclass(frozen=True)
class PartUnits:
    """`unit`: what decisions are of. `train`, `val`, `calibration`: the name of each image's unit.

    `fields`: the rules that find it in a new image's name or header. `reason`: why the data suggest it, where they chose.
    """

    unit: DecisionUnit
    train: list[str]
    val: list[str]
    calibration: list[str] | None
    fields: dict[str, FieldRule]
    reason: Text | None


def gather_units(
    train: Prepared,
    patients: Sequence[str] | None,
    val: ImageSet,
    val_patients: Sequence[str] | None,
    parts: dict[str, Sequence[int]],
    settings: EvaluationSettings,
) -> PartUnits | None:
    """Return the units of a run whose folder `train` holds images of `patients`; None where images are decided singly.

    `parts`: the places in `train` of the images that train and calibrate. Raises DecisionUnitUnknown.
    """
    table = train.table
    chosen = choose_unit(table, patients, settings.decision_unit)
    if chosen.unit is None:
        return None
    names = unit_names(table, patients, chosen.unit)
    judged = unit_names(val.prepared.table.subset(val.indices), val_patients, chosen.unit)
    known_names, known_judged = known_units(names), known_units(judged)
    if known_names is None or known_judged is None:
        if settings.decision_unit == "auto":
            return None
        raise DecisionUnitUnknown(chosen.unit, Text("reason.unit_unknown_in_validation"))
    apart = parts["calibration"]
    return PartUnits(
        unit=chosen.unit,
        train=[known_names[place] for place in parts["train"]],
        val=known_judged,
        calibration=[known_names[place] for place in apart] if len(apart) else None,
        fields=rules_for_files(table.description, chosen.unit),
        reason=chosen.reason,
    )


def known_units(names: Sequence[str | None] | None) -> list[str] | None:
    """Return names of units where all are known, else None."""
    if names is None or None in names:
        return None
    return [name for name in names if name is not None]
