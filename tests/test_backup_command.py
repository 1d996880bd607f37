"""`breastai backup` and `breastai resume` without a run: lists, proofs, restoring, and what is there to resume."""

import json
from pathlib import Path

import pytest

from breastai.cli import run
from breastai.commands.run_job import check_records
from breastai.domain.config import Config, parse_config
from breastai.domain.events import TrainingStarted
from breastai.domain.jobs import Resume
from breastai.storage.backup_archive import create_backup
from breastai.storage.journal import Journal
from breastai.storage.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.json").write_text('{"storage": {"backups_kept": 2}}')
    return Workspace.open(tmp_path)


def test_a_backup_is_made_listed_verified_and_restored(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backup", "--list"]) == 0 and "No backup yet" in capsys.readouterr().out
    for _ in range(3):
        assert run(["backup", "--json"]) == 0
    name = Path(json.loads(capsys.readouterr().out.splitlines()[-1])["path"]).name
    assert run(["backup", "--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 2 and listed[0].startswith(name)
    assert run(["backup", "--verify", name]) == 0 and "is intact" in capsys.readouterr().out
    workspace.config_file.write_text("{}")
    assert run(["backup", "--restore", name]) == 0 and "was put back" in capsys.readouterr().out
    assert json.loads(workspace.config_file.read_text()) == {"storage": {"backups_kept": 2}}
    assert run(["backup", "--list", "--verify", name]) == 2
    assert run(["backup", "--verify", "../config.json"]) == 2


def test_interrupted_runs_are_listed_and_without_one_a_resume_says_so(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["resume"]) == 2 and "No run was interrupted" in capsys.readouterr().err
    assert run(["resume", "--list"]) == 0 and "No run was interrupted or stopped" in capsys.readouterr().out
    journal = Journal(workspace.journal_file("run-1"), "run-1", "default")
    config = Config().model_dump(mode="json")
    journal.stamp(TrainingStarted(architecture="resnet50", epochs=5, class_names=["a", "b"], config=config))
    journal.close()
    assert run(["resume", "--list"]) == 0 and "run-1  0 of 5 epochs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"system": {"cluster": "ray://evil.example:10001", "processes": 2}}, "cluster.not_allowed"),
        ({"system": {"cluster": "auto"}}, "cluster.not_allowed"),
        ({"tracking": {"mlflow": "https://evil.example"}}, "tracking.not_allowed"),
        ({"data": {"train_dir": "https://evil.example/train"}}, "store.not_allowed"),
    ],
)
def test_a_record_from_elsewhere_is_not_gone_on_with_beyond_this_machine(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], values: dict[str, dict[str, str]], code: str
) -> None:
    """The record of a run or a study came in a backup that somebody sent: nothing it names is called."""
    config = parse_config(values).model_dump(mode="json")
    journal = Journal(workspace.journal_file("run-1"), "run-1", "default")
    journal.stamp(TrainingStarted(architecture="resnet50", epochs=5, class_names=["a", "b"], config=config))
    journal.close()
    name = create_backup(workspace).path.name
    workspace.journal_file("run-1").unlink()
    assert run(["backup", "--restore", name]) == 0
    capsys.readouterr()
    assert run(["resume", "run-1", "--json"]) == 2
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["code"] == code
    workspace.config_file.write_text(json.dumps(values))  # its owner's own say
    check_records(Resume(workspace=str(workspace.root), run_id="run-1"))
