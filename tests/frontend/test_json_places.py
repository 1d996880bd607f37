"""Places in a text of JSON: where its keys are, what belongs at its end, and what is wrong with it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from breastai.domain.config import Config

RunJs = Callable[..., Any]


@pytest.mark.parametrize(
    ("text", "path", "expects", "quoted"),
    [
        ("", [], "other", False),
        ("{", [], "key", False),
        ('{"tr', [], "key", True),
        ('{"training"', [], "other", False),
        ('{"training": {', ["training"], "key", False),
        ('{"training": {"epochs": ', ["training", "epochs"], "value", False),
        ('{"training": {"epochs": 1', ["training", "epochs"], "value", False),
        ('{"training": {"epochs": 12, "', ["training"], "key", True),
        ('{"training": {"a": [1, ', ["training", "a"], "value", False),
        ('{"a": {"b\\"}": 1}, "model": {"architecture": "eff', ["model", "architecture"], "value", True),
        ('{"a": [{"b": 1}], ', [], "key", False),
    ],
)
def test_what_belongs_at_the_end_of_an_unfinished_text_is_known(
    run_js: RunJs, text: str, path: list[str], expects: str, quoted: bool
) -> None:
    found = run_js("output(BreastAI.jsonPlaces.read(input).end);", text)
    assert found == {"path": path, "expects": expects, "quoted": quoted}


def test_a_fault_stands_in_the_line_of_its_key_or_of_the_nearest_above_it(run_js: RunJs) -> None:
    text = '{\n  "data": {"epochs": 1},\n  "training": {\n    "epochs": 0\n  }\n}'
    code = "output(input.paths.map((path) => BreastAI.jsonPlaces.rowOfPath(input.text, path)));"
    paths = ["training.epochs", "training.momentum", "data.epochs", "model.architecture"]
    assert run_js(code, {"text": text, "paths": paths}) == [3, 2, 1, 0]


@pytest.mark.parametrize(
    ("text", "row"),
    [('{\n"a": 1,\n}', 2), ('{\n"a": tru\n}', 1), ('{\n\n"a": 1', 2), ("[1]", 0), ("7", 0), ('{\n"a": [1,\n2 3]}', 2)],
)
def test_a_text_that_is_no_object_is_a_fault_in_its_line(run_js: RunJs, text: str, row: int) -> None:
    assert run_js("output(BreastAI.jsonPlaces.parse(input));", text)["row"] == row


@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=8,
        ),
        min_size=300,
        max_size=300,
    )
)
def test_what_json_writes_has_no_fault(run_js: RunJs, values: list[Any]) -> None:
    texts = [json.dumps(value, indent=indent, ensure_ascii=False) for value in values for indent in (None, 1)]
    assert run_js("output(input.map((text) => BreastAI.jsonPlaces.read(text).fault));", texts) == [None] * len(texts)


@pytest.mark.parametrize(
    ("text", "some", "none"),
    [
        ("{", '"training": ', '"epochs": '),
        ('{"training": {"', "epochs", "training"),
        ('{"training": {"use_amp": ', '"auto"', "auto"),
        ('{"training": {"use_amp": "', "auto", "true"),
        ('{"model": {"architecture": "', "resnet50", "epochs"),
    ],
)
def test_suggestions_follow_from_the_schema(run_js: RunJs, text: str, some: str, none: str) -> None:
    code = """
      const fields = BreastAI.settings.fields(input.schema, { "model.architecture": ["resnet50"] });
      output(BreastAI.jsonPlaces.suggestions(input.text, fields).map(({ text }) => text));
    """
    found = run_js(code, {"schema": Config.model_json_schema(), "text": text})
    assert some in found
    assert none not in found
