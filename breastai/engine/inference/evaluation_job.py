"""Jobs that only ask a network: evaluation on labelled images, and prediction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.evaluation_record import (
    PATIENTS_UNKNOWN,
    chosen_on,
    evaluation_event,
    make_cases,
    make_record,
    used_for,
)
from breastai.clinical.evidence import gather_evidence
from breastai.clinical.judged_classes import correction_notes, match_notes, without_absent
from breastai.clinical.model_comparison import ComparedModels, DecisionPoints, make_comparison
from breastai.clinical.pretraining_leaks import names_of_data, pretraining_notes
from breastai.clinical.seen_before import NO_FINGERPRINTS, seen_before
from breastai.clinical.unit_evidence import UnitImages, judge_units
from breastai.data.cases.run_folders import known_folders
from breastai.data.decoders.file_content import file_at
from breastai.data.patients.subgroups import Parted, subgroups_in, subgroups_of
from breastai.data.preprocessing.lesion_boxes import Box, wants_box
from breastai.data.sources.frames import files_of
from breastai.data.sources.image_listing import Listed
from breastai.domain.catalog import find_architecture
from breastai.domain.class_words import split_of
from breastai.domain.config import PreprocessingSettings
from breastai.domain.data_locations import is_remote
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.errors import ClassesDiffer, CommandInvalid, PathNotFound
from breastai.domain.events import Event, Log
from breastai.domain.jobs import Compare, Evaluate, Explain, Predict
from breastai.domain.records import EvaluationRecord, ImageUse, JudgedCase, JudgedUnit, UnitEvidence
from breastai.domain.text import Text
from breastai.domain.unit_rule import UnitRule
from breastai.engine.inference.labelled_predictions import LabelledPredictions, labelled_folder, predict_labelled
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.engine.network.evaluation import forward, statistics_of
from breastai.engine.network.models import normalize
from breastai.engine.network.runtime import Runtime, choose_runtime
from breastai.predictor.image_files import listed_images, marked_in, masks_told
from breastai.predictor.model_output import Answer
from breastai.predictor.predictions import predict_files
from breastai.storage.checkpoints import (
    CheckpointFiles,
    Manifest,
    find_checkpoint,
    open_checkpoint_path,
)
from breastai.storage.comparisons import comparison_event
from breastai.storage.datasets import find_holding_dataset
from breastai.storage.evaluations import count_opening, fingerprint, save_evaluation
from breastai.storage.workspace import Workspace


def checkpoint_of(workspace: Workspace, name: str) -> CheckpointFiles:
    """Return the checkpoint a user named, or gave as a path; raise CheckpointNotFound."""
    path = workspace.resolve(name)
    if path.suffix in (".safetensors", ".json") and path.is_file():
        return open_checkpoint_path(path)
    return find_checkpoint(workspace, name)


def evaluate(job: Evaluate, workspace: Workspace) -> Iterator[Event]:
    """Judge a checkpoint on labelled images, in float32, and keep the evidence in a record."""
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    wanted, split = (None, "val") if job.data is None else labelled_folder(workspace.resolve(job.data), job.split)
    chosen = job.split is not None or job.class_map
    if wanted is not None and not chosen and _validated_within(loaded.manifest, wanted, workspace):
        count = len(loaded.manifest.split.val)
        yield Log(
            level="info",
            code="evaluation.set_aside",
            message=f"The run learnt from these images: the {count} of them set aside for validation are judged.",
            params={"count": count},
        )
        wanted, split = None, "val"
    asked = yield from predict_labelled(loaded, wanted, workspace, job.class_map, split)
    groups = None if job.subgroups is None else workspace.resolve(job.subgroups)
    record, path = judge(asked, workspace, split, groups)
    skipped = [{"file": item.file, "reason": item.reason} for item in asked.skipped[:50]]
    event = evaluation_event(record, workspace.relative(path), workspace.relative(asked.root), skipped)
    yield event.model_copy(update={"checkpoint": loaded.files.name})


def _validated_within(manifest: Manifest, folder: Path, workspace: Workspace) -> bool:
    """Return whether a run learnt from this folder, and set its validation images aside within it."""
    if not manifest.split.val or folder.resolve() not in _learnt_from(manifest, workspace):
        return False
    return known_folders(manifest.config, workspace.root, manifest.split).val is None


def _learnt_from(manifest: Manifest, workspace: Workspace) -> list[Path]:
    """Return where a run's training images lie: as its configuration says, and the root of the data set it names, if any."""
    described = manifest.split.dataset
    places = [manifest.config.data.train_dir, *([] if described is None else [described.root])]
    return [workspace.resolve(place).resolve() for place in places]


