"""The analysis of Obuchowski and Rockette of readers by tests, with Hillis' degrees of freedom.

Obuchowski and Rockette (Commun Stat Simul 1995;24:285-308) put an analysis of variance on figures whose errors are
correlated through the cases; Hillis (Stat Med 2007;26:596-619 and 2014;33:330-360) gives its degrees of freedom. With
jackknife covariances it is the analysis of pseudovalues of Dorfman, Berbaum and Metz (Hillis et al., Stat Med
2005;24:1579-1607). `values` (T, R): the figure of each of R readers with each of T tests; `covariance` (T * R, T * R) of
their errors, the readers of a test together.
"""

import math
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import special

from breastai.clinical.intervals import CONFIDENCE
from breastai.domain.reader_records import AnalysisKind, ReaderComponents

Floats = npt.NDArray[np.float64]

ANALYSES: tuple[AnalysisKind, ...] = ("readers_and_cases", "cases", "readers")


class Effect(NamedTuple):
    """A mean over readers or a difference of two: `degrees` is infinite where the error follows from cases alone.

    `p_value` is that of no effect; what can't be said is None.
    """

    value: float
    error: float
    degrees: float

    @property
    def bounds(self) -> tuple[float, float]:
        half = _quantile(0.5 + CONFIDENCE / 2, self.degrees) * self.error
        return self.value - half, self.value + half

    @property
    def statistic(self) -> float | None:
        return self.value / self.error if self.error > 0 else None

    @property
    def p_value(self) -> float | None:
        if self.statistic is None:
            return None
        return 2 * _tail(abs(self.statistic), self.degrees)


class Overall(NamedTuple):
    """The test that all tests have one mean figure: F with two degrees of freedom, the second infinite for chi-squared."""

    statistic: float
    first_degrees: int
    second_degrees: float
    p_value: float


def find_components(values: Floats, covariance: Floats) -> ReaderComponents:
    """Return the mean squares, and the averages of the error's variance and its three covariances; None where none is."""
    tests, readers = values.shape
    blocks = covariance.reshape(tests, readers, tests, readers)
    same_test = np.eye(tests, dtype=bool)[:, None, :, None]
    same_reader = np.eye(readers, dtype=bool)[None, :, None, :]

    def average(where: npt.NDArray[np.bool_]) -> float | None:
        chosen = blocks[np.broadcast_to(where, blocks.shape)]
        return float(chosen.mean()) if len(chosen) else None

    of_test, of_reader, whole = values.mean(axis=1), values.mean(axis=0), values.mean()
    rest = values - of_test[:, None] - of_reader[None, :] + whole
    return ReaderComponents(
        variance=average(same_test & same_reader) or 0.0,
        same_reader=average(~same_test & same_reader),
        same_test=average(same_test & ~same_reader),
        neither=average(~same_test & ~same_reader),
        ms_test=None if tests < 2 else float(readers * ((of_test - whole) ** 2).sum() / (tests - 1)),
        ms_reader=None if readers < 2 else float(tests * ((of_reader - whole) ** 2).sum() / (readers - 1)),
        ms_test_reader=None if tests < 2 or readers < 2 else float((rest**2).sum() / ((tests - 1) * (readers - 1))),
    )


def estimate_mean(values: Floats, covariance: Floats, kind: AnalysisKind) -> Effect | None:
    """Return the mean of one test over readers, `values` (R,), `covariance` (R, R); None where one reader can't tell.

    So also the mean of how far readers are from a model, by the figures' differences from the model's.
    """
    readers = len(values)
    if readers < 2 and kind != "cases":
        return None
    variance = float(np.diag(covariance).mean())
    together = _off_diagonal(covariance)
    if kind == "cases":
        return Effect(float(values.mean()), _root((variance + (readers - 1) * max(0.0, together)) / readers), math.inf)
    spread = float(values.var(ddof=1))
    denominator = spread + (readers * max(0.0, together) if kind == "readers_and_cases" else 0.0)
    return Effect(float(values.mean()), _root(denominator / readers), _degrees(denominator, spread, readers - 1))


