"""The command line helps those who type: settings listed, names put right, examples that run, tables not cut."""

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from breastai.cli import app, run
from breastai.commands.help_examples import EXAMPLES
from breastai.commands.language import set_language
from breastai.domain.catalog import ARCHITECTURES
from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid
from breastai.domain.event_messages import encode_event
from breastai.domain.events import Event, TrainingComplete, TrainingStarted, TrainingStopped
from breastai.domain.near_names import leaf_paths, near_path
from breastai.domain.settings_schema import setting_rows
from breastai.domain.v3_settings import nest_settings
from breastai.storage.workspace import Workspace

GROUP: Any = get_command(app)


def test_every_setting_is_listed_with_default_bounds_and_help(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["settings", "--json", "--workspace", str(tmp_path)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["name"] for row in rows] == list(leaf_paths(Config))
    by_name = {row["name"]: row for row in rows}
    assert by_name["training.epochs"]["default"] == 50
    assert by_name["training.epochs"]["bounds"] == "1 ≤ int ≤ 10000"
    assert all(row["help"] and row["bounds"] for row in rows)
    assert list(tmp_path.iterdir()) == []


def test_a_word_lists_some_and_says_what_config_json_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "config.json").write_text('{"training": {"epochs": 7}}')
    assert run(["settings", "training.epochs", "--workspace", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("training.epochs = 50") and "config.json: 7" in shown
    for word, meant in (
        ("epohcs", "training.epochs"),
        ("epoks", "training.epochs"),
        ("Bacht", "data.batch_size"),
        ("worckers", "data.num_workers"),
    ):
        assert run(["settings", word, "--workspace", str(tmp_path)]) == 2
        assert f"Did you mean {meant}?" in capsys.readouterr().err


def test_settings_speak_french(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--lang", "fr", "settings", "augmentation.rotation"]) == 0
    set_language("en")
    assert "Plus grande rotation" in capsys.readouterr().out
    assert all(row.help != other.help for row, other in zip(setting_rows("fr"), setting_rows("en"), strict=True))


@pytest.mark.parametrize(
    ("values", "near"),
    [
        ({"training": {"epoch": 3}}, "training.epochs"),
        ({"training": {"learning_rat": 3}}, "training.learning_rate"),
        ({"training": {"patience": 3}}, "training.early_stopping.patience"),
        ({"learning_rat": 3}, "training.learning_rate"),
        ({"epoch": 3}, "training.epochs"),
        ({"patient_id": 3}, "evaluation.patient_id"),
    ],
)
def test_an_unknown_setting_names_the_one_that_was_meant(values: dict[str, Any], near: str) -> None:
    with pytest.raises(ConfigInvalid, match=rf"did you mean {near}\?"):
        parse_config(nest_settings(values))


def test_what_is_like_no_setting_is_put_right_by_none() -> None:
    assert near_path("zzzzqqqq", list(leaf_paths(Config))) is None
    with pytest.raises(ConfigInvalid) as caught:
        parse_config(nest_settings({"zzzzqqqq": 1}))
    assert "did you mean" not in str(caught.value)


COMMANDS = {
    name: command
    for called, each in GROUP.commands.items()
    for name, command in (
        {f"{called} {below}": command for below, command in each.commands.items()}
        if hasattr(each, "commands")
        else {called: each}
    ).items()
}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_that_it_understands(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert EXAMPLES[name]
    for line in EXAMPLES[name]:
        words = shlex.split(line)[1:]
        called = next(each for each in (" ".join(words[:2]), words[0]) if each in COMMANDS)
        if "--help" not in words:
            COMMANDS[called].make_context(called, words[len(called.split()) :])
    assert run([*name.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {line}\n" in f"{shown}\n" for line in EXAMPLES[name])


def test_images_are_given_as_an_argument_too_and_not_twice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "nowhere", "--workspace", str(tmp_path)]) == 2
    assert "nowhere" in capsys.readouterr().err
    assert run(["train", "one", "--data", "two", "--workspace", str(tmp_path)]) == 2
    assert "one and --data two" in capsys.readouterr().err


def test_a_redirected_table_is_not_cut(tmp_path: Path) -> None:
    long = "a_class_with_a_rather_long_name_" * 3
    table = ["label," + ",".join(f"p_{long}{n}" for n in range(3))]
    for n in range(30):
        chances = [0.8 if n % 3 == place else 0.1 for place in range(3)]
        table.append(f"{long}{n % 3}," + ",".join(map(str, chances)))
    (tmp_path / "p.csv").write_text("\n".join(table))
    arguments = [sys.executable, "-m", "breastai", "evaluate", "--predictions", "p.csv"]
    environment = {**os.environ, "COLUMNS": "40"}
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=200, env=environment)
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if f"sensitivity.{long}0 " in line]
    assert rows and "…" not in done.stdout


def test_completion_knows_the_commands() -> None:
    environment = {**os.environ, "_BREASTAI_COMPLETE": "complete_bash", "COMP_WORDS": "breastai cro", "COMP_CWORD": "1"}
    code = "import sys; sys.argv = ['breastai']; from breastai.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["crossval"]


def test_a_hub_that_can_not_be_reached_is_given_up_before_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    from breastai.engine.network import weights

    asked: list[bool] = []

    def download(*names: str, local_files_only: bool = False, **options: Any) -> str:
        asked.append(local_files_only)
        raise FileNotFoundError

    def refuse(*address: Any) -> socket.socket:
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(weights, "getproxies", dict)
    with pytest.raises(OSError, match="no network"):
        weights._from_hub(ARCHITECTURES["resnet50"], download=True)
    assert asked == [True]


@pytest.mark.parametrize(
    "arguments",
    [["train", "nowhere"], ["crossval", "nowhere"], ["evaluate", "latest", "--data", "x"], ["predict", "latest", "x.png"],
     ["report", "latest"], ["export", "latest"], ["train", "--set", "training.epoch=1"]],
)  # fmt: skip
def test_a_command_that_fails_at_once_leaves_no_folders_behind(
    tmp_path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run([*arguments, "--workspace", "new/place"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_there_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    assert run(["report", "latest"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_doctor_says_whether_a_training_could_begin(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    for name, count in (("benign", 25), ("malignant", 5)):
        (data / "train" / name).mkdir(parents=True)
        for number in range(count):
            (data / "train" / name / f"{number}.png").write_bytes(b"")
    (data / "train/benign/notes.txt").write_text("x")
    run(["doctor", "--data", str(data), "--json", "--workspace", str(tmp_path / "w")])
    checks = json.loads(capsys.readouterr().out)["checks"]
    told = [(each["status"], each["finding"]) for each in checks if each["check"] == "data"]
    assert ("ok", "train: 30 (benign 25, malignant 5)") in told
    assert ("warning", "few training images: 5 (malignant 5)") in told
    assert any(status == "warning" and "notes.txt" in finding for status, finding in told)
    assert ("ok", "class in question: malignant") in told
    assert run(["doctor", "--data", str(tmp_path / "none"), "--json", "--workspace", str(tmp_path / "w")]) == 1
    assert "can’t begin" in capsys.readouterr().out


def finished_run(workspace: Workspace, run_id: str, state: str) -> None:
    """Put a run into the workspace as its journal and checkpoints tell of it."""
    folder = workspace.checkpoint_dir(run_id)
    folder.mkdir()
    for name in ("best.json", "best.safetensors", "last.json", "last.safetensors", "last.state-1.safetensors"):
        (folder / name).write_bytes(b"{}")
    begun = TrainingStarted(architecture="tiny_cnn", epochs=1, class_names=["a", "b"], config={}, run_id=run_id, seq=1)
    ended: Event = TrainingStopped(reason="user", run_id=run_id, seq=2)
    if state == "complete":
        ended = TrainingComplete(
            final_metrics={}, history={}, checkpoint=f"{run_id}/best", best_epoch=1, epochs_run=1, stopped_early=False,
            duration_s=1.0, run_id=run_id, seq=2,
        )  # fmt: skip
    workspace.run_dir(run_id).mkdir()
    workspace.journal_file(run_id).write_text(f"{encode_event(begun)}\n{encode_event(ended)}\n")


def test_pruning_asks_first_and_keeps_the_best_weights_and_what_can_be_resumed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = Workspace.open(tmp_path)
    finished_run(workspace, "done", "complete")
    finished_run(workspace, "stopped", "stopped")
    before = sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert run(["runs", "--prune", "--workspace", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "Could go: done/last" in shown and "stopped/last" not in shown
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == before
    assert run(["runs", "--prune", "--yes", "--workspace", str(tmp_path)]) == 0
    assert sorted(path.name for path in workspace.checkpoint_dir("done").iterdir()) == ["best.json", "best.safetensors"]
    assert len(list(workspace.checkpoint_dir("stopped").iterdir())) == 5
    capsys.readouterr()
    (tmp_path / "config.json").write_text('{"storage": {"disk_budget_gb": 1e-9}}')
    assert run(["runs", "--workspace", str(tmp_path)]) == 0
    assert "more than its budget" in capsys.readouterr().err
    assert run(["runs", "--json", "--workspace", str(tmp_path)]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["run_id"]: row["checkpoints"] for row in rows if row["type"] == "run"} == {
        "done": ["best"], "stopped": ["best", "last"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "english", "french"),
    [
        (["evaluat"], "There is no command evaluat; did you mean evaluate?", "pas de commande evaluat"),
        (["data", "foo"], "There is no command foo.", "pas de commande foo"),
        (["evaluate", "--bogus"], "There is no option --bogus.", "pas d’option --bogus"),
        (["evaluate", "--threshold", "abc"], "--threshold: expected a number.", "--threshold : attendu un nombre."),
        (["evaluate", "--threshold"], "--threshold needs a value.", "--threshold demande une valeur."),
        (["evaluate", "--split", "foo"], "--split: expected one of train, val, test.", "l’un de train, val, test."),
        (["plan"], "PURPOSE is missing: expected one of development, validation.", "PURPOSE manque"),
        (["plan", "validation"], "--prevalence is missing.", "--prevalence manque."),
        (["sample-data", "a", "b", "c"], "Not expected here: b c.", "Inattendu ici : b c."),
        (["evaluate", "--sample-seed", "-3"], "--sample-seed: expected from 0.", "--sample-seed : attendu"),
        (
            ["plan", "validation", "--prevalence", "0", "--auc", "0.8"],
            "prevalence: expected a number above 0 and below 1, got 0",
            "prevalence : attendu un nombre",
        ),
        (
            ["plan", "validation", "--prevalence", "0.2", "--auc", "0.8", "--slope-width", "1e-9"],
            "the criterion “calibration slope” is out of reach",
            "le critère « pente de calibration » est hors de portée",
        ),
    ],
)
def test_what_a_command_cannot_take_is_said_in_the_language_asked_for(
    arguments: list[str],
    english: str,
    french: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for language, words in (("en", english), ("fr", french)):
        assert run(["--lang", language, *arguments]) == 2
        shown = capsys.readouterr().err
        assert words in shown, shown
    for foreign in ("No such", "Invalid value", "Missing", "Input should"):
        assert foreign not in shown


@pytest.mark.parametrize("value", ["nan", "-1", "2", "inf"])
def test_a_threshold_that_is_no_probability_is_refused_by_name(
    value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "p.csv"
    table.write_text("label,p_a,p_b\na,0.7,0.3\nb,0.2,0.8\n")
    place = ["--workspace", str(tmp_path / "w")]
    assert run(["evaluate", "--predictions", str(table), f"--threshold={value}", "--json", *place]) == 2
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["code"] == "command.invalid" and "threshold: expected a number from 0 to 1" in last["message"]
    assert not (tmp_path / "w" / "logs" / "faults.log").exists()


def test_a_table_that_is_not_there_is_no_missing_folder_of_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = str(tmp_path / "none.csv")
    for arguments in (
        ["evaluate", "--predictions", missing],
        ["readers", missing],
        ["compare", missing, missing],
        ["data", "inspect", missing],
    ):
        assert run([*arguments, "--workspace", str(tmp_path)]) == 2
        assert f"There is no file or folder {missing}." in capsys.readouterr().err
