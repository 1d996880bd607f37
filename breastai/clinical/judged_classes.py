"""A model's answers in the classes that images are judged in, where these don't tell some of its classes apart."""

from typing import Any

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import calibrate
from breastai.domain.class_match import ClassMatch
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.decision_rule import Calibration, DecisionRule
from breastai.domain.records import Evidence, Figure
from breastai.domain.text import Text

# Of a class without an image these say nothing, though they can be computed; the mean F1 would count it as a failure.
_EMPTY_OF_CLASS = ("precision", "npv", "f1", "average_precision")
_EMPTY_OF_ALL = ("f1_macro",)


def judge_as(
    match: ClassMatch, raw: npt.NDArray[np.floating[Any]], rule: DecisionRule, class_names: list[str]
) -> tuple[npt.NDArray[np.floating[Any]], DecisionRule]:
    """Return the probabilities of the classes judged (N, K), from `raw` ones of the model's (N, C), and the rule for them.

    Of classes taken as one the calibrated probabilities are added; the operating point stays where its class is one of
    its own, the conformal sets, which were fitted class by class, do not.
    """
    if not match.merges:
        return raw, rule
    members = np.zeros((len(class_names), len(match.class_names)))
    for column, names in enumerate(match.of_model):
        members[[class_names.index(name) for name in names], column] = 1.0
    point = rule.operating_point
    kept = point if point is not None and point.class_name in match.class_names else None
    update = {"calibration": Calibration(), "conformal": None, "operating_point": kept}
    return calibrate(rule.calibration, raw) @ members, rule.model_copy(update=update)


def without_absent(found: Evidence, match: ClassMatch) -> Evidence:
    """Return the evidence with the figures undefined that a class without an image would only make up."""
    if not match.lacking:
        return found
    empty = {f"{figure}.{name}" for figure in _EMPTY_OF_CLASS for name in match.lacking} | set(_EMPTY_OF_ALL)
    figures = {
        name: Figure(value=None, n=figure.n) if name.partition("@")[0] in empty else figure
        for name, figure in found.figures.items()
    }
    return found.model_copy(update={"figures": figures})


def correction_notes(description: DatasetDescription | None, part: str | None) -> list[Text]:
    """Return what a person left out of the images judged, or gave another class; nothing where nobody did."""
    counts = None if description is None else description.corrections(part)
    if counts is None or not counts.left_out + counts.relabelled:
        return []
    params = {"left_out": counts.left_out, "relabelled": counts.relabelled}
    return [Text("note.corrected_of_test" if part == "test" else "note.corrected", params)]


def match_notes(match: ClassMatch) -> list[Text]:
    """Return what a reader must know of the classes judged; nothing where they are simply the model's."""
    notes = []
    if match.renamed:
        pairs = [f"{name} → {judged}" for name, judged in match.renamed.items()]
        notes.append(Text("note.classes_renamed", {"pairs": pairs}))
    merged = [name for name, members in zip(match.class_names, match.of_model, strict=True) if len(members) > 1]
    if merged:
        notes.append(Text("note.classes_merged", {"merged": merged}))
    if match.left_out:
        counts = [f"{name}: {count}" for name, count in match.left_out.items()]
        notes.append(Text("note.classes_left_out", {"count": sum(match.left_out.values()), "counts": counts}))
    if len(match.present) == 1:
        notes.append(Text("note.one_class", {"name": match.present[0]}))
    elif match.lacking:
        notes.append(Text("note.classes_lacking", {"lacking": match.lacking, "present": match.present}))
    return notes
