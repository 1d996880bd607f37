"""A study from Python: the same as from the command line, whether or not an event loop runs, and shown as a notebook shows it."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import breastai
from breastai.cli import run as command
from breastai.commands import language
from breastai.domain.errors import (
    CheckpointNotFound,
    ConfigInvalid,
    DataNotFound,
    ImageUnreadable,
    ModelUnreadable,
    NoClassFolders,
    TargetClassNeeded,
)
from breastai.domain.events import ExplanationsComplete
from breastai.notebook.study_results import EvaluationResult, Result, TrainingResult
from breastai.storage.workspace import Workspace

PER_CLASS = 20
SMALL: dict[str, Any] = {
    "model": {"architecture": "tiny_cnn", "pretrained": "none"},
    "image_size": 32,
    "training__use_amp": False,
    "system": {"num_threads": 1, "autotune": False},
    "evaluation__patient_id": "^(P[0-9]+)_",
}
AS_OPTIONS = [
    *("--set", "model.architecture=tiny_cnn", "--set", "model.pretrained=none", "--set", "data.image_size=32"),
    *("--set", "training.use_amp=false", "--set", "system.num_threads=1", "--set", "system.autotune=false"),
    *("--set", "evaluation.patient_id=^(P[0-9]+)_"),
]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample images in data/."""
    folder = tmp_path_factory.mktemp("study")
    assert command(["sample-data", str(folder / "data"), "--per-class", str(PER_CLASS)]) == 0
    return folder


@pytest.fixture(scope="module")
def trained(place: Path) -> TrainingResult:
    return breastai.train(place / "data", epochs=2, workspace=place / "by_python", progress=False, **SMALL)


@pytest.fixture(scope="module")
def judged(place: Path, trained: TrainingResult) -> EvaluationResult:
    """Made while an event loop runs, as one always does in a notebook."""

    async def cell() -> EvaluationResult | Any:
        return breastai.evaluate(trained, place / "data", split="test", progress=False)

    found = asyncio.run(cell())
    assert isinstance(found, EvaluationResult)
    return found


@pytest.fixture(scope="module")
def exported(trained: TrainingResult) -> Any:
    return breastai.export(trained, progress=False)


@pytest.fixture
def french() -> Iterator[None]:
    before = language._chosen[:]
    breastai.set_language("fr")
    yield
    language._chosen[:] = before


