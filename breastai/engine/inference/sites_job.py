"""The job of external validation: one checkpoint judged on the images of several sites, and what they show together."""

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import breastai
from breastai.clinical import metric_intervals
from breastai.clinical.apply_decision_rule import calibrate, out_of_distribution
from breastai.clinical.local_sample import judge_local_sample
from breastai.clinical.meta_analysis import pool_figures
from breastai.clinical.site_differences import FrozenPoint, JudgedSet, differences, input_drift
from breastai.data.cases.image_set import matched_cases
from breastai.data.sources.case_source import read_cases
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.class_match import ClassMap
from breastai.domain.class_words import canonical_class
from breastai.domain.errors import ClassMapInvalid, InputError
from breastai.domain.events import Event, SitesEvaluated
from breastai.domain.jobs import EvaluateSites
from breastai.domain.records import EvaluationRecord, Figure, RulePart
from breastai.domain.site_records import InternalSet, LocalSample, PooledFigure, SiteResult, SitesRecord
from breastai.domain.text import Text
from breastai.engine.inference.evaluation_job import checkpoint_of, judge
from breastai.engine.inference.labelled_predictions import LabelledPredictions, labelled_folder, predict_labelled
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.storage.evaluations import read_evaluations, save_sites
from breastai.storage.workspace import Workspace

# Of the class in question, at the frozen point; the first three are taken together over sites.
_POOLED = ("auc_roc", "sensitivity_at_operating_point", "specificity_at_operating_point")
_OF_ALL = ("accuracy", "balanced_accuracy", "brier")


@dataclass(frozen=True)
class Site:
    """A set of labelled images: `name` as its owner gave it, the `folder` meant by it, and its own part of the class map."""

    name: str
    root: Path
    folder: Path
    split: str | None
    class_map: ClassMap


@dataclass(frozen=True)
class Internal:
    """Images of the run's own data: those that its figures come from, and those that its inputs are compared with."""

    which: InternalSet
    judged: JudgedSet
    inputs: JudgedSet | None


def evaluate_sites(job: EvaluateSites, workspace: Workspace) -> Iterator[Event]:
    """Judge a checkpoint on each of several sets of labelled images, in float32; keep a record of each and of all."""
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    manifest = loaded.manifest
    sites = _sites(job, loaded, workspace)
    rule_point = manifest.decision.operating_point
    point = None if rule_point is None else FrozenPoint(rule_point.class_name, rule_point.threshold)
    internal = yield from _internal(loaded, workspace)
    seed = manifest.config.system.seed if job.sample_seed is None else job.sample_seed
    results, hashes = [], []
    for site in sites:
        asked = yield from predict_labelled(loaded, site.folder, workspace, site.class_map, site.split)
        record, path = judge(asked, workspace, site.split)
        hashes.append(set(asked.images.hashes))
        result = _result(site, asked, record, internal, point, seed)
        sample = None if job.local_sample is None else _local_sample(asked, job.local_sample, seed)
        results.append(result.model_copy(update={"local_sample": sample, "record": workspace.relative(path)}))
    whole = SitesRecord(
        notice=RESEARCH_USE,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        breastai=breastai.__version__,
        run_id=manifest.run_id,
        checkpoint=f"{manifest.run_id}/{manifest.kind}",
        checkpoint_sha256=manifest.sha256,
        target_class=None if rule_point is None else rule_point.class_name,
        threshold=None if rule_point is None else rule_point.threshold,
        target_sensitivity=None if rule_point is None else rule_point.target_sensitivity,
        internal_set=None if internal is None else internal.which,
        internal_n=None if internal is None else len(internal.judged),
        sites=results,
        pooled={name: pooled for name in _names(point, _POOLED) if (pooled := _pooled(results, name)) is not None},
        notes=_notes(internal, hashes, manifest.decision.fitted_on),
    )
    path = save_sites(workspace, whole)
    known = [
        result.model_copy(update={"data": workspace.relative(site.root)})
        for result, site in zip(results, sites, strict=True)
    ]
    told = {name: getattr(whole, name) for name in SitesEvaluated.model_fields if name in SitesRecord.model_fields}
    yield SitesEvaluated(**told | {"checkpoint": loaded.files.name, "sites": known, "record": workspace.relative(path)})


def _sites(job: EvaluateSites, loaded: Loaded, workspace: Workspace) -> list[Site]:
    """Return what is to be judged, each set once its classes are matched; raise what is wrong with any, before all else."""
    manifest, sites = loaded.manifest, []
    settings = manifest.config
    named: set[str] = set()
    for name in job.data:
        root = workspace.resolve(name)
        folder, split = labelled_folder(root, job.split)
        own = read_cases(folder, (), settings.data.masks, frames=settings.preprocessing.frames)
        there = {canonical_class(each) for each in own.class_names}
        mine = {each: members for each, members in job.class_map.items() if canonical_class(each) in there}
        named |= there
        sites.append(Site(name, root, folder, split, mine))
    for name in job.class_map:
        if canonical_class(name) not in named:
            raise ClassMapInvalid(", ".join(job.data), name, sorted(named), manifest.class_names)
    for site in sites:
        matched_cases(site.folder, manifest.class_names, settings, site.class_map, site.split)
    return sites


