"""The page's scripts are loaded in an order that follows from what each takes in its head."""

import re
import shutil
from graphlib import CycleError
from pathlib import Path

import pytest

from breastai.script_order import FRONTEND, needed_names, page_with, read_scripts, script_order

HTML = (FRONTEND / "index.html").read_text(encoding="utf-8")
VIEW = """(function () {
  "use strict";

  const { byId } = BreastAI.elements;
  const { pValue } = BreastAI.views.zoo;

  BreastAI.views.aardvark = { pValue, byId };
})();
"""
OTHER = '(function () {\n  "use strict";\n\n  BreastAI.views.zoo = { pValue: () => 0 };\n})();\n'


def test_index_html_loads_the_scripts_in_the_order_that_is_derived() -> None:
    hint = "make it again: python -m breastai.script_order"
    assert page_with(HTML, script_order(read_scripts())) == HTML, hint


def test_a_new_view_comes_after_what_it_takes_whatever_the_names(tmp_path: Path) -> None:
    shutil.copytree(FRONTEND / "js", tmp_path / "js")
    (tmp_path / "js/views/data/aardvark.js").write_text(VIEW)
    (tmp_path / "js/views/train/zoo.js").write_text(OTHER)
    order = script_order(read_scripts(tmp_path))
    assert sorted(order) == sorted(
        [*script_order(read_scripts()), "js/views/data/aardvark.js", "js/views/train/zoo.js"]
    )
    places = [order.index(f"js/{name}.js") for name in ("elements", "views/train/zoo", "views/data/aardvark", "app")]
    assert places == sorted(places)


def test_every_name_taken_is_told_by_its_script() -> None:
    head = "  const { t } = BreastAI.i18n;\n  const { format, charts: drawn } = BreastAI;\n"
    head += "  const { a } = BreastAI.views.one;\n  const { two } = BreastAI.views;\n  const { deep } = BreastAI.x.y;\n"
    assert list(needed_names(head)) == ["i18n", "format", "charts", "views.one", "views.two", "x"]


def test_what_is_taken_as_a_script_is_loaded_is_taken_in_lines_of_its_head() -> None:
    strange = [
        (path, line)
        for path, script in read_scripts().items()
        for line in re.findall(r"^  \w.*\bBreastAI\b.*$", script, re.MULTILINE)
        if path != "js/i18n.js" and "=>" not in line  # which makes the global; what a function does is done later
        and not list(needed_names(line)) and not re.match(r"  BreastAI\.(views\.)?\w+ = ", line)
    ]  # fmt: skip
    assert strange == []


@pytest.mark.parametrize(
    ("one", "other", "fault"),
    [
        ("  const { a } = BreastAI.nobody;", "", "takes BreastAI.nobody, which no script offers"),
        ("  BreastAI.one = {};", "  BreastAI.one = {};", "and so does js/a.js"),
    ],
)
def test_a_name_that_is_offered_never_or_twice_is_refused(one: str, other: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        script_order({"js/a.js": one, "js/b.js": other})


def test_scripts_that_take_from_each_other_are_refused() -> None:
    one = "  const { b } = BreastAI;\n  BreastAI.a = {};"
    other = "  const { a } = BreastAI;\n  BreastAI.b = {};"
    with pytest.raises(CycleError, match=r"js/a\.js"):
        script_order({"js/a.js": one, "js/b.js": other})
