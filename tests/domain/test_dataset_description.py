"""Descriptions of data sets: what a person writes is read strictly, what a program kept is read tolerantly."""

import json
from typing import Any

import pytest

from breastai.domain.case_fields import BoxRule, ColumnRule, FolderRule, HeaderRule, PathRule
from breastai.domain.dataset_description import DatasetDescription, load_description, parse_description
from breastai.domain.errors import DatasetInvalid, FormatTooNew

CMMD = {
    "name": "cmmd",
    "layout": "cmmd",
    "root": "data/CMMD",
    "tables": [
        {
            "file": "CMMD_clinicaldata_revision.xlsx",
            "join": [{"role": "patient", "column": "ID1"}, {"role": "breast", "column": "LeftRight"}],
            "several_rows": True,
        }
    ],
    "fields": {
        "label": "classification",
        "patient": {"folder": 1},
        "breast": {"header": "laterality"},
        "view": {"header": "view"},
        "mask": {"path": r"^(.*)\.png$", "expand": r"\1_mask.png"},
        "box": {"columns": ["X", "Y", "RADIUS"], "form": "circle_from_bottom", "height": 1024},
    },
    "class_names": ["Benign", "Malignant"],
    "subgroups": [{"name": "age", "rule": {"column": "Age"}, "bands": [50, 65]}],
}


def described(**changes: Any) -> DatasetDescription:
    return parse_description({**CMMD, **changes})


def test_each_rule_is_told_by_its_key() -> None:
    fields = described().fields
    assert isinstance(fields["label"], ColumnRule) and fields["label"].column == "classification"
    assert isinstance(fields["patient"], FolderRule)
    assert isinstance(fields["breast"], HeaderRule)
    assert isinstance(fields["mask"], PathRule)
    assert isinstance(fields["box"], BoxRule)


def test_a_description_is_the_same_after_it_was_written_and_read() -> None:
    description = described()
    assert load_description(description.model_dump_json().encode(), "cmmd") == description


def test_what_a_later_version_adds_is_kept_and_written_again() -> None:
    values = json.loads(described().model_dump_json())
    values["of_a_later_version"] = 1
    values["fields"]["label"]["of_a_later_version"] = 2
    kept = json.loads(load_description(json.dumps(values).encode(), "cmmd").model_dump_json())
    assert kept["of_a_later_version"] == 1 and kept["fields"]["label"]["of_a_later_version"] == 2
    with pytest.raises(FormatTooNew):
        load_description(json.dumps({**values, "format": 2}).encode(), "cmmd")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"filed": {}}, "filed: unknown key"),
        ({"fields": {"label": {"column": "a", "patern": "b"}}}, "fields.label.patern: unknown key"),
        ({"fields": {"label": {"cell": "a"}}}, "fields.label"),
        ({"fields": {"lable": "a"}}, "fields.lable"),
        ({"fields": {"patient": {"folder": 1}}}, "a rule for the label of each image"),
        ({"fields": {"label": {"path": "(a+)+"}}}, "can take for ever"),
        ({"fields": {"label": {"path": "(a", "expand": "b"}}}, "not a regular expression"),
        ({"fields": {"label": {"path": "(a)", "expand": r"\2"}}}, "not a regular expression"),
        ({"fields": {"label": {"folder": 0}}}, "1 for the first below the root"),
        (
            {"tables": CMMD["tables"], "fields": {"label": "c", "breast": "d", "patient": {"folder": 1}}},
            "finds the breast in the image",
        ),
        ({"class_map": {"1": "cancer"}}, "a class map with the classes benign, malignant"),
        ({"class_names": ["Benign", "benign"]}, "classes that are all different"),
        ({"name": "../cmmd"}, "name"),
        ({"root": "s3://key:secret@bucket/folder"}, "root"),
    ],
)
def test_what_a_person_writes_is_read_strictly(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(DatasetInvalid) as caught:
        described(**{"tables": [], **changes})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1", "benign"),
        ("3.0", "benign"),
        ("4a", "malignant"),
        ("5", "malignant"),
        ("0", None),
        ("bi-rads 6", "malignant"),
    ],
)
def test_values_are_mapped_to_classes_by_name_number_and_range(value: str, expected: str | None) -> None:
    class_map = {"1-3": "benign", "4-5": "malignant", "BI-RADS 6": "malignant", "0": None}
    description = described(class_map=class_map)
    assert description.class_of(value) == expected
    for unknown in ("6", "", "x"):
        with pytest.raises(LookupError):
            description.class_of(unknown)


def test_without_a_map_a_value_is_its_class() -> None:
    assert described().class_of(" Begin ") == "benign"


def test_the_columns_it_needs_are_named_once() -> None:
    assert described().columns() == ["classification", "X", "Y", "RADIUS", "Age", "ID1", "LeftRight"]


def test_the_schema_names_every_field() -> None:
    schema = DatasetDescription.model_json_schema()
    assert {"name", "root", "tables", "fields", "class_map", "format"} <= schema["properties"].keys()
