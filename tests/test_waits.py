"""What takes a while is told before it is waited for: in the bar of a terminal, as a line anywhere else."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from breastai.commands import display, run_job
from breastai.commands.display import Display
from breastai.commands.output import ForwardedOutput, JsonLines
from breastai.domain.errors import MissingExtra
from breastai.domain.events import ProgressUpdate
from breastai.domain.jobs import Export
from breastai.domain.text import Text


def at(code: str, **params: Any) -> ProgressUpdate:
    return ProgressUpdate(stage="training", text=Text(code, params))


def console(terminal: bool) -> Console:
    return Console(file=io.StringIO(), force_terminal=terminal, width=200)


def written(place: Console) -> str:
    assert isinstance(place.file, io.StringIO)
    return place.file.getvalue()


def test_without_a_terminal_each_stage_has_a_line_and_a_long_one_another_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    out, errors = console(False), console(False)
    with Display(out, errors) as shown:
        shown.wait_for(Text("progress.starting"))
        for batch in range(1, 4):
            shown.event(at("progress.epoch", epoch=1, epochs=2, batch=batch, batches=9))
        now += 31
        shown.event(at("progress.epoch", epoch=1, epochs=2, batch=8, batches=9))
        shown.event(at("progress.validating", done=1, total=2))
    lines = written(errors).splitlines()
    assert lines == [
        "Starting",
        "Epoch 1 of 2, batch 1 of 9",
        "Epoch 1 of 2, batch 8 of 9",
        "Validating: 1 of 2 images",
    ]
    assert written(out) == "", "a redirected result stays clean"


def test_on_a_terminal_the_bar_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = console(True)
    with Display(console(True), errors) as shown:
        shown.wait_for(Text("progress.starting"))
    assert "Starting" in written(errors)


def test_a_job_tells_that_it_starts_before_it_loads_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Told(ForwardedOutput):
        def wait_for(self, text: Text) -> None:
            told.append(text.code)

    def check(job: object) -> None:
        assert told == ["progress.starting"]
        raise MissingExtra("torch", "train")

    monkeypatch.setattr(run_job, "check_job", check)
    with pytest.raises(MissingExtra):
        run_job.run_job(
            Export(workspace=str(tmp_path), checkpoint="a/best", format="onnx"), Told(JsonLines(io.StringIO()))
        )
    assert told


def test_a_program_that_reads_json_hears_events_alone() -> None:
    stream = io.StringIO()
    JsonLines(stream).wait_for(Text("progress.starting"))
    assert stream.getvalue() == ""


def test_nothing_is_searched_for_cycles_after_the_last_word() -> None:
    """With torch that takes two seconds of processor time, in which the command seems to hang."""
    code = "import atexit, gc, sys; atexit.register(lambda: print(gc.get_freeze_count() > 0)); "
    code += "sys.argv = ['breastai', '--version']; from breastai.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "True"
