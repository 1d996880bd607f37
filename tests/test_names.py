"""Names: nouns for modules, verbs for functions, one word for one thing."""

import ast
import re
from collections import Counter
from pathlib import Path

import breastai

PACKAGE = Path(breastai.__path__[0])
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stem not in ("__init__", "__main__")]
# A participle alone says that something was done, and neither what to do nor to what.
IRREGULAR = frozenset(
    [
        "asked",
        "begun",
        "brought",
        "built",
        "caught",
        "chosen",
        "done",
        "drawn",
        "found",
        "given",
        "gone",
        "held",
        "kept",
        "known",
        "left",
        "lost",
        "made",
        "met",
        "paid",
        "said",
        "seen",
        "sent",
        "shown",
        "spoken",
        "taken",
        "thought",
        "told",
        "written",
    ]
)
# Names of the field: noun or adjective, whatever they end in.
NOUNS = frozenset(
    (
        "checkpointing",
        "folder_listing",
        "image_listing",
        "gradient_checkpointing",
        "early_stopping",
        "attention_pooling",
        "patient_pooling",
        "unit_pooling",
    )
)


def functions(tree: ast.Module) -> list[str]:
    """Return the public functions and methods of a module that are called, not read as a property."""
    bodies = [tree.body, *(node.body for node in tree.body if isinstance(node, ast.ClassDef))]
    return [
        node.name
        for body in bodies
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and "property" not in {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
    ]


def test_no_two_modules_have_one_name() -> None:
    assert [stem for stem, count in Counter(path.stem for path in MODULES).items() if count > 1] == []


def test_no_module_is_a_gerund() -> None:
    assert [path.stem for path in MODULES if path.stem.endswith("ing") and path.stem not in NOUNS] == []


def test_no_function_is_a_participle_alone() -> None:
    named = {
        f"{path.relative_to(PACKAGE).as_posix()}: {name}"
        for path in MODULES
        for name in functions(ast.parse(path.read_text(encoding="utf-8")))
        if name in IRREGULAR or re.fullmatch(r"[a-z]+[^aeou]ed", name)
    }
    assert named == set()
