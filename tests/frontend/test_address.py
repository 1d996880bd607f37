"""What the address after its # names, whoever typed it."""

from collections.abc import Callable
from typing import Any

import pytest

RunJs = Callable[..., Any]
NOWHERE = {"view": "training", "run": None, "tab": "curves", "evaluation": None}


@pytest.mark.parametrize(
    ("typed", "place"),
    [
        ("", {}),
        ("#runs", {"view": "runs"}),
        ("#nothing-of-the-kind", {}),
        ("#run", {}),
        ("#run/a%20b", {"view": "run", "run": "a b"}),
        ("#run/a/log", {"view": "run", "run": "a", "tab": "log"}),
        ("#evaluation", {"view": "evaluation"}),
        ("#evaluation/a/1-val", {"view": "evaluation", "evaluation": {"run": "a", "name": "1-val"}}),
        ("#training/training.epochs", {"tab": "training.epochs"}),
        ("#runs/a/log", {"view": "runs"}),
        ("#100%", {}),
        ("#run/100%/log", {"view": "run", "run": "100%", "tab": "log"}),
    ],
)
def test_an_address_names_a_place(run_js: RunJs, typed: str, place: dict[str, Any]) -> None:
    assert run_js("output(BreastAI.address.placeOf(input))", typed) == NOWHERE | place


@pytest.mark.parametrize("name", ["20260101-1", "a/b", "100%", "é #1"])
def test_what_is_addressed_is_found_again(run_js: RunJs, name: str) -> None:
    code = "const { placeOf, ofRun, ofEvaluation } = BreastAI.address;"
    assert run_js(f"{code} output(placeOf(ofRun(input, 'log')).run)", name) == name
    assert run_js(f"{code} output(placeOf(ofEvaluation(input, input)).evaluation)", name) == {"run": name, "name": name}


@pytest.mark.parametrize(
    ("path", "evaluation"),
    [
        ("logs/20260101-1/evaluations/1-val.json", {"run": "20260101-1", "name": "1-val"}),
        ("/work/space/logs/predictions/evaluations/a b.json", {"run": "predictions", "name": "a b"}),
        ("mylogs/a/evaluations/b.json", None),
        ("logs/a/evaluations/b.json.part", None),
        ("logs/a/events.jsonl", None),
        (None, None),
    ],
)
def test_the_record_of_an_evaluation_names_its_run(
    run_js: RunJs, path: str | None, evaluation: dict[str, str] | None
) -> None:
    assert run_js("output(BreastAI.address.ofRecord(input))", path) == evaluation
