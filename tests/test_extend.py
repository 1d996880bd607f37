"""docs/extend.md: every recipe is applied in a copy, takes as many files as it says, and its check passes."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
_RECIPE = re.compile(r"^## (?P<title>.+): (?P<files>\d+) files?$", re.MULTILINE)
_STEP = re.compile(
    r"^(?:In `(?P<path>[^`]+)`, (?P<way>after|in place of) `(?P<anchor>[^`]+)`"
    r"|At the end of `(?P<end>[^`]+)`|New file `(?P<new>[^`]+)`|(?P<check>Check)):\n\n```\w*\n(?P<body>.*?)^```$"
    r"|^Copy `(?P<source>[^`]+)` to `(?P<target>[^`]+)`",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Recipe:
    """A section of docs/extend.md."""

    title: str
    files: int
    text: str


def recipes() -> list[Recipe]:
    document = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    heads = list(_RECIPE.finditer(document))
    ends = [head.start() for head in heads[1:]] + [len(document)]
    return [
        Recipe(head["title"], int(head["files"]), document[head.end() : end])
        for head, end in zip(heads, ends, strict=True)
    ]


def apply_step(step: re.Match[str], root: Path) -> str:
    """Change one file of the copy, and return its path."""
    if step["source"]:
        shutil.copyfile(root / step["source"], root / step["target"])
        return step["target"]
    name = step["path"] or step["end"] or step["new"]
    path = root / name
    if step["new"]:
        assert not path.exists(), f"{name} is there already"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(step["body"], encoding="utf-8")
        return name
    text = path.read_text(encoding="utf-8")
    if step["end"]:
        path.write_text(text + "\n\n" + step["body"], encoding="utf-8")
        return name
    lines = text.splitlines(keepends=True)
    places = [number for number, line in enumerate(lines) if step["anchor"] in line]
    assert len(places) == 1, f"{name}: {step['anchor']!r} stands on {len(places)} lines"
    kept = places[0] + (step["way"] == "after")
    path.write_text("".join([*lines[:kept], step["body"], *lines[places[0] + 1 :]]), encoding="utf-8")
    return name


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    root = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for folder in ("breastai", "frontend"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignored)
    shutil.copyfile(ROOT / "config.json", root / "config.json")
    return root


def test_a_recipe_stands_for_each_thing_that_is_added_often() -> None:
    titles = " ".join(recipe.title.lower() for recipe in recipes())
    things = ("metric", "request", "architecture", "setting", "export format", "source", "image format", "language")
    assert [thing for thing in things if thing not in titles] == []


@pytest.mark.one_variant
@pytest.mark.parametrize("recipe", recipes(), ids=lambda recipe: recipe.title)
def test_a_recipe_takes_as_many_files_as_it_says_and_its_check_passes(recipe: Recipe, copy: Path) -> None:
    steps = list(_STEP.finditer(recipe.text))
    changed = {apply_step(step, copy) for step in steps if not step["check"]}
    assert len(changed) == recipe.files, sorted(changed)
    checks = [step["body"] for step in steps if step["check"]]
    assert checks
    for check in checks:
        done = subprocess.run(
            [sys.executable, "-c", check],
            cwd=copy,
            env={**os.environ, "PYTHONPATH": str(copy)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
