"""Findings about rules: which classes, which patients, as the audit tells them of folders and names, not of pixels."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from breastai.clinical.image_audit import Fault
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

RULE_FAULTS: Mapping[str, Fault] = {
    "patients.all_one": Fault(
        "error",
        "evaluation.patient_id gives all {images} images the same patient. Suggested rule: {setting}",
        "One patient can't be split: nothing could be set aside for validation.",
        "Correct evaluation.patient_id.",
    ),
    "patients.views": Fault(
        "warning",
        "evaluation.patient_id seems to take breasts and views for patients: {patients} ids where about {fewer} patients "
        "are likely. Suggested rule: {setting}",
        "Images of one patient come to lie in training and in validation, and the figures flatter.",
        "Correct evaluation.patient_id so that all images of a patient have one id.",
    ),
    "patients.prefixes": Fault(
        "warning",
        "Some patient ids are another id with a letter behind it, as 13412A and 13412: {patients} ids where about {fewer} "
        "patients are likely. Suggested rule: {setting}",
        "Images of one patient come to lie in training and in validation, and the figures flatter.",
        "Correct evaluation.patient_id so that all images of a patient have one id.",
    ),
    "patients.one_each": Fault(
        "info",
        "evaluation.patient_id gives each of the {images} images a patient of its own. Suggested rule: {setting}",
        "Where patients have several images, such a rule keeps none of them together.",
        "Nothing to do if there is one image of each patient; else correct the rule, which takes too much of the name.",
    ),
    "patients.offered": Fault(
        "warning",
        "evaluation.patient_id is null, but the images seem to name their patients, about {patients}. Setting: {setting}",
        "Without patients, images of one may train and validate, and the figures flatter.",
        "Look at a few names or headers, and give the setting to --set evaluation.patient_id= or config.json.",
    ),
    "classes.many": Fault(
        "error",
        "{count} folders are taken for classes: {listed}, ...",
        "So many are rarely classes; a run asks before it begins.",
        "Give the folder whose sub-folders are the classes; if these are, set data.accept_classes to true.",
    ),
    "classes.identifiers": Fault(
        "error",
        "The class folders look like numbers of patients or studies: {listed}.",
        "A model that tells patients apart says nothing of a disease; a run asks before it begins.",
        "Sort the images into one folder for each class; if these are the classes, set data.accept_classes to true.",
    ),
    "classes.of_masks": Fault(
        "error",
        "Every image looked at of class {class_name} has two grey values only, as masks have.",
        "A classifier of images against masks says nothing of a disease; a run asks before it begins.",
        "Put images into that folder, or remove it; if these are the images, set data.masks to keep.",
    ),
    "classes.no_target": Fault(
        "warning",
        "The names of the classes ({listed}) do not say which one is the disease looked for.",
        "Sensitivity and the operating point are those of one class; a run asks for it before it begins.",
        "Set evaluation.target_class to its name.",
    ),
    "classes.several_targets": Fault(
        "warning",
        "Several classes are a disease or a suspicion of one: {listed}.",
        "An operating point is for one class, and counts the others as negative; a run asks before it begins.",
        "Put their images into one folder, or set evaluation.target_class to the one in question.",
    ),
}


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
        findings.append(_finding(doubt.code, files, **params_of(doubt)))
    return findings


def _about_classes(folder: CaseTable) -> Iterator[Finding]:
    for question in open_questions(Config(), folder):
        yield _of_question(question)


def _of_question(question: InputError) -> Finding:
    match question:
        case ManyClasses(count=count, class_names=names):
            return _finding("classes.many", count=count, listed=", ".join(names))
        case ClassesAreIdentifiers(class_names=names):
            return _finding("classes.identifiers", listed=", ".join(names))
        case ClassOfMasks(class_name=name):
            return _finding("classes.of_masks", class_name=name)
        case SeveralDiseases(candidates=names):
            return _finding("classes.several_targets", listed=", ".join(names))
        case TargetClassNeeded(class_names=names):
            return _finding("classes.no_target", listed=", ".join(names))
    raise AssertionError(f"no finding for {question.code}")


def _finding(code: str, files: list[str] | None = None, **params: str | int) -> Finding:
    fault = RULE_FAULTS[code]
    return Finding(
        code=code,
        severity=fault.severity,
        message=fault.message.format(**params),
        why=fault.why,
        advice=fault.advice,
        files=files or [],
        count=len(files or []),
        params=dict(params),
    )
