"""Several runs averaged: an export of their checkpoints as one ONNX file, which decides by validation images they share."""

import hashlib
from collections.abc import Generator, Iterator

import numpy as np
import numpy.typing as npt

from breastai.clinical.audit_job import run_audit
from breastai.clinical.fit_decision_rule import fit_decision_rule
from breastai.data.background import read_with_progress
from breastai.data.cases.cases import Cases, gather_cases
from breastai.data.cases.run_folders import known_folders
from breastai.data.preprocessing.inventory import Inventory
from breastai.domain.decision_rule import Calibration, DecisionRule
from breastai.domain.errors import ExportFailed
from breastai.domain.events import Event, ExportComplete, Log, ProgressUpdate
from breastai.domain.jobs import Export
from breastai.domain.text import Text
from breastai.engine.export.exporters import export as export_checkpoint
from breastai.engine.inference.evaluation_job import checkpoint_of
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.scale.ensemble import mean_answer, write_ensemble
from breastai.storage.split_records import saved_split
from breastai.storage.workspace import Workspace

_BATCH = 32


def export(job: Export, workspace: Workspace) -> Iterator[Event]:
    """Export a checkpoint, or with `others` the mean of all of them as one ONNX file.

    Raises ExportFailed where they answer other questions or validated on other images, or as the export of one does.
    """
    if not job.others:
        yield from export_checkpoint(job, workspace)
        return
    yield ProgressUpdate(stage="exporting", text=Text("progress.loading_checkpoint"))
    members = [load_checkpoint(checkpoint_of(workspace, name)) for name in (job.checkpoint, *job.others)]
    _check(job, members)
    cases = yield from _shared_cases(members[0], workspace)
    if set(cases.val.hashes) != set(members[0].manifest.split.val_sha256):
        raise ExportFailed(job.format, Text("reason.validation_images_gone"))
    rule = yield from _rule(members, cases)
    yield ProgressUpdate(stage="exporting", text=Text("progress.writing_format", {"format": job.format}))
    names = [loaded.files.name for loaded in members]
    found = write_ensemble(
        _name(members),
        members,
        rule,
        workspace,
        decision_fitted_on="validation images of all members, which also chose their epochs",
        split=str(members[0].manifest.split.description),
    )
    unit_rule = members[0].manifest.unit_rule
    if unit_rule is not None:
        yield Log.of("warning", Text("log.export.by_image", {"unit": Text(f"unit.{unit_rule.unit}")}))
    size = round(found.path.stat().st_size / 1e6, 2)
    yield ExportComplete(
        format=job.format,
        path=workspace.relative(found.path),
        size=size,
        size_mb=size,
        checkpoint=", ".join(names),
        max_difference=found.difference,
        compared=found.compared,
    )


def _name(members: list[Loaded]) -> str:
    """Return what the ensemble is called: the first run, and a hash of all weights."""
    hashes = "\n".join(loaded.manifest.sha256 for loaded in members)
    return f"{members[0].manifest.run_id}_{hashlib.sha256(hashes.encode()).hexdigest()[:8]}"


def _check(job: Export, members: list[Loaded]) -> None:
    """Raise ExportFailed unless the members can answer as one."""
    if job.format != "onnx":
        raise ExportFailed(job.format, Text("reason.members_one_format"))
    if len({loaded.manifest.sha256 for loaded in members}) < len(members):
        raise ExportFailed(job.format, Text("reason.members_twice"))
    if len({tuple(loaded.manifest.class_names) for loaded in members}) > 1:
        raise ExportFailed(job.format, Text("reason.members_differ_classes"))
    # Images that chose one member and taught another would make the rule look better than it is.
    if len({frozenset(loaded.manifest.split.val_sha256) for loaded in members}) > 1:
        split = f"logs/{members[0].manifest.run_id}/split.json"
        raise ExportFailed(job.format, Text("reason.members_differ_validation", {"split": split}))


def _shared_cases(loaded: Loaded, workspace: Workspace) -> Generator[Event, None, Cases]:
    """Return the images of a run again, as it was divided; raise SplitInvalid where they are others by now."""
    manifest = loaded.manifest
    saved = saved_split(manifest.config, workspace, manifest.run_id)
    folders = known_folders(manifest.config, workspace.root, manifest.split, saved)
    inventory = Inventory(manifest.config)
    record = yield from run_audit(
        folders.by_split(), manifest.config.evaluation.patient_id, workspace, inventory, manifest.config
    )
    return (
        yield from read_with_progress(
            lambda report: gather_cases(
                manifest.config, folders, workspace.root, report, record.groups, saved, inventory
            )
        )
    )


def _rule(members: list[Loaded], cases: Cases) -> Generator[Event, None, DecisionRule]:
    """Return what the mean decides by. Its calibration is none: that of each member is part of the graph."""
    config, images = members[0].manifest.config, cases.val
    probabilities: list[npt.NDArray[np.float32]] = []
    for start in range(0, len(images), _BATCH):
        places = range(start, min(start + _BATCH, len(images)))
        batch = np.stack([images.image(place) for place in places])
        probabilities.append(mean_answer(members, batch).probabilities)
        text = Text("progress.validating", {"done": places[-1] + 1, "total": len(images)})
        yield ProgressUpdate(stage="exporting", text=text, progress=(places[-1] + 1) / len(images))
    rule = fit_decision_rule(
        images.labels,
        np.concatenate(probabilities).astype(np.float64),
        cases.class_names,
        config,
        cases.val_units,
        patients=cases.patients is not None,
        calibration=Calibration(),
    )
    return rule.model_copy(update={"modalities": cases.modalities})
