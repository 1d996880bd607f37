r"""How many small faults the tests notice: one operator, number or truth value of a module changed at a time.

Needs coverage.py (pip install coverage). First which test runs which line:

    coverage run --branch --source=breastai/clinical,breastai/data -m pytest -p benchmarks.tests_of_lines tests/clinical \
        tests/data tests/predictor

then `python benchmarks/mutations.py .coverage`.
Each fault is put in a copy of the package, and tests that run its line are run for ENOUGH_S, first those that are short
and run little but the function it is in. Those that fail must pass without a fault, which is looked at in the end. A
fault in a module that no test runs is unnoticed, one that keeps a run from ending is noticed. Faults that change nothing
a caller could see are counted too: the share is a lower bound.

A process that has imported the libraries, and those parts of the package that import none with faults, is forked for
each fault: that spares the seconds of starting.
"""

import argparse
import ast
import importlib
import itertools
import json
import os
import pkgutil
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
ENOUGH_S = 12  # of processor time for the tests of a fault; what none has noticed until then is unnoticed
TIMEOUT_S = 90  # of processor time, and LONGEST_S in all: others may be using the machine
LONGEST_S = 900
MEMORY_BYTES = 12 * 2**30
LIBRARIES = (
    "numpy",
    "scipy.stats",
    "scipy.optimize",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.neighbors",
    "cv2",
    "PIL.Image",
    "pydicom",
    "docx",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
    "hypothesis",
    "yaml",
    "hypothesis.strategies",
    "hypothesis.extra.numpy",
    "statsmodels.api",
    "_pytest.assertion",
    "pytest_timeout",
    "xdist.plugin",
)
# What is imported already is not rewritten for its own assertions: of plugins, nobody asks.
FAILED = re.compile(r"^(?:FAILED|ERROR) (tests/[^\s]+::[^\s\[]+)", re.MULTILINE)
OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
SECONDS = itertools.count(10**9)
BELOW = ("breastai.domain", "breastai.storage", "breastai.texts")  # import nothing of the folders with faults
SWAPS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A change of one module, the one of a `number`: at `line`, in a statement of `lines` of a `function`."""

    module: Path
    number: int
    line: int
    lines: range
    function: range
    what: str

    def source(self) -> str:
        """Return the module with the fault."""
        tree = tree_of(self.module)
        next(itertools.islice(changes_of(tree), self.number, None))
        return ast.unparse(tree)


def faults(module: Path) -> Iterator[Fault]:
    """Yield every single fault of a module's functions."""
    tree = tree_of(module)
    lines = lines_of_statements(tree)
    functions = {  # outer ones first
        id(node): range(function.lineno, (function.end_lineno or 0) + 1)
        for function in functions_of(tree)
        for node in ast.walk(function)
    }
    for number, (node, what) in enumerate(changes_of(tree)):
        yield Fault(module, number, getattr(node, "lineno", 0), lines[id(node)], functions[id(node)], what)


