"""Embeddings: what the network says, computed once, and never taken from another network or preprocessing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from breastai.data.cases.image_set import ImageSet, preprocess_folder
from breastai.data.sources.case_source import read_cases
from breastai.domain.config import Config
from breastai.engine.network import embeddings as under_test
from breastai.engine.network.embeddings import embed_images, embeddings_of, store_key
from breastai.engine.network.evaluation import answers_of, predict_batches
from breastai.engine.network.models import Built, build_model
from breastai.engine.network.runtime import choose_runtime, seed_torch


@pytest.fixture
def config(small_config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(under_test, "default_embeddings_root", lambda: tmp_path / "embeddings")
    return small_config({"model": {"use_cbam": False, "attention_pooling": False}})


def images_of(folder: Path, config: Config) -> ImageSet:
    prepared = preprocess_folder(read_cases(folder / "train"), config, None)
    return ImageSet(prepared, np.arange(len(prepared)))


def network(config: Config, seed: int = 0) -> Built:
    seed_torch(seed)
    return build_model(config.model, 3, config.preprocessing)


def test_they_are_what_a_classifier_sees_and_are_computed_once(
    sample_data: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    images, built, runtime = images_of(sample_data, config), network(config), choose_runtime(config.system, False)
    expected = answers_of(predict_batches(built.model, images, runtime, built.mean, built.std, 4, 0))
    first = embeddings_of(embed_images(images, built, runtime, config))
    assert np.abs(first.features - expected.features).max() < 1e-5
    assert np.abs(first.statistics - expected.statistics).max() < 1e-5
    monkeypatch.setattr(under_test, "normalize", None)  # without which nothing is computed
    turned = images.subset(np.arange(len(images))[::-1])
    again = embeddings_of(embed_images(turned, built, runtime, config))
    assert np.array_equal(again.features[::-1], first.features)
    assert np.array_equal(again.statistics[::-1], first.statistics)


def test_other_weights_another_normalisation_and_another_preprocessing_are_others(
    sample_data: Path, config: Config
) -> None:
    images, built = images_of(sample_data, config), network(config)
    smaller = config.model_copy(update={"data": config.data.model_copy(update={"image_size": 48})})
    keys = {
        store_key(images, built),
        store_key(images, network(config, seed=1)),
        store_key(images, replace(built, std=(0.3, 0.3, 0.3))),
        store_key(images_of(sample_data, smaller), built),
    }
    assert len(keys) == 4
    with torch.no_grad():
        built.model.head.weight.mul_(2)
    assert store_key(images, built) in keys  # the head is no part of what makes them


def test_a_stopped_one_keeps_what_it_has_computed(
    sample_data: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(under_test, "_WRITTEN_TOGETHER", 4)
    images, built, runtime = images_of(sample_data, config), network(config), choose_runtime(config.system, False)
    steps = embed_images(images, built, runtime, config)
    while next(steps) < 9:
        pass
    steps.close()
    assert next(embed_images(images, built, runtime, config)) == 8
