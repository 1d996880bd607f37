"""What is done about twins: which training images are left out, and which stay together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.data.cases.split_groups import count_reasons, exclusions, is_doubtful, split_groups
from breastai.domain.errors import TwinsFound
from breastai.domain.records import TwinGroup

FILES = [f"a/{number}.png" for number in range(8)]


def group(*members: tuple[str, str, str]) -> TwinGroup:
    return TwinGroup(
        files=[f"{split}/{file}" for split, file, _ in members],
        classes=[name for _, _, name in members],
        splits=[split for split, _, _ in members],
    )


TWINS = [
    group(("train", FILES[0], "benign"), ("train", FILES[1], "benign")),
    group(("train", FILES[2], "benign"), ("train", FILES[3], "malignant")),
    group(("train", FILES[4], "benign"), ("val", "x.png", "benign")),
    group(("train", FILES[5], "benign"), ("test", "y.png", "malignant"), ("val", "z.png", "benign")),
]


def test_grouping_leaves_out_what_has_a_twin_elsewhere_or_of_another_label() -> None:
    reasons = exclusions(FILES, TWINS, "group")
    assert reasons == {
        FILES[2]: "twin_of_another_label",
        FILES[3]: "twin_of_another_label",
        FILES[4]: "twin_in_val",
        FILES[5]: "twin_in_val",
    }
    assert count_reasons(reasons) == {"twin_in_val": 2, "twin_of_another_label": 2}


def test_excluding_keeps_one_of_each_group() -> None:
    assert exclusions(FILES, TWINS, "exclude") == exclusions(FILES, TWINS, "group") | {FILES[1]: "duplicate"}


def test_continuing_leaves_out_nothing_and_asking_stops_only_when_there_are_twins() -> None:
    assert exclusions(FILES, TWINS, "continue") == {}
    assert exclusions(FILES, [], "ask") == {}
    with pytest.raises(TwinsFound) as caught:
        exclusions(FILES, TWINS, "ask")
    assert caught.value.params == {"groups": 4, "contradicting": 2, "across": 2, "patients": 0}


def test_patients_and_twins_are_joined_through_each_other() -> None:
    twins = [group(("train", FILES[1], "benign"), ("train", FILES[2], "benign"))]
    patients = ["P0", "P0", "P1", "P1", "P2", "P3", "P4", "P5"]
    names = split_groups(FILES, patients, twins, "train")
    assert names is not None
    assert len(set(names[:4])) == 1
    assert len(set(names)) == 5


def test_without_patients_or_twins_nothing_is_known() -> None:
    assert split_groups(FILES, None, [], "train") is None
    assert split_groups(FILES, None, [TWINS[2]], "train") is None
    assert split_groups(FILES, None, [TWINS[0]], "train") is not None


@given(st.lists(st.integers(0, 4), min_size=8, max_size=8), st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7))))
def test_no_patient_and_no_pair_of_twins_is_ever_parted(patients: list[int], pairs: list[tuple[int, int]]) -> None:
    twins = [
        group(("train", FILES[one], "benign"), ("train", FILES[other], "benign"))
        for one, other in pairs
        if one != other
    ]
    names = split_groups(FILES, [f"P{number}" for number in patients], twins, "train")
    assert names is not None
    for one in range(8):
        for other in range(8):
            if patients[one] == patients[other] or (one, other) in pairs:
                assert names[one] == names[other]


def test_training_images_of_patients_in_val_or_test_are_left_out_unless_it_is_to_continue() -> None:
    patients = ["P1", "P2", "P3", *[f"Q{number}" for number in range(len(FILES) - 3)]]
    elsewhere = {"val": {"P2", "elsewhere"}, "test": {"P3", "P2"}}
    reasons = exclusions(FILES, [], "group", patients, elsewhere)
    assert reasons == {FILES[1]: "patient_in_val", FILES[2]: "patient_in_test"}
    assert (
        exclusions(FILES, [], "auto", patients, elsewhere)
        == exclusions(FILES, [], "exclude", patients, elsewhere)
        == reasons
    )
    assert exclusions(FILES, [], "continue", patients, elsewhere) == {}
    with pytest.raises(TwinsFound) as caught:
        exclusions(FILES, [], "ask", patients, elsewhere)
    assert caught.value.params == {"groups": 0, "contradicting": 0, "across": 0, "patients": 2}


def test_likeness_is_doubtful_when_it_claims_a_tenth_or_one_huge_group() -> None:
    assert not is_doubtful(10, 2, 100) and is_doubtful(11, 2, 100)
    assert not is_doubtful(100, 100, 10_000) and is_doubtful(101, 101, 10_000)
    assert is_doubtful(2, 2, 15) and not is_doubtful(0, 0, 0)
