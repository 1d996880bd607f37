"""Steps that many tests of the page take: a run begun and waited for, a view gone to, a look for what is in anyone's way."""

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.storage.workspace import Workspace

OpenPage = Callable[..., Page]
# The epochs of every line of every chart, read from Chart.js itself.
EPOCHS = """() => [...document.querySelectorAll("canvas[data-chart]")].flatMap((canvas) =>
  (Chart.getChart(canvas)?.data.datasets ?? []).map((set) => set.data.map((point) => point.x).join(" ")))"""
# As small as a real training can be; its export is asked by the light worker, its checkpoint by a job.
SMALLEST = {
    "data": {"train_dir": "data/train", "val_dir": "data/val", "test_dir": None, "image_size": 32, "batch_size": 8},
    "model": {"architecture": "tiny_cnn", "pretrained": "none"},
    "training": {"epochs": 1, "use_amp": False, "export_onnx": True},
    "system": {"num_threads": 1, "autotune": False},
}
# In a process of its own, so that this one needs no torch.
MAKE_RUN = """
import json, sys
from breastai.domain.config import parse_config
from breastai.domain.jobs import Evaluate, Train
from breastai.worker import perform
root, settings = sys.argv[1], json.loads(sys.argv[2])
train = Train(workspace=root, run_id="run", config=parse_config(settings))
for job in (train, Evaluate(workspace=root, checkpoint="run/best", data="data", split="val")):
    *_, last = perform(job)
    assert last.type in ("training_complete", "evaluation"), last
"""


def make_judged_workspace(root: Path, settings: dict[str, Any] = SMALLEST) -> Workspace:
    """Make a workspace with one run, its export, and an evaluation on validation images."""
    workspace = Workspace.open(root)
    write_sample_data(workspace.root / "data", per_class=8, seed=1, image_size=96)
    arguments = [sys.executable, "-c", MAKE_RUN, str(workspace.root), json.dumps(settings)]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return workspace


def begin(page: Page, epochs: int = 2, folder: str = "data") -> None:
    """Start a scripted run; one of more than five epochs stays in its sixth until it is stopped."""
    page.fill("#data-path", folder)
    page.fill("#setting-training-epochs", str(epochs))
    page.locator('[data-action="start_training"]').first.click()


def trained(page: Page, epochs: int = 1, folder: str = "data") -> str:
    """Train a run to its end; return its name."""
    begin(page, epochs, folder)
    expect(page.locator('#job-bar [data-action="stop_training"]')).to_be_visible()
    expect(page.locator("#job-bar-text .pill")).to_have_text(re.compile("Complete|Terminé"))
    return str(page.locator("#job-bar-text .job-about").text_content())


def hold(page: Page, request: str) -> None:
    """From now on requests of this type are sent into nothing, as over a network that is gone; `window.held` counts them.

    The last is kept as `window.lastHeld`.
    """
    page.evaluate(
        """(held) => {
          const send = window.sendOfPage ??= WebSocket.prototype.send;
          window.held = 0;
          WebSocket.prototype.send = function (text) {
            if (JSON.parse(text).type !== held) return send.call(this, text);
            window.held += 1;
            window.lastHeld = JSON.parse(text);
          };
        }""",
        request,
    )


def release(page: Page) -> None:
    page.evaluate("() => { WebSocket.prototype.send = window.sendOfPage; }")


def confirm(page: Page) -> None:
    """Press the button of the dialog that does what was asked for."""
    page.locator("#dialog-confirm").click()


def go(page: Page, view: str) -> None:
    page.evaluate(f"location.hash = '#{view}'")
    page.wait_for_selector(f"#view-{view}", state="visible")


def wait_until(page: Page, condition: str, arg: Any = None, within_s: float = 20) -> None:
    """Wait until an expression, or a function of `arg`, is true on the page.

    Playwright's `wait_for_function` asks again from within the page, where its policy for content forbids `eval`:
    it ends with an error whenever the condition is not true at once.
    """
    until = time.monotonic() + within_s
    while not page.evaluate(condition, arg):
        assert time.monotonic() < until, f"not within {within_s:g} s: {condition}"
        page.wait_for_timeout(20)


def drop(page: Page, place: str, *paths: Path) -> None:
    """Drop files and folders of this computer on a place of the page, as a hand does."""
    target = page.locator(place)
    expect(target).to_be_visible()
    box = target.bounding_box()
    assert box is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + 8}
        session.send("Input.dispatchDragEvent", {"type": kind, **where, "data": data})


def violations(page: Page) -> list[str]:
    """Return what axe finds; nothing of a file page, whose style sheet it would have to fetch."""
    if page.url.startswith("file:"):
        return []
    return [f"{found['id']}: {found['nodes'][0]['html'][:200]}" for found in Axe().run(page).response["violations"]]
