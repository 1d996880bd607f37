"""The wheel: installed where there is no checkout and no Node, it serves the page, its charts and its editor."""

import importlib.util
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from types import ModuleType

import pytest

from breastai.server.connections.static_files import JOINED_SCRIPTS, static_table

SCRIPT = re.compile(r'(?:src|href)="([^":#]+\.(?:js|css|svg))"')


@pytest.fixture(scope="module")
def hook(project_root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", project_root / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a wheel built from the checkout and installed, without network."""
    target = tmp_path_factory.mktemp("installed")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    install = [*pip, "install", "--no-deps", "--no-index", "--no-compile", "--target", str(target), str(wheel)]
    subprocess.run(install, check=True, timeout=120)
    return target


def test_the_wheel_serves_the_page_its_charts_and_its_editor_from_an_empty_folder(
    installed: Path, project_root: Path, tmp_path: Path
):
    frontend = project_root / "frontend"
    code_box = (frontend / "js" / "code_box.js").read_text(encoding="utf-8")
    ace = re.search(r"SCRIPTS = \[(.*?)\]", code_box)[1]
    styles = (frontend / "node_modules/ace-builds/css/ace.css").read_text(encoding="utf-8")
    wanted = {
        "index.html",
        JOINED_SCRIPTS,
        *SCRIPT.findall((frontend / "index.html").read_text(encoding="utf-8")),
        *(f"node_modules/ace-builds/src-min-noconflict/{name}" for name in re.findall(r'"(.+?)"', ace)),
        "node_modules/ace-builds/css/ace.css",
        *(f"node_modules/ace-builds/css/{name}" for name in re.findall(r'url\("\./(main-[^"]+)"\)', styles)),
    }
    assert {"style.css", "js/app.js", "node_modules/chart.js/dist/chart.umd.min.js"} < wanted
    assert any(name.endswith("/ace.js") for name in wanted) and any("/main-" in name for name in wanted)
    with subprocess.Popen(
        [sys.executable, "-m", "breastai.server", "--port", "0"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            url = re.search(r"http://localhost:\d+/", server.stdout.readline())[0]
            served = static_table(frontend)
            different = [name for name in sorted(wanted) if fetched(url + name) != served[f"/{name}"].read()]
            secret = installed / "breastai" / "frontend" / "session.js"
            assert secret.is_file()  # the server wrote the token beside its own page: it is this one that it serves
            with pytest.raises(urllib.error.HTTPError, match="404") as refused:
                fetched(f"{url}session.js")
            refused.value.close()
        finally:
            server.terminate()
    assert different == []


def fetched(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


def test_the_licence_of_each_library_goes_along(installed: Path):
    libraries = installed / "breastai" / "frontend" / "node_modules"
    for library in ("chart.js", "@kurkle/color", "ace-builds"):
        [licence] = (libraries / library).glob("LICENSE*")
        assert "copyright" in licence.read_text(encoding="utf-8").lower()


def test_the_owners_token_is_no_part_of_a_wheel(hook: ModuleType, tmp_path: Path):
    page_with_libraries(hook, tmp_path)
    (tmp_path / "session.js").write_text("token")
    (tmp_path / "js" / "app.js").write_text("")
    files = [path.as_posix() for path in hook.page_files(tmp_path)]
    assert "js/app.js" in files and "index.html" in files
    assert not [file for file in files if "session" in file]


@pytest.mark.parametrize("library", ["chart.js", "ace-builds"])
def test_a_wheel_without_a_library_is_not_made_and_the_error_says_what_to_type(
    hook: ModuleType, tmp_path: Path, library: str
):
    page_with_libraries(hook, tmp_path)
    for file in (tmp_path / "node_modules" / library).rglob("*.js"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match=r"npm ci --prefix"):
        hook.page_files(tmp_path)


def test_an_editable_install_needs_no_libraries(hook: ModuleType, tmp_path: Path):
    build_data = {"force_include": {}}
    page_hook = hook.PageHook(str(tmp_path), {}, None, None, str(tmp_path), "wheel")
    page_hook.initialize("editable", build_data)
    assert build_data == {"force_include": {}}
    with pytest.raises(FileNotFoundError):
        page_hook.initialize("standard", build_data)


def page_with_libraries(hook: ModuleType, folder: Path) -> None:
    """Make an empty file for each pattern."""
    patterns = [*hook.OWN_FILES]
    for library, files in hook.LIBRARY_FILES.items():
        patterns += [f"node_modules/{library}/{file}" for file in files]
    for pattern in patterns:
        file = folder / pattern.replace("**/", "").replace("*", "x")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