def compare_tests(values: Floats, covariance: Floats, kind: AnalysisKind) -> dict[tuple[int, int], Effect]:
    """Return the difference of each two tests, first minus second, over all readers; none where one reader can't tell."""
    tests, readers = values.shape
    found = _denominator(find_components(values, covariance), tests, readers, kind)
    if found is None:
        return {}
    denominator, degrees = found
    means = values.mean(axis=1)
    return {
        (one, other): Effect(float(means[one] - means[other]), _root(2 * denominator / readers), degrees)
        for one, other in combinations(range(tests), 2)
    }


def compare_overall(values: Floats, covariance: Floats, kind: AnalysisKind) -> Overall | None:
    """Return the test that all tests have the same mean; None with one test, or no error to go by."""
    tests, readers = values.shape
    components = find_components(values, covariance)
    found = _denominator(components, tests, readers, kind)
    if found is None or components.ms_test is None or found[0] <= 0:
        return None
    denominator, degrees = found
    statistic = components.ms_test / denominator
    if math.isinf(degrees):
        return Overall(statistic, tests - 1, degrees, float(special.chdtrc(tests - 1, (tests - 1) * statistic)))
    return Overall(statistic, tests - 1, degrees, float(special.fdtrc(tests - 1, degrees, statistic)))


def compare_by_reader(values: Floats, covariance: Floats) -> dict[tuple[int, int, int], Effect]:
    """Return, by reader and two tests, the difference of this reader's figures: of this reader alone, over cases."""
    tests, readers = values.shape
    found = {}
    for reader in range(readers):
        for one, other in combinations(range(tests), 2):
            here, there = one * readers + reader, other * readers + reader
            variance = covariance[here, here] + covariance[there, there] - 2 * covariance[here, there]
            difference = float(values[one, reader] - values[other, reader])
            found[reader, one, other] = Effect(difference, _root(float(variance)), math.inf)
    return found


def compare_with_model(values: Floats, model: float, covariance: Floats, kind: AnalysisKind) -> Effect | None:
    """Return how much better than a model's the readers' mean is: `values` (R,), `covariance` (R + 1, R + 1), model last.

    The single-test analysis of Hillis on each reader's difference from the model (Hillis, Berbaum and Metz, Acad Radiol
    2008;15:647-661; Chakraborty, Observer Performance Methods, 2017, chapter 22).
    """
    last = len(values)
    of_readers, with_model = covariance[:last, :last], covariance[:last, last]
    between = of_readers - with_model[:, None] - with_model[None, :] + covariance[last, last]
    return estimate_mean(values - model, between, kind)


def _denominator(
    components: ReaderComponents, tests: int, readers: int, kind: AnalysisKind
) -> tuple[float, float] | None:
    """Return the error's mean square and its degrees of freedom; None where there are too few tests or readers."""
    if tests < 2 or components.same_reader is None:
        return None
    same_test, neither = components.same_test or 0.0, components.neither or 0.0
    if kind == "cases":
        together = (readers - 1) * max(0.0, same_test - neither)
        return max(0.0, components.variance - components.same_reader + together), math.inf
    if components.ms_test_reader is None:
        return None
    through_cases = readers * max(0.0, same_test - neither) if kind == "readers_and_cases" else 0.0
    total = components.ms_test_reader + through_cases
    return total, _degrees(total, components.ms_test_reader, (tests - 1) * (readers - 1))


def _degrees(total: float, spread: float, count: int) -> float:
    """Return Hillis' degrees of freedom, infinite where readers do not differ."""
    return total**2 / (spread**2 / count) if spread > 0 else math.inf


def _off_diagonal(covariance: Floats) -> float:
    count = len(covariance)
    return float((covariance.sum() - np.trace(covariance)) / (count * (count - 1))) if count > 1 else 0.0


def _root(variance: float) -> float:
    return math.sqrt(max(0.0, variance))


def _quantile(share: float, degrees: float) -> float:
    return float(special.ndtri(share) if math.isinf(degrees) else special.stdtrit(degrees, share))


def _tail(value: float, degrees: float) -> float:
    return float(special.ndtr(-value) if math.isinf(degrees) else special.stdtr(degrees, -value))
