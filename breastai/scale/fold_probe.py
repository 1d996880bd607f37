"""The probe of one fold, fitted on features and judged on the fold's held-out part: numpy alone, so that processes may do it."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from breastai.clinical.apply_decision_rule import calibrate
from breastai.clinical.fit_decision_rule import fit_decision_rule
from breastai.clinical.fit_unit_rule import UnitCases, fit_unit_rule
from breastai.clinical.logistic_probe import Probe, fit_probe
from breastai.clinical.unit_evidence import UnitImages
from breastai.domain.config import Config
from breastai.scale.fold_assignment import Folds, parts_of_fold
from breastai.scale.held_out_pool import Pool
from breastai.scale.unit_pool import UnitPool, unit_pool

Features = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
# From a probe, what learns (L,) and a seed: what weighs the images (N, D) of a unit, as evidence (N, 1 + C).
Attention = Callable[[Probe, Places, int], Callable[[Features], Features]]


def judge_fold(
    repeat: int, fold: int, features: Features, config: Config, dealt: Folds, attention: Attention | None = None
) -> Pool:
    """Return what a fold's probe of features (N, D), in the order of `dealt`, says of its held-out part.

    The strength of its penalty is chosen by inner folds of the training part, calibration and threshold on the
    validation part. `attention`: fits what pools the images of a unit, where that is asked for.
    """
    labels, names, training = np.array(dealt.labels), dealt.class_names, config.training
    parts = parts_of_fold(dealt, config, repeat, fold)
    learnt, validating, held_out = (np.flatnonzero(parts == name) for name in ("train", "val", "held_out"))
    seed = config.system.seed + repeat - 1
    probe = fit_probe(
        features[learnt],
        labels[learnt],
        _units(dealt, learnt),
        len(names),
        balanced=training.weighted_sampler or training.use_class_weights,
        seed=seed,
    )
    rule = fit_decision_rule(
        labels[validating],
        probe.probabilities(features[validating]),
        names,
        config,
        _units(dealt, validating),
        patients=dealt.patients_known,
        referral=False,
    )
    said = calibrate(rule.calibration, probe.probabilities(features[held_out]))
    threshold = np.nan if rule.operating_point is None else rule.operating_point.threshold
    heed = None if attention is None else attention(probe, learnt, seed)
    units = _unit_pool(probe, features, dealt, config, validating, held_out, heed)
    return Pool(labels[held_out], said, held_out, np.full(len(held_out), threshold), units)


def _unit_pool(
    probe: Probe,
    features: Features,
    dealt: Folds,
    config: Config,
    validating: Places,
    held_out: Places,
    heed: Callable[[Features], Features] | None,
) -> UnitPool | None:
    """Return what a fold's rule of breasts, exams or patients says of those it holds out; None where it has none."""
    if dealt.decision_unit is None or dealt.units is None:
        return None
    labels, names, whose = np.array(dealt.labels), np.array(dealt.unit_names), np.array(dealt.units)

    def shown(places: Places) -> tuple[npt.NDArray[np.float64], Features | None]:
        own = features[places]
        return probe.probabilities(own), None if heed is None else heed(own)

    raw, heeded = shown(validating)
    cases = UnitCases(labels[validating], raw, names[validating].tolist(), whose[validating].tolist(), heeded)
    rule = fit_unit_rule(cases, dealt.decision_unit, dealt.class_names, config)
    if rule is None:
        return None
    raw, heeded = shown(held_out)
    files = [dealt.files[place] for place in held_out]
    images = UnitImages(files, labels[held_out], raw, names[held_out].tolist(), whose[held_out].tolist(), heeded)
    return unit_pool(rule, images, dealt.class_names)


def _units(dealt: Folds, among: Places) -> Sequence[str] | None:
    return None if dealt.units is None else [dealt.units[number] for number in among]
