"""Nothing on the server's one loop opens, deletes or locks a file: whoever waits for a disk keeps nobody else waiting."""

import asyncio
import sys
import threading
import traceback

import pytest

from breastai.domain.events import ImagesAnswered
from breastai.domain.requests import REQUESTS

from .test_asking import hand, left_behind, png

_ON_FILES = ("open", "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.listdir", "os.scandir", "os.link")
# Requests that need more than their type, as a client would send them.
FIELDS = {
    "annotate_run": {"run_id": "none", "note": "x"},
    "ask_images": {"images": ["a"], "models": ["run/best"]},
    "compare_runs": {"run_ids": ["none"]},
    "get_document": {"kind": "config", "name": "config.json"},
    "save_config": {"config": {"training": {"epochs": 3}}, "name": "mine"},
    "delete_config": {"name": "mine"},
}


class Watch:
    """What happened to files below `root` in the thread that made it, each with the place in our code."""

    def __init__(self, root):
        self.root, self.thread, self.seen, self.on = str(root), None, [], False
        sys.addaudithook(self._hear)

    def _hear(self, event, arguments):
        if not self.on or event not in _ON_FILES or threading.get_ident() != self.thread:
            return
        if str(arguments[0]).startswith(self.root):
            frames = [frame for frame in traceback.extract_stack() if "/breastai/" in frame.filename]
            if frames:
                self.seen.append((event, str(arguments[0]), f"{frames[-1].filename}:{frames[-1].lineno}"))


@pytest.fixture
def watch(workspace):
    watch = Watch(workspace.root)
    yield watch
    watch.on = False


def test_images_that_were_asked_about_are_deleted_elsewhere(play, workspace, watch):
    (workspace.checkpoints_dir / "run").mkdir()
    (workspace.checkpoints_dir / "run" / "best.json").write_text("{}")

    async def story(stage):
        watch.thread, watch.on = threading.get_ident(), True
        script = await stage.connect()
        await hand(script, png(3))
        await script.send("ask_images", request_id=1, images=["a"], models=["run/best"])
        puppet = await stage.worker()
        assert len(left_behind(workspace)) == 1
        puppet.emit(ImagesAnswered(count=1, failed=0, kept=None), stamp=False)
        puppet.order(exit=0)
        await script.until("images_answered")
        assert left_behind(workspace) == []
        watch.on = False

    play(story)
    assert watch.seen == []


def test_no_request_touches_a_file_on_the_loop(play, workspace, watch):
    def fields(kind):
        needed = {name for name, field in REQUESTS[kind].model_fields.items() if field.is_required()}
        return dict.fromkeys(needed - {"type"}, "none") | FIELDS.get(kind, {})

    async def story(stage):
        async def ending_workers():
            while True:
                (await stage.worker()).order(exit=0)

        script = await stage.connect()
        ending = asyncio.create_task(ending_workers())
        watch.thread, watch.on = threading.get_ident(), True
        for kind in [kind for kind in REQUESTS if kind != "disconnect"]:
            await script.ask(kind, **fields(kind))
        watch.on = False
        ending.cancel()

    play(story)
    assert watch.seen == []
