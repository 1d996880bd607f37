"""A language is one file: report, review page and command line speak one whose file is all that was added."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from breastai.storage.backup_kinds import KINDS, rank_of
from breastai.texts.catalogue import FOLDER, languages
from breastai.texts.page_script import page_script

MARK = "¤"
# What makes the report of the run that the report's own tests write; only the folder of the package differs.
REPORT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_report import made_run, make_report
from breastai.storage.workspace import Workspace
workspace = Workspace.open(Path("project"))
made_run(workspace)
print(make_report(workspace, language="xx", pictures=False)[0])
"""
REVIEW = """
import json, sys
from pathlib import Path
from breastai.apps.review_app import quiet_gradio
from breastai.apps.review_texts import language_of, share, texts
from breastai.texts.catalogue import languages
known = quiet_gradio(Path.cwd()).I18n(**{language: texts(language) for language in languages()})
print(json.dumps([language_of("xx-YY, fr"), share(0.5, "xx"), known.translations["xx"]]))
"""


def marked(template: Any) -> Any:
    """Return a template that shows where it was used; the name of the plural's parameter is none of its words."""
    if isinstance(template, str):
        return f"{MARK}{template}"
    return {form: text if form == "plural" else f"{MARK}{text}" for form, text in template.items()}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory, project_root: Path) -> Path:
    """Return a folder with a copy of the package and in it xx.json: English with a mark before each text, figures as in German."""
    folder = tmp_path_factory.mktemp("copy")
    package = folder / "breastai"
    shutil.copytree(project_root / "breastai", package, ignore=shutil.ignore_patterns("__pycache__"))
    english = json.loads((package / "texts" / "en.json").read_text(encoding="utf-8"))
    other = {key: marked(text) for key, text in english.items()}
    other |= {"language.locale": "de-DE"}
    (package / "texts" / "xx.json").write_text(json.dumps(other), encoding="utf-8")
    return folder


def run_in(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the copy."""
    environment = {name: value for name, value in os.environ.items() if name not in ("LC_ALL", "LC_MESSAGES", "LANG")}
    environment |= {"PYTHONPATH": str(folder), "PYTHONUTF8": "1", **variables}
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=folder, env=environment)


def test_a_report_is_in_the_new_language_to_its_last_heading(copy: Path, project_root: Path) -> None:
    done = run_in(copy, "-c", REPORT, str(project_root / "tests" / "clinical"))
    assert done.returncode == 0, done.stderr
    page = Path(copy / done.stdout.strip()).read_text(encoding="utf-8")
    assert '<html lang="xx">' in page
    checklists = json.loads((copy / "breastai/clinical/templates/checklists.json").read_text(encoding="utf-8"))
    kinds = {"h[123]": 15, "caption": 8, "figcaption": 6, r'p class="(?:notice|warning)"': 2}
    for kind, least in kinds.items():
        words = [html.unescape(text) for text in re.findall(rf"<{kind}>(.*?)</", page, re.DOTALL)]
        assert len(words) >= least, kind
        # The checklists go by the names they were published under.
        assert [text for text in words if MARK not in text] in ([], list(checklists)), kind
    shown = re.findall(r'<data value="0\.\d+"[^>]*>([^<]*)</data>', page)
    assert len(shown) > 50 and not [text for text in shown if "." in text]


def test_the_review_page_is_in_the_new_language(copy: Path) -> None:
    pytest.importorskip("gradio")
    done = run_in(copy, "-c", REVIEW)
    assert done.returncode == 0, done.stderr
    language, share, known = json.loads(done.stdout.splitlines()[-1])
    assert language == "xx" and share == "50,0\u00a0%"
    assert len(known) > 30 and all(text.startswith(MARK) for text in known.values())


@pytest.mark.one_variant
@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (["--lang", "xx"], {}),
        (["--lang", "xx"], {"LANG": "fr_FR.UTF-8"}),
        ([], {"LANG": "xx_YY.UTF-8"}),
        ([], {"LC_MESSAGES": "xx", "LANG": "fr"}),
        ([], {"LC_ALL": "xx", "LC_MESSAGES": "fr"}),
    ],
)
def test_commands_speak_the_new_language_where_the_option_or_the_environment_says_so(
    copy: Path, arguments: list[str], variables: dict[str, str]
) -> None:
    done = run_in(copy, "-m", "breastai", *arguments, "backup", "--list", "--workspace", "none-yet", **variables)
    assert done.stdout + done.stderr == f"{MARK}No backup yet.\n"


@pytest.mark.full
def test_what_doctor_finds_and_an_error_are_in_the_new_language(copy: Path) -> None:
    done = run_in(copy, "-m", "breastai", "--lang", "xx", "doctor")
    lines = [line for line in done.stdout.splitlines() if line]
    assert len(lines) > 12 and all(MARK in line for line in lines), done.stdout
    done = run_in(copy, "-m", "breastai", "--lang", "xx", "verify", "absent.onnx")
    assert done.returncode == 2 and done.stderr.startswith(f"{MARK}Error: {MARK}"), done.stderr
    done = run_in(copy, "-m", "breastai", "--lang", "xx", "train", "--seeds", "one")
    assert done.stderr.startswith(f"{MARK}Error: {MARK}") and f" {MARK}--seeds" in done.stderr, "in the fault too"


@pytest.mark.one_variant
@pytest.mark.parametrize("variables", [{}, {"LANG": "de_DE.UTF-8"}, {"LANG": "C.UTF-8"}])
def test_commands_speak_english_where_nothing_else_is_known(copy: Path, variables: dict[str, str]) -> None:
    done = run_in(copy, "-m", "breastai", "backup", "--list", "--workspace", "none-yet", **variables)
    assert done.stdout == "No backup yet.\n"


def test_a_language_that_has_no_file_is_refused_where_it_is_asked_for(copy: Path) -> None:
    done = run_in(copy, "-m", "breastai", "--lang", "de", "backup", "--list")
    assert done.returncode == 2 and "en, fr, xx" in done.stderr


def test_the_server_says_where_it_is_in_the_language_of_the_system(copy: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(copy), "LC_ALL": "xx"}
    command = [sys.executable, "-m", "breastai.server", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=copy, env=environment) as server:
        assert server.stdout is not None
        try:
            assert server.stdout.readline().startswith(f"{MARK}BreastAI is at http://")
        finally:
            server.terminate()


def test_the_page_is_given_what_it_says_and_nothing_else() -> None:
    known = json.loads(re.findall(r"BreastAI\.locales = (.*);\n}\)", page_script(FOLDER), re.DOTALL)[0])
    assert set(known) == set(languages())
    areas = {key.partition(".")[0] for texts in known.values() for key in texts}
    assert {"nav", "error", "finding", "setting"} < areas and areas.isdisjoint({"cli", "doctor", "report", "review"})


def test_a_report_in_any_language_is_backed_up() -> None:
    names = [f"logs/20260301-100000-abcd/report/report.{language}.json" for language in ("en", "fr", "xx", "zz")]
    assert len({rank_of(name) for name in names}) == 1 and rank_of(names[0]) < len(KINDS)


@pytest.mark.full
def test_what_programs_read_stays_in_english(copy: Path) -> None:
    told = run_in(copy, "-m", "breastai", "--lang", "xx", "doctor", "--json").stdout
    assert MARK not in told and json.loads(told)["type"] == "doctor"
