"""What grouping is for: labels drawn at random can't be learnt, and only twins across a split make it look so."""

from typing import Any

import cv2
import numpy as np

from breastai.clinical.metric_intervals import evaluate
from breastai.data.duplicates.grey_thumbnails import thumbnail
from breastai.data.duplicates.near_duplicates import find_duplicates


def images_with_twins(count: int) -> Any:
    """Return images (2 * count, side, side): each image and, later, a flipped and re-encoded copy of it."""
    generator = np.random.default_rng(0)
    originals = [
        np.clip(60 * cv2.GaussianBlur(generator.rayleigh(size=(100, 100)), (0, 0), 2), 0, 255).astype(np.uint8)
        for _ in range(count)
    ]
    copies = [cv2.imdecode(cv2.imencode(".jpg", image[:, ::-1])[1], 0) for image in originals]
    return np.stack(originals + copies)


def nearest_neighbour(images: Any, labels: Any, train: Any, test: Any) -> Any:
    """Return the probabilities of a learner that knows its training images by heart, flips included."""
    rows = images.reshape(len(images), -1).astype(float)
    mirrored = images[:, :, ::-1].reshape(len(images), -1).astype(float)
    known = np.concatenate([rows[train], mirrored[train]])
    likeness = np.corrcoef(np.concatenate([rows[test], known]))[: test.sum(), test.sum() :]
    nearest = np.concatenate([labels[train]] * 2)[likeness.argmax(axis=1)]
    positive = 0.5 + (nearest - 0.5) * likeness.max(axis=1)
    return np.stack([1 - positive, positive], axis=1)


def auc_interval(images: Any, labels: Any, test: Any, groups: Any) -> tuple[float | None, float | None]:
    probabilities = nearest_neighbour(images, labels, ~test, test)
    names = [str(group) for group in groups[test]]
    figure = evaluate(labels[test], probabilities, ["benign", "malignant"], names, repetitions=20)
    return figure["auc_roc.malignant"].low, figure["auc_roc.malignant"].high


def test_random_labels_look_learnt_only_when_twins_are_split() -> None:
    images = images_with_twins(60)
    labels = np.tile(np.random.default_rng(1).integers(0, 2, 60), 2)
    thumbnails = [thumbnail(image) for image in images]
    groups = find_duplicates(thumbnails, [str(number) for number in range(120)]).group_numbers(120)
    assert (groups[:60] == groups[60:]).all()
    draw = np.random.default_rng(2)

    ungrouped = auc_interval(images, labels, draw.permutation(120) < 48, np.arange(120))
    assert ungrouped[0] is not None and ungrouped[0] > 0.5

    whole_groups = np.isin(groups, draw.permutation(60)[:24])
    grouped = auc_interval(images, labels, whole_groups, groups)
    assert grouped[0] is not None and grouped[1] is not None and grouped[0] < 0.5 < grouped[1]
