"""Multiplicity: p-values of several tests, adjusted so that the chance of any false finding among them stays bounded."""

from collections.abc import Sequence


def adjust_holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values adjusted by Holm's method (Scand J Stat 1979;6:65-70), in their order; None stays, and counts not."""
    order = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    adjusted: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, place) in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * p))
        adjusted[place] = highest
    return adjusted