def judge(
    asked: LabelledPredictions, workspace: Workspace, split: str | None, subgroups_table: Path | None = None
) -> tuple[EvaluationRecord, Path]:
    """Return the record of an evaluation with all its evidence, and where it was written."""
    manifest, images, match = asked.loaded.manifest, asked.images, asked.match
    shown = images.prepared.folder.subset(images.indices)
    subgroups = {name: list(values) for name, values in shown.subgroups.items()}
    subgroups |= subgroups_in([shown.path(number) for number in range(len(shown))])
    parted = Parted({}, {}) if subgroups_table is None else subgroups_of(images.files, subgroups_table)
    subgroups |= parted.columns
    raw, rule = asked.raw_and_rule
    target = manifest.config.evaluation.target_class
    found = gather_evidence(
        asked.answers.labels,
        raw,
        match.class_names,
        asked.patients,
        clusters=asked.clusters,
        target=target if target in match.class_names else None,
        patient_score=manifest.config.evaluation.patient_score,
        rule=rule,
        novelty=asked.novelty,
        subgroups=subgroups,
        ordered=manifest.config.evaluation.ordered_classes is not None,
        seed=manifest.config.system.seed,
    )
    which = fingerprint(images.hashes)
    opened = count_opening(workspace, which, asked.loaded.files.name)
    dataset = None if is_remote(workspace.relative(asked.root)) else find_holding_dataset(workspace, asked.root)
    record = make_record(
        without_absent(found, match),
        _cases(asked, subgroups),
        run_id=manifest.run_id,
        checkpoint=f"{manifest.run_id}/{manifest.kind}",
        checkpoint_sha256=manifest.sha256,
        data=place_name(workspace, asked.root),
        dataset=dataset and dataset[0],
        split=split,
        fingerprint=which,
        opened=opened,
        skipped=len(asked.skipped),
        uses=image_use(manifest, images.hashes),
        rests_on=used_for(
            manifest.decision,
            own_part(asked, workspace, split),
            weights=_weights_from(manifest),
            epoch=chosen_on(manifest.config),
        ),
        notes=[*_notes(asked, opened, split), *parted.notes],
        overlap=asked.overlap,
        class_match=match,
        by_unit=_by_unit(asked),
    )
    return record, save_evaluation(workspace, record)


def place_name(workspace: Workspace, root: Path) -> str:
    """Return what a record calls a place: its path in the workspace or its address, else no more than its last names."""
    place = workspace.relative(root)
    if is_remote(place) or root.is_relative_to(workspace.root):
        return place
    return root.name if split_of(root.name) is None else f"{root.parent.name}/{root.name}"


def _by_unit(asked: LabelledPredictions) -> tuple[UnitEvidence, list[JudgedUnit]] | None:
    """Return what the images show unit by unit; None where decisions are of images, or these tell of no units."""
    manifest = asked.loaded.manifest
    rule, match = manifest.unit_rule, asked.match
    if rule is None or asked.units is None or asked.patients is None or match.class_names != manifest.class_names:
        return None
    known = [place for place, name in enumerate(asked.units) if name is not None]
    files, attention, novelty = asked.images.files, asked.attention, asked.novelty
    images = UnitImages(
        files=[files[place] for place in known],
        labels=asked.answers.labels[known],
        probabilities=asked.answers.probabilities[known],
        units=[name for name in asked.units if name is not None],
        patients=[asked.patients[place] for place in known],
        attention=None if attention is None else attention[known],
        novelty=None if novelty is None else novelty[known],
    )
    found, units = judge_units(
        rule,
        images,
        manifest.class_names,
        ordered=manifest.config.evaluation.ordered_classes is not None,
        seed=manifest.config.system.seed,
    )
    return found.model_copy(update={"evidence": without_absent(found.evidence, match)}), units


