"""What a report says beside its figures: how patients are pooled, and what the judged images were also used for.

`values` is the document as JSON, made once: numbers know where they lie in it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from breastai.clinical.report.report_blocks import Block, Paragraph, Quantity, at, fill
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_texts import class_label


def patients_at_threshold(
    document: ReportDocument, values: Mapping[str, Any], texts: Mapping[str, str]
) -> Iterator[Block]:
    """Yield the operating point counted by patient, where patients have several images."""
    pooled = document.evidence.by_patient if document.evidence else None
    if pooled is None or pooled.positives is None:
        return
    counts = {
        name: at(values, "evidence", "by_patient", name, kind="integer")
        for name in ("missed", "positives", "flagged", "negatives")
    }
    told = texts[f"plain.by_patient.{pooled.score}"]
    yield Paragraph(fill(told, document.language, name=class_label(pooled.target_class or "", texts), **counts))


def pooling(document: ReportDocument, values: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[Block]:
    """Yield how the images of a patient become one case, and how many patients have images of several classes."""
    pooled = document.evidence.by_patient if document.evidence else None
    if pooled is None:
        return
    counts = {name: at(values, "evidence", "by_patient", name, kind="integer") for name in ("mixed", "patients")}
    key = "pooling.no_target" if pooled.target_class is None else f"pooling.{pooled.score}"
    yield Paragraph(fill(texts[key], document.language, name=class_label(pooled.target_class or "", texts), **counts))


def judged_part(document: ReportDocument) -> str | None:
    """Return the part of the run's own images that was judged; None for images from elsewhere, or of no part."""
    judged = document.evaluation or {}
    part = (judged.get("used_for") or {}).get("figures") or judged.get("split")
    return None if part == "own" else part


def judged_images(document: ReportDocument, texts: Mapping[str, str]) -> str:
    """Return in words which images were judged: a part of the run's own, else where they come from."""
    if document.adapted is not None and document.adapted.judges_rest:
        return texts["adapted.rest"]
    part, place = judged_part(document), (document.evaluation or {}).get("data", "")
    return texts.get(f"part.{part}", texts.get(f"used_for.part.{part}", place)) if part else place


def is_optimistic(document: ReportDocument) -> bool:
    """Say whether the judged images made the model or chose anything of it, as far as it is known."""
    part, uses = judged_part(document), (document.evaluation or {}).get("uses")
    return part in ("train", "val", "train_and_val") or (any(uses.values()) if uses else part is None)


def when_chosen(document: ReportDocument, part: str) -> Literal["here", "before", "unknown", "given", "part", "sample"]:
    """Say whether the judged images took part in choosing a part of the decision rule; older records don't tell.

    A threshold for predictions was given, or chosen on a part of their table that is not judged.
    """
    point = document.evidence.operating_point if document.evidence else None
    if part == "threshold" and point is not None and point.source != "validation":
        return "given" if point.source == "option" else "part"
    uses = (document.evaluation or {}).get("uses")
    if uses is None:
        return "unknown"
    if uses[part]:
        return "here"
    return "sample" if document.decision.get("fitted_on") == "sample" else "before"


def unused_images(values: Mapping[str, Any], texts: Mapping[str, str]) -> Iterator[Block]:
    """Yield that the judged images made and chose nothing of the model, with what resembles those that did."""
    judged = values["evaluation"] or {}
    if judged.get("uses") is None or any(judged["uses"].values()):
        return
    alike = near_duplicates(values)
    told = fill(texts["uses.alike"], texts["language"], **alike) if alike else ()
    yield Paragraph((texts["uses.none"], *told), "caption")


def near_duplicates(values: Mapping[str, Any]) -> dict[str, Quantity]:
    """Return how many judged images are near-duplicates of training and of validation images; nothing where none is."""
    overlap = (values["evaluation"] or {}).get("overlap")
    if not overlap or not any(overlap[part]["near_duplicates"] for part in ("train", "val")):
        return {}
    return {
        part: at(values, "evaluation", "overlap", part, "near_duplicates", kind="integer") for part in ("train", "val")
    }


def image_uses(values: Mapping[str, Any], texts: Mapping[str, str], *parts: str) -> Iterator[Block]:
    """Yield what the judged images were also used for, of these parts of making and choosing the model."""
    uses = (values["evaluation"] or {}).get("uses")
    if uses is None:
        return
    used = [part for part in parts if uses[part]]
    if not any(uses.values()):
        return  # said once, by unused_images
    if not used:
        listed = ", ".join(texts[f"uses.{part}"] for part in parts)
        yield Paragraph(fill(texts["uses.none_of"], texts["language"], parts=listed), "caption")
    # What was trained on chose no threshold: one count says nothing of parts with other counts.
    for each in sorted({int(uses[part]) for part in used}, reverse=True):
        same = [part for part in used if int(uses[part]) == each]
        n, count = (at(values, *path, kind="integer") for path in (("evidence", "n"), ("evaluation", "uses", same[0])))
        listed = ", ".join(texts[f"uses.{part}"] for part in same)
        yield Paragraph(fill(texts["uses.some"], texts["language"], count=count, n=n, parts=listed), "warning")
