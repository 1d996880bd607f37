"""`breastai bench`: a worker of its own for each model."""

import io
from types import SimpleNamespace

import pytest

from breastai.commands import bench
from breastai.domain.config import Config
from breastai.domain.event_messages import encode_event
from breastai.domain.events import ProgressUpdate
from breastai.domain.jobs import Bench


def test_signs_of_life_between_a_workers_events_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    told = ProgressUpdate(stage="tuning", message="Measuring")

    class Worker(SimpleNamespace):
        stdin = io.StringIO()
        stdout = io.StringIO(f"\n{encode_event(told)}\n\n")

        def __enter__(self) -> "Worker":
            return self

        def __exit__(self, *fault: object) -> None:
            pass

    monkeypatch.setattr(bench.subprocess, "Popen", lambda *command, **options: Worker())
    assert list(bench._in_own_process(Bench(workspace=".", config=Config()))) == [told]