def compare_checkpoints(job: Compare, workspace: Workspace) -> Iterator[Event]:
    """Compare two checkpoints on the same labelled images: the paired DeLong test, clustered by patient."""
    if job.data is None:
        raise CommandInvalid(Text("command.compare_images"), "breastai compare --help")
    first, second = (load_checkpoint(checkpoint_of(workspace, name)) for name in (job.first, job.second))
    expected, found = first.manifest.class_names, second.manifest.class_names
    if sorted(expected) != sorted(found):
        raise ClassesDiffer(second.files.name, found, expected)
    folder, split = labelled_folder(workspace.resolve(job.data), job.split)
    here = yield from predict_labelled(first, folder, workspace, part=split)
    there = yield from predict_labelled(second, folder, workspace, part=split)
    if here.match.merges or here.match.stands_for != there.match.stands_for:
        raise ClassesDiffer(job.data, list(here.match.stands_for), expected)
    notes = match_notes(here.match) + [
        Text("note.of_checkpoint", {"checkpoint": asked.loaded.files.name, "note": note})
        for asked in (here, there)
        for note in _seen_notes(asked)
    ]
    if here.patients is None:
        notes.append(PATIENTS_UNKNOWN)
    opened = count_opening(workspace, fingerprint(here.images.hashes), f"{first.files.name} {second.files.name}")
    notes += _opened_notes(opened)
    order = [found.index(name) for name in expected]
    # Both decode the same files, so both could read the same ones; preprocessing may differ.
    scores = [
        calibrate(asked.loaded.manifest.decision.calibration, asked.answers.probabilities) for asked in (here, there)
    ]
    record = make_comparison(
        workspace,
        ComparedModels(
            first_name=first.files.name,
            second_name=second.files.name,
            data=place_name(workspace, folder),
            labels=here.answers.labels,
            first=scores[0],
            second=scores[1][:, order],
            class_names=expected,
            patients=here.patients,
            clusters=here.clusters,
            points=_points(first.manifest, second.manifest),
        ),
        job.margins,
        notes,
    )
    yield comparison_event(record)


def _points(first: Manifest, second: Manifest) -> DecisionPoints | None:
    """Return the operating points of two checkpoints, None unless both have one for the same class."""
    one, other = first.decision.operating_point, second.decision.operating_point
    if one is None or other is None or one.class_name != other.class_name:
        return None
    return DecisionPoints(one.class_name, one.threshold, other.threshold, "model")


def _cases(asked: LabelledPredictions, subgroups: Mapping[str, Sequence[str]]) -> list[JudgedCase]:
    """Return the cases as a record keeps them, with calibrated probabilities."""
    raw, rule = asked.raw_and_rule
    return make_cases(
        asked.images.files,
        asked.answers.labels,
        calibrate(rule.calibration, raw),
        asked.match.class_names,
        patients=asked.patients,
        novelty=asked.novelty,
        subgroups=subgroups,
    )


