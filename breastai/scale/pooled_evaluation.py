"""The held-out predictions of all folds taken together: figures with intervals, their spread, what decides an ensemble."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from breastai.clinical.evaluation_record import PATIENTS_UNKNOWN, chosen_on, make_cases, make_record
from breastai.clinical.evidence import gather_evidence, thin_curve
from breastai.clinical.intervals import number_clusters
from breastai.clinical.judged_classes import correction_notes
from breastai.clinical.metric_intervals import patient_metrics
from breastai.clinical.operating_point import choose_operating_point, metrics_at_threshold
from breastai.clinical.referral import with_referral
from breastai.clinical.run_spread import spread
from breastai.domain.config import Config
from breastai.domain.decision_rule import DecisionRule, target_class
from breastai.domain.errors import StudyDamaged
from breastai.domain.records import Figure, ImageUse, UsedFor
from breastai.domain.study import CrossvalResult, Study
from breastai.domain.text import Text
from breastai.scale.fold_assignment import Folds
from breastai.scale.fold_evaluation import answers_in, fold_evaluation
from breastai.scale.held_out_pool import Pool, join_pools
from breastai.scale.unit_pool import unit_evidence, unit_figures, units_in
from breastai.storage.evaluations import numbers_by_hash, save_evaluation
from breastai.storage.workspace import Workspace

POOLED = "pooled"
# From this share of images on that two folds' thresholds would call differently, the reader is told.
_MANY_OTHERWISE = 0.05
CHOSEN_INSIDE = Text("note.chosen_inside")


def pool_of(study: Study, dealt: Folds, workspace: Workspace) -> Pool:
    """Return the held-out predictions of a study's folds; raise StudyDamaged when a fold's are gone."""
    number_of = numbers_by_hash(workspace, dealt.files)
    pools = []
    for member in study.members:
        record = fold_evaluation(workspace, member.run_id)
        if record is None:
            raise StudyDamaged(study.study_id, Text("reason.evaluation_gone", {"run_id": member.run_id}))
        own_labels, own = answers_in(record)
        point = record.evidence.operating_point
        cases = np.array([number_of[case.name_sha256] for case in record.cases], dtype=np.int64)
        thresholds = np.full(len(own), np.nan if point is None else point.threshold)
        pools.append(Pool(own_labels, own, cases, thresholds, units_in(record, number_of, dealt)))
    return join_pools(pools)


def pooled_result(study: Study, config: Config, dealt: Folds, workspace: Workspace, pool: Pool) -> CrossvalResult:
    """Return what the folds show together, and keep the evidence in the study's folder."""
    names, repeats = dealt.class_names, config.crossval.repeats
    clusters = _clusters(pool, dealt, repeats)
    seed, target = config.system.seed, target_class(config, names)
    notes = _notes(study, config, dealt) + _threshold_notes(pool, names.index(target))
    found = gather_evidence(pool.labels, pool.probabilities, names, clusters=clusters, target=target, seed=seed)
    if dealt.patients_known and dealt.units is not None:
        # A patient's score must not grow with the repeats: each image is its mean over them.
        labels, probabilities, cases = pool.by_case()
        patients = [dealt.units[case] for case in cases]
        score = config.evaluation.patient_score
        figures, by_patient = patient_metrics(
            labels, probabilities, names, patients, target=target, patient_score=score, seed=seed
        )
        found = found.model_copy(
            update={"patients": len(set(patients)), "by_patient": by_patient, "figures": found.figures | figures}
        )
    units = None if dealt.units is None else [dealt.units[case] for case in pool.cases]
    files = [dealt.files[case] for case in pool.cases]
    by_unit = None if pool.units is None else unit_evidence(pool.units, config, dealt)
    record = make_record(
        found,
        make_cases(files, pool.labels, pool.probabilities, names, patients=units),
        run_id=study.study_id,
        checkpoint=study.study_id,
        data=POOLED,
        split=POOLED,
        uses=ImageUse(),
        rests_on=UsedFor(
            epoch=chosen_on(config),
            temperature="val",
            threshold="val",
            conformal_sets="val",
            novelty="val",
            figures=POOLED,
        ),
        notes=notes,
        by_unit=None if by_unit is None or pool.units is None else (by_unit, pool.units.units),
    )
    path = save_evaluation(workspace, record)
    counts = np.bincount(pool.labels, minlength=len(names)) // repeats
    judged = set(pool.cases.tolist())
    return CrossvalResult(
        class_names=names,
        cases=len(judged),
        predictions=len(pool.labels),
        counts={name: int(count) for name, count in zip(names, counts, strict=True)},
        units=None if dealt.units is None else len({dealt.units[case] for case in judged}),
        patients_known=dealt.patients_known,
        grouped=config.crossval.grouped,
        tuned=config.crossval.tune,
        figures=found.figures,
        at_thresholds=_at_thresholds(pool, names.index(target), clusters),
        target_class=target,
        confusion_matrix=found.confusion_matrix,
        roc={name: thin_curve(curves.roc) for name, curves in found.curves.items()},
        by_unit=by_unit,
        unit_at_thresholds={} if pool.units is None else unit_figures(pool.units, names, names.index(target)),
        thresholds=_by_fold(pool.thresholds, study),
        spread=spread([member.figures for member in study.members], _test_to_train(config)),
        notes=notes,
        record=workspace.relative(path),
    )


