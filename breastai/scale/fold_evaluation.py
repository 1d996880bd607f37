"""The held-out part of a fold: judged once, by the best epoch of the fold's run, and kept as that run's evaluation."""

from collections.abc import Generator

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.evaluation_record import chosen_on, make_cases, make_record, used_for
from breastai.clinical.evidence import gather_evidence
from breastai.clinical.metrics.epoch_metrics import measure_epoch
from breastai.clinical.unit_evidence import UnitImages, judge_units
from breastai.data.cases.cases import check_split
from breastai.data.cases.image_set import ImageSet
from breastai.data.cases.run_folders import Folders
from breastai.domain.config import Config
from breastai.domain.events import BatchProgress, Event, ProgressUpdate
from breastai.domain.records import EvaluationRecord, ImageUse, JudgedUnit, SplitFile, UnitEvidence
from breastai.domain.study import StudyMember
from breastai.domain.text import Text
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.engine.network.evaluation import Predictions, predict_batches
from breastai.engine.network.runtime import choose_runtime
from breastai.scale.fold_assignment import HELD_OUT, Folds, prepared_images
from breastai.scale.study_runner import StudyInProgress
from breastai.storage.checkpoints import checkpoint_files, read_manifest
from breastai.storage.evaluations import fingerprint, read_evaluations, save_evaluation
from breastai.storage.split_records import read_split, split_path
from breastai.storage.workspace import Workspace


def evaluate_fold(
    progress: StudyInProgress, member: StudyMember, folders: Folders, dealt: Folds, title: Text
) -> Generator[Event, None, StudyMember]:
    """Return a trained member, complete with the figures of its held-out part; asked of the network only once."""
    record = fold_evaluation(progress.workspace, member.run_id)
    if record is None:
        record = yield from _judge(progress, member, folders, dealt, title)
    labels, probabilities = answers_in(record)
    numbers = measure_epoch(labels, probabilities, record.evidence.class_names).metrics
    del numbers["loss"]
    return member.model_copy(update={"state": "complete", "figures": numbers, "n": len(labels)})


def fold_evaluation(workspace: Workspace, run_id: str) -> EvaluationRecord | None:
    """Return what the held-out part showed of a run's best epoch, if it was judged."""
    best = read_manifest(checkpoint_files(workspace, run_id, "best")).sha256
    records = [record for _, record in read_evaluations(workspace, run_id)]
    return next((record for record in records if (record.split, record.checkpoint_sha256) == (HELD_OUT, best)), None)


def answers_in(record: EvaluationRecord) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Return labels (N,) and calibrated probabilities (N, C) of a record's cases."""
    numbers = {name: number for number, name in enumerate(record.evidence.class_names)}
    labels = np.array([numbers[case.label] for case in record.cases], dtype=np.int64)
    return labels, np.array([case.probabilities for case in record.cases], dtype=np.float64)


def _judge(
    progress: StudyInProgress, member: StudyMember, folders: Folders, dealt: Folds, title: Text
) -> Generator[Event, None, EvaluationRecord]:
    workspace = progress.workspace
    loaded = load_checkpoint(checkpoint_files(workspace, member.run_id, "best"))
    split = read_split(split_path(workspace, member.run_id), f"{member.run_id}/split.json")
    manifest = loaded.manifest
    images = yield from held_out_images(split, manifest.config, folders)
    answers = yield from _answers(progress, loaded, images, title)
    unit_of = None if dealt.units is None else dict(zip(dealt.files, dealt.units, strict=True))
    units = None if unit_of is None else [unit_of[file] for file in images.files]
    novelty = None if loaded.novelty is None else loaded.novelty.of(answers.features, answers.statistics)
    found = gather_evidence(
        answers.labels,
        answers.probabilities,
        manifest.class_names,
        units if dealt.patients_known else None,
        clusters=units,
        patient_score=manifest.config.evaluation.patient_score,
        rule=manifest.decision,
        novelty=novelty,
        seed=manifest.config.system.seed,
    )
    cases = make_cases(
        images.files,
        answers.labels,
        calibrate(manifest.decision.calibration, answers.probabilities),
        manifest.class_names,
        patients=units,
        novelty=novelty,
    )
    record = make_record(
        found,
        cases,
        run_id=member.run_id,
        checkpoint=f"{member.run_id}/best",
        checkpoint_sha256=manifest.sha256,
        data=HELD_OUT,
        split=HELD_OUT,
        fingerprint=fingerprint(images.hashes),
        uses=ImageUse(),
        rests_on=used_for(manifest.decision, HELD_OUT, epoch=chosen_on(manifest.config)),
        notes=[Text("note.part_judged_once"), Text("note.run_split", {"split": split.description})],
        by_unit=_by_unit(loaded, images, answers, dealt, novelty),
    )
    save_evaluation(workspace, record)
    return record


def _by_unit(
    loaded: Loaded,
    images: ImageSet,
    answers: Predictions,
    dealt: Folds,
    novelty: npt.NDArray[np.float64] | None,
) -> tuple[UnitEvidence, list[JudgedUnit]] | None:
    manifest, rule = loaded.manifest, loaded.manifest.unit_rule
    if rule is None or rule.unit != dealt.decision_unit or dealt.units is None:
        return None
    unit_of = dict(zip(dealt.files, zip(dealt.unit_names, dealt.units, strict=True), strict=True))
    judged = UnitImages(
        files=images.files,
        labels=answers.labels,
        probabilities=answers.probabilities,
        units=[unit_of[file][0] for file in images.files],
        patients=[unit_of[file][1] for file in images.files],
        attention=None if loaded.attention is None else loaded.attention.evidence(answers.features),
        novelty=novelty,
    )
    return judge_units(rule, judged, manifest.class_names, seed=manifest.config.system.seed)


def held_out_images(split: SplitFile, config: Config, folders: Folders) -> Generator[Event, None, ImageSet]:
    """Return the images that a fold holds out, read as its run reads them; raise SplitInvalid when they are others."""
    prepared = yield from prepared_images(folders, config)
    check_split(split, prepared, None, "split.json")
    held_out = {case.file for case in split.cases if case.reason == HELD_OUT}
    places = [number for number, file in enumerate(prepared.folder.files) if file in held_out]
    return ImageSet(prepared, np.array(places, dtype=np.int64))


def _answers(
    progress: StudyInProgress, loaded: Loaded, images: ImageSet, title: Text
) -> Generator[Event, None, Predictions]:
    manifest = loaded.manifest
    runtime = choose_runtime(manifest.config.system, use_amp=False)
    steps = predict_batches(
        loaded.model.to(runtime.device),
        images,
        runtime,
        tuple(manifest.mean),
        tuple(manifest.std),
        manifest.config.data.batch_size,
        manifest.config.data.num_workers,
        manifest.config.evaluation.tta,
    )
    for step in steps:
        if isinstance(step, Predictions):
            return step
        yield ProgressUpdate(
            stage="evaluating",
            text=Text(
                "progress.with_title",
                {"title": title, "doing": Text("progress.held_out", {"done": step, "total": len(images)})},
            ),
            progress=progress.share_done(1.0),
            batch_progress=BatchProgress(batch=step, total_batches=len(images)),
        )
        progress.check_stop()
    raise AssertionError("answer() ends with its Answers")
