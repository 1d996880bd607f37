"""The notebook of examples/: its cells run as a kernel runs them, and what they give is shown."""

import ast
import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from breastai.cli import run as command

from .test_study_from_python import SMALL


def code_cells(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def run_cell(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; return the value of its last line, which a notebook shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "cell", "eval"), names)  # type: ignore[attr-defined]


def shown(value: Any) -> str | bytes:
    return value._repr_html_() if hasattr(value, "_repr_html_") else value._repr_png_()


def test_a_study_takes_at_most_twelve_lines_of_python(project_root: Path) -> None:
    cells = code_cells(project_root / "examples/study.ipynb")
    assert sum(len(cell["source"].splitlines()) for cell in cells) <= 12
    assert not [cell for cell in cells if cell["outputs"]]


@pytest.mark.full
def test_the_notebook_runs_to_its_end_in_a_running_event_loop(
    project_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command(["sample-data", "data"]) == 0
    names: dict[str, Any] = {}
    found: list[str | bytes] = []

    async def kernel() -> None:
        for cell in code_cells(project_root / "examples/study.ipynb"):
            source = cell["source"]
            if "parameters" in cell["metadata"].get("tags", ()):  # the same study, small
                source = f'data, settings = "data", {SMALL | {"epochs": 1}!r}'
            value = run_cell(source, names)
            if value is not None:
                found.append(shown(value))

    asyncio.run(kernel())
    html = [each for each in found if isinstance(each, str)]
    assert (len(html), len(found)) == (5, 8)
    assert all(each.startswith(b"\x89PNG") for each in found if isinstance(each, bytes))
    assert html[-1].count("<img") == 12
