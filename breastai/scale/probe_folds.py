"""A cross-validation of probes: every image is embedded once, and each fold's probe fitted, judged and let go.

Each fold is what a run by the recipe `probe` on its split would be: strength of the penalty by inner folds of the
training part, calibration and threshold on the validation part. But 250 probes take no 250 checkpoints.
"""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import threadpool_limits

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.fit_decision_rule import fit_decision_rule
from breastai.clinical.fit_unit_rule import UnitCases, fit_unit_rule
from breastai.clinical.logistic_probe import Probe, fit_probe
from breastai.clinical.metrics.epoch_metrics import measure_epoch
from breastai.clinical.unit_evidence import UnitImages
from breastai.data.cases.image_set import ImageSet
from breastai.data.cases.run_folders import Folders
from breastai.domain.config import Config
from breastai.domain.decision_rule import target_class
from breastai.domain.events import BatchProgress, Event, ProgressUpdate
from breastai.domain.study import StudyMember
from breastai.domain.text import Text
from breastai.engine.network.attention_pooling import fit_attention
from breastai.engine.network.embeddings import Embeddings, embed_images
from breastai.engine.network.models import build_model
from breastai.engine.network.runtime import choose_runtime, seed_torch
from breastai.engine.training.probe_head import set_head
from breastai.scale.fold_assignment import Folds, parts_of_fold, prepared_images
from breastai.scale.pooled_evaluation import Pool, join_pools
from breastai.scale.study_runner import StudyInProgress
from breastai.scale.unit_pool import UnitPool, unit_pool
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
    progress.keep(progress.study)
    for member in progress.study.members:
        yield progress.tell(member)
    return join_pools(pools)


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
    parted = (learnt, validating, held_out)
    units = _unit_pool(probe, features, labels, dealt, config, parted, config.system.seed + repeat - 1)
    return Pool(labels[held_out], said, held_out, np.full(len(held_out), threshold), units)


def _unit_pool(
    probe: Probe,
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    dealt: Folds,
    config: Config,
    parts: tuple[npt.NDArray[np.int64], ...],
    seed: int,
) -> UnitPool | None:
    """Return what a fold's rule of breasts, exams or patients says of those it holds out; None where it has none."""
    if dealt.decision_unit is None or dealt.units is None:
        return None
    names, whose = np.array(dealt.unit_names), np.array(dealt.units)
    learnt, validating, held_out = parts
    attention = None
    if config.evaluation.pooling == "attention":
        head = torch.nn.Linear(features.shape[1], len(dealt.class_names))
        set_head(head, probe.weights, probe.bias)
        target = dealt.class_names.index(target_class(config, dealt.class_names))
        units, together = names[learnt].tolist(), whose[learnt].tolist()
        attention = fit_attention(features[learnt], labels[learnt], units, head, target, together, seed)

    def shown(places: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float32] | None]:
        own = features[places]
        return probe.probabilities(own), None if attention is None else attention.evidence(own)

    raw, heeded = shown(validating)
    cases = UnitCases(labels[validating], raw, names[validating].tolist(), whose[validating].tolist(), heeded)
    rule = fit_unit_rule(cases, dealt.decision_unit, dealt.class_names, config)
    if rule is None:
        return None
    raw, heeded = shown(held_out)
    files = [dealt.files[place] for place in held_out]
    images = UnitImages(files, labels[held_out], raw, names[held_out].tolist(), whose[held_out].tolist(), heeded)
    return unit_pool(rule, images, dealt.class_names)


def _units(dealt: Folds, among: npt.NDArray[np.int64]) -> Sequence[str] | None:
    return None if dealt.units is None else [dealt.units[number] for number in among]
