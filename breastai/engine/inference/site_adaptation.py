"""The job of adapting a checkpoint to a site without retraining: batch-norm statistics and head on a local sample."""

import copy
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import torch
from scipy import special

from breastai.clinical.fit_decision_rule import fit_decision_rule
from breastai.clinical.head_refit import RefittedHead, refit_head, sample_units
from breastai.clinical.intervals import number_clusters
from breastai.clinical.local_sample import draw_of_each_class
from breastai.clinical.out_of_distribution import LEAST_CASES, OutOfDistribution, fit_novelty
from breastai.domain.config import Config
from breastai.domain.decision_rule import target_class
from breastai.domain.errors import LocalSampleUnfit
from breastai.domain.events import Event, ModelAdapted, ProgressUpdate
from breastai.domain.jobs import AdaptModel
from breastai.domain.records import EvaluationRecord, Figure
from breastai.domain.site_records import Adaptation, AdaptationSample
from breastai.domain.text import Text
from breastai.engine.inference.evaluation_job import checkpoint_of, judge, place_name
from breastai.engine.inference.labelled_predictions import LabelledPredictions, labelled_folder, predict_labelled
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint, pack_novelty, save_tensors, versions
from breastai.engine.network.evaluation import Predictions, answers_of, predict_batches
from breastai.engine.network.loader import evaluation_batches
from breastai.engine.network.models import Classifier, normalize
from breastai.engine.network.norm_statistics import PRIOR_IMAGES, move_norms, norm_layers
from breastai.engine.network.runtime import Runtime, choose_runtime
from breastai.storage.atomic_checkpoint import save_checkpoint
from breastai.storage.checkpoints import FINGERPRINTS, checkpoint_files
from breastai.storage.workspace import Workspace

_BATCH = 16
_LEAST_UNITS = 2  # of each class, so that one is left when another is held out
_FIGURES = ("auc_roc", "sensitivity_at_operating_point", "specificity_at_operating_point")
_OF_ALL = ("accuracy", "balanced_accuracy", "brier")


@dataclass(frozen=True)
class Drawn:
    """Which of a site's images (N,) are the sample and which judge, and the number (N,) of what is independent: patients
    where known. `rest`: what neither this sample nor one that adapted the checkpoint before holds.
    """

    inside: npt.NDArray[np.bool_]
    rest: npt.NDArray[np.bool_]
    clusters: npt.NDArray[np.int64]
    seed: int


def adapt_model(job: AdaptModel, workspace: Workspace) -> Iterator[Event]:
    """Adapt a checkpoint to a site, as a checkpoint of its own, and judge both on the images it did not use.

    Raises LocalSampleUnfit where the sample lacks a class of the model, and what judging raises.
    """
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    manifest = loaded.manifest
    folder, part = labelled_folder(workspace.resolve(job.data), job.split)
    asked = yield from predict_labelled(loaded, folder, workspace, job.class_map, part)
    drawn = _drawn(job, asked)
    rest = _subset(asked, drawn.rest)
    before, before_path = judge(rest, workspace, part)
    yield ProgressUpdate(stage="preparing", text=Text("progress.adapting"))
    made = _adapted(loaded, asked, drawn, workspace, job)
    runtime = choose_runtime(manifest.config.system, use_amp=False)
    answers = _answers(made, made.model.to(runtime.device), rest, runtime)
    after, path = judge(replace(rest, loaded=made, answers=answers), workspace, part)
    adaptation = made.manifest.adapted_from
    assert adaptation is not None
    yield ModelAdapted(
        checkpoint=made.files.name,
        adaptation=adaptation,
        target_class=target_class(manifest.config, manifest.class_names),
        before=_figures(before),
        after=_figures(after),
        records=[workspace.relative(before_path), workspace.relative(path)],
        notes=[Text("note.adapted_rest"), *after.notes],
    )