def tree_of(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def functions_of(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def changes_of(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Change the functions of a module in each way that can be, one after the other; yield where and what."""
    inside = functions_of(tree)
    nodes = {id(node): node for function in inside for part in function.body for node in ast.walk(part)}.values()
    for node in nodes:
        for what, undo in changes(node):
            yield node, what
            undo()


def lines_of_statements(tree: ast.AST) -> dict[int, range]:
    """Return, per node, the lines of its innermost statement; of one that holds others, those before the first."""
    lines: dict[int, range] = {}
    for statement in ast.walk(tree):  # outer ones first
        if isinstance(statement, ast.stmt):
            body = [part for part in ast.iter_child_nodes(statement) if isinstance(part, ast.stmt | ast.ExceptHandler)]
            after = max(body[0].lineno, statement.lineno + 1) if body else (statement.end_lineno or 0) + 1
            lines |= dict.fromkeys(map(id, ast.walk(statement)), range(statement.lineno, after))
    return lines


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


class TestsOfLines:
    """Which tests run a line, as coverage.py tells it by pytest's names, and for how long, as `tests_of_lines.py` does."""

    def __init__(self, data: Path) -> None:
        from coverage import CoverageData

        found = CoverageData(str(data))
        found.read()
        self._tests = {name: found.contexts_by_lineno(name) for name in found.measured_files()}
        self._lines_of_test = Counter(
            test for lines in self._tests.values() for tests in lines.values() for test in tests
        )
        self._seconds: dict[str, float] = json.loads(data.with_name(f"{data.name}.seconds.json").read_text("utf-8"))

    def of(self, fault: Fault) -> list[str]:
        """Return the tests to run, the most likely to notice soon first.

        What a fixture ran is the first test's that asked for it, and what another process ran nobody's: where few tests
        run a line, others that run its module may notice, those of the same files before others.
        """
        found = [lines for name, lines in self._tests.items() if name.endswith(f"/{fault.module.as_posix()}")]
        here = found[0] if found else {}
        of_line = {test for line in fault.lines for test in here.get(line, []) if test}
        files = {test.partition("::")[0] for test in of_line}
        beside = {test for tests in here.values() for test in tests if test.partition("::")[0] in files}
        if not of_line:
            beside = {test for tests in here.values() for test in tests if test}
        inside = Counter(test for line in fault.function for test in here.get(line, []))
        ordered = [self._ordered(tests, inside) for tests in (of_line, beside)]
        return list(dict.fromkeys([*ordered[0], *ordered[1]]))

    def _ordered(self, tests: set[str], inside: Counter[str]) -> list[str]:
        """Return tests, one variant of each before a second; first those that are short and run little but some lines.

        `inside`: how many of these lines each runs.
        """

        def cost(test: str) -> float:
            return self._seconds.get(test, 1.0) * self._lines_of_test[test] / max(0.5, inside[test])

        variants: Counter[str] = Counter()
        found: list[tuple[int, float, str]] = []
        for test in sorted(tests, key=lambda test: (cost(test), test)):
            function = test.partition("[")[0]
            found.append((variants[function], cost(test), test))
            variants[function] += 1
        return [test for _, _, test in sorted(found)]


def prepare(place: Path) -> None:
    """Make a copy of the project in a place, and this process one that imports it from there; import what may be."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    for name in listed.stdout.splitlines():
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    os.chdir(place)
    os.environ |= {"PYTHONPATH": f"{place}", "OMP_NUM_THREADS": "1", "CI": "1"}
    sys.path.insert(0, str(place))
    for library in LIBRARIES:
        importlib.import_module(library)
    for package in BELOW:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)


class Enough:
    """A plugin that stops a run of tests once it has taken so much processor time and none has failed."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._session: Any = None
        self.stopped = False

    def pytest_sessionstart(self, session: Any) -> None:
        self._session = session

    def pytest_runtest_logfinish(self) -> None:
        if time.process_time() > self._most_s and not self._session.testsfailed:
            self.stopped = True
            self._session.shouldstop = "enough"


def exit_status(tests: list[str], log: Path, timeout_s: int, whole: bool = False) -> int | None:
    """Return pytest's exit status for these tests, run in a process of their own; None where they don't end in time.

    `timeout_s`: of processor time; `whole`: whether all of them are run, however long that takes.
    """
    child = os.fork()
    if not child:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_CPU, (timeout_s, timeout_s))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        with log.open("wb") as output:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        import pytest

        status = 3
        try:
            enough = Enough(timeout_s if whole else ENOUGH_S)
            status = int(pytest.main([*OPTIONS, *tests], plugins=[enough]))
            status = 0 if enough.stopped else status
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    end = time.monotonic() + LONGEST_S
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            code = os.waitstatus_to_exitcode(status)
            return None if code in (-signal.SIGXCPU, -signal.SIGKILL) else code
        if time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.02)


def main() -> None:
    """Try faults drawn at random; print those that went unnoticed, and the share of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("coverage", type=Path)
    parser.add_argument("--folders", nargs="+", default=["breastai/clinical", "breastai/data"])
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    modules = [path.relative_to(ROOT) for name in asked.folders for path in modules_of(ROOT / name)]
    every = [fault for module in modules for fault in faults(module)]
    drawn = random.Random(asked.seed).sample(every, min(asked.count, len(every)))
    tests_of_lines = TestsOfLines(asked.coverage)
    tests = {fault: tests_of_lines.of(fault) for fault in drawn}
    noticed = endless = 0
    failing: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        place, log = Path(folder) / "copy", Path(folder) / "log.txt"
        prepare(place)
        if too_early := [
            name for name in sys.modules if name.startswith(tuple(name.replace("/", ".") for name in asked.folders))
        ]:
            sys.exit(f"imported before its fault could be: {', '.join(too_early)}")
        plain = {module: ast.unparse(ast.parse((place / module).read_text("utf-8"))) for module in modules}
        for module, source in plain.items():
            write(place, module, source)
        for number, fault in enumerate(drawn, 1):
            write(place, fault.module, fault.source())
            status = exit_status(tests[fault], log, TIMEOUT_S) if tests[fault] else 0
            write(place, fault.module, plain[fault.module])
            if status == 0:
                print(f"{fault.module}:{fault.line}: {fault.what} ({len(tests[fault])} tests)", flush=True)
            else:
                endless += status is None
                noticed += 1
                failing |= set(FAILED.findall(log.read_text("utf-8", "replace"))) if status else set()
            print(f"{noticed} of {number} noticed", end="\r", file=sys.stderr, flush=True)
        if failing and exit_status(sorted(failing), log, 3600, whole=True):
            sys.exit(f"what noticed faults fails without one:\n{log.read_text('utf-8')[-5000:]}")
    from scipy.stats import binomtest

    low, high = binomtest(noticed, len(drawn)).proportion_ci(method="wilson")
    print(f"{noticed} of {len(drawn)} faults noticed: {noticed / len(drawn):.0%}, 95% interval {low:.0%} to {high:.0%}")
    print(f"drawn from {len(every)}; {endless} noticed by a run that did not end")


def write(place: Path, module: Path, source: str) -> None:
    """Write a module into the copy of the project; each time as of another second, so that it is compiled anew."""
    (place / module).write_text(source, encoding="utf-8")
    second = next(SECONDS)
    os.utime(place / module, (second, second))


def modules_of(place: Path) -> list[Path]:
    return sorted(place.rglob("*.py")) if place.is_dir() else [place]


if __name__ == "__main__":
    main()
