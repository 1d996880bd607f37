"""How far figures spread over runs: mean, sample standard deviation, lowest and highest."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from breastai.domain.study import Spread


def spread(runs: Sequence[Mapping[str, Any]]) -> dict[str, Spread]:
    """Return the spread of each figure that is a number in every run; nothing for fewer than two runs."""
    found: dict[str, Spread] = {}
    for name in runs[0] if len(runs) > 1 else ():
        values = [run.get(name) for run in runs]
        numbers = [float(value) for value in values if isinstance(value, int | float)]
        if len(numbers) == len(runs):
            found[name] = Spread(
                mean=statistics.fmean(numbers),
                standard_deviation=statistics.stdev(numbers),
                low=min(numbers),
                high=max(numbers),
                n=len(numbers),
            )
    return found
