"""The jackknife of patients: an interval for any figure, or difference of figures, of sums over patients."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from scipy import special

from breastai.clinical.intervals import CONFIDENCE, FEWEST_PATIENTS, Estimate
from breastai.domain.records import IntervalFlag

Floats = npt.NDArray[np.float64]
# (B, K) sums over cases, of B sets of patients -> for each figure its value in each set, (B,); undefined is NaN.
FiguresOfSums = Callable[[Floats], Mapping[str, Floats]]

_BLOCK_SIZE = 2**20
_SAME = 1e-12  # values that differ by rounding alone tell nothing of how far a figure may be off


def jackknife(figures: FiguresOfSums, sums: Floats) -> dict[str, Estimate]:
    """Return each figure of `sums` (P, K), one row for each patient, with Student's interval.

    The variance is that of the figure without each patient in turn (Efron and Stein, Ann Stat 1981;9:586-596), and the
    patient that moves it most counts once more, since in few cases one like it may be missing by chance. No interval
    from fewer than FEWEST_PATIENTS patients, where leaving one out leaves the figure undefined, or where none moves it.
    """
    patients = len(sums)
    whole = sums.sum(axis=0)
    observed = {name: float(values[0]) for name, values in figures(whole[None]).items()}
    if patients < FEWEST_PATIENTS:
        return {name: _bare(value, "few_patients") for name, value in observed.items()}
    block = max(1, _BLOCK_SIZE // sums.shape[1])
    parts = [figures(whole - sums[start : start + block]) for start in range(0, patients, block)]
    quantile = float(special.stdtrit(patients - 1, 0.5 + CONFIDENCE / 2))
    found: dict[str, Estimate] = {}
    for name, value in observed.items():
        without = np.concatenate([part[name] for part in parts])
        if not np.isfinite(value) or not np.isfinite(without).all():
            found[name] = _bare(value, "often_undefined")
            continue
        moved = (without - without.mean()) ** 2
        if np.ptp(without) < _SAME:
            found[name] = _bare(value, "no_variation")
            continue
        error = float(np.sqrt((patients - 1) / patients * moved.sum() + moved.max()))
        found[name] = Estimate(value, value - quantile * error, value + quantile * error)
    return found


def _bare(value: float, flag: IntervalFlag) -> Estimate:
    return Estimate(value, flag=flag) if np.isfinite(value) else Estimate(None)