def _drawn(job: AdaptModel, asked: LabelledPredictions) -> Drawn:
    """Return the sample; raise LocalSampleUnfit."""
    manifest, labels = asked.loaded.manifest, asked.answers.labels
    names = manifest.class_names
    if asked.match.class_names != names or asked.match.merges or asked.match.lacking:
        absent = asked.match.lacking or [name for name in names if name not in asked.match.class_names]
        raise LocalSampleUnfit(job.data, Text("reason.sample_lacks_classes", {"class_names": absent or names}))
    seed = manifest.config.system.seed if job.sample_seed is None else job.sample_seed
    clusters = np.arange(len(labels)) if asked.clusters is None else number_clusters(asked.clusters)
    there = sample_units(labels.tolist(), clusters.tolist(), len(names))
    few = [name for name, count in zip(names, there, strict=True) if count <= _LEAST_UNITS]
    if few:
        raise LocalSampleUnfit(job.data, Text("reason.site_too_small", {"class_names": few, "least": _LEAST_UNITS + 1}))
    inside = draw_of_each_class(labels, clusters, job.local_sample, seed, _LEAST_UNITS)
    units = sample_units(labels[inside].tolist(), clusters[inside].tolist(), len(names))
    few = [name for name, count in zip(names, units, strict=True) if count < _LEAST_UNITS]
    if few:
        raise LocalSampleUnfit(job.data, Text("reason.sample_too_few", {"class_names": few, "least": _LEAST_UNITS}))
    earlier = _earlier(asked.loaded)
    used = np.array([hashed in earlier for hashed in asked.images.hashes], dtype=bool)
    rest = ~inside & ~np.isin(clusters, clusters[used])
    if not rest.any():
        raise LocalSampleUnfit(job.data, Text("reason.sample_leaves_none"))
    return Drawn(inside, rest, clusters, seed)


def _earlier(loaded: Loaded) -> set[str]:
    """Return the content hashes of the samples that made a checkpoint."""
    adaptation = loaded.manifest.adapted_from
    return set() if adaptation is None else adaptation.used_sha256


def _adapted(loaded: Loaded, asked: LabelledPredictions, drawn: Drawn, workspace: Workspace, job: AdaptModel) -> Loaded:
    """Return the adapted model as it was written: a checkpoint of a run with a name of its own."""
    manifest = loaded.manifest
    runtime = choose_runtime(manifest.config.system, use_amp=False)
    sample = _subset(asked, drawn.inside)
    clusters = number_clusters(drawn.clusters[drawn.inside])
    model, now, found, layers = _fitted(loaded, sample, clusters, drawn.seed, runtime)
    _add_to_head(model, found)
    rule = fit_decision_rule(
        now.labels,
        special.softmax(found.logits, axis=1),
        manifest.class_names,
        manifest.config if found.strength is None else _of_natural_proportions(manifest.config),
        [str(number) for number in clusters],
        patients=asked.patients is not None,
    )
    novelty = _fit_novelty(now, clusters)
    limit = None if novelty is None else novelty.limit
    common = {"fitted_on": "sample", "modalities": manifest.decision.modalities}
    rule = rule.model_copy(update={"novelty": limit, **common})
    adaptation = _record(asked, drawn, found, layers, job.local_sample, place_name(workspace, asked.root)).model_copy(
        update={"novelty_images": None if limit is None else limit.n}
    )
    files = checkpoint_files(workspace, job.run_id, "best")
    save_checkpoint(
        files,
        manifest.model_copy(
            update={
                "run_id": job.run_id,
                "kind": "best",
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "decision": rule,
                "unit_rule": None,  # the sample's few patients fit none
                "adapted_from": adaptation,
                "metrics": {},
                "state": None,
                "state_file": None,
                "state_sha256": None,
                "versions": versions(),
            }
        ),
        write_weights=lambda path: save_tensors(model.state_dict() | pack_novelty(novelty), path),
    )
    known = loaded.files.weights.with_name(FINGERPRINTS)
    if known.is_file():
        shutil.copyfile(known, files.weights.with_name(FINGERPRINTS))
    return load_checkpoint(files)


def _fitted(
    loaded: Loaded, sample: LabelledPredictions, clusters: npt.NDArray[np.int64], seed: int, runtime: Runtime
) -> tuple[Classifier, Predictions, RefittedHead, int]:
    """Return the model with its statistics moved to the sample, what it says of it, its head's change, layers moved.

    They stay where they were, and no layer is moved, unless the sample's cases held out are the better for it: what a
    classifier learnt on features of a frozen network is lost when these features move under it.
    """

    def refitted(answers: Predictions) -> RefittedHead:
        return refit_head(
            answers.features.astype(np.float64), answers.logits.astype(np.float64), answers.labels, clusters, seed
        )

    model = copy.deepcopy(loaded.model).to(runtime.device)
    layers = _move_norms(model, sample, runtime)
    now = _answers(loaded, model, sample, runtime)
    moved, kept = refitted(now), refitted(sample.answers)
    if layers and min(moved.log_loss.values()) < min(kept.log_loss.values()):
        return model, now, moved, layers
    return copy.deepcopy(loaded.model).to(runtime.device), sample.answers, kept, 0


