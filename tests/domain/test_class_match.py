"""Which of a model's classes the classes of other images stand for."""

import pytest

from breastai.domain.class_match import match_classes
from breastai.domain.class_words import kinds_of
from breastai.domain.errors import ClassesUnmatched, ClassMapInvalid

THREE = ["benign", "malignant", "normal"]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("Bénin", {"benign"}),
        ("tumeur maligne", {"malignant"}),
        ("no_cancer", {"benign", "normal"}),
        ("cancer_free", {"benign", "normal"}),
        ("nichtmaligne", {"benign", "normal"}),
        ("cancer-", {"benign", "normal"}),
        ("abnormal", {"benign", "malignant"}),
        ("not normal", {"benign", "malignant"}),
        ("negative", {"benign", "normal"}),
        ("BI-RADS 4", set()),
        ("benign_calcification", set()),
        ("idc+", set()),
        ("1", set()),
    ],
)
def test_a_name_tells_what_a_class_holds_only_where_each_of_its_words_is_known(name: str, kinds: set[str]) -> None:
    assert kinds_of(name) == kinds


@pytest.mark.parametrize(
    ("found", "expected", "stands_for", "lacking"),
    [
        (["benign", "malignant"], THREE, {"benign": "benign", "malignant": "malignant"}, ["normal"]),
        (["malignant"], THREE, {"malignant": "malignant"}, ["benign", "normal"]),
        (["0_benign", "1_malignant"], THREE, {"0_benign": "benign", "1_malignant": "malignant"}, ["normal"]),
        (["bösartig", "gutartig"], THREE, {"bösartig": "malignant", "gutartig": "benign"}, ["normal"]),
        (["cancer", "no_cancer"], THREE, {"cancer": "malignant", "no_cancer": "benign + normal"}, []),
        (THREE, ["cancer", "no_cancer"], {"malignant": "cancer", "benign": "no_cancer", "normal": "no_cancer"}, []),
        (["abnormal", "normal"], THREE, {"abnormal": "benign + malignant", "normal": "normal"}, []),
        (["1", "2"], ["1", "2", "3"], {"1": "1", "2": "2"}, ["3"]),
    ],
)
def test_classes_are_matched_by_name_and_meaning(
    found: list[str], expected: list[str], stands_for: dict[str, str], lacking: list[str]
) -> None:
    match = match_classes("set", dict.fromkeys(found, 3), expected)
    assert (match.stands_for, match.lacking, match.left_out) == (stands_for, lacking, {})
    assert sorted(name for members in match.of_model for name in members) == sorted(expected)


def test_a_further_class_is_left_out_and_counted_where_each_of_the_models_is_accounted_for() -> None:
    match = match_classes("set", {"benign": 4, "malignant": 3, "normal": 5}, ["benign", "malignant"])
    assert match.left_out == {"normal": 5} and not match.lacking and not match.is_plain


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (["0", "1"], ["benign", "malignant"]),  # nothing tells
        (["benign", "cyst"], THREE),  # a cyst may be what the model calls normal
        (["no_cancer", "cancer"], ["benign", "malignant"]),  # the model has learnt no normal breast
        (["benign", "negative"], THREE),  # part of one another
    ],
)
def test_what_no_name_tells_is_asked_for(found: list[str], expected: list[str]) -> None:
    with pytest.raises(ClassesUnmatched) as raised:
        match_classes("set", dict.fromkeys(found, 3), expected)
    message = str(raised.value)
    assert all(name in message for name in (*found, *expected))


def test_a_persons_word_goes_before_names() -> None:
    counts = {"0": 2, "1": 3, "other": 1}
    match = match_classes("set", counts, THREE, {"0": ["normal", "benign"], "1": ["malignant"], "other": []})
    assert match.class_names == ["benign + normal", "malignant"]
    assert match.stands_for == {"0": "benign + normal", "1": "malignant"} and match.left_out == {"other": 1}
    for wrong in ({"7": ["benign"]}, {"0": ["cyst"]}):
        with pytest.raises(ClassMapInvalid):
            match_classes("set", counts, THREE, wrong)
