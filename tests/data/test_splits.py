"""Splits: whole groups, every class on both sides, as near to the share as can be."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from breastai.data.cases.data_split import deal, split
from breastai.domain.errors import TooFewPatients

NAMES = ("benign", "malignant", "normal")


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, list[str] | None, float, int]:
    number = draw(st.integers(6, 80))
    labels = np.array(draw(st.lists(st.integers(0, 2), min_size=number, max_size=number)))
    patients = draw(st.one_of(st.none(), st.lists(st.integers(0, 30), min_size=number, max_size=number)))
    groups = None if patients is None else [f"P{patient}" for patient in patients]
    return labels, groups, draw(st.floats(0.01, 0.89)), draw(st.integers(0, 2**31 - 1))


@given(cases())
def test_every_split_is_a_partition_with_whole_groups_and_all_classes_on_both_sides(
    case: tuple[np.ndarray, list[str] | None, float, int],
) -> None:
    labels, groups, share, seed = case
    try:
        rest, held_out = split(labels, groups, share, seed, NAMES)
    except TooFewPatients as error:
        label = NAMES.index(error.class_name)
        units = {index if groups is None else groups[index] for index in np.flatnonzero(labels == label)}
        assert len(units) == error.found
        # With many groups a class that two patients have can always be on both sides, short of a conflict.
        assert len(units) < error.needed
        return
    assert sorted([*rest, *held_out]) == list(range(len(labels)))
    assert (np.diff(rest) > 0).all()
    assert (np.diff(held_out) > 0).all()
    assert set(labels[rest]) == set(labels[held_out]) == {0, 1, 2}
    if groups is not None:
        assert not {groups[index] for index in rest} & {groups[index] for index in held_out}
    again = split(labels, groups, share, seed, NAMES)
    assert np.array_equal(again[0], rest)
    assert np.array_equal(again[1], held_out)


@given(totals=st.tuples(*[st.integers(20, 200)] * 3), share=st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.37, 0.5, 0.8]))
def test_single_images_are_split_to_the_nearest_image(totals: tuple[int, int, int], share: float) -> None:
    labels = np.repeat(np.arange(3), totals)
    _, held_out = split(labels, None, share, 1, NAMES)
    assert abs(len(held_out) - len(labels) * share) <= 0.5 + 1e-9
    for label, total in enumerate(totals):
        assert abs(np.count_nonzero(labels[held_out] == label) - total * share) < 1


def test_a_fifth_is_exactly_a_fifth() -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    _, held_out = split(labels, None, 0.2, 3, NAMES)
    assert np.bincount(labels[held_out]).tolist() == [10, 6, 4]


@pytest.mark.parametrize("share", [0.2, 0.3])
@pytest.mark.parametrize("seed", range(5))
def test_whole_patients_come_within_two_percent_of_the_share_in_every_class(share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    patients = rng.integers(0, 60, 400)
    labels = rng.integers(0, 3, 60)[patients]  # as a rule a patient has one class
    groups = [f"P{patient}" for patient in patients]
    _, held_out = split(labels, groups, share, seed, NAMES)
    shares = np.bincount(labels[held_out]) / np.bincount(labels)
    assert np.abs(shares - share).max() < 0.02


def test_few_patients_are_split_as_well_as_any_choice_could() -> None:
    rng = np.random.default_rng(8)
    patients = rng.integers(0, 9, 60)
    labels = rng.integers(0, 2, 60)
    groups = [str(patient) for patient in patients]

    def fault(members: np.ndarray) -> float:
        shares = [np.mean(members[labels == label]) for label in (0, 1)]
        return float(sum((share - 0.3) ** 2 for share in shares) + 2 * (np.mean(members) - 0.3) ** 2)

    _, held_out = split(labels, groups, 0.3, 0, NAMES[:2])
    choices = [np.isin(patients, chosen) for size in range(1, 9) for chosen in combinations(range(9), size)]
    assert fault(np.isin(np.arange(60), held_out)) <= min(map(fault, choices)) + 1e-4


def test_another_seed_gives_another_split() -> None:
    labels = np.repeat([0, 1], 50)
    groups = [f"P{index // 3}" for index in range(100)]
    for names in (None, groups):
        splits = {tuple(split(labels, names, 0.2, seed, NAMES[:2])[1]) for seed in range(6)}
        assert len(splits) > 1


def test_the_names_of_patients_do_not_matter() -> None:
    labels = np.repeat([0, 1], 30)
    numbers = [index // 2 for index in range(60)]
    first, second = (split(labels, [f"{word}{number:02}" for number in numbers], 0.2, 4, NAMES[:2]) for word in "ab")
    assert np.array_equal(first[1], second[1])


def test_a_class_of_one_patient_cannot_be_split() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1])
    with pytest.raises(TooFewPatients) as caught:
        split(labels, ["A", "B", "C", "D", "E", "E", "E"], 0.2, 0, NAMES[:2])
    assert (caught.value.class_name, caught.value.found, caught.value.unit) == ("malignant", 1, "patients")


def test_a_class_of_one_image_cannot_be_split() -> None:
    with pytest.raises(TooFewPatients) as caught:
        split(np.array([0, 0, 0, 1]), None, 0.2, 0, NAMES[:2])
    assert (caught.value.class_name, caught.value.found, caught.value.unit) == ("malignant", 1, "images")


def test_patients_of_two_classes_that_exclude_each_other_are_refused() -> None:
    # Each class has two patients, but whatever the side of each, one class is on one side alone.
    labels = np.array([0, 1, 1, 2, 0, 2])
    with pytest.raises(TooFewPatients):
        split(labels, ["A", "A", "B", "B", "C", "C"], 0.3, 0, NAMES)


@given(st.integers(0, 1000))
def test_a_class_of_two_patients_has_one_on_each_side(seed: int) -> None:
    labels = np.array([0] * 40 + [1, 1])
    groups = [f"P{index // 2}" for index in range(40)] + ["X", "Y"]
    assume(len(groups) == len(labels))
    _, held_out = split(labels, groups, 0.2, seed, NAMES[:2])
    assert np.count_nonzero(labels[held_out]) == 1


def drawn(number: int, patients: int) -> tuple[np.ndarray, list[str]]:
    generator = np.random.default_rng(0)
    owners = np.sort(generator.integers(0, patients, number))
    return generator.integers(0, 3, number), [f"P{owner}" for owner in owners]


@pytest.mark.parametrize(
    ("number", "patients", "alone", "share", "expected"),
    [
        (40, 5, True, 0.2, [2, 8, 13, 16, 26, 30, 35, 37]),
        (24, 9, False, 0.3, [4, *range(18, 24)]),
        (150, 60, False, 0.2, [*range(34, 38), 61, 62, *range(67, 71), 84, 85, *range(90, 94), *range(110, 115), *range(123, 126), *range(140, 144), 146, 147]),
    ],
)  # fmt: skip
def test_the_split_of_a_seed_is_the_one_of_earlier_versions(
    number: int, patients: int, alone: bool, share: float, expected: list[int]
) -> None:
    """Of single images, of few patients by all choices, of many by some: a run without a record is split as before."""
    labels, groups = drawn(number, patients)
    assert split(labels, None if alone else groups, share, 5, NAMES)[1].tolist() == expected


@pytest.mark.parametrize(
    ("folds", "alone", "expected"),
    [
        (4, False, "111111100003223330022200333333333111100000200332221111222222"),
        (5, True, "043103303011443322201404031320243311420423032010424412411122"),
    ],
)
def test_the_folds_of_a_seed_are_those_of_earlier_versions(folds: int, alone: bool, expected: str) -> None:
    labels, groups = drawn(60, 25)
    assert "".join(map(str, deal(labels, None if alone else groups, folds, 3, NAMES).tolist())) == expected


@pytest.mark.parametrize(("patients", "folds", "enough"), [(4, 4, True), (4, 5, False)])
@pytest.mark.parametrize("alone", [True, False])
def test_a_class_needs_a_patient_for_each_fold(patients: int, folds: int, enough: bool, alone: bool) -> None:
    images = 1 if alone else 2
    labels = np.repeat([0, 1], [patients * images, 40])
    groups = [f"A{n // images}" for n in range(patients * images)] + [f"B{n}" for n in range(40)]
    if enough:
        dealt = deal(labels, None if alone else groups, folds, 0, NAMES[:2])
        assert set(dealt[labels == 0].tolist()) == set(range(folds))
    else:
        with pytest.raises(TooFewPatients) as caught:
            deal(labels, None if alone else groups, folds, 0, NAMES[:2])
        assert (caught.value.found, caught.value.needed) == (patients, folds)
