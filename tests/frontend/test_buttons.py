"""Every button of the page is pressed somewhere in these tests: read from the page's sources and from the tests' own."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
PRESSES = {"click", "dblclick", "press", "check", "uncheck", "set_input_files"}
# Buttons that scripts make without a request of their own: where they are made, and how a test finds them.
MADE_BY_SCRIPTS = {
    "views/data/audit.js": r"Cancel",
    "views/system/job_bar.js": r"job-dismiss",
    "views/train/chart_card.js": r"PNG|picture",
    "views/data/data.js": r"thumbnail|images-list",
    "views/data/dataset_field.js": r"data-form \.button",
    "views/data/description.js": r"data-questions",
    "views/data/folder_chooser.js": r"folder-list",
    "views/data/intake.js": r"intake-way",
    "views/data/reading.js": r"data-reading",
    "views/system/editor.js": r"editor-faults",
    "views/results/errors.js": r"#errors-body",
    "views/results/judged_images.js": r"judged-file",
    "views/results/lightbox.js": r"data-lightbox",
    "views/train/pre_flight.js": r"data-preflight",
    "views/results/predict.js": r"predict-\w+|thumbnail",
    "data_table.js": r"data-sort",
    "views/results/runs.js": r"data-study",
    "views/system/toasts.js": r"\.toast",
    "schema_form.js": r"data-setting",
}


def buttons_of_page() -> set[frozenset[str]]:
    """The names by which a test may find each button: its request, tool of the editor, or id."""
    html = (FRONTEND / "index.html").read_text(encoding="utf-8")
    found = {
        frozenset(re.findall(r'\b(?:data-action|data-editor|id)="([\w-]+)"', tag))
        for tag in re.findall(r"<button\b[^>]*>", html)
    }
    for script in (FRONTEND / "js").rglob("*.js"):
        for name in re.findall(r'\b(?:actionButton|button)\("(\w+)",', script.read_text(encoding="utf-8")):
            found.add(frozenset({name}))
    return found


def strings_of(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def is_press(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in PRESSES


def pressed_in(source: str) -> set[str]:
    """The texts by which a test finds what it presses: in the press itself, a variable, or what a helper is given."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    helpers = {each.name for each in functions if each.args.args and any(is_press(node) for node in ast.walk(each))}
    found: set[str] = set()
    for function in functions:
        named: dict[str, list[str]] = {}
        for node in ast.walk(function):
            if not isinstance(node, ast.Assign | ast.For):
                continue
            target, value = (node.targets[0], node.value) if isinstance(node, ast.Assign) else (node.target, node.iter)
            for each in ast.walk(target):
                if isinstance(each, ast.Name):
                    named.setdefault(each.id, []).extend(strings_of(value))
        for node in ast.walk(function):
            helped = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in helpers
            if is_press(node) or helped:
                found |= set(strings_of(node))
                names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
                found |= {text for name in names for text in named.get(name, [])}
    return found


@pytest.fixture(scope="module")
def pressed() -> set[str]:
    here = Path(__file__)
    tests = [here.with_name("page_steps.py"), *(path for path in here.parent.glob("test_*.py") if path != here)]
    return {text for path in tests for text in pressed_in(path.read_text(encoding="utf-8"))}


def test_every_button_of_the_page_is_pressed_by_a_test(pressed: set[str]) -> None:
    buttons = buttons_of_page()
    assert {"start_training", "delete_backup", "save-as", "curves-whole"} <= set().union(*buttons)
    words = {word for text in pressed for word in re.findall(r"[\w-]+", text)}
    assert sorted("/".join(sorted(names)) for names in buttons if not names & words) == []


def test_every_button_that_a_script_makes_by_itself_is_pressed_by_a_test(pressed: set[str]) -> None:
    makers = {
        path.relative_to(FRONTEND / "js").as_posix()
        for path in (FRONTEND / "js").rglob("*.js")
        if re.search(r'make\(\s*"button"', path.read_text(encoding="utf-8"))
    } - {"elements.js"}
    assert sorted(makers - set(MADE_BY_SCRIPTS)) == []
    unpressed = [path for path, how in MADE_BY_SCRIPTS.items() if not any(re.search(how, text) for text in pressed)]
    assert unpressed == []


def test_a_press_is_found_in_a_chain_a_variable_and_a_helper() -> None:
    source = """
def press(page, name):
    page.locator(name).click()

def test_it(page):
    page.locator("#one").click()
    two = page.locator("#two")
    two.click()
    press(page, "three")
    page.locator("#four").is_visible()
"""
    assert pressed_in(source) == {"#one", "#two", "three"}
