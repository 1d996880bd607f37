"""How many small faults the tests notice: one operator, number or truth value of a module changed at a time.

Needs coverage.py (pip install coverage). First which test runs which line:

    coverage run --source=breastai/clinical,breastai/data -m pytest tests/clinical tests/data

with `dynamic_context = test_function` under [run] of its settings; then `python benchmarks/mutations.py .coverage`.
Each fault is put in a copy of the package, and only tests that run its line are run. A line that no test runs counts as
a fault unnoticed. Faults that change nothing a caller could see are counted too: the share is a lower bound.
"""

import argparse
import ast
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_TESTS = 25  # of those that run a line: each is asked, the fault is unnoticed when none of these notices
TIMEOUT_S = 300
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A change of one module: at `line`, as a whole new source."""

    module: Path
    line: int
    what: str
    source: str


def faults(module: Path) -> Iterator[Fault]:
    """Yield every single fault of a module's functions."""
    tree = ast.parse((ROOT / module).read_text(encoding="utf-8"))
    inside = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    nodes = {id(node): node for function in inside for part in function.body for node in ast.walk(part)}.values()
    for node in nodes:
        for what, undo in changes(node):
            yield Fault(module, getattr(node, "lineno", 0), what, ast.unparse(tree))
            undo()


def changes(node: ast.AST) -> Iterator[tuple[str, "Undo"]]:
    """Change a node in each way that can be, one after the other; the caller undoes it."""
    if isinstance(node, ast.Compare):
        for place, operator in enumerate(node.ops):
            if type(operator) in SWAPS:
                yield changed(node.ops, place, SWAPS[type(operator)]())
    elif isinstance(node, ast.BoolOp | ast.BinOp) and type(node.op) in SWAPS:
        yield changed(node.__dict__, "op", SWAPS[type(node.op)]())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield changed(node.__dict__, "operand", ast.UnaryOp(ast.Not(), node.operand))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield changed(node.__dict__, "value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield changed(node.__dict__, "value", node.value + 1)
    elif isinstance(node, ast.If | ast.IfExp):
        yield changed(node.__dict__, "test", ast.UnaryOp(ast.Not(), node.test))


@dataclass(frozen=True)
class Undo:
    """Puts back what was in a place."""

    holder: "dict[str, object] | list[ast.cmpop]"
    place: "str | int"
    value: object

    def __call__(self) -> None:
        self.holder[self.place] = self.value  # type: ignore[index,call-overload]


def changed(holder: "dict[str, object] | list[ast.cmpop]", place: "str | int", value: object) -> tuple[str, Undo]:
    before = holder[place]  # type: ignore[index]
    holder[place] = value  # type: ignore[index,call-overload]

    def name(part: object) -> str:
        return repr(part) if not isinstance(part, ast.AST) else type(part).__name__

    return f"{name(before)} -> {name(value)}", Undo(holder, place, before)


def tests_of_lines(data: Path, module: Path) -> dict[int, list[str]]:
    """Return, per line, the tests that run it, as coverage.py names them: file stem and function."""
    from coverage import CoverageData

    found = CoverageData(str(data))
    found.read()
    (measured,) = [name for name in found.measured_files() if name.endswith(f"/{module.as_posix()}")] or [""]
    return {line: [name for name in names if name] for line, names in found.contexts_by_lineno(measured).items()}


def selected(contexts: list[str]) -> list[str]:
    """Return pytest's names of tests for coverage.py's, such as `test_curves.test_the_area`."""
    names = []
    for context in contexts:
        *_, stem, function = context.split(".")
        names += [f"{path.relative_to(ROOT)}::{function}" for path in (ROOT / "tests").rglob(f"{stem}.py")]
    return sorted(set(names))


def noticed(place: Path, fault: Fault, tests: list[str]) -> bool:
    """Return whether any of these tests fails with the fault."""
    target = place / fault.module
    before = target.read_bytes()
    target.write_text(fault.source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", *tests]
    environment = os.environ | {
        "PYTHONPATH": str(place),
        "OMP_NUM_THREADS": "1",
        "CI": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    process = subprocess.Popen(
        command,
        cwd=place,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(TIMEOUT_S) not in (0, 5)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    finally:
        target.write_bytes(before)


def main() -> None:
    """Try faults drawn at random; print those that went unnoticed, and the share of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coverage", type=Path)
    parser.add_argument("--folders", nargs="+", default=["breastai/clinical", "breastai/data"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    modules = [path.relative_to(ROOT) for folder in asked.folders for path in sorted((ROOT / folder).rglob("*.py"))]
    every = [fault for module in modules for fault in faults(module)]
    drawn = random.Random(asked.seed).sample(every, min(asked.count, len(every)))
    lines = {module: tests_of_lines(asked.coverage, module) for module in {fault.module for fault in drawn}}
    caught = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "copy"
        for name in ("breastai", "tests", "docs", "frontend/js"):
            shutil.copytree(ROOT / name, place / name)
        for name in ("pyproject.toml", "config.json"):
            shutil.copy(ROOT / name, place / name)
        for number, fault in enumerate(drawn, 1):
            ran = lines[fault.module]
            # What a fixture of several tests ran is nobody's own: any test of the module may notice.
            contexts = ran.get(fault.line) or (
                sorted({name for names in ran.values() for name in names}) if fault.line in ran else []
            )
            tests = selected(random.Random(0).sample(contexts, min(MOST_TESTS, len(contexts))))
            found = bool(tests) and noticed(place, fault, tests)
            caught += found
            if not found:
                print(f"{fault.module}:{fault.line}: {fault.what} ({len(tests)} tests)")
            print(f"{caught} of {number} noticed", end="\r", file=sys.stderr, flush=True)
    print(f"{caught} of {len(drawn)} faults noticed ({caught / len(drawn):.0%}), drawn from {len(every)}")


if __name__ == "__main__":
    main()
