"""Findings about rules: which classes, which patients, as the audit tells them of folders and names, not of pixels."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from breastai.clinical.audit_findings import make_finding
from breastai.data.cases.run_warnings import params_of
from breastai.data.patients.patient_rules import doubts
from breastai.data.sources.case_table import CaseTable
from breastai.data.sources.class_questions import open_questions
from breastai.domain.config import Config
from breastai.domain.errors import (
    ClassesAreIdentifiers,
    ClassOfMasks,
    InputError,
    ManyClasses,
    PatientIdInvalid,
    SeveralDiseases,
    TargetClassNeeded,
)
from breastai.domain.patient_settings import PatientIdRule
from breastai.domain.records import Finding


def find_in_rules(folders: Mapping[str, CaseTable], rule: PatientIdRule | None, base: Path) -> list[Finding]:
    """Return what is doubtful of the classes and of the patients of some folders, by the name of their split."""
    findings = list(_about_classes(folders.get("train") or next(iter(folders.values()))))
    try:
        found = doubts(list(folders.values()), rule, base)
    except PatientIdInvalid:  # whoever applies the rule says so
        found = []
    for doubt in found:
        several = len(folders) == 1 and "" not in folders
        files = [f"{next(iter(folders))}/{file}" if several else file for file in doubt.files]
        findings.append(make_finding(doubt.code, files, **params_of(doubt)))
    return findings


def drop_answered(findings: Sequence[Finding], config: Config, folder: CaseTable) -> list[Finding]:
    """Return findings without those about classes that a configuration has answered."""
    open_now = {type(question) for question in open_questions(config, folder)}
    answered = [question for question in open_questions(Config(), folder) if type(question) not in open_now]
    codes = {_of_question(question).code for question in answered}
    return [finding for finding in findings if finding.code not in codes]


def _about_classes(folder: CaseTable) -> Iterator[Finding]:
    for question in open_questions(Config(), folder):
        yield _of_question(question)


def _of_question(question: InputError) -> Finding:
    match question:
        case ManyClasses(count=count, class_names=names):
            return make_finding("classes.many", count=count, listed=", ".join(names))
        case ClassesAreIdentifiers(class_names=names):
            return make_finding("classes.identifiers", listed=", ".join(names))
        case ClassOfMasks(class_name=name):
            return make_finding("classes.of_masks", class_name=name)
        case SeveralDiseases(candidates=names):
            return make_finding("classes.several_targets", listed=", ".join(names))
        case TargetClassNeeded(class_names=names):
            return make_finding("classes.no_target", listed=", ".join(names))
    raise AssertionError(f"no finding for {question.code}")