def ensemble_rule(pool: Pool, config: Config, dealt: Folds) -> DecisionRule:
    """Return what an ensemble of the folds decides by, fitted on held-out predictions, each by models that never saw it.

    Its calibration is none: that of each fold is part of the graph. No figure of the study is judged by it.
    """
    labels, probabilities, cases = pool.by_case()
    name = target_class(config, dealt.class_names)
    scores = probabilities[:, dealt.class_names.index(name)]
    together = None if dealt.units is None else [dealt.units[case] for case in cases]
    units = None if together is None else number_clusters(together)
    rule = DecisionRule(
        operating_point=choose_operating_point(
            name,
            labels == dealt.class_names.index(name),
            scores,
            units,
            config.evaluation.target_sensitivity,
            patients=dealt.patients_known,
        ),
        n=len(labels),
        fitted_on="out_of_fold",
        modalities=tuple(sorted({name for name in dealt.modalities if name is not None})),
    )
    rate = config.evaluation.referral_error_rate
    return with_referral(rule, labels, probabilities, dealt.class_names, rate, together)


def _clusters(pool: Pool, dealt: Folds, repeats: int) -> list[str] | None:
    """Return what stands together in the intervals: patients and duplicates, and the repeats of a case."""
    if dealt.units is not None:
        return [dealt.units[case] for case in pool.cases]
    return [dealt.files[case] for case in pool.cases] if repeats > 1 else None


def _at_thresholds(pool: Pool, target: int, clusters: Sequence[str] | None) -> dict[str, Figure]:
    if np.isnan(pool.thresholds).any():
        return {}
    numbers = None if clusters is None else number_clusters(clusters)
    return metrics_at_threshold(pool.labels == target, pool.probabilities[:, target], pool.thresholds, numbers)


def _by_fold(thresholds: npt.NDArray[np.float64], study: Study) -> list[float]:
    """Return the threshold of each fold; none where a fold has none."""
    if np.isnan(thresholds).any():
        return []
    starts = np.cumsum([0, *(member.n or 0 for member in study.members[:-1])])
    return [float(value) for value in thresholds[starts]]


def _threshold_notes(pool: Pool, target: int) -> list[Text]:
    """Return a word for thresholds of folds that differ so much that many images would be called otherwise."""
    if np.isnan(pool.thresholds).any():
        return []
    low, high = float(pool.thresholds.min()), float(pool.thresholds.max())
    scores = pool.probabilities[:, target]
    between = float(((scores >= low) & (scores < high)).mean())
    if between < _MANY_OTHERWISE:
        return []
    return [
        Text("note.thresholds_differ", {"low": round(low, 3), "high": round(high, 3), "share": round(100 * between)})
    ]


def _test_to_train(config: Config) -> float:
    """Return how many images a fold holds out for each that trains."""
    held_out = 1 / config.crossval.folds
    return held_out / ((1 - held_out) * (1 - config.data.val_split))


def _notes(study: Study, config: Config, dealt: Folds) -> list[Text]:
    runs, repeats = len(study.members), config.crossval.repeats
    is_probe = config.training.recipe == "probe"
    notes = [
        Text("note.each_probe_judged_once" if is_probe else "note.each_judged_once"),
        Text("note.held_out_in_repeats" if repeats > 1 else "note.held_out_once", {"runs": runs, "repeats": repeats}),
    ]
    if is_probe:
        notes.append(Text("note.probes_let_go"))
    if config.crossval.tune:
        notes.append(CHOSEN_INSIDE)
    if dealt.units is None:
        notes.append(PATIENTS_UNKNOWN)
    elif not dealt.patients_known:
        notes.append(Text("note.groups_of_duplicates"))
    if not config.crossval.grouped:
        notes.append(Text("note.one_by_one"))
    notes += correction_notes(dealt.dataset, None)
    if dealt.left_out:
        notes.append(Text("note.left_out", {"count": len(dealt.left_out)}))
    return notes
