"""A model adapted to a site in a report: the run it began as, what adapted it, and on what it is judged."""

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from breastai.clinical.report.report_blocks import Block, Bullets, Heading, Inlines, Paragraph, Step
from breastai.clinical.report.report_document import AdaptedModel
from breastai.clinical.report.report_page import ReportPage
from breastai.domain.errors import CheckpointDamaged, CheckpointNotFound, FormatTooNew
from breastai.domain.records import EvaluationRecord, ImageUse
from breastai.domain.site_records import Adaptation
from breastai.storage.checkpoints import Manifest, find_checkpoint, read_manifest
from breastai.storage.workspace import Workspace

_PLACE = ("adapted", "adaptation")
_SAMPLE = (*_PLACE, "sample")


def training_run(workspace: Workspace, manifest: Manifest) -> str | None:
    """Return the run that trained a model, through all its adaptations; None where its records are not in the workspace."""
    run_id = manifest.run_id
    while (adaptation := manifest.adapted_from) is not None:
        run_id = adaptation.checkpoint.partition("/")[0]
        try:
            manifest = read_manifest(find_checkpoint(workspace, adaptation.checkpoint))
        except (CheckpointNotFound, CheckpointDamaged, FormatTooNew):
            break
        if manifest.sha256 != adaptation.sha256:  # trained on since, or another of the same name
            return None
    return run_id if workspace.has_run(run_id) else None


def adapted_model(manifest: Manifest, origin: str | None, record: EvaluationRecord | None) -> AdaptedModel | None:
    """Return what a report says of a model's adaptation; None of one that was not adapted."""
    adaptation = manifest.adapted_from
    if adaptation is None:
        return None
    return AdaptedModel(
        adaptation=adaptation.without_hashes(),
        earlier_images=len(adaptation.earlier_sha256),
        origin=origin,
        judges_rest=record is not None and _is_rest(record, adaptation),
    )


def _is_rest(record: EvaluationRecord, adaptation: Adaptation) -> bool:
    """Say whether the judged images are those of the site that the sample left: by their place, classes and uses."""
    evidence, rest = record.evidence, adaptation.sample
    same = PurePosixPath(record.data).name == PurePosixPath(adaptation.data).name
    counts = [{name: count for name, count in each.items() if count} for each in (evidence.counts, rest.rest_counts)]
    return (
        same and evidence.n == rest.rest_images and counts[0] == counts[1] and not (record.uses or ImageUse()).training
    )


def made_from(page: ReportPage) -> Paragraph:
    """Return the base of an adapted model and its sample, in two sentences."""
    key = f"adapted.made{'_probe' if page.is_probe else ''}.{_adaptation(page).sample.unit}"
    counts = {part: page.count("flow", f"{part}_total") for part in ("train", "val")}
    return page.say(key, **counts, **_told(page))


def sample_steps(page: ReportPage) -> Iterator[Step]:
    """Yield the sample and the images that it left, for the flow of images."""
    adaptation = _adaptation(page)
    sample = adaptation.sample
    for key, part in (("sample", ""), ("rest", "rest_")):
        counts, units = page.counts(*_SAMPLE, f"{part}counts"), page.count(*_SAMPLE, f"{part}units")
        text = page.fill(f"flow.{key}", n=page.count(*_SAMPLE, f"{part}images"), classes=counts, site=adaptation.data)
        yield Step((*text, *(page.fill("flow.patients", patients=units) if sample.unit == "patient" else ())))


def adaptation_blocks(page: ReportPage) -> Iterator[Block]:
    """Yield how a model was adapted to a site; nothing of one that was not."""
    if page.document.adapted is None:
        return
    adaptation, origin = _adaptation(page), page.document.adapted.origin
    yield Heading(page.t["adapted"], 3)
    named = _told(page)
    yield page.say("adapted.base", sha256=adaptation.sha256[:16], **named)
    told = [page.fill(f"adapted.sample.{adaptation.sample.unit}", seed=page.count(*_SAMPLE, "seed"), **named)]
    if page.document.adapted.earlier_images:
        told.append(page.fill("adapted.earlier", images=page.count("adapted", "earlier_images")))
    layers, prior = (page.count(*_PLACE, name) for name in ("norm_layers", "norm_prior_images"))
    told.append(page.fill(f"adapted.norms.{adaptation.norms}", layers=layers, prior=prior))
    strength = page.at(*_PLACE, "head_strength", kind="plain")
    told.append(
        page.fill("adapted.head_kept" if adaptation.head_strength is None else "adapted.head", strength=strength)
    )
    told.append(page.fill("adapted.rule"))
    images = page.count(*_PLACE, "novelty_images")
    told.append(page.fill("adapted.no_novelty" if images.value is None else "adapted.novelty", images=images))
    yield Bullets(tuple(told))
    yield page.say("adapted.methods_alone" if origin is None else "adapted.methods", origin=origin or "")


def adapted_limits(page: ReportPage) -> Iterator[Inlines]:
    """Yield what the adaptation says against the figures."""
    adapted = page.document.adapted
    if adapted is None:
        return
    if page.document.evidence is not None:
        yield (page.t["adapted.limits.same_site" if adapted.judges_rest else "adapted.limits.site"],)
    yield (page.t["adapted.limits.duplicates"],)
    if adapted.adaptation.sample.unit == "image":
        yield (page.t["adapted.limits.no_patients"],)
    if adapted.origin is None:
        yield (page.t["adapted.limits.no_records"],)


def adapted_text(page: ReportPage) -> Inlines:
    """Return in a line what an adapted model was made from, for its cards."""
    adaptation = _adaptation(page)
    return page.fill(f"adapted.card.{adaptation.sample.unit}", sha256=adaptation.sha256, **_told(page))


def _adaptation(page: ReportPage) -> Adaptation:
    assert page.document.adapted is not None
    return page.document.adapted.adaptation


def _told(page: ReportPage) -> dict[str, Any]:
    """Return the base, the site and the sample, as the sentences name them."""
    adaptation = _adaptation(page)
    sizes = {name: page.count(*_SAMPLE, name) for name in ("images", "units")}
    counts = page.counts(*_SAMPLE, "counts")
    return {"base": adaptation.checkpoint, "site": adaptation.data, "classes": counts, **sizes}
