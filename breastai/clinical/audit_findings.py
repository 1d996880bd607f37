"""How severe each finding of the audit is; its words are the texts finding.CODE of the catalogues."""

from collections.abc import Mapping, Sequence
from typing import Any

from breastai.domain.records import Finding, Severity
from breastai.texts.catalogue import ENGLISH, Template, find_template
from breastai.texts.renderer import fill_template

_PARTS = ("message", "why", "advice")

SEVERITIES: Mapping[str, Severity] = {
    "twins.contradicting": "error",
    "twins.across_splits": "error",
    "twins.doubtful": "warning",
    "twins.same_label": "warning",
    "twins.of_one_patient": "info",
    "patients.across_splits": "error",
    "patients.same_image": "error",
    "patients.all_one": "error",
    "patients.views": "warning",
    "patients.prefixes": "warning",
    "patients.one_each": "info",
    "patients.offered": "warning",
    "shortcut": "warning",
    "masks.by_name": "info",
    "masks.by_content": "warning",
    "images.broken": "warning",
    "images.blank": "warning",
    "images.tiny": "warning",
    "images.bit_depth": "info",
    "images.bit_depth_differs": "warning",
    "images.several_pages": "warning",
    "images.pages": "info",
    "colour.wrong_space": "warning",
    "marks.burned_in": "info",
    "marks.colour": "info",
    "classes.imbalanced": "info",
    "classes.many": "error",
    "classes.identifiers": "error",
    "classes.of_masks": "error",
    "classes.no_target": "warning",
    "classes.several_targets": "warning",
    "cases.too_few": "warning",
}


def make_finding(code: str, files: Sequence[str] = (), **params: Any) -> Finding:
    """Return what was found, in English; `params` are fit for JSON, or Texts."""
    words = {part: fill_template(template, params) for part, template in finding_templates(code).items()}
    return Finding(code=code, severity=SEVERITIES[code], files=list(files), count=len(files), params=params, **words)


def finding_templates(code: str) -> dict[str, Template]:
    """Return the English templates of a finding: message, why, advice."""
    return {part: find_template(f"finding.{code}.{part}", ENGLISH) or "" for part in _PARTS}