def _internal(loaded: Loaded, workspace: Workspace) -> Generator[Event, None, Internal | None]:
    """Return the internal images: those of a test that was judged before, else those of validation; None where neither is."""
    inputs = None
    try:
        asked = yield from predict_labelled(loaded, None, workspace)
        inputs = judged_set(asked)
    except InputError:  # moved, deleted or no longer what they were
        pass
    tested = _tested(loaded, workspace)
    if tested is not None:
        return Internal("test", tested, inputs)
    return None if inputs is None else Internal("validation", inputs, inputs)


def _tested(loaded: Loaded, workspace: Workspace) -> JudgedSet | None:
    """Return the test images of the run's own data as this checkpoint's latest evaluation on them has them."""
    manifest = loaded.manifest
    if manifest.config.data.test_dir is None:
        return None
    folder = workspace.resolve(manifest.config.data.test_dir)
    own = {workspace.relative(folder), folder.name}
    for _, record in reversed(read_evaluations(workspace, manifest.run_id)):
        is_own = record.split == "test" and record.data in own and record.checkpoint_sha256 == manifest.sha256
        if is_own and record.cases and record.evidence.class_names == manifest.class_names:
            return _set_of(record)
    return None


def _set_of(record: EvaluationRecord) -> JudgedSet:
    names = record.evidence.class_names
    patients = [case.patient_sha256 for case in record.cases]
    return JudgedSet(
        labels=np.array([names.index(case.label) for case in record.cases], dtype=np.int64),
        probabilities=np.array([case.probabilities for case in record.cases]),
        class_names=tuple(names),
        clusters=[str(patient) for patient in patients] if all(patients) else None,
        inputs={},
    )


def judged_set(asked: LabelledPredictions) -> JudgedSet:
    """Return labelled predictions as sites are compared by."""
    raw, rule = asked.raw_and_rule
    prepared, indices = asked.images.prepared, asked.images.indices
    inputs = {
        "brightness": asked.answers.statistics[:, 0].astype(np.float64),
        "contrast": asked.answers.statistics[:, 1].astype(np.float64),
        "size": np.sqrt([float(np.prod(prepared.original_sizes[int(index)])) for index in indices]),
    }
    if rule.novelty is not None and asked.novelty is not None:
        inputs["unlike"] = out_of_distribution(rule.novelty, asked.novelty).astype(np.float64)
    return JudgedSet(
        labels=np.asarray(asked.answers.labels, dtype=np.int64),
        probabilities=calibrate(rule.calibration, raw),
        class_names=tuple(asked.match.class_names),
        clusters=asked.clusters,
        inputs=inputs,
    )


def _result(
    site: Site,
    asked: LabelledPredictions,
    record: EvaluationRecord,
    internal: Internal | None,
    point: FrozenPoint | None,
    seed: int,
) -> SiteResult:
    own = judged_set(asked)
    point = point if point is not None and point.class_name in own.class_names else None
    names = [*_names(point, _POOLED), *_OF_ALL]
    found = record.evidence
    alike = None if internal is None else internal.judged.in_classes_of(asked.match)
    modalities = asked.images.prepared.table.subset(asked.images.indices).column("modality") or ()
    return SiteResult(
        data=site.root.name,
        n=found.n,
        patients=found.patients,
        counts=found.counts,
        class_match=asked.match,
        figures={name: found.figures[name] for name in names if name in found.figures},
        internal={} if alike is None or not len(alike) else _figures(alike, point, names),
        differences={} if alike is None or not len(alike) else differences(own, alike, point, seed=seed),
        drift=input_drift(own, None if internal is None else internal.inputs, seed=seed),
        modalities=dict(Counter(each for each in modalities if each)),
        modalities_learnt=list(asked.loaded.manifest.decision.modalities),
        notes=record.notes,
    )


def _figures(judged: JudgedSet, point: FrozenPoint | None, names: Sequence[str]) -> dict[str, Figure]:
    thresholds = {} if point is None else {point.class_name: point.threshold}
    found = metric_intervals.evaluate(
        judged.labels,
        judged.probabilities,
        judged.class_names,
        judged.clusters,
        thresholds=thresholds,
        repetitions=1000,
    )
    return {name: found[name] for name in names if name in found}


def _local_sample(asked: LabelledPredictions, share: float, seed: int) -> LocalSample | None:
    """Return what a local sample changes; None where the class in question is not judged by itself."""
    raw, rule = asked.raw_and_rule
    point = rule.operating_point
    if point is None:
        return None
    number = asked.match.class_names.index(point.class_name)
    return judge_local_sample(
        asked.answers.labels == number,
        calibrate(rule.calibration, raw)[:, number],
        point.class_name,
        point.threshold,
        point.target_sensitivity,
        asked.clusters,
        patients=asked.patients is not None,
        share=share,
        seed=seed,
    )


def _names(point: FrozenPoint | None, names: Sequence[str]) -> list[str]:
    return [] if point is None else [f"{name}.{point.class_name}" for name in names]


def _pooled(results: Sequence[SiteResult], name: str) -> PooledFigure | None:
    return pool_figures([result.figures[name] for result in results if name in result.figures])


def _notes(internal: Internal | None, hashes: Sequence[set[str]], fitted_on: RulePart) -> list[Text]:
    notes = [Text("note.sites_frozen")]
    which = None if internal is None else internal.which
    of_epoch = which == "validation" and fitted_on != "val"
    notes.append(Text("note.no_internal" if which is None else f"note.internal_{which}{'_epoch' if of_epoch else ''}"))
    twice = sum(map(len, hashes)) - len(set().union(*hashes))
    if twice:
        notes.append(Text("note.sites_share", {"count": twice}))
    return notes
