"""What this machine manages with a model: images a second, share of its matrix peak, loader wait, memory, time."""

import gc
import statistics
import tempfile
import time
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from breastai.data.cases.image_set import ImageSet, preprocess_folder
from breastai.data.cases.run_folders import list_folders
from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.data.preprocessing.image_cache import prepare
from breastai.data.sources.case_source import read_cases
from breastai.data.sources.layout import folder_of_split, resolved_config
from breastai.domain.catalog import architecture_of, check_image_size
from breastai.domain.config import Config
from breastai.domain.events import BenchMeasured, Event, ProgressUpdate
from breastai.domain.jobs import Bench
from breastai.domain.text import Text
from breastai.engine.acceleration.hardware import matrix_gflops, training_gflop
from breastai.engine.acceleration.memory_estimate import peak_memory_gb
from breastai.engine.network.evaluation import Predictions, predict_batches
from breastai.engine.network.loader import count_batches, epoch_order, training_batches
from breastai.engine.network.models import build_model
from breastai.engine.network.runtime import seed_torch
from breastai.engine.training.optim import Loss, make_optimizer
from breastai.engine.training.prepare import prepare_training, progress_of
from breastai.engine.training.schedule import epoch_s, keep_batch_norm_frozen, uses_frozen_batch_norm
from breastai.engine.training.step import Learner
from breastai.storage.estimates import keep_estimate
from breastai.storage.remote_mirror import local_place
from breastai.storage.workspace import Workspace

_WARM_STEPS = 2
_LEAST_STEPS, _MOST_STEPS = 5, 30
_LONG_ENOUGH_S = 12.0
_SAMPLE_PER_CLASS = 12


def bench(job: Bench, workspace: Workspace) -> Iterator[Event]:
    """Train a few steps as the configuration says, and tell what a whole run would take.

    The images are those of the configuration, or phantoms when there are none; the figures of a run are for
    `training_images` of them. The weights are random: the speed depends on no more of them than whether a run would
    have pretrained ones, whose statistics it may keep.
    """
    config = job.config
    check_image_size(architecture_of(config.model.architecture), config.data.image_size)
    yield ProgressUpdate(stage="tuning", text=Text("progress.measuring", {"architecture": config.model.architecture}))
    with tempfile.TemporaryDirectory() as folder:
        images, training, validation = _images(config, workspace, Path(folder))
        measured = yield from _measured(config, images, training, validation)
    keep_estimate(workspace, measured.model_copy(update={"time": datetime.now(UTC).isoformat(timespec="seconds")}))
    yield measured


def _images(config: Config, workspace: Workspace, folder: Path) -> tuple[ImageSet, int, int]:
    """Return images to measure with, and how many train and validate in a run of this configuration."""
    config = resolved_config(config, workspace.root)
    if folder_of_split(local_place(workspace.root, config.data.train_dir)) is not None:
        folders = list_folders(config, workspace.root)
        train = len(folders.train)
        held_out = len(folders.val) if folders.val is not None else round(train * config.data.val_split)
        train = train if folders.val is not None else train - held_out
        wanted = config.data.batch_size * (_MOST_STEPS + _WARM_STEPS)
        listed = folders.train.subset(
            np.linspace(0, len(folders.train) - 1, min(wanted, len(folders.train))).astype(int)
        )
        prepared = preprocess_folder(listed, config, None)
    else:
        write_sample_data(folder / "sample", per_class=_SAMPLE_PER_CLASS)
        prepared = prepare(
            read_cases(folder / "sample" / "train"),
            config.preprocessing,
            config.data.image_size,
            workers=config.data.num_workers,
            cache_root=folder,
        )
        train, held_out = 0, 0
    return ImageSet(prepared, np.arange(len(prepared))), train, held_out


