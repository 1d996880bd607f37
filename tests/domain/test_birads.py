"""BI-RADS categories as people write them, and what looks like them: stages, grades, density."""

import pytest

from breastai.domain.birads import are_categories, category_class, category_in
from breastai.domain.class_words import class_in_question, meaning_of
from breastai.domain.dataset_description import DatasetDescription


@pytest.mark.parametrize(
    ("value", "number"),
    [
        *(("4", 4), ("4a", 4), ("IVa", 4), ("IV B", 4), ("BI-RADS IVa", 4), ("BIRADS 4A", 4), ("Bi-Rads: 5", 5)),
        *(("birads_2", 2), ("ACR 3", 3), ("ACR3", 3), ("cat. 4b", 4), ("catégorie 4", 4), ("Kategorie IV", 4)),
        *(("BI-RADS category 3", 3), ("VI", 6), ("i", 1), ("2.0", 2), ("BI-RADS 4 (suspicious)", 4), ("0", 0)),
        *(("4 - suspicious", 4), ("BI-RADS 0: incomplete", 0)),
        *(
            (each, None)
            for each in ("VII", "5a", "a", "d", "T4a", "stage IV", "2-3", "1/2", "12", "4.5", "2019", "iii iv", "")
        ),
    ],
)
def test_a_category_is_read_in_arabic_and_roman_figures(value: str, number: int | None) -> None:
    found = category_in(value)
    assert (None if found is None else found.number) == number


def test_one_to_three_are_benign_and_four_to_six_malignant() -> None:
    classes = [category_class(value) for value in ("0", "I", "II", "3", "IVa", "V", "6", "stage")]
    assert classes == [None, "benign", "benign", "benign", "malignant", "malignant", "malignant", None]


@pytest.mark.parametrize(
    ("column", "values", "certain"),
    [
        ("BI-RADS", ["I", "II", "IVa"], True),
        ("birads_final", ["2", "5"], True),
        ("conclusion", ["BI-RADS II", "BIRADS 4A"], True),
        ("diagnosis", ["2", "3", "4a"], True),
        ("category", ["cat. 4b", "cat. 2"], True),
        ("ACR", ["2", "3", "4", "5"], True),
        ("", ["ACR 1", "ACR 5"], True),
        ("ACR", ["I", "II", "III", "IV"], False),
        ("ACR", ["1", "2", "3"], False),
        ("ACR", ["a", "b", "c"], False),
        ("density", ["ACR 2", "ACR 3"], False),
        ("stage", ["I", "II", "IVa"], False),
        ("pT", ["2", "4a"], False),
        ("grade", ["1", "2", "3"], False),
        ("category", ["1", "2", "5"], False),
        ("", ["I", "II", "V"], False),
        ("BI-RADS", ["2"], False),
    ],
)
def test_what_may_be_a_stage_or_density_is_no_category(column: str, values: list[str], certain: bool) -> None:
    assert are_categories(column, values) == certain


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        *(("bi-rads iva", "disease"), ("BIRADS V", "disease"), ("bi-rads ii", "absence"), ("bi-rads 0", "silent")),
        *(("cat. 4b", "disease"), ("acr v", "disease"), ("acr iv", "silent"), ("bi-rads in situ", "silent")),
        *(("IV", "silent"), ("stage iv", "silent"), ("density c", "silent")),
    ],
)
def test_roman_categories_say_a_class_where_they_are_called_so(name: str, meaning: str) -> None:
    assert meaning_of(name) == meaning


def test_of_acr_one_to_four_nothing_tells_which_is_the_disease() -> None:
    names = ("acr 1", "acr 2", "acr 3", "acr 4")
    assert class_in_question(names) == (None, names)
    assert class_in_question(("acr 1", "acr 4", "acr 5")).candidates == ("acr 4", "acr 5")


def test_a_class_map_by_numbers_reads_roman_categories() -> None:
    description = DatasetDescription.model_validate(
        {"name": "x", "root": "x", "fields": {"label": "c"}, "class_map": {"0": None, "1-3": "low", "4-6": "high"}}
    )
    found = [description.class_of(value) for value in ("III", "BI-RADS IVb", "0", "ACR 2")]
    assert found == ["low", "high", None, "low"]
    with pytest.raises(LookupError):
        description.class_of("stage IV")


def test_a_long_cell_of_signs_is_no_category_and_takes_no_time() -> None:
    """Read as a category, 300,000 signs would take hours."""
    assert category_in("_-. " * 75_000) is None
    assert category_in("BI-RADS 4 (" + "suspicious " * 15 + ")") is not None
