"""Duplicates where patients are known: they outrank likeness, and tell when likeness claims too much."""

from collections.abc import Hashable, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from breastai.data.cases.split_groups import is_doubtful
from breastai.data.duplicates.near_duplicates import Duplicates

Groups = tuple[tuple[int, ...], ...]


def within_patients(duplicates: Duplicates, patients: Sequence[str | None]) -> Duplicates:
    """Return the duplicates without those of two known `patients` (N,), not even through a third image."""
    if not any(patients):
        return duplicates
    group_of = duplicates.group_numbers(len(patients))
    pairs = tuple(
        pair
        for pair in duplicates.pairs
        if patients[pair.first] == patients[pair.second] and group_of[pair.first] == group_of[pair.second]
    )
    ends = np.array([(pair.first, pair.second) for pair in pairs], dtype=np.int64).reshape(len(pairs), 2)
    links = coo_array((np.ones(len(pairs)), (ends[:, 0], ends[:, 1])), shape=(len(patients), len(patients)))
    return Duplicates(pairs, _places_of_equals(connected_components(links, directed=False)[1].tolist()))


def across_patients(contents: Sequence[Hashable], patients: Sequence[str | None]) -> Groups:
    """Return the images, by number, of one content (N,) that stand under several known `patients` (N,)."""
    groups = _places_of_equals(contents)
    return tuple(group for group in groups if len({patients[number] for number in group} - {None}) > 1)


def doubtful(groups: Sequence[Sequence[int]], patients: Sequence[str | None]) -> tuple[list[Sequence[int]], bool]:
    """Return the groups that likeness alone has made, and whether they are too many or too large to be believed.

    That images of one known patient are alike is no wonder, and those are none of them.
    """
    known = [{patients[number] for number in group} for group in groups]
    telling = [group for group, names in zip(groups, known, strict=True) if names == {None} or len(names) > 1]
    telling.sort(key=len, reverse=True)
    alike, largest = len({number for group in telling for number in group}), max(map(len, telling), default=0)
    return telling, is_doubtful(alike, largest, len(patients))


def _places_of_equals(names: Sequence[Hashable]) -> Groups:
    """Return the places of equal names, each group of two or more."""
    places: dict[Hashable, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return tuple(tuple(group) for group in places.values() if len(group) > 1)
