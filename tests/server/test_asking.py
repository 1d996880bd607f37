"""Images handed over and asked about: the real light worker, small real models, and nothing left behind."""

import base64
import io
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.domain.errors import ImageNotHanded, RequestInvalid, TooMuchHanded
from breastai.domain.requests import MOST_IMAGES_ASKED, AddImage
from breastai.server.jobs import uploads
from breastai.server.jobs.uploads import FOLDER, Uploads
from breastai.server.logs.audit_log import request_fields

from ..predictor.test_onnx_model import METADATA, brightness_model

REAL_WORKER = {"worker_command": (sys.executable, "-m", "breastai.worker")}


def png(level):
    content = io.BytesIO()
    Image.fromarray((level + np.tile([-5, 5], (20, 15))).clip(0, 255).astype(np.uint8)).save(content, "PNG")
    return content.getvalue()


def part(content, start=0, end=None, **fields):
    chosen = content[start:end]
    data = base64.b64encode(chosen).decode()
    return {"image": "a", "file": "é.png", "size": len(content), "start": start, "part": data, **fields}


async def hand(script, content, **fields):
    answer = await script.ask("add_image", **part(content, **fields))
    assert answer["type"] == "image_added", answer


def left_behind(workspace):
    return [path for path in (workspace.root / FOLDER).rglob("*") if path.is_file()]


@pytest.fixture
def models(workspace):
    """Two models of opposite minds about what is bright."""
    folder = workspace.exports_dir / "onnx"
    folder.mkdir(parents=True)
    brightness_model(folder / "one_best.onnx")
    brightness_model(folder / "two_best.onnx", METADATA | {"class_names": ["bright", "dark"]})
    return ["exports/onnx/one_best.onnx", "exports/onnx/two_best.onnx"]


def test_exports_answer_beside_a_run_each_image_to_the_asker_alone(play, workspace, models):
    async def story(stage):
        script, other = await stage.connect(), await stage.connect()
        await hand(script, png(250))
        await hand(script, png(250)[:40], image="b", file="../../b.dcm")
        await script.send("ask_images", request_id="q", images=["a", "b"], models=models)
        first = await script.until("image_answer", "error")
        assert (first["image"], first["name"]) == ("a", "é.png"), first
        assert first["picture"].startswith("data:image/jpeg;base64,")
        assert [said["prediction"]["label"] for said in first["answers"]] == ["bright", "dark"]
        assert first["answers"][0]["prediction"]["processing"]["width"] == 30
        assert sum(first["answers"][0]["prediction"]["probabilities"].values()) == pytest.approx(1)
        second = await script.until("image_answer", "error")
        assert second["picture"] is None
        assert "cut short" in second["answers"][0]["prediction"]["error"], "a PNG, whatever its name says"
        done = await script.until("images_answered", "error")
        assert (done["request_id"], done["count"], done["failed"], done["kept"]) == ("q", 2, 1, None)
        assert left_behind(workspace) == []
        assert (await script.ask("ask_images", images=["a"], models=models))["code"] == "image.not_handed"
        await other.send("ping")
        assert (await other.next())["type"] == "pong"

    play(story, **REAL_WORKER)
    assert not (workspace.root / "kept_images").exists()
    assert not (workspace.root / FOLDER).exists()


def test_copies_are_kept_when_asked_for_and_under_a_name_that_leads_nowhere(play, workspace, models):
    async def story(stage):
        script = await stage.connect()
        await hand(script, png(9), file="../../my scan.png")
        done = await script.ask("ask_images", images=["a"], models=models[:1], keep=True)
        (kept,) = (workspace.root / done["kept"]).iterdir()
        assert (kept.name, kept.read_bytes()) == ("a_my_scan.png", png(9))

    play(story, **REAL_WORKER)


def test_a_connection_that_goes_takes_its_images_along(play, workspace):
    async def story(stage):
        script, other = await stage.connect(), await stage.connect()
        await hand(script, png(1), end=10)
        await hand(other, png(2), image="mine")
        assert len(left_behind(workspace)) == 2
        for socket, left in ((script, 1), (other, 0)):
            await socket.socket.close()
            while len(left_behind(workspace)) > left:
                await (await stage.connect()).ask("ping")

    play(story)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"models": ["exports/onnx/none.onnx"]}, "export.not_found"),
        ({"models": ["../m.onnx"]}, "export.not_found"),
        ({"models": ["run/best"]}, "checkpoint.not_found"),
        ({"models": ["exports/onnx/one_best.onnx"], "heat_maps": True}, "request.invalid"),
        ({"models": ["exports/onnx/one_best.onnx"], "images": ["b"]}, "image.not_handed"),
    ],
)
def test_what_can_not_be_asked_is_refused_before_a_worker_begins(play, models, fields, code):
    async def story(stage):
        script = await stage.connect()
        await hand(script, png(3))
        assert (await script.ask("ask_images", **{"images": ["a"], **fields}))["code"] == code
        assert stage.services.light.worker_pid is None

    play(story)


