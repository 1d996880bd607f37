"""The documents: made from the code where they can be, and true where they can't."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from breastai.cli import app
from breastai.domain.config import parse_config
from breastai.domain.errors import all_errors
from breastai.domain.events import EVENTS
from breastai.domain.protocol_document import asyncapi_document, protocol_document
from breastai.domain.requests import REQUESTS
from breastai.domain.v3_settings import nest_settings
from breastai.reference_document import reference_document

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# The blocks of extend.md are parts of files; test_extend.py runs them where they belong.
WITH_WHOLE_BLOCKS = [document for document in DOCUMENTS if document != "docs/extend.md"]
PROTOCOL = protocol_document()
_LINK = re.compile(r"\]\((?!https?:|mailto:|ws:|#)([^)\s#]+)")
_FILE = re.compile(r"\b((?:tests|benchmarks|examples)/[\w/]+\.\w+)")
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def text_of(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str) -> Iterator[str]:
    return (body for name, body in _BLOCK.findall(text_of(document)) if name == language)


# --- the protocol --------------------------------------------------------------------------------


def test_the_protocol_document_is_the_one_made_from_the_models() -> None:
    hint = "make it again: python -m breastai.domain.protocol_document > docs/protocol.md"
    assert text_of("docs/protocol.md") == protocol_document(), hint


def test_the_reference_is_the_one_made_from_the_code() -> None:
    hint = "make it again: python -m breastai.reference_document > docs/reference.md"
    assert text_of("docs/reference.md") == reference_document(), hint


@pytest.mark.parametrize(
    "thing", ["### breastai train", "`training.learning_rate`", "`#evaluation`", "`start_training`"]
)
def test_the_reference_has_commands_settings_views_and_requests(thing: str) -> None:
    assert thing in text_of("docs/reference.md")


MESSAGES = [("Requests", kind, model) for kind, model in REQUESTS.items()]
MESSAGES += [("Events", kind, model) for kind, model in EVENTS.items()]


@pytest.mark.parametrize(("part", "kind", "model"), MESSAGES)
def test_the_protocol_has_an_entry_for_every_message_with_each_field(part: str, kind: str, model: type[Any]) -> None:
    section = PROTOCOL.split(f"\n## {part}\n")[1].split("\n## ")[0]
    entry = section.split(f"\n### {kind}\n")[1].split("\n### ")[0]
    own = [info.alias or name for name, info in model.model_fields.items() if name in model.__annotations__]
    assert [name for name in own if name != "type" and f"\n| {name} |" not in entry] == []


@pytest.mark.parametrize("code", all_errors())
def test_the_protocol_lists_every_error(code: str) -> None:
    assert f"| `{code}` |" in PROTOCOL


def references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads(json.dumps(asyncapi_document()))
    found = set(references(document))
    assert len(found) > len(EVENTS)
    for reference in found:
        node = document
        for part in reference.removeprefix("#/").split("/"):
            assert part in node, reference
            node = node[part]


def test_the_asyncapi_document_has_every_message_and_operation() -> None:
    document = asyncapi_document()
    expected = {f"requests.{kind}" for kind in REQUESTS} | {f"events.{kind}" for kind in EVENTS}
    assert set(document["components"]["messages"]) == expected
    assert set(document["operations"]) == {*REQUESTS, "events"}


# --- what people read ----------------------------------------------------------------------------


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_to_a_file_leads_to_one(document: str) -> None:
    for target in _LINK.findall(text_of(document)):
        assert ((ROOT / document).parent / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_test_and_script_that_a_document_names_is_there(document: str) -> None:
    text = text_of(document)
    named = set(_FILE.findall(text))
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
    assert re.findall(r"`(?:test_\w+|bench_\w+)\.py`", text) == [], "say in which folder it lies"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_single_test_that_a_document_names_is_there(document: str) -> None:
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", text_of(document)):
        assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE), f"{file}::{name}"


def test_reliability_and_security_name_a_test_or_script_for_each_fault_and_promise() -> None:
    faults = [line for line in text_of("docs/reliability.md").splitlines() if line.count("|") == 5][2:]
    shown = text_of("docs/security.md").split("## Where it is shown")[1].split("\n## ")[0]
    promises = [line for line in shown.splitlines() if line.count("|") == 3][2:]
    assert len(faults) > 20 and len(promises) > 15
    assert [line for line in faults + promises if not _FILE.search(line.rsplit("|", 2)[1])] == []


def test_every_error_that_reliability_names_is_one() -> None:
    codes = set(
        re.findall(r"`((?:worker|run|data|disk|backup|workspace|training)\.[a-z_]+)`", text_of("docs/reliability.md"))
    )
    assert len(codes) > 8
    assert codes - {"worker.log"} <= set(all_errors())


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_command_in_a_document_is_one_the_command_line_knows(document: str) -> None:
    group: Any = get_command(app)
    for block in [body for language in ("bash", "sh", "console", "powershell") for body in blocks(document, language)]:
        for line in block.splitlines():
            words = shlex.split(line.strip().removeprefix("$ "), comments=True, posix=True)
            if "breastai" not in words[:1]:
                continue
            name = next((word for word in words[1:] if not word.startswith("-")), None)
            if name is None:
                continue
            assert name in group.commands, line
            known = {option for parameter in group.commands[name].params for option in parameter.opts}
            used = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
            assert used <= {*known, "--help"}, line


@pytest.mark.parametrize("document", WITH_WHOLE_BLOCKS)
def test_json_in_a_document_is_json_and_a_configuration_is_a_sound_one(document: str) -> None:
    for block in blocks(document, "json"):
        values = json.loads(block)
        if isinstance(values, dict) and set(values) & {"data", "training", "model"} and "type" not in values:
            parse_config(nest_settings(values))


@pytest.mark.parametrize("document", WITH_WHOLE_BLOCKS)
def test_python_in_a_document_compiles(document: str) -> None:
    for block in blocks(document, "python"):
        compile(block, document, "exec")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_no_document_calls_this_clinical_grade(document: str) -> None:
    assert not re.search(r"clinical[- ]grade|grade clinique", text_of(document), re.IGNORECASE)


def files_of_tree(heading: str, suffix: str) -> list[str]:
    """Return the files in the tree under `heading`: a line is a folder and what it holds, or names of the folder above.

    Names have no suffix there and stand one step of two spaces to the right of their folder. Raises when a line is neither.
    """
    section = text_of("docs/architecture.md").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    (tree,) = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    files: list[str] = []
    folders: list[str] = []
    for line in tree.splitlines():
        depth, rest = divmod(len(line) - len(line.lstrip()), 2)
        assert not rest and depth <= len(folders), line
        folders = folders[:depth]
        if folder := re.fullmatch(r" *(\w+)/(?:  \S.*)?", line):
            folders.append(folder[1])
        else:
            assert folders and re.fullmatch(r" *\w+(?:, \w+)*,?", line), line
            files += ["/".join([*folders[1:], name]) + suffix for name in re.findall(r"\w+", line)]
    return files


@pytest.mark.parametrize(
    ("heading", "root", "suffix"), [("The tree", "breastai", ".py"), ("The page", "frontend/js", ".js")]
)
def test_the_trees_in_the_architecture_name_every_module_and_no_other(heading: str, root: str, suffix: str) -> None:
    named = files_of_tree(heading, suffix)
    there = {path.relative_to(ROOT / root).as_posix() for path in (ROOT / root).rglob(f"*{suffix}")}
    made = {"texts.js"}  # by a build, from the catalogue
    assert sorted(named) == sorted(name for name in there - made if not name.endswith("__init__.py"))