def _measured(
    config: Config, images: ImageSet, training: int, validation: int
) -> Generator[ProgressUpdate, None, BenchMeasured]:
    seed_torch(config.system.seed)
    settings = config.model.model_copy(update={"pretrained": "none"})
    built = build_model(settings, len(images.prepared.folder.class_names), config.preprocessing)
    prepared = yield from progress_of(
        prepare_training(built.model, config), Text("progress.measuring", {"architecture": config.model.architecture})
    )
    model, runtime, config, plan = prepared.model, prepared.runtime, prepared.config, prepared.plan
    learner = Learner(
        model=model,
        optimizer=make_optimizer(model, config.training),
        loss=Loss(config.training, list(images.counts().values())).to(runtime.device),
        settings=config.training,
        runtime=runtime,
        mean=built.mean,
        std=built.std,
    )
    step_s, wait_s = _time_steps(learner, images, config)
    train_speed = config.data.batch_size / step_s
    evaluate_speed = _time_evaluation(learner, images, config)
    del learner
    gc.collect()
    peak = matrix_gflops(runtime.training_dtype)
    gflop = training_gflop(model, config.data.image_size)
    epochs = config.training.epochs
    whole_s = sum(
        epoch_s(config, epoch, training, validation, train_speed, evaluate_speed) for epoch in range(1, epochs + 1)
    )
    return BenchMeasured(
        architecture=config.model.architecture,
        image_size=config.data.image_size,
        batch_size=config.data.batch_size,
        dtype=runtime.describe_dtype(),
        threads=runtime.threads,
        train_images_per_second=round(train_speed, 2),
        evaluate_images_per_second=round(evaluate_speed, 2),
        matrix_gflops=round(peak, 1),
        peak_share=round(train_speed * gflop / peak, 3),
        loader_wait_share=round(wait_s / step_s, 4),
        peak_memory_gb=round(peak_memory_gb(), 2),
        training_images=training,
        validation_images=validation,
        epochs=epochs,
        estimated_s=round(whole_s, 1) if training else None,
        plan=plan.explanation() if plan else None,
    )


def _time_steps(learner: Learner, images: ImageSet, config: Config) -> tuple[float, float]:
    """Return the median seconds of a step, loader included, and the median seconds of it spent waiting for images."""
    learner.model.train()
    if uses_frozen_batch_norm(config, config.model.pretrained != "none"):
        keep_batch_norm_frozen(learner.model)
    steps: list[float] = []
    waits: list[float] = []
    started = time.perf_counter()
    epoch = 0
    while len(steps) < _MOST_STEPS:
        epoch += 1
        order = epoch_order(images.labels, True, config.system.seed, epoch)
        batches = training_batches(
            images,
            order,
            config.data.batch_size,
            config.augmentation,
            (config.system.seed, epoch),
            config.data.num_workers,
        )
        mark = time.perf_counter()
        for number in range(count_batches(len(order), config.data.batch_size)):
            batch = next(batches)
            loaded = time.perf_counter()
            learner.learn(batch, 1e-4, True, 1, np.random.default_rng([epoch, number]))
            now = time.perf_counter()
            if len(batch.labels) == config.data.batch_size:
                steps.append(now - mark)
                waits.append(loaded - mark)
            mark = now
            enough = now - started > _LONG_ENOUGH_S and len(steps) >= _LEAST_STEPS + _WARM_STEPS
            if enough or len(steps) >= _MOST_STEPS:
                batches.close()  # type: ignore[attr-defined]
                return statistics.median(steps[_WARM_STEPS:]), statistics.median(waits[_WARM_STEPS:])
        if not steps:  # fewer images than a batch: what there is counts as one
            return now - started, 0.0
    raise AssertionError("the loop returns")


def _time_evaluation(learner: Learner, images: ImageSet, config: Config) -> float:
    some = images.subset(np.arange(min(len(images), max(8, 2 * config.data.batch_size))))
    steps = predict_batches(
        learner.model, some, learner.runtime, learner.mean, learner.std, config.data.batch_size, config.data.num_workers
    )
    started, first = time.perf_counter(), 0
    for step in steps:
        if isinstance(step, Predictions):
            break
        if first == 0:  # the first batch warms up
            started, first = time.perf_counter(), step
    rest = len(some) - first
    return rest / (time.perf_counter() - started) if rest else len(some) / (time.perf_counter() - started)
