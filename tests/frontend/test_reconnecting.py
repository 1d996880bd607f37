"""Five tabs, a server that is killed in mid-run and started again: everywhere each epoch once, and the true state."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from breastai.domain.events import TrainingStopped
from breastai.storage.journal import read_events
from breastai.storage.workspace import Workspace

from .page_steps import EPOCHS, wait_until

WITHIN_S = 60.0


@contextlib.contextmanager
def server(port: int, workspace: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    script = Path(__file__).with_name("scripted_server.py")
    command = [sys.executable, str(script), str(port), str(workspace)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def stopped(journal: Path) -> TrainingStopped:
    """Return how the run ended, as the worker writes it down after its server is gone."""
    pause = threading.Event()
    for _ in range(int(WITHIN_S / 0.1)):
        for event in read_events(journal):
            if isinstance(event, TrainingStopped):
                return event
        pause.wait(0.1)
    raise AssertionError("the worker did not write its end")


def expect_every_epoch_once(page: Page) -> None:
    wait_until(page, f"() => new Set(({EPOCHS})()).size === 1 && ({EPOCHS})()[0] === '1 2 3 4 5'")


def test_five_tabs_and_a_killed_server_show_each_epoch_once_and_the_true_state(
    browser: Browser, tmp_path: Path
) -> None:
    faults: list[str] = []
    context = browser.new_context(locale="en-GB", reduced_motion="reduce")
    with server(0, tmp_path) as (process, port):
        pages = []
        for _ in range(5):
            page = context.new_page()
            page.set_default_timeout(WITHIN_S * 1000)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.goto(f"http://localhost:{port}/")
            page.wait_for_selector("#connection-state.phase-connected")
            pages.append(page)
        pages[0].fill("#data-path", "data")
        pages[0].fill("#setting-training-epochs", "20")
        pages[0].locator('[data-action="start_training"]').click()
        for page in pages:
            expect(page.locator("#run-state")).to_have_text("Running")
            expect_every_epoch_once(page)
        process.kill()
        process.wait(WITHIN_S)
        for page in pages:
            expect(page.locator("#run-state")).to_have_text("Connection lost")
            expect(page.locator("#offline")).to_contain_text("python -m breastai.server")

    workspace = Workspace(tmp_path)
    assert stopped(workspace.journal_file(workspace.runs()[0])).reason == "server_gone"
    with server(port, tmp_path):
        for page in pages:
            # By itself; a press on Connect would do it at once.
            page.wait_for_selector("#connection-state.phase-connected")
            expect(page.locator("#run-state")).to_have_text("Stopped")
            expect_every_epoch_once(page)
            texts = page.locator("#latest .log-text").all_text_contents()
            assert sum("Epoch 5 of 20" in text for text in texts) == 1
        pages[0].reload()
        expect(pages[0].locator("#run-state")).to_have_text("Stopped")
        expect_every_epoch_once(pages[0])
        context.close()
    assert faults == []
