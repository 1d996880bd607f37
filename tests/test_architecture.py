"""The shape of the package: layers, light imports, and what every module must have."""

import ast
import functools
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import get_args

import pytest

import breastai
from breastai.domain.events import EVENTS, TERMINAL
from breastai.domain.jobs import AnyJob
from breastai.domain.requests import REQUESTS
from breastai.server.entry_points import ENTRY_POINTS
from breastai.worker import JOBS

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(breastai.__path__, "breastai.", onerror=lambda name: None)
)
HEAVY = ("torch", "torchvision", "timm", "sklearn", "scipy", "numba")
# Past this look for the second noun. The tables grow by a row for each error, event and request.
LONGEST_MODULE_LINES = 450
TABLES = ("breastai.domain.errors", "breastai.domain.events", "breastai.domain.requests")


def source(module: str) -> Path:
    path = Path(breastai.__path__[0]).joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported_by(statement: str) -> set[str]:
    """Return the top-level packages in sys.modules after `statement` ran in a process of its own."""
    code = f"import sys\n{statement}\nprint('\\n'.join(name for name in sys.modules if '.' not in name))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_each_layer_imports_only_what_it_may(project_root: Path) -> None:
    # In a process of its own: import-linter switches off the loggers it finds.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=project_root, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_package_has_its_place_in_the_layers(project_root: Path) -> None:
    settings = tomllib.loads((project_root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (layers,) = [row["layers"] for row in settings["contracts"] if row.get("containers") == ["breastai"]]
    named = {name.strip(" ()") for layer in layers for name in layer.split("|")}
    there = {name.split(".")[1] for name in MODULES}
    assert there <= named


@pytest.mark.parametrize(
    "module", ["breastai", "breastai.cli", "breastai.client", "breastai.server.app", "breastai.worker"]
)
def test_what_serves_or_waits_is_imported_without_torch(module: str) -> None:
    assert imported_by(f"import {module}").isdisjoint(HEAVY)


def test_a_server_loads_no_door_and_no_tracker_it_was_not_asked_for() -> None:
    extras = {"fastapi", "starlette", "uvicorn", "gradio", "mlflow", "tensorboard"}
    assert imported_by("import breastai.server.__main__, breastai.worker").isdisjoint(extras)


def test_prediction_from_onnx_needs_neither_torch_nor_scikit_learn() -> None:
    assert imported_by("import breastai.predictor.predictions").isdisjoint(HEAVY)


def test_a_training_begins_without_waiting_for_the_libraries_of_networks() -> None:
    assert imported_by("import breastai.engine.training.training_job").isdisjoint({*HEAVY} - {"scipy"})


def test_modules_are_imported_by_name_in_two_tables_alone() -> None:
    found = {module for module in MODULES if {"import_module", "__import__"} & names_used(module)}
    assert found == {"breastai.worker", "breastai.server.entry_points"}


def names_used(module: str) -> set[str]:
    """Return what a module calls by a name or uses of another."""
    called = {node.func.id for node in nodes(module) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    return called | {node.attr for node in nodes(module) if isinstance(node, ast.Attribute)}


def test_beside_them_only_the_package_itself_finds_its_own_names_when_they_are_used() -> None:
    assert all(callable(getattr(breastai, name)) for name in breastai._LAZY)


@pytest.mark.parametrize("row", [*JOBS.values(), *ENTRY_POINTS.values()])
def test_what_a_table_names_is_there(row: str) -> None:
    module, _, function = row.partition(":")
    assert function in {
        node.name for node in _tree(module).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_job_has_its_function() -> None:
    assert JOBS.keys() == set(get_args(get_args(AnyJob)[0]))


@functools.cache
def _tree(module: str) -> ast.Module:
    return ast.parse(source(module).read_text(encoding="utf-8"))


@functools.cache
def nodes(module: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(_tree(module)))


def test_the_first_line_of_every_module_says_what_belongs_there() -> None:
    first = {module: (ast.get_docstring(_tree(module)) or "").partition("\n")[0] for module in MODULES}
    assert [module for module, line in first.items() if len(line) <= 15] == []


def test_no_module_outgrows_its_reader() -> None:
    lines = {module: len(source(module).read_text(encoding="utf-8").splitlines()) for module in MODULES}
    assert [each for each in MODULES if lines[each] > LONGEST_MODULE_LINES and each not in TABLES] == []


@pytest.mark.parametrize("name", ["utils", "util", "helpers", "helper", "manager", "common", "misc"])
def test_no_module_is_named_after_nothing(name: str) -> None:
    assert not [module for module in MODULES if module.rpartition(".")[2] == name]


def test_nothing_is_ever_unpickled() -> None:
    found = {module: [ast.unparse(node) for node in nodes(module) if unpickles(node)] for module in MODULES}
    assert {module: lines for module, lines in found.items() if lines} == {}


def unpickles(node: ast.AST) -> bool:
    if isinstance(node, ast.Import | ast.ImportFrom):
        names = {alias.name.partition(".")[0] for alias in node.names}
        return not names.isdisjoint({"pickle", "dill", "joblib", "shelve", "marshal"})
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    safe = any(word.arg == "weights_only" and ast.unparse(word.value) == "True" for word in node.keywords)
    return ast.unparse(node.func) == "torch.load" and not safe


def test_every_request_has_exactly_one_handler() -> None:
    assert sorted(imported_handlers()) == sorted(request.__name__ for request in REQUESTS.values())


def imported_handlers() -> list[str]:
    """Return the request types named in `@handles(...)`, anywhere in the server."""
    names = []
    for module in MODULES:
        if not module.startswith("breastai.server"):
            continue
        for node in nodes(module):
            if isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef):
                for decorator in node.decorator_list:
                    if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "handles":
                        names += [ast.unparse(argument) for argument in decorator.args]
    return names


def test_a_job_ends_with_events_that_exist() -> None:
    assert set(TERMINAL) <= set(EVENTS)


def test_version_3s_names_are_in_the_package() -> None:
    for name in ("MedicalProductionConfig", "BreastAITrainingSystem", "TrainingBroadcaster", "TrainingStateManager"):
        assert getattr(breastai, name).__name__ == name
        assert name in dir(breastai)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = breastai.Nothing
