"""The reporting checklists: what a run's records can answer of CLAIM 2024, TRIPOD+AI, STARD-AI and PROBAST+AI.

STARD-AI by its 40 items (Sounderajah et al., Nat Med 2025;31:3283-3289). PROBAST+AI (Moons et al., BMJ 2025;388:e082505)
is an assessor's judgement: by its domains, development D and evaluation E, stands what the records can say for it.
"""

import json
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from typing import Any

from breastai.clinical.report.report_blocks import at, format_quantity, plain
from breastai.clinical.report.report_caveats import (
    is_optimistic,
    judged_images,
    judged_part,
    near_duplicates,
    when_chosen,
)
from breastai.clinical.report.report_document import AdaptedModel, Flow, ReportDocument
from breastai.clinical.report.report_texts import class_label, initial_weights, monitor_name, translate_sentence
from breastai.domain.records import Evidence
from breastai.texts.number_format import percent_text, short_text
from breastai.texts.renderer import choose_forms


def fill_checklists(document: ReportDocument, texts: Mapping[str, str]) -> dict[str, list[dict[str, str | None]]]:
    """Return each checklist's items with their text and the answer, None where it is for the authors."""
    path = files("breastai.clinical") / "templates" / "checklists.json"
    lists = json.loads(path.read_text(encoding="utf-8"))
    known = _answers(document, texts)
    return {
        name: [
            {
                "item": row["item"],
                "text": row["text"],
                "question": row["answer"],
                "answer": known.get(row["answer"]) if row["answer"] else None,
            }
            for row in rows
        ]
        for name, rows in lists.items()
    }


def _answers(document: ReportDocument, texts: Mapping[str, str]) -> dict[str, str]:
    """Return the answers there are, by the name of the question."""
    values: dict[str, Any] = document.model_dump(mode="json")
    answers = {name: texts[f"answer.{name}"] for name in ("deidentification", "limitations", "audit_trail")}
    answers["output"] = model_output(document, values, texts)
    if document.flow is not None and document.training is not None:
        answers |= _of_run(document, document.flow, document.training, values, texts)
    if document.evidence is not None and document.evaluation is not None:
        answers |= _of_evidence(document, document.evidence, document.evaluation, values, texts)
    return answers


def _fill_answer(texts: Mapping[str, str], key: str, **words: Any) -> str:
    return choose_forms(texts[f"answer.{key}"], words, texts["language"]).format(**words)


def _of_run(
    document: ReportDocument,
    flow: Flow,
    trained: Mapping[str, Any],
    values: Mapping[str, Any],
    texts: Mapping[str, str],
) -> dict[str, str]:
    """Return what the journal and the settings of a run answer."""
    language, settings, model = document.language, document.settings, document.model
    data, training, preprocessing = settings["data"], settings["training"], settings["preprocessing"]

    said = partial(_fill_answer, texts)

    def switch(on: bool) -> str:
        return texts["answer.on" if on else "answer.off"]

    description = plain((translate_sentence(document.split["description"], language),), language)
    answers = {name: said(name) for name in ("goal", "sources", "counts", "low_quality", "blinding")} | {
        "technology": said("technology", architecture=model["architecture"]),
        "preprocessing": said(
            "preprocessing",
            size=model["image_size"],
            resize=texts[f"resize.{preprocessing['resize']}"],
            clahe=switch(preprocessing["clahe"]),
        ),
        "subsets": said(
            "subsets", on_leak=texts[f"on_leak.{document.split['on_leak']}"], left_out=sum(flow.left_out.values())
        ),
        "missing": said("missing", skipped=flow.skipped + (flow.test_skipped or 0)),
        "partitions": said("partitions", description=description),
        "disjoint": _disjoint(document, texts),
        "software": said("software", versions=", ".join(f"{name} {each}" for name, each in document.versions.items())),
        "initialization": said("initialization", pretrained=initial_weights(model["pretrained"], texts)),
        "training": said("training_probe")
        if training.get("recipe") == "probe"
        else said(
            "training",
            epochs=trained["epochs_run"],
            optimizer=training["optimizer"],
            rate=short_text(training["learning_rate"], language),
            batch=data["batch_size"],
            augmentation=switch(settings["augmentation"]["enabled"]),
        ),
        "selection": said("selection_probe")
        if training.get("recipe") == "probe"
        else said("selection", monitor=monitor_name(trained["monitor"], texts), best=model["epoch"]),
        "ensembling": said("ensembling_tta" if settings["evaluation"]["tta"] else "ensembling"),
        "imbalance": said(
            "imbalance_corrected" if (document.decision.get("calibration") or {}).get("prior_shift") else "imbalance",
            sampler=switch(training["weighted_sampler"]),
            weights=switch(training["use_class_weights"]),
        ),
        "code": said("code", version=document.breastai),
        "specification": said("specification", sha256=model["sha256"]),
        "eligibility": said("eligibility", skipped=flow.skipped, left_out=sum(flow.left_out.values())),
        "development": said(
            "development_calibration" if flow.calibration_total else "development",
            train=flow.train_total,
            val=flow.val_total,
            calibration=flow.calibration_total,
        ),
        "parts": _by_part(document, flow, texts),
    }
    if document.sites is not None:
        answers["external"] = answers["sites"] = said("external", sites=len(document.sites.sites))
    if model["parameters"] is not None:
        parameters = format_quantity(at(values, "model", "parameters", kind="integer"), language)
        answers["model"] = said("model", architecture=model["architecture"], parameters=parameters)
    if document.evidence is not None and document.evaluation is not None:
        key = "internal" if document.evidence.patients is None else "internal_patients"
        answers["internal"] = said(
            "elsewhere" if judged_part(document) is None else key,
            val=flow.val_total,
            n=document.evidence.n,
            patients=document.evidence.patients,
            what=judged_images(document, texts),
        )
    return answers if document.adapted is None else _of_adapted(document, document.adapted, answers, texts)


