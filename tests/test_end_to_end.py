"""The whole way on small images: sample data, train, evaluate, export, predict, resume; and every bad input on it."""

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra train")

from breastai.cli import run
from breastai.commands.output import JsonLines
from breastai.domain.events import Event, TrainingUpdate
from breastai.storage.lease import Lease

# Small enough for a test, and the same on every machine: one thread, float32.
SMALL = {
    "data": {"image_size": 64, "batch_size": 8, "num_workers": 1},
    "model": {"architecture": "tf_efficientnet_lite0", "pretrained": "required", "dropout_rate": 0.1},
    "training": {"epochs": 2, "use_amp": False, "learning_rate": 0.001, "scheduler": "cosine_warmup"},
    "system": {"num_threads": 1, "download_weights": False},
    "evaluation": {"patient_id": r"^(P\d+)_"},
}


class Project:
    """A workspace, and a way to run commands in it as a user would."""

    def __init__(self, root: Path, capture: Any) -> None:
        self.root = root
        self._capture = capture

    def run(self, *arguments: str, status: int = 0) -> list[dict[str, Any]]:
        """Run a command with --json and return what it wrote; its exit status must be `status`."""
        self._capture.readouterr()
        found = run([*arguments, "--json"])
        shown = self._capture.readouterr()
        assert found == status, shown.out[-2000:] + shown.err[-2000:]
        return [json.loads(line) for line in shown.out.splitlines()]

    def error(self, *arguments: str, status: int = 2) -> dict[str, Any]:
        """Run a command that fails; return its error, which must be the last line, without a traceback."""
        last = self.run(*arguments, status=status)[-1]
        assert last["type"] == "error" and "Traceback" not in last["message"]
        return last


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Project:
    """An empty workspace with the small configuration."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(SMALL), encoding="utf-8")
    return Project(tmp_path, capsys)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A workspace whose model was trained on sample data, and the events of that run. Not to be written to."""
    root = tmp_path_factory.mktemp("trained")
    (root / "config.json").write_text(json.dumps(SMALL), encoding="utf-8")
    before, umask = Path.cwd(), os.umask(0)
    os.chdir(root)
    try:
        assert run(["sample-data", "data", "--per-class", "18"]) == 0
        events = root / "events.jsonl"
        with pytest.MonkeyPatch.context() as patch, events.open("w", encoding="utf-8") as stdout:
            patch.setattr("sys.stdout", stdout)
            assert run(["train", "--json"]) == 0
    finally:
        os.umask(umask)
        os.chdir(before)
    return root, [json.loads(line) for line in events.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def finished(
    trained: tuple[Path, list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> tuple[Project, str]:
    """A copy of the trained workspace to do anything with, and the run's name."""
    shutil.copytree(trained[0], tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return Project(tmp_path / "project", capsys), trained[1][-1]["checkpoint"].partition("/")[0]


# --- the main way --------------------------------------------------------------------------------


@pytest.mark.full
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")
@pytest.mark.timeout(900)  # seven commands, each a process of its own
def test_nobody_else_can_read_what_a_project_came_to_hold(finished: tuple[Project, str]) -> None:
    """Trained, judged, reported, exported, explained and backed up by a user whose umask keeps nothing to themselves."""
    project, run_id = finished
    umask = os.umask(0)
    try:
        project.run("evaluate", f"{run_id}/best", "--data", "data", "--split", "val")
        project.run("report", f"{run_id}/best")
        project.run("export", f"{run_id}/best", "--format", "pytorch")
        project.run("export", f"{run_id}/best")
        project.run("backup")
    finally:
        os.umask(umask)
    folders = [project.root / name for name in ("checkpoints", "exports", "logs", "backups")]
    found = [path for folder in folders for path in (folder, *folder.rglob("*"))]
    assert len(found) > 20
    assert [path.relative_to(project.root).as_posix() for path in found if path.stat().st_mode & 0o077] == []
    project.run("evaluate", f"{run_id}/best", "--data", "data", "--split", "val")


def test_a_run_tells_of_its_data_its_model_each_epoch_and_its_end(
    trained: tuple[Path, list[dict[str, Any]]],
) -> None:
    root, told = trained
    # Before it begins a run looks through its images, and may ask.
    begun = next(number for number, event in enumerate(told) if event["type"] == "training_started")
    assert {event["type"] for event in told[:begun]} <= {"progress_update", "log", "audit"}
    events = told[begun:]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "training_started" and kinds[-1] == "training_complete"
    assert kinds.count("training_update") == 2 and kinds.count("checkpoint_saved") >= 2
    model = next(event for event in events if event["type"] == "model_loaded")
    assert model["weights"] == "package"
    data = next(event for event in events if event["type"] == "data_loaded")
    assert set(data["train"]) == {"benign", "malignant", "normal"} and data["patients"] > 3
    seqs = [event["seq"] for event in events if event["type"] != "backup_created"]
    assert seqs == sorted(set(seqs))
    run_id = events[0]["run_id"]
    assert events[-1]["checkpoint"] == f"{run_id}/best"
    assert (root / "checkpoints" / run_id / "best.safetensors").is_file()
    journal = [json.loads(line) for line in (root / "logs" / run_id / "events.jsonl").read_text().splitlines()]
    assert journal == [event for event in events if event["type"] not in ("progress_update", "backup_created")]


def test_evaluation_of_the_validation_folder_asks_the_same_network_as_the_best_epoch(
    finished: tuple[Project, str],
) -> None:
    """The epoch's figures are of raw probabilities, the evaluation's of calibrated ones: the raw loss must agree."""
    project, run_id = finished
    evaluation = project.run("evaluate", f"{run_id}/best", "--data", "data", "--split", "val")[-1]
    journal = project.root / "logs" / run_id / "events.jsonl"
    final = json.loads(journal.read_text().splitlines()[-1])["final_metrics"]
    assert evaluation["type"] == "evaluation" and evaluation["split"] == "val"
    assert evaluation["calibration"]["before"]["log_loss"] == pytest.approx(final["loss"], abs=1e-4)
    assert list(map(sum, evaluation["confusion_matrix"])) == list(map(sum, final["confusion_matrix"]))
    assert "auc_roc.malignant" in evaluation["figures"]


def test_the_exported_model_answers_as_the_checkpoint_does(finished: tuple[Project, str]) -> None:
    project, run_id = finished
    exported = project.run("export", f"{run_id}/best")[-1]
    assert exported["type"] == "export_complete" and exported["max_difference"] <= 1e-4
    assert exported["path"].startswith("exports/onnx/")
    by_checkpoint = project.run("predict", f"{run_id}/best", "data/test")
    by_onnx = project.run("predict", exported["path"], "data/test")
    assert by_checkpoint[-1] == by_onnx[-1] | {"session_id": "default"}
    images = sorted(path.relative_to(project.root).as_posix() for path in (project.root / "data/test").rglob("*.png"))
    ours = {event["file"]: event for event in by_checkpoint if event["type"] == "prediction"}
    theirs = {event["file"]: event for event in by_onnx if event["type"] == "prediction"}
    assert sorted(ours) == sorted(theirs) == images
    for name, expected in ours.items():
        assert theirs[name]["label"] == expected["label"]
        assert theirs[name]["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)
        assert sum(expected["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_checkpoint_of_another_workspace_is_judged_and_exported_by_its_path(
    trained: tuple[Path, list[dict[str, Any]]], project: Project
) -> None:
    root, events = trained
    checkpoint = str(root / "checkpoints" / events[0]["run_id"] / "best.safetensors")
    image = next((root / "data/test/benign").iterdir())
    answers = project.run("predict", checkpoint, str(image))
    types = [event["type"] for event in answers if event["type"] != "progress_update"]
    assert types[-3:] == ["prediction", "unit_prediction", "predictions_complete"]
    exported = project.run("export", checkpoint, "--format", "pytorch")[-1]
    assert (project.root / exported["path"]).is_file()


def test_a_finished_run_can_be_given_more_epochs(finished: tuple[Project, str]) -> None:
    project, run_id = finished
    events = project.run("resume", run_id, "--epochs", "3")
    started = next(event for event in events if event["type"] == "training_started")
    assert (started["start_epoch"], started["epochs"], started["run_id"]) == (3, 3, run_id)
    assert [event["epoch"] for event in events if event["type"] == "training_update"] == [3]
    assert events[-1]["type"] == "training_complete"


def test_ctrl_c_saves_the_run_and_a_resume_finishes_it(
    finished: tuple[Project, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, first_run = finished
    tell = JsonLines.event

    def press_ctrl_c(output: JsonLines, event: Event) -> None:
        tell(output, event)
        if isinstance(event, TrainingUpdate) and event.epoch == 1:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(JsonLines, "event", press_ctrl_c)
        events = project.run("train", "--epochs", "2", status=130)
    stopped = events[-1]
    assert (stopped["type"], stopped["reason"], stopped["epoch"]) == ("training_stopped", "user", 1)
    run_id = stopped["run_id"]
    assert run_id != first_run and stopped["checkpoint"] == f"{run_id}/last"
    resumed = project.run("resume", stopped["checkpoint"])
    assert resumed[-1]["type"] == "training_complete"
    numbers = [event["seq"] for event in [*events, *resumed] if event["type"] != "backup_created"]
    assert numbers == sorted(set(numbers))
    # Interrupted or not, the second epoch is the same.
    whole = (project.root / "logs" / first_run / "events.jsonl").read_text(encoding="utf-8").splitlines()
    expected = [json.loads(line) for line in whole if json.loads(line)["type"] == "training_update"][1]
    (found,) = [event for event in resumed if event["type"] == "training_update"]
    assert (found["epoch"], found["train_loss"], found["val_loss"]) == (
        2,
        expected["train_loss"],
        expected["val_loss"],
    )


def test_predictions_go_on_past_images_that_can_not_be_read(finished: tuple[Project, str]) -> None:
    project, run_id = finished
    (project.root / "broken.png").write_text("text")
    good = next((project.root / "data/test/benign").iterdir())
    events = project.run("predict", f"{run_id}/best", "broken.png", str(good), status=2)
    predictions = {event["file"]: event for event in events if event["type"] == "prediction"}
    assert predictions["broken.png"]["label"] is None and predictions["broken.png"]["error"]
    assert predictions[good.relative_to(project.root).as_posix()]["label"] in ("benign", "malignant", "normal")
    assert events[-1]["type"] == "predictions_complete" and events[-1]["failed"] == 1


# --- bad input -----------------------------------------------------------------------------------


def write_images(folder: Path, count: int = 4, prefix: str = "") -> None:
    """Write small images; the class is seen in their brightness."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(len(folder.name))
    for number in range(count):
        pixels = rng.integers(40 * len(folder.name) % 150, 250, (40, 50), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"P{number:02d}_{prefix}.png")


def two_classes(root: Path, count: int = 6) -> None:
    for class_name in ("benign", "malignant"):
        write_images(root / "data/train" / class_name, count)


FOLDERS: dict[str, tuple[Any, str, str]] = {
    "an empty folder": (lambda root: (root / "data").mkdir(), "data.no_class_folders", "benign"),
    "an empty train folder": (lambda root: (root / "data/train").mkdir(parents=True), "data.no_class_folders", "benign"),
    "no class folders": (lambda root: write_images(root / "data/train"), "data.no_class_folders", "one folder for each"),
    "one class only": (lambda root: write_images(root / "data/train/benign"), "data.too_few_classes", "at least two"),
}  # fmt: skip


@pytest.mark.parametrize("case", FOLDERS)
def test_folders_without_two_classes_are_refused(project: Project, case: str) -> None:
    make, code, expected = FOLDERS[case]
    make(project.root)
    error = project.error("train", "--data", "data")
    assert error["code"] == code and expected in error["message"]


def test_a_class_without_a_readable_image_is_refused_with_the_reason(project: Project) -> None:
    two_classes(project.root)
    for path in (project.root / "data/train/malignant").iterdir():
        path.write_bytes(b"")
    error = project.error("train")
    assert error["code"] == "data.unreadable_class"
    assert "malignant" in error["message"] and "0 bytes" in error["message"]


def test_odd_images_are_read_and_broken_ones_are_listed_with_their_reason(project: Project) -> None:
    two_classes(project.root)
    folder = project.root / "data/train/benign"
    rng = np.random.default_rng(0)
    deep = rng.integers(0, 65535, (40, 50), dtype=np.uint16)
    # Read: 16 bits, CMYK, very narrow, accents in the name, an upper-case class name.
    cv2.imencode(".tiff", deep)[1].tofile(folder / "P20_deep.tiff")
    Image.fromarray(rng.integers(0, 255, (40, 50, 4), dtype=np.uint8), "CMYK").save(folder / "P21_cmyk.jpg")
    Image.fromarray(rng.integers(0, 255, (9, 50), dtype=np.uint8)).save(folder / "P22_narrow.png")
    Image.fromarray(rng.integers(0, 255, (40, 50), dtype=np.uint8)).save(folder / "P23_bénin é 1.png")
    # Not read: truncated, text, empty; masks are no images of a class.
    Image.fromarray(rng.integers(0, 255, (200, 200, 3), dtype=np.uint8)).save(folder / "P24_whole.jpg")
    whole = (folder / "P24_whole.jpg").read_bytes()
    (folder / "P24_whole.jpg").unlink()
    (folder / "P24_truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "P25_text.png").write_text("these are words")
    (folder / "P26_empty.png").write_bytes(b"")
    write_images(folder, 2, prefix="x_mask")
    write_images(folder, 1, prefix="x_mask_1")
    events = project.run("train", "--epochs", "1")
    data = next(event for event in events if event["type"] == "data_loaded")
    reasons = {Path(item["file"]).name: item["reason"] for item in data["skipped_files"]}
    assert set(reasons) == {"P24_truncated.jpg", "P25_text.png", "P26_empty.png"}
    assert all(reasons.values()) and "empty" in reasons["P26_empty.png"]["code"]
    assert data["masks"] == 3
    assert data["train"]["benign"] + data["val"]["benign"] == 6 + 4
    assert events[-1]["type"] == "training_complete"


def test_a_wrong_number_of_classes_is_refused(project: Project) -> None:
    two_classes(project.root)
    error = project.error("train", "--set", "model.num_classes=5")
    assert error["code"] == "data.num_classes_mismatch" and "empty" in error["message"]


def test_required_weights_that_can_not_be_had_are_an_error(project: Project) -> None:
    two_classes(project.root)
    error = project.error("train", "--set", "model.architecture=resnet50")
    assert error["code"] == "model.weights_unavailable" and "tf_efficientnet_lite0" in error["message"]


def test_a_damaged_checkpoint_is_refused(finished: tuple[Project, str]) -> None:
    project, run_id = finished
    weights = project.root / "checkpoints" / run_id / "best.safetensors"
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    error = project.error("evaluate", f"{run_id}/best", "--data", "data")
    assert error["code"] == "checkpoint.damaged" and "another checkpoint" in error["message"]


def test_evaluation_with_other_classes_is_refused(finished: tuple[Project, str]) -> None:
    project, run_id = finished
    for class_name in ("cat", "dog"):
        write_images(project.root / "pets" / class_name)
    error = project.error("evaluate", f"{run_id}/best", "--data", "pets")
    assert error["code"] == "data.classes_unmatched" and "benign" in error["message"]


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x07"])
def test_a_file_that_is_no_model_is_refused(project: Project, content: bytes) -> None:
    write_images(project.root / "images", 1)
    (project.root / "model.onnx").write_bytes(content)
    error = project.error("predict", "model.onnx", "images")
    assert error["code"] == "model.unreadable" and "exported .onnx file" in error["message"]


def test_a_full_disk_at_a_checkpoint_makes_the_run_wait_and_go_on_when_there_is_room(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from breastai.engine.training import checkpointing
    from breastai.storage import atomic_checkpoint

    sync, tries = atomic_checkpoint.sync_file, iter(range(1000))

    def full_at_first(path: Path) -> None:
        if next(tries) < 3:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        sync(path)

    two_classes(project.root)
    monkeypatch.setattr(atomic_checkpoint, "sync_file", full_at_first)
    monkeypatch.setattr(checkpointing, "RETRY_S", 0.0)
    events = project.run("train", "--epochs", "1")
    codes = [event.get("code") for event in events if event["type"] == "log"]
    assert codes.index("disk.waiting") < codes.index("disk.room_again")
    assert events[-1]["type"] == "training_complete"


def test_a_run_in_use_by_another_process_is_left_alone(finished: tuple[Project, str]) -> None:
    from breastai.storage.workspace import Workspace

    project, run_id = finished
    with Lease(Workspace.open(project.root)).take(run_id):
        error = project.error("resume", run_id, "--epochs", "3", status=1)
    assert error["code"] == "run.locked"


# --- version 3's script --------------------------------------------------------------------------

SCRIPT_OF_VERSION_3 = """
import asyncio
from breastai import (
    MedicalProductionConfig,
    BreastAITrainingSystem,
    TrainingBroadcaster,
    TrainingStateManager
)

async def main():
    config = MedicalProductionConfig("config.json")
    broadcaster = TrainingBroadcaster()
    await broadcaster.connect()
    state_manager = TrainingStateManager(broadcaster)
    training_system = BreastAITrainingSystem(config, state_manager)
    await training_system.setup_training()
    await training_system.start_training(epochs=1)
    await training_system.export_model("onnx")
    await broadcaster.close()

asyncio.run(main())
"""


def test_the_script_of_version_3_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    # No test may talk to a server that happens to run here.
    monkeypatch.setattr("breastai.v3_api.DEFAULT_URL", "ws://localhost:9")
    monkeypatch.setattr("breastai.v3_api.TrainingBroadcaster.__init__.__defaults__", ("ws://localhost:9",))
    two_classes(project.root)
    exec(compile(SCRIPT_OF_VERSION_3, "script", "exec"), {"__name__": "__main__"})
    assert len(list((project.root / "exports/onnx").glob("*.onnx"))) == 1
