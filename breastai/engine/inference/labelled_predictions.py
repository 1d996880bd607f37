"""A checkpoint's raw answers on labelled images, and what it has seen of them before."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from breastai.clinical.judged_classes import judge_as
from breastai.clinical.seen_before import seen_before
from breastai.data.background import run_with_progress
from breastai.data.cases.fingerprints import find_overlap, read_fingerprints
from breastai.data.cases.image_set import ImageSet, labelled_images, validation_images
from breastai.data.patients.decision_units import unit_names
from breastai.data.patients.patient_ids import judged_patients
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.case_table import Skipped
from breastai.data.sources.frames import by_file
from breastai.data.sources.part_folders import data_root, split_folders
from breastai.data.sources.place_description import is_described
from breastai.domain.class_match import ClassMap, ClassMatch, plain_match
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.errors import DataNotFound, PartNotFound
from breastai.domain.events import BatchProgress, Event, Log, ProgressUpdate
from breastai.domain.records import Overlap
from breastai.domain.text import Text
from breastai.engine.network.checkpoint_io import Loaded
from breastai.engine.network.evaluation import Predictions, predict_batches
from breastai.engine.network.runtime import choose_runtime
from breastai.storage.checkpoints import FINGERPRINTS
from breastai.storage.remote_mirror import as_written
from breastai.storage.salt import project_salt
from breastai.storage.workspace import Workspace

_SPLITS = ("test", "val", "train")


@dataclass(frozen=True)
class LabelledPredictions:
    """A checkpoint's raw answers on labelled images. `overlap` is None where the checkpoint keeps no fingerprints.

    `units`: of which breast, exam or patient each is, where the checkpoint decides of these and it is known.
    `match`: in which classes the images are judged; the labels of `answers` are numbers of these.
    """

    loaded: Loaded
    images: ImageSet
    skipped: tuple[Skipped, ...]
    answers: Predictions
    patients: list[str] | None
    match: ClassMatch
    overlap: Overlap | None = None
    units: list[str | None] | None = None

    @property
    def root(self) -> Path:
        """The folder or table of the images."""
        return self.images.prepared.folder.root

    @cached_property
    def raw_and_rule(self) -> tuple[np.ndarray, DecisionRule]:
        """The raw probabilities of the classes judged, (N, K), and the decision rule for them."""
        manifest = self.loaded.manifest
        return judge_as(self.match, self.answers.probabilities, manifest.decision, manifest.class_names)

    @property
    def clusters(self) -> list[str] | None:
        """What the intervals take for one case each: patients, or else the files of frames; None for single images."""
        return by_file(self.images.files) if self.patients is None else self.patients

    @property
    def attention(self) -> np.ndarray | None:
        """What the checkpoint's attention says of each image, (N, 1 + C); None where it pools otherwise."""
        known = self.loaded.attention
        return None if known is None else known.evidence(self.answers.features)

    @property
    def novelty(self) -> np.ndarray | None:
        """How unlike the validation images each is, (N,); None where the checkpoint can't say."""
        known = self.loaded.novelty
        return None if known is None else known.of(self.answers.features, self.answers.statistics)


def labelled_folder(root: Path, split: str | None) -> tuple[Path, str | None]:
    """Return the class folders meant by `root`: those in its `split` part, or its own; raise DataNotFound, PartNotFound.

    Without `split`, a root that holds the folder of a test, a validation or a training part, by whichever of its names,
    means the first of them there is. Whether a described place gives `split` is seen when its cases are read.
    """
    if is_described(root):
        if split is not None:
            return root, split
        given = read_cases(root, ()).by_part()
        return root, next((name for name in _SPLITS if name in given), None)
    if not root.is_dir():
        raise DataNotFound(as_written(root))
    found = split_folders(root) or split_folders(data_root(root))
    if split is not None:
        if split not in found:
            raise PartNotFound(as_written(root), split, sorted(found))
        return found[split], split
    for name in _SPLITS:
        if name in found:
            return found[name], name
    return data_root(root), None


def predict_labelled(
    loaded: Loaded,
    folder: Path | None,
    workspace: Workspace,
    class_map: ClassMap | None = None,
    part: str | None = None,
) -> Generator[Event, None, LabelledPredictions]:
    """Return a checkpoint's raw answers on the images of a class folder, telling how far it is.

    Without a folder, on the images its own run validated on. `class_map`: which of the model's classes others stand for. `part`: of
    the parts that a place gives itself.
    """
    manifest = loaded.manifest
    runtime = choose_runtime(manifest.config.system, use_amp=False)
    model = loaded.model.to(runtime.device)
    yield ProgressUpdate(stage="preparing", text=Text("progress.reading"))
    if folder is None:
        images, skipped = validation_images(manifest.config, manifest.split, workspace.root)
        match = plain_match(manifest.class_names, images.counts())
    else:
        images, skipped, match = labelled_images(folder, manifest.class_names, manifest.config, None, class_map, part)
    if skipped:
        yield Log(
            level="warning",
            code="data.skipped",
            message=f"{len(skipped)} files could not be used, the first: {skipped[0].file} ({skipped[0].reason}).",
            params={"count": len(skipped), "file": skipped[0].file, "reason": skipped[0].reason},
        )
    yield from images.prepared.logs()
    shown = images.prepared.folder.subset(images.indices)
    patients = judged_patients(shown, manifest.config.evaluation.patient_id, workspace.root)
    unit_rule = manifest.unit_rule
    units = (
        None
        if unit_rule is None
        else unit_names(images.prepared.table.subset(images.indices), patients, unit_rule.unit)
    )
    overlap = yield from _overlap(loaded, images, patients, workspace)
    data = manifest.config.data
    steps = predict_batches(
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
        if isinstance(step, Predictions):
            return LabelledPredictions(loaded, images, skipped, step, patients, match, overlap, units)
        yield ProgressUpdate(
            stage="evaluating",
            text=Text("progress.evaluating", {"done": step, "total": len(images)}),
            progress=step / len(images),
            batch_progress=BatchProgress(batch=step, total_batches=len(images)),
        )
    raise AssertionError("predict_batches ends with its predictions")


def _overlap(
    loaded: Loaded, images: ImageSet, patients: list[str] | None, workspace: Workspace
) -> Generator[Event, None, Overlap | None]:
    """Return what the checkpoint has seen of some images before, as far as it can tell; say so before the figures."""
    known = read_fingerprints(loaded.files.weights.with_name(FINGERPRINTS))
    if known is None:
        return None
    salt = project_salt(workspace)
    found = yield from run_with_progress(lambda report: find_overlap(known, images, patients, salt, report), _looking)
    for seen in seen_before(found):
        yield Log.of("warning", seen)
    return found


def _looking(done: int, total: int) -> Event:
    return ProgressUpdate(
        stage="auditing",
        text=Text("progress.seen", {"done": round(100 * done / total)}) if total else Text("progress.looking_for_seen"),
        batch_progress=BatchProgress(batch=done, total_batches=total) if total else None,
    )
