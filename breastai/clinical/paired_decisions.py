"""Two models' decisions on the same cases: how far they differ at their operating points, and whether by chance.

Differences are first minus second, of N cases: `positive` (N,) what is true, `first` and `second` (N,) which are called.
`clusters` (N,) says which are of one patient; None: each case stands alone.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from breastai.clinical.composite_intervals import correlations_of, linear
from breastai.clinical.intervals import (
    CONFIDENCE,
    UNDEFINED,
    Cases,
    Clusters,
    Estimate,
    cluster_sums,
    figure_of,
    proportion,
)
from breastai.domain.comparison_record import McNemarTest
from breastai.domain.records import Figure, PairedFigure

Floats = npt.NDArray[np.float64]

DRAWS = 2000
_TAILS = (0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2)


def compare_decisions(
    positive: Cases,
    first: Cases,
    second: Cases,
    exchange: float,
    prevalences: Mapping[str, float],
    clusters: Clusters | None = None,
    *,
    seed: int = 0,
) -> dict[str, PairedFigure]:
    """Return the differences of sensitivity, specificity and net benefit, here and at each of the `prevalences`.

    Intervals by MOVER from those of the shares and how their errors go together; beside them the percentiles of
    DRAWS times as many patients drawn with replacement. `exchange`: the threshold probability whose odds weigh a false
    alarm against a missed case (Vickers and Elkin, Med Decis Making 2006;26:565-574). At the prevalence of the cases
    the share of positive ones is taken as it is.
    """
    shares = {
        "sensitivity": _Shares(positive, first, second, clusters),
        "specificity": _Shares(~positive, ~first, ~second, clusters),
    }
    if any(share.n == 0 for share in shares.values()):
        return {}
    here, odds = float(positive.mean()), exchange / (1 - exchange)
    of_figure: dict[str, tuple[float, float, float]] = {
        "sensitivity": (1.0, 0.0, 0.0),
        "specificity": (0.0, 1.0, 0.0),
        "net_benefit": (here, (1 - here) * odds, -(1 - here) * odds),
    } | {f"net_benefit.{name}": (share, (1 - share) * odds, -(1 - share) * odds) for name, share in prevalences.items()}
    drawn = _drawn(shares, seed)
    found = {}
    for name, (of_hits, of_cleared, offset) in of_figure.items():
        n = shares[name].n if name in shares else len(positive)
        weights = [of_hits, of_cleared]
        used = [number for number, weight in enumerate(weights) if weight]
        values = [
            float(np.dot(weights, [share.values[model] for share in shares.values()])) + offset for model in (0, 1)
        ]
        found[name] = PairedFigure(
            first=values[0],
            second=values[1],
            difference=figure_of(_difference(list(shares.values()), weights, used), n),
            bootstrap=_percentiles(
                values[0] - values[1], sum(w * each for w, each in zip(weights, drawn, strict=True)), n
            ),
        )
    return found


def mcnemar_test(right: Cases, other_right: Cases, clusters: Clusters | None = None) -> McNemarTest:
    """Return the test that two models are right equally often on the same cases.

    Alone: McNemar's (Psychometrika 1947;12:153-157), exact. Clustered: Durkalski's, which weighs patients equally.
    """
    first_only, second_only = right & ~other_right, other_right & ~right
    one, other = int(first_only.sum()), int(second_only.sum())
    if clusters is None or len(np.unique(clusters)) == len(clusters):
        p = float(stats.binomtest(one, one + other, 0.5).pvalue) if one + other else 1.0
        return McNemarTest(method="exact", first_only=one, second_only=other, p_value=p)
    sizes = np.bincount(clusters)
    apart = np.bincount(clusters, weights=first_only.astype(np.float64) - second_only)
    shares = apart[sizes > 0] / sizes[sizes > 0]
    squares = float(shares @ shares)
    if squares == 0:
        return McNemarTest(
            method="clustered", first_only=one, second_only=other, p_value=1.0 if one + other == 0 else None
        )
    statistic = float(shares.sum()) ** 2 / squares
    p = float(stats.chi2.sf(statistic, 1))
    return McNemarTest(method="clustered", first_only=one, second_only=other, statistic=statistic, p_value=p)


class _Shares:
    """The share of cases `among` that each of two models gets right, and what each patient adds to its error."""

    def __init__(self, among: Cases, first: Cases, second: Cases, clusters: Clusters | None) -> None:
        self.n = int(among.sum())
        own = None if clusters is None else clusters[among]
        right = np.stack([first[among], second[among]]).astype(np.float64)
        self.estimates = tuple(proportion(row.astype(bool), own) for row in right)
        of_patient = np.arange(len(among)) if clusters is None else clusters
        self.sums = cluster_sums(right, of_patient[among], of_patient)  # (2, patients)
        self.sizes = np.bincount(of_patient[among], minlength=self.sums.shape[1]).astype(np.float64)
        self.influences = (self.sums - self.values[:, None] * self.sizes) / max(1, self.n)

    @property
    def values(self) -> Floats:
        return np.array([estimate.value or 0.0 for estimate in self.estimates])


def _difference(shares: list[_Shares], weights: list[float], used: list[int]) -> Estimate:
    parts = [estimate for number in used for estimate in shares[number].estimates]
    if any(part.value is None for part in parts):
        return UNDEFINED
    signed = [sign * weights[number] for number in used for sign in (1.0, -1.0)]
    influences = np.concatenate([shares[number].influences for number in used])
    if all(np.array_equal(*shares[number].sums) for number in used):
        return Estimate(0.0, flag="no_variation")
    estimate = linear(parts, signed, 0.0, correlations_of(influences, signed), ends=(-1.0, 1.0))
    return estimate if estimate.low is None else estimate._replace(low=min(estimate.low, estimate.value or 0.0))


def _drawn(shares: Mapping[str, _Shares], seed: int) -> list[Floats]:
    """Return the differences of the shares, each (DRAWS,), of as many patients drawn with replacement."""
    generator = np.random.default_rng(seed)
    patients = len(next(iter(shares.values())).sizes)
    present = np.flatnonzero(sum(share.sizes for share in shares.values()))
    chances = np.zeros(patients)
    chances[present] = 1 / len(present)
    weights = generator.multinomial(len(present), chances, DRAWS).astype(np.float64)
    found = []
    for share in shares.values():
        with np.errstate(invalid="ignore", divide="ignore"):
            drawn: Any = (weights @ share.sums.T) / (weights @ share.sizes)[:, None]
        found.append(drawn[:, 0] - drawn[:, 1])
    return found


def _percentiles(value: float, drawn: Any, n: int) -> Figure:
    known = np.asarray(drawn)[np.isfinite(drawn)]
    if len(known) < len(drawn) or np.ptp(known) == 0:
        flag = "often_undefined" if len(known) < len(drawn) else "no_variation"
        return Figure(value=value, n=n, flag=flag)
    low, high = np.quantile(known, _TAILS)
    return Figure(value=value, low=float(low), high=float(high), n=n)
