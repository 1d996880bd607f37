"""The page's types are those of the wire, and its scripts keep to them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from breastai.domain.events import ENVELOPE, EVENTS, Evaluation
from breastai.domain.page_types import event_parts, page_types
from breastai.domain.records import CalibrationEvidence, JudgedPoint, Referral, Reliability

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
LONGEST_VIEW_LINES = 200


def test_the_types_of_the_wire_are_those_made_from_the_classes() -> None:
    hint = "make it again: python -m breastai.domain.page_types > frontend/js/wire.d.ts"
    assert (FRONTEND / "js" / "wire.d.ts").read_text(encoding="utf-8") == page_types(), hint


def test_every_field_of_an_event_and_of_its_parts_is_in_the_types() -> None:
    made = page_types()
    for model in (*EVENTS.values(), *event_parts()):
        body = re.search(rf"interface {model.__name__}(?: extends Event)? \{{\n(.*?)  \}}\n", made, re.DOTALL)
        assert body is not None, model.__name__
        named = set(re.findall(r"^    (\w+): ", body[1], re.MULTILINE))
        envelope = set(ENVELOPE) if model in EVENTS.values() else set()
        assert named == {info.alias or name for name, info in model.model_fields.items()} - envelope


def test_every_field_of_an_evaluation_is_looked_at_by_the_page() -> None:
    read = "".join(
        (FRONTEND / "js" / "views" / "results" / name).read_text(encoding="utf-8")
        for name in ("evaluation.js", "judged.js", "target.js")
    )
    fields = set(Evaluation.model_fields) - {*ENVELOPE, "type"}
    for part in (JudgedPoint, CalibrationEvidence, Reliability, Referral):
        fields |= set(part.model_fields)
    fields -= {"chosen_on"}  # which images chose the threshold is told by used_for, with all else that was chosen
    assert sorted(field for field in fields if not re.search(rf"\b{field}\b", read)) == []


def test_index_html_loads_every_script_once_and_nothing_from_elsewhere() -> None:
    html = (FRONTEND / "index.html").read_text(encoding="utf-8")
    sources = re.findall(r'<script src="([^"]+)"></script>', html)
    scripts = [path.relative_to(FRONTEND).as_posix() for path in FRONTEND.glob("js/**/*.js")]
    assert sorted(sources) == sorted([*scripts, "node_modules/chart.js/dist/chart.umd.min.js"])
    assert html.count("<script") == len(sources)
    assert re.findall(r'(?:src|href)="(?:https?:)?//', html) == []
    assert re.findall(r"\s(?:style|on\w+)=", html) == []


def test_no_script_makes_markup_from_text() -> None:
    forbidden = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\(\"style"
    )
    found = [(path.name, match.group()) for path in FRONTEND.glob("js/**/*.js") for match in forbidden.finditer(path.read_text(encoding="utf-8"))]  # fmt: skip
    assert found == []


def test_only_charts_js_knows_chart_js() -> None:
    assert [path.name for path in FRONTEND.glob("js/**/*.js") if re.search(r"globalThis\.Chart|new Chart", path.read_text(encoding="utf-8"))] == ["charts.js"]  # fmt: skip


def test_the_scripts_keep_to_their_types(request: pytest.FixtureRequest) -> None:
    npm, compiler = shutil.which("npm"), FRONTEND / "node_modules" / "typescript"
    if npm is None or not compiler.is_dir():
        request.getfixturevalue("require_or_skip")("npm with typescript")
    done = subprocess.run(
        [str(npm), "run", "--silent", "check"], cwd=FRONTEND, capture_output=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_code_box_js_knows_ace() -> None:
    assert [path.name for path in FRONTEND.glob("js/**/*.js") if re.search(r"\bace\.(edit|config)|\)\.ace\b", path.read_text(encoding="utf-8"))] == ["code_box.js"]  # fmt: skip


@pytest.mark.parametrize("script", sorted(FRONTEND.glob("js/views/**/*.js")), ids=lambda path: path.name)
def test_a_view_lies_in_the_folder_of_its_area_and_is_short(script: Path) -> None:
    assert script.parent.parent.name == "views"
    assert len(script.read_text(encoding="utf-8").splitlines()) <= LONGEST_VIEW_LINES
