"""What jobs and records say in English has its French."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import breastai
from breastai.domain.sentences import SENTENCES_FR, in_french

ROOT = Path(breastai.__file__).parent
# Where sentences are written that people read on the page and in reports: the call, and which of its arguments.
CALLS = {"ImageUnreadable": 1, "Skipped": 1, "CheckpointDamaged": 1, "notes.append": 0}
FUNCTIONS = {"_reason", "_what_it_is", "too_large", "_reason_against_link", "_reason_against_file", "_reason_against"}
FUNCTIONS |= {"reason_against_ending"}


def texts(node: ast.AST) -> Iterator[str]:
    """Yield a literal as it is written, with a figure where something is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "1" for part in node.values)


def sentences() -> list[tuple[str, str]]:
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                place = CALLS.get(ast.unparse(node.func))
                if place is not None and len(node.args) > place:
                    found += [(path.name, text) for text in texts(node.args[place])]
            elif isinstance(node, ast.keyword | ast.Assign) and isinstance(node.value, ast.List):
                named = node.arg if isinstance(node, ast.keyword) else ast.unparse(node.targets[0])
                if named == "notes":
                    found += [(path.name, text) for each in node.value.elts for text in texts(each)]
            elif isinstance(node, ast.FunctionDef) and node.name in FUNCTIONS:
                returns = [each for each in ast.walk(node) if isinstance(each, ast.Return) and each.value is not None]
                found += [(path.name, text) for each in returns for text in texts(each.value)]  # type: ignore[arg-type]
    return found


def test_every_sentence_that_a_page_or_report_shows_has_its_french() -> None:
    said = sentences()
    assert len(said) > 40
    assert {"decode.py", "dicom.py", "image_folder.py", "judging.py", "checkpoints.py"} <= {name for name, _ in said}
    assert [each for each in said if in_french(each[1]) is None] == []


def test_french_has_its_spaces_and_every_part_of_the_sentence() -> None:
    for pattern, french in SENTENCES_FR:
        assert re.compile(pattern).groups == french.count("{}"), pattern
        assert not re.search(r" [:;?!»]|« |'", french), french


@pytest.mark.parametrize(
    ("english", "french"),
    [
        ("it is a ZIP archive, which is not supported; save it as PNG", "format non pris en charge (archive ZIP)\u00a0; enregistrez-la en PNG"),
        ("best.safetensors is missing", "best.safetensors manque"),
        ("r1/best: 3 of these images trained or chose it: the figures flatter it.", "r1/best\u00a0: 3 de ces images ont servi à l’entraîner ou à le choisir\u00a0: les résultats sont trop favorables."),
        ("Words of tomorrow.", None),
    ],
)  # fmt: skip
def test_a_sentence_is_put_into_french_with_its_parts(english: str, french: str | None) -> None:
    assert in_french(english) == french