# What only the records of the training tell.
_OF_RECORDS = ("subsets", "missing", "disjoint", "eligibility", "training", "parts", "low_quality")


def _of_adapted(
    document: ReportDocument, adapted: AdaptedModel, answers: Mapping[str, str], texts: Mapping[str, str]
) -> dict[str, str]:
    """Return the answers of a run as they are true of a model that was adapted to a site after it."""
    sample = adapted.adaptation.sample
    known = dict(answers) if document.is_recorded else {k: v for k, v in answers.items() if k not in _OF_RECORDS}
    own = {
        "training": _fill_answer(texts, "adapted_training", training=known.get("training", "")),
        "development": _fill_answer(
            texts, "adapted_development", development=known["development"], images=sample.images
        ),
        "disjoint": _fill_answer(texts, f"adapted_disjoint.{sample.unit}", disjoint=known.get("disjoint", "")),
    }
    if adapted.judges_rest:
        own["internal"] = _fill_answer(texts, "adapted_internal", n=sample.rest_images)
    return known | {name: answer.strip() for name, answer in own.items()}


def _of_evidence(
    document: ReportDocument,
    evidence: Evidence,
    evaluation: Mapping[str, Any],
    values: Mapping[str, Any],
    texts: Mapping[str, str],
) -> dict[str, str]:
    """Return what an evaluation answers, of whatever model."""
    language, point = document.language, evidence.operating_point

    said = partial(_fill_answer, texts)
    answers = {name: said(name) for name in ("uncertainty", "failures", "calibration")}
    answers["indeterminate"] = said("indeterminate_plain" if evidence.referral is None else "indeterminate")
    answers |= {name: said(name if point else f"{name}_plain") for name in ("metrics", "performance")}
    answers["classes"] = said(
        "classes", classes=", ".join(f"{class_label(name, texts)} {n}" for name, n in evidence.counts.items())
    )
    uses = evaluation.get("uses")
    if uses is not None:
        alike = {part: each.value for part, each in near_duplicates(values).items()}
        unused = "optimism.alike" if alike else "optimism.none"
        answers["optimism"] = said("optimism.some" if is_optimistic(document) else unused, **alike)
    if evidence.subgroups:
        answers["subgroups"] = said("subgroups", tests=document.subgroup_tests)
    if point is not None:
        place = ("evidence", "operating_point")
        target = format_quantity(at(values, *place, "target_sensitivity", kind="plain"), language)
        answers["crosstab"] = said("crosstab", name=class_label(point.class_name, texts))
        share = percent_text(point.positives / max(1, point.positives + point.negatives), 1, language)
        answers["prevalence"] = said("prevalence", name=class_label(point.class_name, texts), share=share)
        answers["threshold"] = said(f"threshold.{when_chosen(document, 'threshold')}", target=target)
    return answers


def model_output(document: ReportDocument, values: Mapping[str, Any], texts: Mapping[str, str]) -> str:
    """Return what the model answers, and from which probability it flags the class in question, as far as it is known."""
    found = document.by_unit
    evidence = document.evidence if found is None else found.evidence
    point = evidence.operating_point if evidence else None
    if point is None:
        return texts["answer.output_plain"]
    where = ("evidence",) if found is None else ("by_unit", "evidence")
    fitted = bool(document.decision.get("n"))
    key = "output_as_given" if document.flow is None else "output" if fitted else "output_raw"
    threshold = format_quantity(at(values, *where, "operating_point", "threshold"), document.language)
    if found is not None:
        unit = texts[f"unit.{found.unit}"]
        return _fill_answer(
            texts, "output_unit", name=class_label(point.class_name, texts), threshold=threshold, unit=unit
        )
    return _fill_answer(texts, key, name=class_label(point.class_name, texts), threshold=threshold)


def _by_part(document: ReportDocument, flow: Flow, texts: Mapping[str, str]) -> str:
    """Return how many images of each class each part has; what else describes them is for the authors."""
    evidence = document.evidence
    parts = {"train": flow.train, "val": flow.val, "calibration": flow.calibration}
    if document.adapted is not None:
        parts |= {"sample": document.adapted.adaptation.sample.counts}
    if evidence is not None and flow.test_total is not None:
        parts["test"] = evidence.counts
    told = [
        f"{texts[f'part.{part}']} {', '.join(f'{class_label(name, texts)} {count}' for name, count in counts.items())}"
        for part, counts in parts.items()
        if counts
    ]
    return texts["answer.parts"].format(parts=texts["answer.and"].join(told))


def _disjoint(document: ReportDocument, texts: Mapping[str, str]) -> str:
    """Return at which level the partitions are disjoint, or that they are not."""
    split = document.split
    patients, groups = split["shared_patients"], split["shared_groups"]

    def parts(shared: Mapping[str, int]) -> str:
        return ", ".join(texts[f"part.{part}"] for part in shared)

    if patients:
        return _fill_answer(texts, "not_disjoint", patients=max(patients.values()), parts=parts(patients))
    overlap = (document.evaluation or {}).get("overlap")
    if overlap and overlap["train"]["of_patients"]:
        return _fill_answer(texts, "not_disjoint_judged", images=overlap["train"]["of_patients"])
    kept_together = split["groups"] and split["on_leak"] != "continue"
    unit = texts[f"unit.{'patients' if document.patients else 'twins' if kept_together else 'images'}"]
    if groups:
        return _fill_answer(texts, "groups_shared", unit=unit, parts=parts(groups), groups=max(groups.values()))
    return _fill_answer(texts, "disjoint", unit=unit)
