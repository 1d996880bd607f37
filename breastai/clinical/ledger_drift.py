"""How the weeks of a watched folder differ from its first ones: inputs, scores, referrals; no label is needed.

Numbers are compared by the two-sample test of Kolmogorov and Smirnov, shares by Fisher's exact test, all p-values of the
later weeks together by Holm's method. Images of one patient are not independent, and the ledger knows no patients: p-values
are too small where patients have many images, so a difference is told with its size and called one only below 0.01.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import numpy as np
from scipy.stats import fisher_exact, ks_2samp

from breastai.clinical.intervals import figure_of, wilson
from breastai.clinical.multiplicity import adjust_holm
from breastai.domain.records import Figure, Number
from breastai.domain.stored import Stored
from breastai.domain.watch_records import LedgerLine

SIGNIFICANT = 0.01
_FEWEST = 10

Values = Callable[[LedgerLine], float | None]
NUMBERS: dict[str, Values] = {
    "score": lambda line: line.score,
    "novelty": lambda line: line.novelty,
    "brightness": lambda line: line.brightness,
    "contrast": lambda line: line.contrast,
    "size": lambda line: None if line.width is None or line.height is None else float(line.width * line.height) ** 0.5,
}
SHARES: dict[str, Values] = {
    "referred": lambda line: None if line.refer is None else float(line.refer),
    "called": lambda line: None if line.called is None else float(line.called),
    "unreadable": lambda line: float(line.error is not None),
}


class WeekValue(Stored):
    """One number or share of a week. `difference`: the largest distance of the distributions, or that of the shares.

    `value`: a number's median, with its quartiles `low` and `high`; or a share, whose interval is in `share`.
    """

    value: Number
    low: Number = None
    high: Number = None
    share: Figure | None = None
    n: int
    difference: Number = None
    adjusted_p: Number = None

    @property
    def differs(self) -> bool:
        return self.adjusted_p is not None and self.adjusted_p < SIGNIFICANT


class Week(Stored):
    """A week, by ISO 8601 (2026-W48). `is_reference`: one of those that later ones are compared with.

    `models`: who answered in it, as the ledger names them, in the order of their first answers.
    """

    week: str
    images: int
    models: list[str] = []
    is_reference: bool
    values: dict[str, WeekValue]


class DriftSummary(Stored):
    """All weeks, the first ones first. `reference_images`: how many the comparison rests on."""

    weeks: list[Week]
    images: int = 0
    reference_images: int
    left_out: int


def summarise_weeks(lines: Sequence[LedgerLine], first_weeks: int) -> DriftSummary:
    """Return each week's numbers (medians) and shares, compared with the first `first_weeks` in which images came."""
    images = [line for line in lines if not line.is_skipped]
    by_week: dict[str, list[LedgerLine]] = {}
    for line in sorted(images, key=lambda line: line.time):
        by_week.setdefault(_week_of(line), []).append(line)
    names = list(by_week)
    reference = [line for name in names[:first_weeks] for line in by_week[name]]
    weeks = [_week(name, by_week[name], None if name in names[:first_weeks] else reference) for name in names]
    return DriftSummary(
        weeks=_adjusted(weeks),
        images=len(images),
        reference_images=len(reference),
        left_out=len(lines) - len(images),
    )


def _week(name: str, lines: Sequence[LedgerLine], reference: Sequence[LedgerLine] | None) -> Week:
    return Week(
        week=name,
        images=len(lines),
        models=list(dict.fromkeys(line.model for line in lines)),
        is_reference=reference is None,
        values=dict(_values(lines, reference)),
    )


def _values(lines: Sequence[LedgerLine], reference: Sequence[LedgerLine] | None) -> Iterator[tuple[str, WeekValue]]:
    for name, value_of in NUMBERS.items():
        here, before = _known(lines, value_of), _known(reference or (), value_of)
        low, middle, high = np.percentile(here, [25, 50, 75]).tolist() if len(here) else (None, None, None)
        found = WeekValue(value=middle, low=low, high=high, n=len(here))
        if min(len(here), len(before)) >= _FEWEST:
            tested = ks_2samp(here, before)
            found = found.model_copy(update={"difference": float(tested.statistic), "adjusted_p": float(tested.pvalue)})
        yield name, found
    for name, value_of in SHARES.items():
        here, before = _known(lines, value_of), _known(reference or (), value_of)
        share = figure_of(wilson(float(here.sum()), len(here)), len(here)) if len(here) else None
        found = WeekValue(value=None if share is None else share.value, share=share, n=len(here))
        if min(len(here), len(before)) >= _FEWEST:
            table = [[here.sum(), len(here) - here.sum()], [before.sum(), len(before) - before.sum()]]
            difference = float(here.mean() - before.mean())
            found = found.model_copy(update={"difference": difference, "adjusted_p": float(fisher_exact(table).pvalue)})
        yield name, found


def _adjusted(weeks: Sequence[Week]) -> list[Week]:
    """Return the weeks with their p-values adjusted for how many there are."""
    places = [(number, name) for number, week in enumerate(weeks) for name in week.values]
    adjusted = adjust_holm([weeks[number].values[name].adjusted_p for number, name in places])
    by_place = dict(zip(places, adjusted, strict=True))
    return [
        week.model_copy(
            update={
                "values": {
                    name: value.model_copy(update={"adjusted_p": by_place[number, name]})
                    for name, value in week.values.items()
                }
            }
        )
        for number, week in enumerate(weeks)
    ]


def _known(lines: Sequence[LedgerLine], value_of: Values) -> np.ndarray:
    return np.array([value for line in lines if (value := value_of(line)) is not None], dtype=np.float64)


def _week_of(line: LedgerLine) -> str:
    year, week, _ = datetime.fromisoformat(line.time).isocalendar()
    return f"{year}-W{week:02d}"
