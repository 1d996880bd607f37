"""A cross-validation of probes: every image is embedded once, and each fold's probe fitted, judged and let go.

Each fold is what a run by the recipe `probe` on its split would be: strength of the penalty by inner folds of the
training part, calibration and threshold on the validation part. But 250 probes take no 250 checkpoints.
"""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.fit_decision_rule import fit_decision_rule
from breastai.clinical.logistic_probe import fit_probe
from breastai.clinical.metrics.epoch_metrics import measure_epoch
from breastai.data.cases.image_set import ImageSet
from breastai.data.cases.run_folders import Folders
from breastai.domain.config import Config
from breastai.domain.events import BatchProgress, Event, ProgressUpdate
from breastai.domain.study import StudyMember
from breastai.domain.text import Text
from breastai.engine.network.embeddings import Embeddings, embed_images
from breastai.engine.network.models import build_model
from breastai.engine.network.runtime import choose_runtime, seed_torch
from breastai.scale.fold_assignment import Folds, parts_of_fold, prepared_images
from breastai.scale.pooled_evaluation import Pool
from breastai.scale.study_runner import StudyInProgress
from breastai.storage.control_groups import usable_cores


def fits_on_store(config: Config) -> bool:
    """Return whether folds are probes of embeddings alone: no other settings in each, nor mirrored images."""
    return config.training.recipe == "probe" and not config.crossval.tune and not config.evaluation.tta


def probe_folds(
    progress: StudyInProgress, config: Config, folders: Folders, dealt: Folds
) -> Generator[Event, None, Pool]:
    """Return what all folds say of their held-out parts; yield how far it is, and each fold as it is complete."""
    features = yield from _features(progress, config, folders, dealt)
    pools: list[Pool] = []
    for done, (member, pool) in enumerate(_judged(progress.study.members, features, config, dealt)):
        progress.check_stop()
        pools.append(pool)
        numbers = measure_epoch(pool.labels, pool.probabilities, dealt.class_names).metrics
        del numbers["loss"]
        over = {"state": "complete", "epoch": 1, "best_epoch": 1, "figures": numbers, "n": len(pool.labels)}
        # Written down at the end: who is stopped before begins anew, in seconds.
        progress.study = progress.study.with_member(member.model_copy(update=over))
        yield ProgressUpdate(
            stage="training",
            text=Text("progress.probes", {"done": done + 1, "total": len(progress.study.members)}),
            progress=(done + 1) / len(progress.study.members),
        )
    for member in progress.study.members:
        yield progress.change(member)
    return Pool(*(np.concatenate([getattr(pool, name) for pool in pools]) for name in Pool.__dataclass_fields__))


def _features(
    progress: StudyInProgress, config: Config, folders: Folders, dealt: Folds
) -> Generator[Event, None, npt.NDArray[np.float32]]:
    """Return the features (N, D) of all images, in the order of `dealt`."""
    prepared = yield from prepared_images(folders, config)
    place = {file: number for number, file in enumerate(prepared.folder.files)}
    images = ImageSet(prepared, np.array([place[file] for file in dealt.files], dtype=np.int64))
    seed_torch(config.system.seed)
    weights = progress.workspace.resolve(config.model.weights_file) if config.model.weights_file else None
    built = build_model(
        config.model,
        len(dealt.class_names),
        config.preprocessing,
        weights,
        config.system.download_weights,
        config.data.image_size,
    )
    runtime = choose_runtime(config.system, use_amp=False)
    built.model.to(runtime.device).to(memory_format=runtime.memory_format)
    for step in embed_images(images, built, runtime, config):
        if isinstance(step, Embeddings):
            return step.features
        progress.check_stop()
        yield ProgressUpdate(
            stage="training",
            text=Text("progress.features", {"done": step, "total": len(images)}),
            batch_progress=BatchProgress(batch=step, total_batches=len(images)),
        )
    raise AssertionError("embed_images ends with the embeddings")


def _judged(
    members: Sequence[StudyMember], features: npt.NDArray[np.float32], config: Config, dealt: Folds
) -> Iterator[tuple[StudyMember, Pool]]:
    """Yield what each fold says, in order; several are worked on at a time, each by one thread.

    Such small matrices are no faster by many threads, and far slower where these wait for a core that is busy.
    """
    threads = min(config.system.num_threads, usable_cores())
    with threadpool_limits(1), ThreadPoolExecutor(threads, thread_name_prefix="probe") as pool:
        try:
            yield from zip(members, pool.map(lambda each: _judge(each, features, config, dealt), members), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)


def _judge(member: StudyMember, features: npt.NDArray[np.float32], config: Config, dealt: Folds) -> Pool:
    """Return what a fold's probe says of its held-out part."""
    repeat, fold = member.repeat or 1, member.fold or 1
    labels, names, training = np.array(dealt.labels), dealt.class_names, config.training
    parts = parts_of_fold(dealt, config, repeat, fold)
    learnt, validating, held_out = (np.flatnonzero(parts == name) for name in ("train", "val", "held_out"))
    probe = fit_probe(
        features[learnt],
        labels[learnt],
        _units(dealt, learnt),
        len(names),
        balanced=training.weighted_sampler or training.use_class_weights,
        seed=config.system.seed + repeat - 1,
    )
    rule = fit_decision_rule(
        labels[validating],
        probe.probabilities(features[validating]),
        names,
        config,
        _units(dealt, validating),
        patients=dealt.patients_known,
    )
    said = calibrate(rule.calibration, probe.probabilities(features[held_out]))
    threshold = np.nan if rule.operating_point is None else rule.operating_point.threshold
    return Pool(labels[held_out], said, held_out, np.full(len(held_out), threshold))


def _units(dealt: Folds, among: npt.NDArray[np.int64]) -> Sequence[str] | None:
    return None if dealt.units is None else [dealt.units[number] for number in among]
