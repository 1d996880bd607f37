"""Jobs that only ask a network: evaluation on labelled images, and prediction."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from breastai.clinical import evidence
from breastai.clinical.decision import calibrated
from breastai.clinical.metrics import confusion_matrix
from breastai.data.cases import labelled_images
from breastai.data.decode import read_image
from breastai.data.patients import patient_ids
from breastai.data.preprocess import preprocess
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.errors import BreastAIError, DataNotFound, ImageUnreadable, NoImages
from breastai.domain.events import (
    BatchProgress,
    Evaluation,
    Event,
    Log,
    Prediction,
    PredictionsComplete,
    ProgressUpdate,
)
from breastai.domain.jobs import Evaluate, Predict
from breastai.engine.checkpoint_io import Loaded, load_checkpoint
from breastai.engine.evaluation import Answers, answer, forward
from breastai.engine.models import normalized
from breastai.engine.runtime import Runtime, choose_runtime
from breastai.storage.checkpoints import CheckpointFiles, find_checkpoint, open_checkpoint_path
from breastai.storage.workspace import Workspace

_SPLITS = ("test", "val", "train")


def checkpoint_of(workspace: Workspace, name: str) -> CheckpointFiles:
    """Return the checkpoint a user named, or gave as a path; raise CheckpointNotFound."""
    path = workspace.resolve(name)
    if path.suffix in (".safetensors", ".json") and path.is_file():
        return open_checkpoint_path(path)
    return find_checkpoint(workspace, name)


def evaluate(job: Evaluate, workspace: Workspace) -> Iterator[Event]:
    """Judge a checkpoint on labelled images, in float32."""
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    manifest = loaded.manifest
    folder, split = labelled_folder(workspace.resolve(job.data), job.split)
    runtime = choose_runtime(manifest.config.system, use_amp=False)
    model = loaded.model.to(runtime.device)
    yield ProgressUpdate(stage="preparing", message="Reading images")
    images, skipped = labelled_images(folder, manifest.class_names, manifest.config)
    if skipped:
        yield Log(
            level="warning",
            code="data.skipped",
            message=f"{len(skipped)} files could not be used, the first: {skipped[0].file} ({skipped[0].reason}).",
            params={"count": len(skipped), "file": skipped[0].file, "reason": skipped[0].reason},
        )
    answers: Answers | None = None
    data = manifest.config.data
    steps = answer(
        model,
        images,
        runtime,
        tuple(manifest.mean),
        tuple(manifest.std),
        data.batch_size,
        data.num_workers,
        manifest.config.evaluation.tta,
    )
    for step in steps:
        if isinstance(step, Answers):
            answers = step
        else:
            yield ProgressUpdate(
                stage="evaluating",
                message=f"Evaluating: {step} of {len(images)} images",
                progress=step / len(images),
                batch_progress=BatchProgress(batch=step, total_batches=len(images)),
            )
    assert answers is not None
    patients = patient_ids(images.files, manifest.config.evaluation.patient_id, workspace.root)
    probabilities = calibrated(manifest.decision.calibration, answers.probabilities)
    point = manifest.decision.operating_point
    yield Evaluation(
        checkpoint=loaded.files.name,
        data=workspace.relative(folder),
        split=split,
        n=len(images),
        patients=len(set(patients)) if patients else None,
        class_names=manifest.class_names,
        counts=images.counts(),
        figures=evidence.evaluate(
            answers.labels,
            probabilities,
            manifest.class_names,
            patients,
            thresholds={point.class_name: point.threshold} if point else None,
            seed=manifest.config.system.seed,
        ),
        confusion_matrix=confusion_matrix(answers.labels, probabilities),
        skipped=[{"file": item.file, "reason": item.reason} for item in skipped[:50]],
        notes=_notes(loaded, images.hashes, patients is not None),
    )


def labelled_folder(root: Path, split: str | None) -> tuple[Path, str | None]:
    """Return the class folders meant by `root`: those in its `split` part, or its own; raise DataNotFound.

    Without `split`, a root that holds test/, val/ or train/ means the first of them there is.
    """
    if not root.is_dir():
        raise DataNotFound(str(root))
    if split is not None:
        if not (root / split).is_dir():
            raise DataNotFound(str(root / split))
        return root / split, split
    for name in _SPLITS:
        if (root / name).is_dir():
            return root / name, name
    return root, None


def _notes(loaded: Loaded, hashes: list[str], patients_known: bool) -> list[str]:
    """Return what a reader must know to believe the figures."""
    split = loaded.manifest.split
    notes = [f"The model's own split: {split.description}."]
    learnt = len(set(hashes) & set(split.train_sha256))
    if learnt:
        notes.append(f"{learnt} of these images trained the model: the figures flatter it.")
    watched = len(set(hashes) & set(split.val_sha256))
    if watched:
        notes.append(f"{watched} of these images chose its best epoch: the figures flatter it.")
    if not loaded.manifest.decision.n:
        notes.append("The probabilities are not calibrated: this checkpoint is not a best one.")
    if not patients_known:
        notes.append("Patients are unknown: several images of one patient count as independent cases.")
    return notes


def predict(job: Predict, workspace: Workspace) -> Iterator[Event]:
    """Classify images by a checkpoint; a file that can't be read is an answer with its reason."""
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    runtime = choose_runtime(loaded.manifest.config.system, use_amp=False)
    files = image_files([workspace.resolve(name) for name in job.images])
    failed = 0
    for path in files:
        name = workspace.relative(path)
        try:
            image = preprocess(read_image(path), loaded.manifest.config.preprocessing, loaded.manifest.image_size)
        except BreastAIError as error:
            failed += 1
            reason = error.reason if isinstance(error, ImageUnreadable) else str(error)
            yield Prediction(file=name, label=None, probabilities=None, error=reason)
            continue
        probabilities = _probabilities(loaded, image, runtime)
        named = dict(zip(loaded.manifest.class_names, probabilities, strict=True))
        yield Prediction(file=name, label=max(named, key=lambda key: named[key]), probabilities=named)
    yield PredictionsComplete(count=len(files), failed=failed)


def image_files(paths: list[Path]) -> list[Path]:
    """Return the image files meant by files and folders, in order; raise DataNotFound or NoImages."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                item for item in path.rglob("*") if item.suffix.lower() in IMAGE_SUFFIXES and item.is_file()
            )
            if not inside:
                raise NoImages(str(path), list(IMAGE_SUFFIXES))
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise DataNotFound(str(path))
    return files


def _probabilities(loaded: Loaded, image: np.ndarray, runtime: Runtime) -> list[float]:
    manifest = loaded.manifest
    inputs = normalized(torch.from_numpy(image[None]).to(runtime.device), tuple(manifest.mean), tuple(manifest.std))
    logits = forward(loaded.model.to(runtime.device), inputs, manifest.config.evaluation.tta).double()
    return [float(value) for value in calibrated(manifest.decision.calibration, logits.softmax(1).cpu().numpy())[0]]
