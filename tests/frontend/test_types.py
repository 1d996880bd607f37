"""The page's types are those of the wire, and its scripts keep to them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from breastai.domain.events import ENVELOPE, EVENTS, BatchProgress, CheckpointEntry, ComparedRun, Snapshot
from breastai.domain.records import CalibrationEvidence, JudgedPoint, Referral, Reliability
from breastai.domain.events import Evaluation
from breastai.domain import list_entries
from breastai.domain.study import SettingImportance, Study, StudyMember, TuningState

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
LONGEST_VIEW_LINES = 200
TYPES = (FRONTEND / "js" / "types.d.ts").read_text(encoding="utf-8")
PARTS = (BatchProgress, CheckpointEntry, ComparedRun, SettingImportance, Snapshot, Study, StudyMember, TuningState, *(model for model in vars(list_entries).values() if getattr(model, "__module__", "") == list_entries.__name__))


def members(interface: str) -> set[str]:
    """The names of an interface's members in types.d.ts."""
    body = re.search(rf"interface {interface}(?: extends \w+)? \{{\n(.*?)\n?\s*\}}", TYPES, re.DOTALL)
    assert body is not None, f"types.d.ts has no interface {interface}"
    return set(re.findall(r"^\s*(\w+)\??:", body.group(1), re.MULTILINE))


def test_the_types_name_every_event() -> None:
    assert members("Events") == set(EVENTS)


@pytest.mark.parametrize("model", [*EVENTS.values(), *PARTS], ids=lambda model: model.__name__)
def test_an_event_has_the_same_fields_in_the_types(model: type) -> None:
    expected = set(model.model_fields) - (set(ENVELOPE) if model in EVENTS.values() else set())  # type: ignore[attr-defined]
    assert members(model.__name__) == expected


def test_every_field_of_an_evaluation_is_looked_at_by_the_page() -> None:
    read = "".join((FRONTEND / "js" / "views" / "results" / name).read_text(encoding="utf-8") for name in ("evaluation.js", "judged.js"))
    fields = set(Evaluation.model_fields) - {*ENVELOPE, "type"}
    for part in (JudgedPoint, CalibrationEvidence, Reliability, Referral):
        fields |= set(part.model_fields)
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
