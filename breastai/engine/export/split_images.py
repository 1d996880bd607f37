"""The images a checkpoint learnt from and was chosen by, as far as they still lie where they lay and are unchanged."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np

from breastai.data.decoders.decoder_table import content_hash
from breastai.data.decoders.file_content import file_at, read_content
from breastai.data.preprocessing.lesion_boxes import Box, boxes_in, marked_box, wants_box
from breastai.data.preprocessing.model_images import decode_for
from breastai.data.preprocessing.preprocess import preprocess
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.place_description import images_root, is_described
from breastai.domain.class_words import canonical_class
from breastai.domain.errors import BreastAIError
from breastai.engine.network.checkpoint_io import Loaded
from breastai.storage.workspace import Workspace

_MAX_BYTES = 2**28


@dataclass(frozen=True)
class SplitImages:
    """Preprocessed images, uint8 (N, S, S, 3), and their classes, int64 (N,)."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


def split_images(loaded: Loaded, workspace: Workspace, part: Literal["train", "val"], at_most: int) -> SplitImages:
    """Return up to `at_most` images of a part of the split, taken evenly from all of it; none when they are gone."""
    manifest = loaded.manifest
    side = manifest.image_size
    names, hashes = getattr(manifest.split, part), getattr(manifest.split, f"{part}_sha256")
    count = min(at_most, len(names), max(1, _MAX_BYTES // (side * side * 3)))
    chosen: list[int] = np.unique(np.linspace(0, len(names) - 1, count).round().astype(int)).tolist() if count else []
    labels_of = _labels(getattr(manifest.split, f"{part}_labels"), names, manifest.class_names)
    boxes = _described_boxes(loaded, workspace)
    images: list[np.ndarray] = []
    labels: list[int] = []
    for number in chosen:
        found = _content(loaded, workspace, names[number], hashes[number])
        try:
            if found is not None:
                content, path = found
                settings = manifest.config.preprocessing
                box = boxes.get(path) or marked_box(path) if wants_box(settings) else None
                pixels = preprocess(decode_for(content, names[number], settings).pixels, settings, side, box)
                labels.append(labels_of[number])
                images.append(pixels)
        except BreastAIError:
            continue
    if not images:
        return SplitImages(np.empty((0, side, side, 3), np.uint8), np.empty(0, np.int64))
    return SplitImages(np.stack(images), np.array(labels, dtype=np.int64))


def _described_boxes(loaded: Loaded, workspace: Workspace) -> dict[Path, Box]:
    """Return where lesions are marked in the images of a run, as far as the data set that it learnt from says so."""
    place = workspace.resolve(loaded.manifest.config.data.train_dir)
    if not wants_box(loaded.manifest.config.preprocessing) or not is_described(place):
        return {}
    return boxes_in(read_cases(place, ()))


def _labels(kept: list[str], names: list[str], class_names: list[str]) -> list[int]:
    """Return the number of the class of each image, as the checkpoint kept it.

    One that kept none is of a time when the first folder of an image's name was its class.
    """
    if kept:
        return [class_names.index(label) for label in kept]
    classes = [canonical_class(name) for name in class_names]
    return [_label_by_name(name, classes) for name in names]


def _label_by_name(name: str, classes: list[str]) -> int:
    """Return the class of an image by its name, in which a part such as train/ may come first."""
    first, *rest = PurePosixPath(name).parts
    found = canonical_class(first)
    return classes.index(found if found in classes or not rest else canonical_class(rest[0]))


def _content(loaded: Loaded, workspace: Workspace, name: str, digest: str) -> tuple[bytes, Path] | None:
    """Return the bytes of the image called `name` whose hash is `digest`, from whichever folder holds it, and the place."""
    data = loaded.manifest.config.data
    places = [(data.val_dir, name), (data.train_dir, name)]
    if data.pool_val:
        places += [(data.val_dir, name.removeprefix("val/")), (data.train_dir, name.removeprefix("train/"))]
    for folder, file in places:
        path = images_root(workspace.resolve(folder)) / file if folder else None
        if path is not None and file_at(path).is_file():
            try:
                content = read_content(path, name)
            except BreastAIError:
                continue
            if content_hash(content, name) == digest:
                return content, path
    return None