def test_a_checkpoint_is_not_asked_while_another_job_runs_and_the_images_stay(play, workspace):
    async def story(stage):
        script = await stage.connect()
        await stage.training(script)
        await hand(script, png(4))
        answer = await script.ask("ask_images", images=["a"], models=["run/best"])
        assert answer["code"] == "session.busy"
        assert len(left_behind(workspace)) == 1

    play(story)


def test_parts_come_in_order_and_never_more_than_was_said(workspace):
    handed, content = Uploads(workspace), bytes(range(60))
    assert handed.add("me", AddImage(**part(content, end=30))) == 30
    for wrong, reason in (
        (part(content, start=20), "expected 30"),
        (part(content, start=30, image="b"), "expected 0"),
        (part(content + content, start=30, size=60), "at most 30 bytes"),
        (part(content, start=30, part="%%%"), "base64"),
    ):
        with pytest.raises(RequestInvalid, match=reason):
            handed.add("me", AddImage(**wrong))
    with pytest.raises(ImageNotHanded):
        handed.take("me", ["a"])
    with pytest.raises(ImageNotHanded):
        handed.take("another", ["a"])
    assert handed.add("me", AddImage(**part(content, start=30))) == 60
    (image,) = handed.take("me", ["a", "a"])
    assert Path(image.path).read_bytes() == content
    assert Path(image.path).parent.stat().st_mode & 0o077 == 0
    handed.remove([image])
    assert (len(handed), left_behind(workspace)) == (0, [])
    handed.close()


def test_images_are_bounded_in_number_and_in_all(workspace):
    handed = Uploads(workspace, most_bytes=1000)
    for number in range(MOST_IMAGES_ASKED):
        handed.add("me", AddImage(**part(b"x", image=f"i{number}")))
    with pytest.raises(TooMuchHanded):
        handed.add("me", AddImage(**part(b"x", image="one-more")))
    assert handed.add("me", AddImage(**part(b"y", image="i0"))) == 1  # begun anew
    with pytest.raises(TooMuchHanded):
        handed.add("another", AddImage(**part(b"x", size=1001)))
    taken = handed.take("me", ["i1"])
    assert handed.add("another", AddImage(**part(b"x" * 900, size=1000))) == 900
    with pytest.raises(TooMuchHanded):  # what is being answered still counts
        handed.add("a third", AddImage(**part(b"x" * 77)))
    assert handed.add("a third", AddImage(**part(b"x", size=990))) == 1, "a promise takes no room"
    handed.remove(taken)
    assert handed.add("a third", AddImage(**part(b"x" * 75, image="b"))) == 75
    handed.close()


def test_images_that_rest_make_room_for_those_that_come(workspace, monkeypatch):
    handed = Uploads(workspace, most_bytes=1000)
    handed.add("idle", AddImage(**part(b"x" * 900, size=1000)))
    with pytest.raises(TooMuchHanded):
        handed.add("me", AddImage(**part(b"x" * 200)))
    monkeypatch.setattr(uploads, "_RESTS_S", 0.0)
    assert handed.add("me", AddImage(**part(b"x" * 200))) == 200
    with pytest.raises(RequestInvalid):
        handed.add("idle", AddImage(**part(b"x" * 1000, start=900)))
    handed.close()


def test_what_a_killed_server_left_is_deleted_and_what_another_holds_is_not(workspace):
    living = workspace.root / FOLDER / f"{os.getppid()}-x"
    for folder in (workspace.root / FOLDER / "999999999-x", living):
        folder.mkdir(parents=True)
        (folder / "scan.png").write_bytes(b"x")
    Uploads(workspace).clear_abandoned()
    assert left_behind(workspace) == [living / "scan.png"]


def test_the_audit_log_holds_no_pixel_and_no_name_of_an_image():
    line = json.dumps(request_fields(AddImage(**part(png(1), file="DOE_JANE.dcm"))))
    assert "JANE" not in line
    assert part(png(1))["part"] not in line