def _fit_novelty(now: Predictions, clusters: npt.NDArray[np.int64]) -> OutOfDistribution | None:
    """Return what is unlike the sample, as the adapted layers see it; None of a sample too small to tell.

    The parent's limit goes with layers that have moved. Each image is measured by a fit without its patient.
    """
    if len(np.unique(clusters)) < LEAST_CASES:
        return None
    told = fit_novelty(now.features, [str(number) for number in clusters], now.statistics)
    return None if told is None else told[0]


def _of_natural_proportions(config: Config) -> Config:
    """Return a configuration for a head that met the classes as they occur: no correction of its prior."""
    training = config.training.model_copy(update={"weighted_sampler": False, "use_class_weights": False})
    return config.model_copy(update={"training": training})


def _move_norms(model: Classifier, sample: LabelledPredictions, runtime: Runtime) -> int:
    manifest, images = sample.loaded.manifest, sample.images
    size = -(-len(images) // -(-len(images) // _BATCH))  # parts of much the same size
    batches = evaluation_batches(images, size, manifest.config.data.num_workers)
    mean, std = tuple(manifest.mean), tuple(manifest.std)
    inputs = (normalize(batch.images.to(runtime.device), mean, std) for batch in batches)
    return move_norms(model, (each for each in inputs if len(each) > 1), len(images))


def _answers(of: Loaded, model: Classifier, images: LabelledPredictions, runtime: Runtime) -> Predictions:
    manifest = of.manifest
    data = manifest.config.data
    mean, std = tuple(manifest.mean), tuple(manifest.std)
    steps = predict_batches(
        model, images.images, runtime, mean, std, data.batch_size, data.num_workers, manifest.config.evaluation.tta
    )
    return answers_of(steps)


@torch.no_grad()
def _add_to_head(model: Classifier, found: RefittedHead) -> None:
    model.head.weight.add_(torch.from_numpy(found.weights).to(model.head.weight))
    model.head.bias.add_(torch.from_numpy(found.intercepts).to(model.head.bias))


def _subset(asked: LabelledPredictions, chosen: npt.NDArray[np.bool_]) -> LabelledPredictions:
    """Return the predictions for some of the images."""
    places = np.flatnonzero(chosen)
    answers = asked.answers
    part = Predictions(
        *(each[places] for each in (answers.logits, answers.labels, answers.features, answers.statistics))
    )
    patients = None if asked.patients is None else [asked.patients[place] for place in places.tolist()]
    units = None if asked.units is None else [asked.units[place] for place in places.tolist()]
    return replace(asked, images=asked.images.subset(places), answers=part, patients=patients, units=units)


def _record(
    asked: LabelledPredictions, drawn: Drawn, found: RefittedHead, layers: int, share: float, place: str
) -> Adaptation:
    loaded = asked.loaded
    manifest, inside = loaded.manifest, drawn.inside
    names = manifest.class_names

    def counted(chosen: npt.NDArray[np.bool_]) -> dict[str, int]:
        counts = Counter(asked.answers.labels[chosen].tolist())
        return {name: counts[number] for number, name in enumerate(names)}

    hashes = asked.images.hashes
    return Adaptation(
        checkpoint=f"{manifest.run_id}/{manifest.kind}",
        sha256=manifest.sha256,
        data=place,
        sample=AdaptationSample(
            share=share,
            seed=drawn.seed,
            unit="image" if asked.patients is None else "patient",
            units=len(np.unique(drawn.clusters[inside])),
            images=int(inside.sum()),
            counts=counted(inside),
            rest_units=len(np.unique(drawn.clusters[drawn.rest])),
            rest_images=int(drawn.rest.sum()),
            rest_counts=counted(drawn.rest),
            sha256=[hashes[place] for place in np.flatnonzero(inside).tolist()],
        ),
        earlier_sha256=sorted(_earlier(loaded)),
        norm_layers=layers,
        norms="moved" if layers else "kept" if norm_layers(loaded.model) else "none",
        norm_prior_images=PRIOR_IMAGES,
        head_strength=found.strength,
        head_log_loss={"none" if key is None else f"{key:g}": value for key, value in found.log_loss.items()},
    )


def _figures(record: EvaluationRecord) -> dict[str, Figure]:
    figures = record.evidence.figures
    return {name: figure for name, figure in figures.items() if name in _OF_ALL or name.partition(".")[0] in _FIGURES}
