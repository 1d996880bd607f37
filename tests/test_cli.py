"""The command line: output, precedence and exit statuses. Jobs are played by a stand-in for the worker."""

import json
import os
import signal
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import generate_uid

from breastai import __version__
from breastai.cli import run
from breastai.commands import run_job
from breastai.domain import catalog
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.config import Config
from breastai.domain.errors import BreastAIError, LossNotFinite, NoClassFolders, RunLocked
from breastai.domain.event_messages import decode_event, error_event
from breastai.domain.events import (
    Event,
    ExplanationsComplete,
    ExportComplete,
    HeatMap,
    Log,
    Prediction,
    PredictionsComplete,
    ProgressUpdate,
    StudyStopped,
    TrainingComplete,
    TrainingStarted,
    TrainingStopped,
)
from breastai.domain.jobs import AnyJob, Crossval, Predict, Resume, Train, Tune
from breastai.storage.atomic_checkpoint import save_checkpoint
from breastai.storage.checkpoints import Manifest, SplitRecord, checkpoint_files
from breastai.storage.workspace import Workspace

from .predictor.test_watched_folder import dicom

Script = Callable[[AnyJob, Callable[[], bool]], Iterator[Event]]
COMMANDS = ["train", "resume", "evaluate", "predict", "export", "verify", "serve", "doctor", "sample-data", "backup"]


class FakeWorker:
    """Stands in for breastai.worker: remembers the jobs, and tells the events it was given."""

    def __init__(self) -> None:
        self.jobs: list[AnyJob] = []
        self.script: Script = lambda job, stop_requested: iter([])

    def perform(self, job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        self.jobs.append(job)
        return self.script(job, stop_requested)

    def tells(self, *events: Event) -> None:
        self.script = lambda job, stop_requested: iter(events)


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> FakeWorker:
    fake = FakeWorker()
    module = types.ModuleType("breastai.worker")
    module.perform = fake.perform  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "breastai.worker", module)
    return fake


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a workspace with empty class folders, and a config.json that leaves the defaults."""
    for class_name in ("benign", "malignant"):
        (tmp_path / "data" / "train" / class_name).mkdir(parents=True)
    (tmp_path / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


COMPLETE = TrainingComplete(
    final_metrics={"accuracy": 0.75, "auc_roc": None, "per_class": {"benign": {"sensitivity": None, "support": 3}}},
    history={},
    checkpoint="R/best",
    best_epoch=2,
    epochs_run=3,
    stopped_early=True,
    duration_s=3700.0,
    run_id="R",
    seq=9,
)
STARTED = TrainingStarted(architecture="resnet50", epochs=3, class_names=["benign", "malignant"], config={}, run_id="R")


def make_checkpoint(root: Path, run_id: str, kind: Any = "best") -> None:
    workspace = Workspace.open(root)
    manifest = Manifest(
        run_id=run_id,
        kind=kind,
        created="2026-01-01T00:00:00+00:00",
        config=Config(),
        architecture="resnet50",
        class_names=["benign", "malignant"],
        image_size=64,
        mean=[0.5] * 3,
        std=[0.5] * 3,
        epoch=1,
        metrics={},
        split=SplitRecord(train=[], val=[], train_sha256=[], val_sha256=[]),
        pretrained="none",
        versions={},
    )
    save_checkpoint(
        checkpoint_files(workspace, run_id, kind), manifest, lambda path: path.write_bytes(b"weights") and None
    )


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# --- the commands --------------------------------------------------------------------------------


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"breastai {__version__}\n"


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_workspace_and_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "--workspace DIR" in text and "--json" in text


def test_help_and_version_are_quick_to_import() -> None:
    code = (
        "import sys; from breastai.cli import run; assert run(['--help']) == 0;"
        "heavy = {'torch', 'cv2', 'numpy', 'onnxruntime', 'sklearn', 'websockets', 'regex', 'breastai.domain.requests'} & set(sys.modules);"
        "sys.exit(f'imported: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_the_module_is_the_command(place: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "breastai", "--version"], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"breastai {__version__}\n")


# --- what wins -----------------------------------------------------------------------------------


def configuration(worker: FakeWorker, *arguments: str) -> Config:
    worker.tells(COMPLETE)
    assert run(["train", *arguments]) == 0
    job = worker.jobs[-1]
    assert isinstance(job, Train)
    return job.config


def test_a_trace_is_written_into_a_folder_that_exists(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration(worker, "--trace", "trace.json")
    assert json.loads((place / "trace.json").read_text())["traceEvents"] == []
    assert "Where the seconds went is in trace.json" in capsys.readouterr().out
    assert run(["train", "--trace", "nowhere/trace.json"]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_what_wins_weakest_first_defaults_file_preset_set_epochs(worker: FakeWorker, place: Path) -> None:
    assert configuration(worker).training.epochs == 50
    (place / "config.json").write_text('{"training": {"epochs": 40, "momentum": 0.5}}')
    assert configuration(worker).training.epochs == 40
    preset = configuration(worker, "--preset", "quick")
    assert (preset.training.epochs, preset.training.momentum, preset.data.image_size) == (12, 0.5, 224)
    assert configuration(worker, "--preset", "quick", "--set", "training.epochs=11").training.epochs == 11
    everything = ("--preset", "quick", "--set", "training.epochs=11", "--epochs", "10")
    assert configuration(worker, *everything).training.epochs == 10


@pytest.fixture
def bare(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder: a workspace without config.json, with four images."""
    (place / "config.json").unlink()
    for class_name in ("benign", "malignant"):
        for number in range(2):
            file = place / "data" / "train" / class_name / f"{number}.png"
            Image.new("L", (8, 8), 100 * number).save(file)
    return place


