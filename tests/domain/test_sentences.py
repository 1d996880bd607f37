"""What jobs and records say in English has its French."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import breastai
from breastai.domain.errors import all_errors
from breastai.domain.sentences import SENTENCES_FR, in_french

ROOT = Path(breastai.__file__).parent
# Where sentences are written that people read on the page and in reports: the call, and which of its arguments.
CALLS = {"ImageUnreadable": 1, "Skipped": 1, "CheckpointDamaged": 1, "notes.append": 0}
FUNCTIONS = {"_reason", "_what_it_is", "too_large", "_reason_against_link", "_reason_against_file", "_reason_against"}
FUNCTIONS |= {"reason_against_ending", "reason_without_content"}


def texts(node: ast.AST) -> Iterator[str]:
    """Yield a literal as it is written, with a figure where something is filled in."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else filled(part) for part in node.values)
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


def filled(part: ast.expr) -> str:
    return "1%" if isinstance(part, ast.FormattedValue) and "%" in ast.unparse(part) else "1"


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
    assert {"raster.py", "dicom.py", "class_folders.py", "evaluation_job.py", "checkpoints.py"} <= {
        name for name, _ in said
    }
    assert [each for each in said if in_french(each[1]) is None] == []


# What only a program meets, at whose console English is spoken.
NOT_ON_THE_PAGE = {"client.py"}


def reasons() -> list[tuple[str, str]]:
    """Every `reason` that is written where its error is raised."""
    names = {kind.__name__: [field.name for field in dataclasses.fields(kind)] for kind in all_errors().values()}
    places = {name: fields.index("reason") for name, fields in names.items() if "reason" in fields}
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or (name := ast.unparse(node.func).split(".")[-1]) not in places:
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords} | dict(enumerate(node.args))
            argument = given.get("reason", given.get(places[name]))
            if argument is not None:
                found += [(path.name, text) for text in texts(argument)]
    # A reason that is nothing but another program's words stays as that says it.
    return [each for each in found if each[0] not in NOT_ON_THE_PAGE and re.search("[a-z]{2}", each[1])]


def test_every_reason_of_an_error_has_its_french() -> None:
    said = reasons() + [("weights.py", text) for text in assigned(tree("engine/network/weights.py"), "reason")]
    assert len(said) > 40
    assert {"weights.py", "onnx_model.py", "patient_ids.py", "backup_archive.py", "split_records.py"} <= {
        name for name, _ in said
    }
    assert [each for each in said if in_french(each[1]) is None] == []


def tree(name: str) -> ast.Module:
    return ast.parse((ROOT / name).read_text(encoding="utf-8"))


def assigned(within: ast.AST, variable: str) -> Iterator[str]:
    """Yield what a variable is set to."""
    for node in ast.walk(within):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if variable in map(ast.unparse, targets):
                yield from texts(node.value)


def progress_messages() -> list[tuple[str, str]]:
    """What progress says where it is told: in a ProgressUpdate, or handed on to `progress_of`, which makes them."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(module):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) or function.name == "progress_of":
                continue
            for call in ast.walk(function):
                name = ast.unparse(call.func) if isinstance(call, ast.Call) else ""
                if isinstance(call, ast.Call) and name == "ProgressUpdate":
                    (message,) = (each.value for each in call.keywords if each.arg == "message")
                elif isinstance(call, ast.Call) and name == "progress_of":
                    message = call.args[1]
                else:
                    continue
                said = list(texts(message))
                if isinstance(message, ast.Name):
                    said = [*assigned(function, message.id), *assigned(module, message.id)]
                assert said, (path.name, ast.unparse(message))
                found += [(path.name, text) for text in said]
    return found


def test_every_progress_message_has_its_french() -> None:
    said = progress_messages()
    assert len(said) > 20
    assert {"loop.py", "audit_job.py", "fold_evaluation.py", "ray_cluster.py", "remote_inputs.py", "benchmark.py"} <= {
        name for name, _ in said
    }
    assert [each for each in said if in_french(each[1]) is None] == []
    for title in ("Repeat 1 of 2, fold 1 of 5", "Seed 3"):
        assert [each for each in said if in_french(f"{title}: {each[1]}") is None] == []


def test_every_description_of_a_split_has_its_french() -> None:
    said = []
    for name in ("data/cases/cases.py", "scale/fold_assignment.py"):
        said += list(assigned(ast.parse((ROOT / name).read_text(encoding="utf-8")), "description"))
    assert len(said) == 4
    assert [each for each in said if in_french(each) is None] == []


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
        ("Fold 2 of 5: Trial 1 of 3: Epoch 1 of 2, batch 3 of 4", "Pli 2 sur 5\u00a0: Essai 1 sur 3\u00a0: Époque 1 sur 2, lot 3 sur 4"),
        ("Measuring took 3.2 s.", "La mesure a pris 3,2\u00a0s."),
        ("Words of tomorrow.", None),
    ],
)  # fmt: skip
def test_a_sentence_is_put_into_french_with_its_parts(english: str, french: str | None) -> None:
    assert in_french(english) == french
