"""Order and content of batches."""

from collections import Counter
from collections.abc import Callable

import numpy as np
import torch

from breastai.data.cases.cases import gather_cases
from breastai.data.cases.image_set import ImageSet
from breastai.data.cases.run_folders import list_folders
from breastai.domain.config import AugmentationSettings, Config
from breastai.engine.network.loader import count_batches, epoch_order, evaluation_batches, training_batches
from breastai.storage.workspace import Workspace


def cases(small_config: Callable[..., Config], workspace: Workspace) -> ImageSet:
    config = small_config()
    return gather_cases(config, list_folders(config, workspace.root), workspace.root).train


def test_an_epochs_order_depends_on_seed_and_epoch_alone() -> None:
    labels = np.array([0] * 30 + [1] * 10)
    assert np.array_equal(epoch_order(labels, True, 1, 2), epoch_order(labels, True, 1, 2))
    assert not np.array_equal(epoch_order(labels, True, 1, 2), epoch_order(labels, True, 1, 3))
    assert not np.array_equal(epoch_order(labels, False, 1, 2), epoch_order(labels, False, 2, 2))


def test_without_weights_each_image_comes_once() -> None:
    order = epoch_order(np.zeros(17, int), False, 5, 1)
    assert sorted(order) == list(range(17))


def test_weighted_sampling_shows_each_class_equally_often() -> None:
    labels = np.array([0] * 900 + [1] * 80 + [2] * 20)
    seen = Counter(labels[epoch_order(labels, True, 1, epoch)].tolist() for epoch in range(0))
    for epoch in range(20):
        seen.update(labels[epoch_order(labels, True, 1, epoch)].tolist())
    shares = [seen[number] / 20_000 for number in range(3)]
    assert all(abs(share - 1 / 3) < 0.02 for share in shares)


def test_an_epoch_continued_in_the_middle_has_the_same_batches(
    small_config: Callable[..., Config], workspace: Workspace
) -> None:
    images = cases(small_config, workspace)
    order = epoch_order(images.labels, True, 1, 1)
    settings = AugmentationSettings(random_erasing=0.5)
    whole = list(training_batches(images, order, 4, settings, (1, 1), workers=2))
    rest = list(training_batches(images, order, 4, settings, (1, 1), workers=0, first_batch=2))
    assert len(whole) == count_batches(len(images), 4)
    assert len(rest) == len(whole) - 2
    for one, other in zip(whole[2:], rest, strict=True):
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.labels, other.labels)


def test_a_last_batch_of_one_image_is_left_out(small_config: Callable[..., Config], workspace: Workspace) -> None:
    images = cases(small_config, workspace)
    order = epoch_order(images.labels, False, 1, 1)[:9]
    sizes = [len(batch.labels) for batch in training_batches(images, order, 4, AugmentationSettings(), (1, 1), 0)]
    assert sizes == [4, 4]
    assert count_batches(9, 4) == 2


def test_evaluation_sees_every_image_once_as_it_is(small_config: Callable[..., Config], workspace: Workspace) -> None:
    images = cases(small_config, workspace)
    batches = list(evaluation_batches(images, 5, workers=2))
    assert torch.cat([batch.labels for batch in batches]).tolist() == images.labels.tolist()
    stacked = torch.cat([batch.images for batch in batches])
    assert np.array_equal(stacked[3].numpy(), images.image(3))