def own_part(asked: LabelledPredictions, workspace: Workspace, split: str | None) -> str | None:
    """Return which part of the run's own images was judged, whatever its place is called; None for images from elsewhere.

    Test images leave no trace in a run: they are its own in the folder it was given, or beside those it learnt from.
    """
    manifest, judged = asked.loaded.manifest, set(asked.images.hashes)
    parts = {
        "train": [*manifest.split.train_sha256, *manifest.split.calibration_sha256],
        "val": manifest.split.val_sha256,
    }
    parts["train_and_val"] = [*parts["train"], *parts["val"]]
    own = next((part for part, hashes in parts.items() if judged and judged <= set(hashes)), None)
    if own is not None:
        return own
    if split in parts:
        return split if judged & set(parts[split]) else None
    test_dir, root = manifest.config.data.test_dir, asked.root.resolve()
    learnt = _learnt_from(manifest, workspace)
    tested = None if test_dir is None else workspace.resolve(test_dir).resolve()
    beside = root in (tested, *learnt) or root.parent == learnt[0].parent
    return split if split == "test" and beside else None


def _weights_from(manifest: Manifest) -> str:
    return "train" if manifest.adapted_from is None else "train_and_sample"


def image_use(manifest: Manifest, hashes: Sequence[str]) -> ImageUse:
    """Return how many of the images with these content hashes made the model or chose what it decides by.

    The best epoch is chosen on the run's validation images, every part of the decision rule on its calibration images,
    or on the validation images too where it has none. Of a model adapted to a site, its sample fitted both.
    """
    split, rule, judged = manifest.split, manifest.decision, set(hashes)
    sample = set() if manifest.adapted_from is None else manifest.adapted_from.used_sha256
    validated = len(judged & set(split.val_sha256))
    fitted = len(judged & set(split.calibration_sha256)) if rule.fitted_on == "calibration" else validated
    fitted = len(judged & sample) if sample else fitted
    return ImageUse(
        training=len(judged & (set(split.train_sha256) | sample)),
        epoch=0 if chosen_on(manifest.config) is None else validated,
        temperature=fitted if rule.n else 0,
        threshold=fitted if rule.operating_point else 0,
        conformal_sets=fitted if rule.conformal else 0,
        novelty=fitted if rule.novelty else 0,
    )


def _notes(asked: LabelledPredictions, opened: int, split: str | None) -> list[Text]:
    """Return what a reader must know to believe the figures."""
    loaded, patients_known = asked.loaded, asked.patients is not None
    notes = [Text("note.own_split", {"split": loaded.manifest.split.description}), *_seen_notes(asked)]
    notes += match_notes(asked.match)
    notes += correction_notes(asked.images.prepared.folder.description, split)
    architecture, weights = loaded.manifest.architecture, loaded.manifest.weights
    found = find_architecture(architecture)
    sets: Sequence[str] = () if weights is None else weights.seen
    if loaded.manifest.pretrained.startswith(("package", "hub")) and found is not None:
        sets = found.pretrained_on
    if sets:
        notes += pretraining_notes(architecture, sets, names_of_data(asked.images.prepared.folder.root))
    if not loaded.manifest.decision.n:
        notes.append(Text("note.not_calibrated"))
    if loaded.novelty is None:
        notes.append(Text("note.no_novelty"))
    if not patients_known:
        notes.append(PATIENTS_UNKNOWN)
        if loaded.manifest.config.evaluation.patient_id is not None:
            notes.append(Text("note.rule_finds_no_patient"))
    return notes + _unit_notes(asked) + _opened_notes(opened)


def _opened_notes(opened: int) -> list[Text]:
    """Return a warning of choosing by results on images that have been judged before."""
    return [Text("note.opened", {"count": opened})] if opened > 1 else []


def _unit_notes(asked: LabelledPredictions) -> list[Text]:
    """Return why there are no figures by breast, exam or patient, or not of all images, where the model decides of these."""
    rule = asked.loaded.manifest.unit_rule
    if rule is None:
        return []
    unit = Text(f"unit.{rule.unit}")
    if asked.units is None:
        return [Text("note.units_unknown", {"unit": unit})]
    if asked.match.class_names != asked.loaded.manifest.class_names:
        return [Text("note.units_other_classes", {"unit": unit})]
    missing = asked.units.count(None)
    return (
        [Text("note.units_partly_unknown", {"unit": unit, "count": missing, "n": len(asked.units)})] if missing else []
    )