def test_without_preset_and_config_json_a_training_takes_what_suits_the_images_and_says_so_first(
    worker: FakeWorker, bare: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert configuration(worker).training.recipe == "probe"
    first = capsys.readouterr().out.splitlines()[0]
    assert "config.json: probe, as suits 4 images. Another: --preset quick|balanced|full." in first
    monkeypatch.setattr(catalog, "FEW_IMAGES", 3)
    settings = configuration(worker, "--json")
    assert (settings.training.recipe, settings.training.epochs) == ("fine_tune", 12)
    assert settings.model.architecture == "tf_efficientnet_lite0"
    (event, _) = lines(capsys.readouterr().out)
    assert (event["code"], event["params"]["preset"], event["params"]["images"]) == ("preset_chosen", "quick", 4)


@pytest.mark.parametrize(
    ("arguments", "recipe", "epochs"),
    [
        (["--epochs", "3"], "fine_tune", 3),
        (["--set", "training.learning_rate=0.01"], "fine_tune", 12),
        (["--set", "model.pretrained=none"], "fine_tune", 12),
        (["--processes", "2", "--cluster", "local"], "fine_tune", 12),
        (["--set", "training.recipe=probe"], "probe", 1),
        (["--set", "data.image_size=64"], "probe", 1),
        (["--preset", "full"], "plain", 50),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_is_asked_of_a_network_that_learns_is_not_asked_of_a_probe(
    worker: FakeWorker, bare: Path, arguments: list[str], recipe: str, epochs: int
) -> None:
    found = configuration(worker, *arguments).training
    assert (found.recipe, found.epochs) == (recipe, epochs)


def test_images_that_cannot_be_counted_are_no_reason_for_the_defaults(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "config.json").unlink()
    assert configuration(worker).training.epochs == 12
    assert "could not be counted" in capsys.readouterr().out.splitlines()[0]


@pytest.mark.parametrize(("command", "recipe"), [("crossval", "probe"), ("tune", "fine_tune")])
def test_studies_choose_too_and_never_search_a_probe(
    worker: FakeWorker, bare: Path, capsys: pytest.CaptureFixture[str], command: str, recipe: str
) -> None:
    worker.tells(StudyStopped(study_id="S", kind="crossval", reason="user"))
    assert run([command]) == 130
    job = worker.jobs[-1]
    assert isinstance(job, Crossval | Tune) and job.config.training.recipe == recipe
    assert "No preset and no config.json" in capsys.readouterr().out.splitlines()[0]


def test_a_given_file_takes_the_place_of_config_json(worker: FakeWorker, place: Path) -> None:
    (place / "config.json").write_text('{"training": {"epochs": 40, "momentum": 0.5}}')
    (place / "other.json").write_text('{"training": {"epochs": 30}}')
    config = configuration(worker, "--config", "other.json")
    assert (config.training.epochs, config.training.momentum) == (30, 0.9)


def test_the_later_of_two_settings_wins(worker: FakeWorker, place: Path) -> None:
    config = configuration(worker, "--set", "training.epochs=3", "--set", "training.epochs=4")
    assert config.training.epochs == 4


def test_data_is_the_folder_that_holds_train_relative_to_the_current_folder(
    worker: FakeWorker, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = place / "elsewhere"
    config = configuration(worker, "--data", "data", "--workspace", "elsewhere")
    assert config.data.train_dir == (place / "data/train").as_posix()
    config = configuration(worker, "--data", "./data/")
    assert (config.data.train_dir, config.data.val_dir, config.data.test_dir) == ("data/train", "data/val", "data/test")
    config = configuration(worker, "--data", "data", "--set", "data.val_dir=null")
    assert config.data.val_dir is None
    assert workspace.is_dir()


def test_a_run_gets_a_name_and_the_workspaces_absolute_path(worker: FakeWorker, place: Path) -> None:
    configuration(worker)
    job = worker.jobs[0]
    assert isinstance(job, Train) and job.run_id and job.workspace == str(place.resolve())


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["train", "--epochs", "-1"], "config.invalid", "training.epochs: expected a whole number from 1 to 10000"),
        (["train", "--epochs", "many"], "command.invalid", "--epochs"),
        (["train", "--set", "training.learning_rate=fast"], "config.invalid", "above 0 to 10, got 'fast'"),
        (["train", "--set", "data.image_size=7"], "config.invalid", "data.image_size: expected a whole number from 32"),
        (["train", "--set", "model.architecture=vgg16"], "config.invalid", "expected one of tf_efficientnet_lite0"),
        (["train", "--set", "training.epoch=3"], "config.invalid", "training.epoch: unknown key"),
        (["train", "--set", "training.epochs"], "config.invalid", "expected section.key=value"),
        (["train", "--preset", "fastest"], "config.invalid", "expected one of probe, quick, balanced, full"),
        (["train", "--config", "none.json"], "config.unreadable", "none.json"),
        (["train", "--data", "nowhere"], "data.not_found", "nowhere/train does not exist"),
        (["train", "--fast"], "command.invalid", "There is no option --fast"),
        (["trian"], "command.invalid", "There is no command trian"),
        (["evaluate", "R/best", "--data", "data"], "checkpoint.not_found", "There is no checkpoint R/best"),
        (["evaluate", "S/best", "--data", "nowhere"], "data.not_found", "nowhere"),
        (["evaluate", "S/best"], "command.invalid", "--data"),
        (["evaluate", "S/best", "--data", "data", "--split", "dev"], "command.invalid", "--split"),
        (["resume", "R"], "checkpoint.not_found", "Known: S/best"),
        (["resume", "S", "--epochs", "0"], "config.invalid", "training.epochs: expected a whole number from 1"),
        (["export", "S/best", "--format", "tflite"], "command.invalid", "expected one of onnx, onnx-int8"),
        (["export", "../../etc/passwd"], "checkpoint.not_found", "There is no checkpoint"),
        (["predict", "S/best", "none.png"], "data.image_unreadable", "there is no such file"),
        (["predict", "S/best", "data"], "data.no_images", "No image in data"),
        (["predict", "S/best", "*.png"], "data.no_images", "No image in *.png"),
        (["predict", "none.onnx", "data/train/benign/1.png"], "model.unreadable", "no such file"),
        (["predict", "S/best"], "command.invalid", "IMAGE..."),
        (["sample-data", "x", "--per-class", "0"], "command.invalid", "--per-class"),
        (["train", "--workspace", "file/x"], "workspace.unusable", "Give another folder with --workspace"),
        (["serve", "--port", "70000"], "command.invalid", "--port"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_ends_with_status_2_and_says_what_to_do(
    worker: FakeWorker,
    place: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: str,
    expected: str,
) -> None:
    make_checkpoint(place, "S")
    (place / "file").write_text("a file")
    (place / "data/train/benign/1.png").write_bytes(b"")
    if arguments[-1] == "data" and arguments[0] == "predict":
        (place / "data/train/benign/1.png").unlink()
    assert run(arguments) == 2
    shown = capsys.readouterr()
    assert expected in shown.err and shown.err.startswith("Error: ") and "Traceback" not in shown.err
    assert shown.out == ""
    assert run([*arguments, "--json"]) == 2
    shown = capsys.readouterr()
    (event,) = lines(shown.out)
    assert (event["type"], event["code"]) == ("error", code)
    assert expected in event["message"]
    assert worker.jobs == []


@pytest.mark.parametrize("content", ["{", "[]", '{"trainning": {}}', '{"training": {"epochs": -1}}'])
def test_a_fault_in_config_json_names_the_file(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    (place / "config.json").write_text(content)
    assert run(["train", "--epochs", "3"]) == 2
    assert "config.json" in capsys.readouterr().err


def test_a_missing_extra_says_the_line_to_type(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_job, "find_spec", lambda name: None if name == "torch" else object())
    assert run(["train"]) == 2
    assert "pip install 'breastai[train]'" in capsys.readouterr().err


def test_a_fault_of_ours_is_logged_in_full_and_told_without_a_traceback(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        raise ZeroDivisionError("ours")
        yield

    worker.script = broken
    assert run(["train", "--data", "data", "--workspace", "w"]) == 1
    shown = capsys.readouterr().err
    assert "w/logs/faults.log" in shown and "Traceback" not in shown
    assert "ZeroDivisionError: ours" in (place / "w/logs/faults.log").read_text()
    assert run(["train", "--data", "data", "--workspace=w", "--json"]) == 1
    assert lines(capsys.readouterr().out)[-1]["code"] == "internal"


# --- output and exit status ----------------------------------------------------------------------


def test_with_json_there_is_one_event_per_line_and_the_last_is_the_result(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def chatty(job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        print("a library says hello")
        yield STARTED
        yield COMPLETE

    worker.script = chatty
    assert run(["train", "--json"]) == 0
    shown = capsys.readouterr()
    assert [decode_event(line) for line in shown.out.splitlines()] == [STARTED, COMPLETE]
    assert "a library says hello" in shown.err


def test_what_a_library_writes_to_the_descriptor_itself_stays_out_of_the_events(
    worker: FakeWorker, place: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def chatty(job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        os.write(1, b"C code says hello\n")
        print("Python says hello", flush=True)
        yield COMPLETE

    worker.script = chatty
    with open(1, "w", encoding="utf-8", closefd=False) as stdout:
        monkeypatch.setattr(sys, "stdout", stdout)
        assert run(["train", "--json"]) == 0
        print("afterwards", flush=True)
    shown = capfd.readouterr()
    event, afterwards = shown.out.splitlines()
    assert (decode_event(event), afterwards) == (COMPLETE, "afterwards")
    assert "C code says hello" in shown.err and "Python says hello" in shown.err


@pytest.mark.parametrize(
    ("error", "status"), [(LossNotFinite(3, 3, 12.5), 1), (RunLocked("R"), 1), (NoClassFolders("data"), 2)]
)
def test_a_failed_run_ends_with_its_reason_and_its_status(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str], error: BreastAIError, status: int
) -> None:
    worker.tells(STARTED, error_event(error), TrainingStopped(reason="error", checkpoint="R/last"))
    assert run(["train", "--json"]) == status
    events = lines(capsys.readouterr().out)
    assert [event["type"] for event in events] == ["training_started", "training_stopped", "error"]
    assert run(["train"]) == status
    shown = capsys.readouterr()
    assert str(error) in shown.err.replace("\n", " ") and "breastai resume R" in shown.out


def test_a_user_reads_figures_places_and_the_notice(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.tells(STARTED, ProgressUpdate(stage="training", message="Epoch 1", progress=0.5, eta_s=3.0), COMPLETE)
    assert run(["train"]) == 0
    text = capsys.readouterr().out
    assert "accuracy" in text and "0.750" in text
    assert "undefined" in text and "nan" not in text.lower()
    assert "1 h 01 min" in text and "stopped early" in text
    assert "R/best" in text and "logs/R/events.jsonl" in text
    assert RESEARCH_USE in text


def test_brackets_in_a_message_are_not_markup(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.tells(Log(level="info", message="[red]é[/nothing] [/]"), COMPLETE)
    assert run(["train"]) == 0
    assert "[red]é[/nothing] [/]" in capsys.readouterr().out


def test_ctrl_c_asks_the_run_to_stop_and_ends_with_130(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def until_stopped(job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        yield STARTED
        assert not stop_requested()
        signal.raise_signal(signal.SIGINT)
        assert stop_requested()
        yield TrainingStopped(reason="user", checkpoint="R/last")

    worker.script = until_stopped
    before = signal.getsignal(signal.SIGINT)
    assert run(["train", "--json"]) == 130
    assert lines(capsys.readouterr().out)[-1]["type"] == "training_stopped"
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_twice_ends_at_once_with_130(worker: FakeWorker, place: Path) -> None:
    reached = []

    def deaf(job: AnyJob, stop_requested: Callable[[], bool]) -> Iterator[Event]:
        yield STARTED
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        reached.append("past the second signal")
        yield COMPLETE

    worker.script = deaf
    assert run(["train"]) == 130
    assert reached == []


def test_a_reader_that_leaves_ends_the_command_quietly(place: Path) -> None:
    command = f'"{sys.executable}" -m breastai backup --json | (exec <&-); exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (1, "")


# --- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["S", "S/best", "checkpoints/S/best.safetensors", "./checkpoints/S/best.json"])
def test_a_checkpoint_is_named_or_given_by_its_path(worker: FakeWorker, place: Path, name: str) -> None:
    make_checkpoint(place, "S")
    worker.tells(ExportComplete(format="onnx", path="x", size=1, size_mb=1, checkpoint="S/best"))
    assert run(["export", name]) == 0
    assert worker.jobs[0].checkpoint == "S/best"  # type: ignore[union-attr]


def test_a_checkpoint_of_another_workspace_is_given_by_its_path(worker: FakeWorker, place: Path) -> None:
    make_checkpoint(place / "other", "S")
    worker.tells(ExportComplete(format="onnx", path="x", size=1, size_mb=1, checkpoint="S/best"))
    assert run(["export", "other/checkpoints/S/best.safetensors"]) == 0
    expected = str((place / "other/checkpoints/S/best.safetensors").resolve())
    assert worker.jobs[0].checkpoint == expected  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ["S", "S/last", "checkpoints/S/last.safetensors"])
def test_a_run_is_resumed_by_its_name_or_a_checkpoint(worker: FakeWorker, place: Path, name: str) -> None:
    make_checkpoint(place, "S", "last")
    worker.tells(COMPLETE)
    assert run(["resume", name, "--epochs", "7"]) == 0
    assert worker.jobs == [Resume(workspace=str(place.resolve()), run_id="S", epochs=7)]


def test_images_are_files_folders_and_patterns_each_once(worker: FakeWorker, place: Path) -> None:
    make_checkpoint(place, "S")
    names = ["b.png", "a.JPG", "a_mask.png", ".hidden.png", "notes.txt", "sub/c.png"]
    for name in names:
        (place / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "images" / name).write_bytes(b"")
    worker.tells(PredictionsComplete(count=3, failed=0))
    assert run(["predict", "S", "images/b.png", "images", "images/*.png", "images/notes.txt"]) == 0
    job = worker.jobs[0]
    assert isinstance(job, Predict)
    found = [Path(image).relative_to(place / "images").as_posix() for image in job.images]
    assert found == ["b.png", "a.JPG", "sub/c.png", "notes.txt"]


def test_an_image_that_can_not_be_read_is_bad_input_though_the_others_are_answered(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_checkpoint(place, "S")
    (place / "a.png").write_bytes(b"")
    worker.tells(
        Prediction(file="a.png", label=None, probabilities=None, error="the file is empty (0 bytes)"),
        PredictionsComplete(count=1, failed=1),
    )
    assert run(["predict", "S", "a.png"]) == 2
    assert "a.png: the file is empty" in capsys.readouterr().err


# --- commands without a worker -------------------------------------------------------------------


def test_sample_data_tells_what_it_wrote(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sample-data", "sample", "--per-class", "5", "--seed", "3", "--json"]) == 0
    (result,) = lines(capsys.readouterr().out)
    written = list((place / "sample").rglob("*.png"))
    assert (result["type"], result["path"], result["images"]) == ("sample_data", "sample", len(written))
    assert {path.parent.name for path in written} == {"benign", "malignant", "normal"}


def test_sample_data_overwrites_nobodys_images(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "data/train/benign/mine.png").write_bytes(b"mine")
    assert run(["sample-data", "data", "--per-class", "5"]) == 2
    assert (place / "data/train/benign/mine.png").read_bytes() == b"mine"


def test_a_backup_is_told_with_its_place(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_checkpoint(place, "S")
    assert run(["backup", "--json"]) == 0
    (event,) = lines(capsys.readouterr().out)
    assert event["type"] == "backup_created" and event["files"] >= 1
    assert (place / event["path"]).is_file()


def test_the_server_refuses_a_port_in_use_and_says_what_to_do(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        assert run(["serve", "--port", port]) == 2
        assert f"Port {port}" in capsys.readouterr().err
        assert run(["serve", "--port", port, "--json"]) == 2
        assert lines(capsys.readouterr().out)[-1]["code"] == "server.port_in_use"


def test_the_served_page_is_announced_and_a_signal_ends_the_server(place: Path) -> None:
    command = [sys.executable, "-m", "breastai", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            announced = json.loads(server.stdout.readline())
            assert announced["type"] == "serving" and announced["url"] == f"http://localhost:{announced['port']}/"
            server.terminate()
            assert server.wait(timeout=60) == 0
        finally:
            server.kill()


def test_explanations_are_written_as_dicom_too_and_what_belongs_to_no_study_is_told(
    worker: FakeWorker, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_checkpoint(place, "S")
    sources = [dicom(place / f"{name}.dcm", 1) for name in "ab"]
    made = dcmread(sources[0])
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.save_as(sources[0])
    Image.new("RGB", (48, 48)).save(place / "map.png")
    maps = [
        HeatMap(file=source.name, explained_class="benign", probabilities={"benign": 0.9}, path="map.png")
        for source in sources
    ]
    worker.tells(*maps, ExplanationsComplete(count=2, failed=0, folder="exports"))
    assert run(["explain", "S/best", "a.dcm", "b.dcm", "--dicom", "out", "--json"]) == 0
    events = lines(capsys.readouterr().out)
    assert [event.get("code", event["type"]) for event in events] == [
        "heat_map",
        "heat_map",
        "dicom.not_written",
        "dicom.written",
        "explanations_complete",
    ]
    assert events[2]["params"]["file"] == "b.dcm" and events[3]["params"]["count"] == 2
    assert {dcmread(path).StudyInstanceUID for path in (place / "out").iterdir()} == {made.StudyInstanceUID}
