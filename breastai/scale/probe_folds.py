"""A cross-validation of probes: every image is embedded once, and each fold's probe fitted, judged and let go.

Each fold is what a run by the recipe `probe` on its split would be: strength of the penalty by inner folds of the
training part, calibration and threshold on the validation part. But 250 probes take no 250 checkpoints.
"""

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import torch
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from breastai.clinical.logistic_probe import Probe
from breastai.clinical.metrics.epoch_metrics import measure_epoch
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
from breastai.scale.fold_assignment import Folds, prepared_images
from breastai.scale.fold_probe import Attention, Features, Places, judge_fold
from breastai.scale.held_out_pool import Pool, join_pools
from breastai.scale.study_runner import StudyInProgress
from breastai.storage.control_groups import usable_cores

_LOG = logging.getLogger(__name__)
# Starting a process takes a second or two, a fold less than a tenth of one.
FEWEST_FOLDS = 60
_FOLDS_AT_ONCE = 5


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
) -> Generator[Event, None, Features]:
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
    members: Sequence[StudyMember], features: Features, config: Config, dealt: Folds
) -> Iterator[tuple[StudyMember, Pool]]:
    """Yield what each fold says, in order; several are worked on at a time, by a process each where they are many.

    Such small matrices are no faster by many threads, and far slower where these wait for a core that is busy.
    """
    at_once = min(config.system.num_threads, usable_cores())
    attention = _attention(features, config, dealt)
    folds = [(member.repeat or 1, member.fold or 1) for member in members]
    done = 0
    if attention is None and at_once > 1 and len(folds) >= FEWEST_FOLDS:
        try:
            for pool in _by_processes(at_once, folds, features, config, dealt):
                yield members[done], pool
                done += 1
        except BrokenProcessPool as error:  # one was killed; the rest is done here
            _LOG.warning("A process that fitted probes ended: %s", error)
    with threadpool_limits(1), ThreadPoolExecutor(at_once, thread_name_prefix="probe") as threads:
        try:
            pools = threads.map(lambda at: judge_fold(at[0], at[1], features, config, dealt, attention), folds[done:])
            yield from zip(members[done:], pools, strict=True)
        finally:
            threads.shutdown(cancel_futures=True)


def _by_processes(
    at_once: int, folds: Sequence[tuple[int, int]], features: Features, config: Config, dealt: Folds
) -> Iterator[Pool]:
    """Yield what each fold says, in order, by processes: threads of one would wait for its interpreter."""
    with Parallel(n_jobs=at_once, return_as="generator", batch_size=_FOLDS_AT_ONCE) as parallel:
        yield from parallel(delayed(judge_fold)(*each, features, config, dealt) for each in folds)


def _attention(features: Features, config: Config, dealt: Folds) -> Attention | None:
    """Return what fits the attention over a unit's images on a fold's training part; None where none is asked for."""
    if config.evaluation.pooling != "attention" or dealt.decision_unit is None or dealt.units is None:
        return None
    labels, names, whose = np.array(dealt.labels), np.array(dealt.unit_names), np.array(dealt.units)
    target = dealt.class_names.index(target_class(config, dealt.class_names))

    def fit(probe: Probe, learnt: Places, seed: int) -> Callable[[Features], Features]:
        head = torch.nn.Linear(features.shape[1], len(dealt.class_names))
        set_head(head, probe.weights, probe.bias)
        units, together = names[learnt].tolist(), whose[learnt].tolist()
        return fit_attention(features[learnt], labels[learnt], units, head, target, together, seed).evidence

    return fit
