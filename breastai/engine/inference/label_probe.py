"""Labels in doubt of a folder: a probe of pretrained features, each image judged by one that never saw it or its like."""

import warnings
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from breastai.clinical.label_doubts import (
    PLANTED,
    contradicting_twins,
    disagreements,
    make_doubts,
    plant_errors,
    planted_in,
    rank_doubts,
)
from breastai.data.cases.image_set import ImageSet, part_of, preprocess_folder
from breastai.data.duplicates.near_duplicates import duplicates_in
from breastai.data.patients.patient_ids import patients_in
from breastai.data.preprocessing.thumbnails import thumbnail_uri
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.part_folders import data_root, split_folders
from breastai.data.sources.place_description import is_described
from breastai.domain.config import Config, ModelSettings
from breastai.domain.errors import TooFewPatients
from breastai.domain.events import DoubtsFound, Event, ProgressUpdate
from breastai.domain.jobs import FindDoubts
from breastai.domain.label_doubts_record import PlantedCheck
from breastai.domain.text import Text
from breastai.engine.inference.labelled_predictions import labelled_folder
from breastai.engine.network.embeddings import Embeddings, embed_images
from breastai.engine.network.models import build_model
from breastai.engine.network.runtime import choose_runtime
from breastai.storage.datasets import find_holding_dataset
from breastai.storage.kept_doubts import TABLE
from breastai.storage.workspace import Workspace

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

FOLDS, ROUNDS = 5, 3
_SHOWN, _PICTURE_SIDE = 48, 224
_PROBE = ModelSettings(
    architecture="tf_efficientnet_lite0", pretrained="required", use_cbam=False, attention_pooling=False
)


def find_doubts(job: FindDoubts, workspace: Workspace) -> Iterator[Event]:
    """Rank the labels of a folder by their doubt, the most doubtful first; raise what reading its images does.

    Without `split` of a folder with parts its training part: the test part is looked at only where it is named.
    """
    config = job.config
    yield ProgressUpdate(stage="preparing", text=Text("progress.reading"))
    root = workspace.resolve(job.data)
    folder, part = labelled_folder(root, job.split or _training(root))
    listed = part_of(read_cases(folder, (), config.data.masks, frames=config.preprocessing.frames), part, folder)
    prepared = preprocess_folder(listed, config, None)
    images = ImageSet(prepared, np.arange(len(prepared)))
    duplicates = duplicates_in(prepared.folder.root, images.files)
    patients = patients_in(prepared.folder, config.evaluation.patient_id, workspace.root)
    features = yield from image_features(images, config)
    twins = duplicates.group_numbers(len(images))
    groups = whole_groups(patients, twins)
    probabilities = held_out_probabilities(features, images.labels, groups, prepared.folder.class_names)
    check = yield from planted_check(features, images.labels, groups, twins, prepared.folder.class_names)
    record = make_doubts(
        workspace,
        images.files,
        images.labels,
        probabilities,
        prepared.folder.class_names,
        contradicting_twins(images.labels, duplicates),
        data=workspace.relative(folder) if folder.is_relative_to(workspace.root) else folder.name,
        part=part,
        method="probe",
        disagreement=disagreements(images.labels, twins),
        check=check,
        dataset=find_holding_dataset(workspace, prepared.folder.root, Path(job.data).stem),
    )
    place = {file: number for number, file in enumerate(images.files)}

    def picture(file: str | None) -> str | None:
        return None if file is None else thumbnail_uri(prepared.folder.path(place[file]), _PICTURE_SIDE)

    shown = [
        each.model_copy(update={"picture": picture(each.file), "twin_picture": picture(each.twin)})
        for each in record.doubts[:_SHOWN]
    ]
    table = workspace.relative(workspace.logs_dir / record.doubts_id / TABLE)
    yield DoubtsFound(found=record.model_copy(update={"doubts": shown}), table=table)


def image_features(images: ImageSet, config: Config) -> Generator[Event, None, Floats]:
    """Return the features (N, D) of images by a pretrained network, those known from before without computing them."""
    runtime = choose_runtime(config.system, use_amp=False)
    built = build_model(_PROBE, len(images.prepared.folder.class_names), config.preprocessing)
    built.model.to(runtime.device).to(memory_format=runtime.memory_format)
    for step in embed_images(images, built, runtime, config):
        if isinstance(step, Embeddings):
            return step.features.astype(np.float64)
        text = Text("progress.evaluating", {"done": step, "total": len(images)})
        yield ProgressUpdate(stage="evaluating", text=text, progress=step / len(images))
    raise AssertionError("embed_images ends with the embeddings")


def whole_groups(patients: Sequence[str] | None, twins: Numbers) -> Numbers:
    """Return a number for each image that all images of its patient and all its near-duplicates share."""
    if patients is None:
        return twins
    own = np.unique(np.asarray(patients), return_inverse=True)[1]
    parent = np.arange(int(own.max(initial=-1)) + 1)
    for twin in np.unique(twins):
        members = np.unique(parent[own[twins == twin]])
        parent[np.isin(parent, members)] = members[0]
    found: Numbers = parent[own].astype(np.int64)
    return found


def held_out_probabilities(features: Floats, labels: Numbers, groups: Numbers, class_names: Sequence[str]) -> Floats:
    """Return probabilities (N, C), each image's by a logistic probe fitted on other groups; raise TooFewPatients."""
    count = len(class_names)
    # Of folds there are no more than the largest class has images: a split into more is none.
    folds = min(FOLDS, len(np.unique(groups)), int(np.bincount(labels).max(initial=0)))
    if folds < 2:
        raise TooFewPatients(", ".join(class_names), folds, 2, "patients")
    found = np.full((len(labels), count), 1 / count)
    with warnings.catch_warnings():
        # A class with fewer images than there are folds is unknown in some, which is seen to below.
        warnings.filterwarnings("ignore", "The least populated class")
        parts = list(StratifiedGroupKFold(folds, shuffle=True, random_state=0).split(features, labels, groups))
    for learnt, held_out in parts:
        known = np.unique(labels[learnt])
        found[held_out] = 0.0
        if len(known) < 2:
            found[np.ix_(held_out, known)] = 1.0
            continue
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=1 / features.shape[1], max_iter=300))
        found[np.ix_(held_out, known)] = probe.fit(features[learnt], labels[learnt]).predict_proba(features[held_out])
    return found


def planted_check(
    features: Floats, labels: Numbers, groups: Numbers, twins: Numbers, class_names: Sequence[str]
) -> Generator[Event, None, PlantedCheck]:
    """Return what the list would find of labels changed on purpose, in ROUNDS draws; these very images and features."""
    planted = found = 0
    first = planted_in(len(labels))
    for number in range(ROUNDS):
        text = Text("progress.planting", {"done": number, "total": ROUNDS})
        yield ProgressUpdate(stage="evaluating", text=text, progress=number / ROUNDS)
        changed, which = plant_errors(labels, len(class_names), np.random.default_rng(number))
        held_out = held_out_probabilities(features, changed, groups, class_names)
        doubt = rank_doubts(changed, held_out, disagreements(changed, twins)).doubt
        planted += len(which)
        found += int(np.isin(np.argsort(-doubt, kind="stable")[:first], which).sum())
    return PlantedCheck(planted=planted, found=found, share=PLANTED)


def _training(root: Path) -> str | None:
    """Return train where a folder, or a described place, has such a part."""
    if is_described(root):
        return "train" if "train" in read_cases(root, ()).by_part() else None
    parts = (split_folders(root) or split_folders(data_root(root))) if root.is_dir() else {}
    return "train" if "train" in parts else None
