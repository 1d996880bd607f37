"""What the names of classes say: a disease, its absence, or nothing."""

import pytest

from breastai.domain.class_words import are_identifiers, class_in_question, meaning_of, names_no_class, split_of
from breastai.domain.config import Config
from breastai.domain.decision_rule import asked_target_class, target_class
from breastai.domain.errors import SeveralDiseases, TargetClassNeeded, TargetClassUnknown


@pytest.mark.parametrize(
    ("names", "disease"),
    [
        (["benign", "malignant", "normal"], "malignant"),
        (["bénin", "malin", "normale"], "malin"),
        (["bösartig", "gutartig"], "bösartig"),
        (["benigno", "maligno", "normal"], "maligno"),
        (["tumore benigno", "tumore maligno"], "tumore maligno"),
        (["câncer", "sem câncer"], "câncer"),
        (["goedaardig", "kwaadaardig"], "kwaadaardig"),
        (["brustkrebs", "kein krebs"], "brustkrebs"),
        (["cancer", "no_cancer"], "cancer"),
        (["cancer", "sans cancer"], "cancer"),
        (["cancer", "noncancer"], "cancer"),
        (["cancer_free", "cancer_present"], "cancer_present"),
        (["malignant", "non-malignant"], "malignant"),
        (["negative", "positive"], "positive"),
        (["idc-", "idc+"], "idc+"),
        (["abnormal", "normal"], "abnormal"),
        (["benign_mass", "malignant_mass"], "malignant_mass"),
        (["0_benign", "1_malignant"], "1_malignant"),
        (["dcis", "healthy"], "dcis"),
        (["birads 2", "birads 3", "birads 5"], "birads 5"),
        (["bi-rads 3", "bi-rads 4a"], "bi-rads 4a"),
        (["acr1", "acr4"], "acr4"),
        (["noninvasive", "invasive"], "invasive"),
        (["finding", "no finding"], "finding"),
        (["microcalcifications", "normal"], "microcalcifications"),
        (["доброкачественный", "злокачественный"], "злокачественный"),
        (["良性", "恶性", "正常"], "恶性"),
        (["악성", "정상"], "악성"),
        (["łagodny", "złośliwy"], "złośliwy"),
        (["niezłośliwy", "złośliwy"], "złośliwy"),
    ],
)
def test_the_class_in_question_is_the_disease_in_whatever_language_and_order(names: list[str], disease: str) -> None:
    for order in (names, names[::-1]):
        assert class_in_question(order).answer == disease


@pytest.mark.parametrize(
    "names",
    [
        ["0", "1"],
        ["a", "b"],
        ["양성", "음성"],
        ["benign", "normal"],
        ["left", "right"],
        ["birads0", "birads1"],
        ["class0", "class1"],
    ],
)
def test_where_no_name_tells_a_run_asks(names: list[str]) -> None:
    with pytest.raises(TargetClassNeeded, match=r"evaluation\.target_class"):
        asked_target_class(Config(), names)


@pytest.mark.parametrize(
    ("names", "diseases"),
    [
        (["bi-rads 4a", "birads 2", "birads 5"], ["bi-rads 4a", "birads 5"]),
        (["benign", "in situ carcinoma", "invasive carcinoma"], ["in situ carcinoma", "invasive carcinoma"]),
        (["non_invasive_carcinoma", "invasive_carcinoma"], ["non_invasive_carcinoma", "invasive_carcinoma"]),
    ],
)
def test_of_several_diseases_none_is_chosen_in_silence(names: list[str], diseases: list[str]) -> None:
    with pytest.raises(SeveralDiseases) as asked:
        asked_target_class(Config(), names)
    assert asked.value.candidates == diseases


@pytest.mark.parametrize("wished", ["Malin", "malin", "MALIN"])
def test_a_class_named_by_the_configuration_is_found_however_it_is_written(wished: str) -> None:
    config = Config.model_validate({"evaluation": {"target_class": wished}})
    assert target_class(config, ["bénin", "malin"]) == asked_target_class(config, ["bénin", "malin"]) == "malin"
    with pytest.raises(TargetClassUnknown):
        target_class(config, ["benign", "malignant"])


def test_a_class_called_by_a_number_can_be_named_by_it() -> None:
    config = Config.model_validate({"evaluation": {"target_class": 1}})
    assert asked_target_class(config, ["0", "1"]) == "1"


def test_a_run_that_began_before_it_was_asked_goes_on_as_it_began() -> None:
    assert target_class(Config(), ["0", "1"]) == "1"


@pytest.mark.parametrize(
    "name", ["unauffällig", "ohne Befund", "pas de cancer", "tumorfrei", "not malignant", "BI-RADS 1"]
)
def test_a_denied_disease_is_none(name: str) -> None:
    assert meaning_of(name) == "absence"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("Train", "train"),
        ("training", "train"),
        ("VALID", "val"),
        ("validation", "val"),
        ("test_set", "test"),
        ("Testing", "test"),
    ],
)
def test_a_split_is_known_by_any_of_its_names(name: str, split: str) -> None:
    assert split_of(name) == split


def test_numbers_of_patients_are_no_names_of_classes() -> None:
    assert are_identifiers(["8863", "8864", "8865"])
    assert are_identifiers(["P00012", "P00013"])
    assert not are_identifiers(["0", "1"])
    assert not are_identifiers(["benign", "malignant"])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *(("New folder (2)", True), ("_old", True), ("À trier", True), ("unbekannt", True), ("results", True)),
        *(("benign", False), ("other", False), ("old benign", False), ("normal", False)),
    ],
)
def test_folders_that_were_made_for_no_class_are_told(name: str, expected: bool) -> None:
    assert names_no_class(name) is expected