def _seen_notes(asked: LabelledPredictions) -> list[Text]:
    """Return in words what the model has seen of these images before, or what of that can't be told."""
    split, hashes = asked.loaded.manifest.split, set(asked.images.hashes)
    learnt, watched = len(hashes & set(split.train_sha256)), len(hashes & set(split.val_sha256))
    notes = [Text("note.trained", {"count": learnt})] if learnt else []
    fitted_apart = asked.loaded.manifest.decision.fitted_on == "calibration"
    if watched and chosen_on(asked.loaded.manifest.config) is None:  # a probe has no epochs to choose from
        notes += [] if fitted_apart else [Text("note.calibrated", {"count": watched})]
    elif watched:
        notes.append(Text("note.chose_epoch" if fitted_apart else "note.validated", {"count": watched}))
    calibrated = len(hashes & set(split.calibration_sha256))
    if calibrated:
        notes.append(Text("note.calibrated", {"count": calibrated}))
    if asked.overlap is None:
        return [*notes, NO_FINGERPRINTS]
    return [*notes, *seen_before(asked.overlap)]


@dataclass(frozen=True)
class AnsweringCheckpoint:
    """A checkpoint as predictions need it."""

    loaded: Loaded
    runtime: Runtime

    @property
    def class_names(self) -> list[str]:
        return self.loaded.manifest.class_names

    @property
    def image_size(self) -> int:
        return self.loaded.manifest.image_size

    @property
    def preprocessing(self) -> PreprocessingSettings:
        return self.loaded.manifest.config.preprocessing

    @property
    def decision(self) -> DecisionRule:
        return self.loaded.manifest.decision

    @property
    def unit_rule(self) -> UnitRule | None:
        return self.loaded.manifest.unit_rule

    def answer(self, images: np.ndarray) -> Answer:
        """Return the answers, float64, for preprocessed images, (N, S, S, 3)."""
        manifest = self.loaded.manifest
        pixels = torch.from_numpy(images).to(self.runtime.device)
        inputs = normalize(pixels, tuple(manifest.mean), tuple(manifest.std))
        model = self.loaded.model.to(self.runtime.device)
        logits, features = forward(model, inputs, manifest.config.evaluation.tta)
        raw = logits.double().softmax(1).cpu().numpy()
        known, attention = self.loaded.novelty, self.loaded.attention
        novelty = None if known is None else known.of(features.cpu().numpy(), statistics_of(pixels))
        evidence = None
        if self.unit_rule is not None:
            evidence = raw if attention is None else attention.evidence(features.cpu().numpy())
        return Answer(calibrate(manifest.decision.calibration, raw), novelty, evidence)


def predict(job: Predict, workspace: Workspace) -> Iterator[Event]:
    """Classify images by a checkpoint; a file that can't be read is an answer with its reason."""
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    model = AnsweringCheckpoint(loaded, choose_runtime(loaded.manifest.config.system, use_amp=False))
    named = image_files([workspace.resolve(name) for name in job.images])
    yield from masks_told(named, workspace.relative)
    files = files_of(named.files, model.preprocessing.frames)
    boxes = boxes_given(job, workspace)
    if wants_box(model.preprocessing):
        boxes = marked_in(job.images, workspace.root) | boxes
    yield from predict_files(model, files, workspace.relative, boxes, job.one_patient)


def boxes_given(job: Predict | Explain, workspace: Workspace) -> dict[Path, Box]:
    """Return the boxes of lesions that a job gives, by where the image lies."""
    given = zip(job.images, job.boxes, strict=True) if job.boxes else ()
    return {workspace.resolve(name): box for name, box in given if box is not None}


def image_files(paths: list[Path]) -> Listed:
    """Return the images meant by files and folders, each once, in order; raise PathNotFound or NoImages."""
    for path in paths:
        if not file_at(path).exists():
            raise PathNotFound(str(path))
    return listed_images([str(path) for path in paths], Path())