@pytest.mark.full
def test_the_same_study_by_python_and_by_the_command_line_gives_the_same_figures(
    place: Path, trained: TrainingResult, judged: EvaluationResult, capsys: pytest.CaptureFixture[str]
) -> None:
    data, there = str(place / "data"), ["--workspace", str(place / "by_command"), "--json"]
    assert command(["train", "--data", data, "--epochs", "2", *AS_OPTIONS, *there]) == 0
    assert command(["evaluate", "latest", "--data", data, "--split", "test", *there]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (ended,) = [event for event in told if event["type"] == "training_complete"]
    (evaluation,) = [event for event in told if event["type"] == "evaluation"]
    assert trained.to_dict()["final_metrics"] == ended["final_metrics"]
    assert judged.to_dict()["figures"] == evaluation["figures"]


def test_a_step_that_fails_at_once_leaves_no_folders_behind(tmp_path: Path) -> None:
    new = tmp_path / "new"
    steps = (
        breastai.train,
        breastai.crossval,
        breastai.audit,
        lambda data, workspace: breastai.load("latest", workspace=workspace),
    )
    for step in steps:
        with pytest.raises((DataNotFound, CheckpointNotFound)):
            step("nowhere", workspace=new)
        assert not new.exists()


def test_a_run_says_what_it_came_to_and_draws_its_losses(trained: TrainingResult) -> None:
    assert trained.is_complete and trained.checkpoint == f"{trained.run_id}/best"
    assert [update.epoch for update in trained.history] == [1, 2]
    assert 0 <= trained.metrics["accuracy"] <= 1
    assert "Trained 2 epochs" in repr(trained)
    assert "<td" in trained._repr_html_() and "not a medical device" in trained._repr_html_()
    assert trained.plot()._repr_png_().startswith(b"\x89PNG")
    assert len(trained.plot().figure.axes[0].lines) == 2


def test_an_evaluation_is_a_table_and_three_charts(judged: EvaluationResult, tmp_path: Path) -> None:
    table = judged.to_pandas()
    assert table.loc["auc_roc", "value"] == judged.figures["auc_roc"].value
    assert list(table.columns) == ["value", "low", "high", "n"]
    for plot in (judged.plot_roc(), judged.plot_calibration(), judged.plot_precision_recall()):
        assert plot.save(tmp_path / "chart.png").stat().st_size > 5000
    assert len(judged.plot_roc().figure.axes[0].lines) >= 4


def test_a_loaded_model_answers_with_records_a_table_and_an_array(place: Path, exported: Any) -> None:
    model = breastai.load(exported.path)
    assert model.class_names == ["benign", "malignant", "normal"]
    (place / "broken.png").write_bytes(b"no image")
    said = model.predict([place / "data/test/malignant", place / "broken.png"])
    records = said.to_dict()
    assert len(said) == len(records) == len(list((place / "data/test/malignant").iterdir())) + 1
    first = records[0]
    assert first["unit"] == "image" and first["decision"] in model.class_names
    assert first["p_malignant"] == pytest.approx(said.to_numpy()[0, 1])
    assert first["called"] == (first["p_malignant"] >= first["threshold"])
    assert [each.file for each in said.failed] == [said[-1].file]
    assert np.isnan(said.to_numpy()[-1]).all() and records[-1]["error"]
    assert said.to_pandas().loc[0, "decision"] == first["decision"]
    assert len(said[2:4]) == 2 and said[2:4].to_dict() == records[2:4]
    shown = said._repr_html_()
    assert shown.count("<img") == len(said) - 1 and "Refer to a human" in shown
    assert "<img" not in model.predict(place / "data/test/malignant", pictures=False)._repr_html_()


def test_a_run_answers_as_its_export_does(place: Path, trained: TrainingResult, exported: Any) -> None:
    images = place / "data/test"
    by_run = breastai.load(trained).predict(images).to_numpy()
    by_name = breastai.load(trained.run_id, workspace=trained.workspace).predict(images).to_numpy()
    assert np.abs(by_run - breastai.load(exported).predict(images).to_numpy()).max() < 1e-4
    assert (by_run == by_name).all()


def test_what_a_folder_holds_beside_images_is_counted_and_named(place: Path, exported: Any, tmp_path: Path) -> None:
    image = next((place / "data/test/benign").glob("*.png"))
    (tmp_path / "a.png").write_bytes(image.read_bytes())
    (tmp_path / "viewer.exe").write_bytes(b"MZ")
    said = breastai.load(exported).predict(tmp_path)
    assert [file.name for file in said.left_out] == ["viewer.exe"]
    assert "1, the first: viewer.exe" in repr(said) and "viewer.exe" in said._repr_html_()


def test_html_in_a_name_is_shown_and_not_obeyed(place: Path, exported: Any, tmp_path: Path) -> None:
    image = next((place / "data/test/benign").glob("*.png"))
    (tmp_path / "<b onload=x>.png").write_bytes(image.read_bytes())
    shown = breastai.load(exported).predict(tmp_path)._repr_html_()
    assert "<b onload" not in shown and "&lt;b onload=x&gt;.png" in shown


def test_a_report_and_an_audit(place: Path, trained: TrainingResult) -> None:
    report = breastai.report(trained, progress=False)
    assert {file.suffix for file in report.files} == {".html", ".json", ".md"}
    assert all(file.is_file() for file in report.files)
    audit = breastai.audit(place / "data", workspace=trained.workspace, progress=False)
    assert audit.findings and audit.event.images == 3 * PER_CLASS
    assert "<div" in audit._repr_html_()


def test_a_notebook_speaks_the_language_it_is_told_to(french: None, judged: EvaluationResult, exported: Any) -> None:
    assert "logiciel" in judged._repr_html_().lower()
    assert "Seuil de décision" in breastai.load(exported)._repr_html_()


@pytest.mark.full
def test_a_cross_validation(place: Path) -> None:
    found = breastai.crossval(place / "data", folds=2, epochs=1, workspace=place / "crossed", progress=False, **SMALL)
    assert found.is_complete and 0 <= (found.figures["auc_roc"].value or 0) <= 1
    assert found.plot_roc()._repr_png_()
    assert found.study_id in [path.name for path in (place / "crossed/logs").iterdir()]


def test_a_running_event_loop_is_no_obstacle(place: Path, judged: EvaluationResult) -> None:
    assert judged.event.n == len(list((place / "data/test").rglob("*.png")))


@pytest.mark.full
def test_progress_goes_to_stderr_and_leaves_stdout_to_the_script(
    place: Path, trained: TrainingResult, capfd: pytest.CaptureFixture[str]
) -> None:
    breastai.train(place / "data", epochs=1, workspace=trained.workspace, **SMALL)
    told = capfd.readouterr()
    assert told.out == "" and "Epoch 1/1" in told.err


STOPPED = """
import breastai, sys
run = breastai.train(sys.argv[1], epochs=10000, workspace=sys.argv[2], training__early_stopping={"enabled": False}, **eval(sys.argv[3]))
print(run.is_complete, run.event.reason)
"""


@pytest.mark.full
def test_the_stop_button_saves_the_run_and_gives_it_back(place: Path, tmp_path: Path) -> None:
    arguments = [str(place / "data"), str(tmp_path), repr(SMALL)]
    script = subprocess.Popen(
        [sys.executable, "-c", STOPPED, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert script.stderr is not None
    for line in script.stderr:
        if " 2/10000 " in line:
            os.kill(script.pid, signal.SIGINT)
            break
    out, _ = script.communicate(timeout=120)
    assert out.strip() == "False user"
    (run_id,) = Workspace.open(tmp_path).runs()
    resumed = breastai.resume(run_id, workspace=tmp_path, epochs=5, progress=False)
    assert resumed.run_id == run_id


@pytest.mark.full
def test_a_job_ended_at_once_leaves_no_process(place: Path, tmp_path: Path) -> None:
    from breastai.domain.config import parse_config
    from breastai.domain.jobs import Train
    from breastai.notebook.worker_thread import follow_job

    class Enough(Exception):
        pass

    def tell(event: Any) -> None:
        if event.type == "data_loaded":
            raise Enough

    data = str(place / "data")
    config = parse_config({"data": {"train_dir": f"{data}/train", "val_dir": f"{data}/val"}, "model": SMALL["model"]})
    workspace = Workspace.open(tmp_path)
    with pytest.raises(Enough):
        follow_job(Train(workspace=str(workspace.root), run_id="R", config=config), tell)
    assert not [thread for thread in threading.enumerate() if thread.name == "breastai-job"]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"epochs": 0}, ConfigInvalid),
        ({"learning_rat": 0.1}, ConfigInvalid),
        ({"training__epoch": 3}, ConfigInvalid),
        ({"data": "nowhere"}, DataNotFound),
    ],
)
def test_what_is_wrong_with_the_settings_or_the_images_is_raised_before_anything_begins(
    place: Path, tmp_path: Path, wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        breastai.train(**{"data": place / "data", "workspace": tmp_path, **wrong})
    assert Workspace.open(tmp_path).runs() == []


def test_what_a_run_fails_by_is_raised(place: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shutil.copytree(place / "data/train/benign", tmp_path / "data/train" / name)
    with pytest.raises(TargetClassNeeded):
        breastai.train(tmp_path / "data", epochs=1, workspace=tmp_path, progress=False, **SMALL)


def test_names_that_name_nothing_say_so(tmp_path: Path, exported: Any) -> None:
    with pytest.raises(CheckpointNotFound):
        breastai.load("latest", workspace=tmp_path)
    with pytest.raises(ModelUnreadable):
        breastai.load(tmp_path / "none.onnx", workspace=tmp_path)
    with pytest.raises(ImageUnreadable):
        breastai.load(exported).predict(tmp_path / "none.png")
    with pytest.raises((DataNotFound, NoClassFolders)):
        breastai.audit(tmp_path / "none", workspace=tmp_path)


def test_in_a_kernel_a_result_is_returned_and_not_displayed_by_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    result: Result[Any] = Result(ExplanationsComplete(count=2, failed=0, folder="maps"), tmp_path)
    assert "maps" in repr(result) and "maps" in result._repr_html_()


def test_loading_an_export_takes_no_torch(exported: Any) -> None:
    code = f"import sys, breastai; breastai.load({str(exported.path)!r}); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "False"
