"""The bundle: one file, unpacked and installed without a network, that makes sample images and serves the page."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

# Where the kernel lets an ordinary user have one: a network of one's own, without even the loopback address.
WITHOUT_NETWORK = ["unshare", "-rn"]


def script(project_root: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, project_root / "packaging" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(project_root: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked folder of the smallest bundle: what predicts and serves, without torch."""
    place = tmp_path_factory.mktemp("bundle")
    command = [sys.executable, str(project_root / "packaging" / "bundle.py"), str(wheel), "--into", str(place)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=280)
    if made.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"packages can't be had here: {made.stderr[-300:]}")
    assert made.returncode == 0, made.stderr
    [file] = place.glob("*.zip")
    assert made.stdout.startswith(str(file)) and list(place.iterdir()) == [file]
    with zipfile.ZipFile(file) as archive:
        archive.extractall(place)
    return place / file.stem


@pytest.fixture(scope="module")
def installed(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that install.sh makes with no network to ask."""
    target = tmp_path_factory.mktemp("machine") / "environment"
    alone = WITHOUT_NETWORK if subprocess.run([*WITHOUT_NETWORK, "true"], check=False).returncode == 0 else []
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHONPATH"))}
    told = subprocess.run(
        [*alone, "sh", str(bundle / "install.sh"), str(target)],
        env=environment | {"PATH": path, "LC_ALL": "fr_FR.UTF-8"},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert told.returncode == 0, told.stderr
    assert "est installé" in told.stdout and str(target) in told.stdout
    return target / "bin"


def test_a_bundle_installs_without_a_network_and_serves_the_page(installed: Path, tmp_path: Path):
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    breastai = str(installed / "breastai")
    subprocess.run([breastai, "sample-data", "images"], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert len(list((tmp_path / "images").rglob("*.png"))) > 10
    command = [breastai, "serve", "--port", "0", "--workspace", str(tmp_path)]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = re.search(r"http://localhost:\d+/", server.stdout.readline())[0]
            with urllib.request.urlopen(url, timeout=30) as answer:
                assert b"<title>BreastAI" in answer.read()
        finally:
            server.terminate()


def test_every_package_of_a_bundle_is_pinned_by_version_and_hash(bundle: Path):
    lines = (bundle / "requirements.txt").read_text().splitlines()
    assert len(lines) == len(list((bundle / "wheels").iterdir())) > 10
    assert all(re.fullmatch(r"\S+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)
    assert any(line.startswith("breastai==") for line in lines)
    assert not [line for line in lines if line.startswith("torch==")]
    assert {"install.py", "install.sh", "install.bat", "LICENSE"} < {file.name for file in bundle.iterdir()}


def test_a_package_changed_on_its_way_is_not_installed(bundle: Path, tmp_path: Path):
    requirements = bundle / "requirements.txt"
    whole = requirements.read_text()
    requirements.write_text(re.sub(r"(pillow==\S+ --hash=sha256:)\S+", r"\g<1>" + "0" * 64, whole))
    try:
        command = [sys.executable, str(bundle / "install.py"), str(tmp_path / "environment")]
        told = subprocess.run(command, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True, timeout=280)
    finally:
        requirements.write_text(whole)
    assert told.returncode == 1
    assert "pip could not install" in told.stderr and "HASHES" in told.stderr


@pytest.mark.parametrize(("key", "other"), [("python", "2.7"), ("platform", "amiga-68000")])
def test_packages_for_another_python_or_platform_are_refused_at_once(
    project_root: Path, tmp_path: Path, key: str, other: str
):
    installer = script(project_root, "bundle_install")
    described = installer.python_and_platform() | {key: other}
    (tmp_path / "bundle.json").write_text(json.dumps(described))
    problem = installer.install(tmp_path, tmp_path / "environment")
    assert other in problem and installer.python_and_platform()[key] in problem
    assert not (tmp_path / "environment").exists()


def test_a_folder_with_files_of_ones_own_is_left_alone(project_root: Path, tmp_path: Path):
    installer = script(project_root, "bundle_install")
    (tmp_path / "bundle.json").write_text(json.dumps(installer.python_and_platform()))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    assert "mine" in installer.install(tmp_path, tmp_path / "mine")
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_the_installer_says_the_same_in_each_language(project_root: Path):
    english, french = script(project_root, "bundle_install").TEXTS.values()
    fields = [{key: set(re.findall(r"\{\w+\}", text)) for key, text in told.items()} for told in (english, french)]
    assert fields[0] == fields[1]
