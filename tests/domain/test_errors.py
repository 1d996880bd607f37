"""The errors: each has a code, a message and parameters fit for JSON."""

import json
from dataclasses import fields
from typing import Any

import pytest
from pydantic_core import to_json

from breastai.domain import errors
from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError, all_errors
from breastai.domain.text import Text, read_param

SAMPLES: dict[str, Any] = {"str": "x", "int": 3, "float": 0.5, "list[str]": ["a", "b"]}


def _sample_of(kind: str, name: str) -> Any:
    if "Sequence" in kind or "list" in kind:
        return SAMPLES["list[str]"]
    return Text("audit.more", {"count": 3}) if "Text" in kind else SAMPLES[name]


def sample(kind: type[BreastAIError]) -> BreastAIError:
    values = {}
    if hasattr(kind, "__dataclass_fields__"):
        for field in fields(kind):  # type: ignore[arg-type]
            name = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", "")
            values[field.name] = _sample_of(str(field.type), name)
    return kind(**values)


def test_what_an_error_is_about_is_a_setting() -> None:
    for kind in all_errors().values():
        section, _, name = kind.about.partition(".")
        assert kind.about == "" or hasattr(getattr(Config(), section), name), kind


@pytest.mark.parametrize("code", all_errors())
def test_every_error_makes_a_sentence_of_its_data(code: str) -> None:
    error = sample(all_errors()[code])
    message = str(error)
    assert "{" not in message.replace('{"', "") and len(message) > 20
    for value in error.params.values():
        for part in value if isinstance(value, list) else [value]:
            assert str(part) in message
    read = {name: read_param(value) for name, value in json.loads(to_json(error.params)).items()}
    assert read == error.params


@pytest.mark.parametrize("code", all_errors())
def test_every_error_ends_with_status_1_or_2(code: str) -> None:
    assert all_errors()[code].exit_status in (1, 2)


def test_codes_are_unlike() -> None:
    leaves = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BreastAIError)]
    codes = [kind.code for kind in leaves if "code" in vars(kind) and kind is not BreastAIError]
    assert len(codes) == len(set(codes)) == len(all_errors())


@pytest.mark.parametrize("code", [code for code in all_errors() if code != "internal"])
def test_the_tree_in_the_docstring_shows_every_error(code: str) -> None:
    assert all_errors()[code].__name__ in (errors.__doc__ or "").split()
