"""The one command for each layout trains: as published, one epoch, and its first line says what was read."""

import json
from pathlib import Path

import pytest

from breastai.cli import run
from tests.data.published_layouts import DRAWINGS

SMALL = (
    *(
        "data.image_size=32",
        "data.batch_size=8",
        "data.num_workers=0",
        "data.on_leak=continue",
        "model.pretrained=none",
    ),
    *("model.architecture=tiny_cnn", "training.use_amp=false", "system.num_threads=1", "system.autotune=false"),
    *("evaluation.target_class=malignant",),
)
LABELLED = [name for name in DRAWINGS if name != "dicom_export"]


@pytest.mark.parametrize("name", LABELLED)
def test_a_layout_trains_as_it_is_published(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawing = DRAWINGS[name]
    place = drawing.draw(tmp_path / "my set")
    target = "malin" if "malin" in drawing.counts["classes"] else "malignant"
    settings = [item for each in (*SMALL, f"evaluation.target_class={target}") for item in ("--set", each)]
    arguments = ["train", "--data", str(place), "--epochs", "1", *settings, "--json"]
    status = run([*arguments, "--workspace", str(tmp_path / "workspace")])
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert status == 0, events[-1]
    assert events[-1]["type"] == "training_complete"
    started = next(event for event in events if event["type"] == "training_started")
    assert set(started["class_names"]) == set(drawing.counts["classes"])
