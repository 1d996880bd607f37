"""A real training, started and stopped by clicking: a server process, its worker, torch, images, a browser."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from breastai.data.phantoms.phantom_dataset import write_sample_data

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
WITHIN_MS = 120_000
# As small as a real training can be.
SETTINGS = {
    "data": {"data-image_size": "32", "data-batch_size": "8", "data-num_workers": "0"},
    "system": {"system-num_threads": "1"},
}


@dataclass
class Served:
    workspace: Path
    port: int

    def page_url(self, how: str) -> str:
        return f"http://localhost:{self.port}/" if how == "http" else (FRONTEND / "index.html").as_uri()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server process on a port the system chose, with sample images in its workspace."""
    workspace = tmp_path_factory.mktemp("real")
    write_sample_data(workspace / "data", per_class=10, seed=1)
    command = [sys.executable, "-m", "breastai.server", "--port", "0", "--workspace", str(workspace)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", env=environment) as process:
        assert process.stdout is not None
        address = re.search(r"http://localhost:(\d+)/", process.stdout.readline())
        assert address is not None, "the server did not say where it is"
        yield Served(workspace, int(address.group(1)))
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()


@pytest.fixture
def faults() -> list[str]:
    return []


@pytest.fixture
def open_real_page(browser: Browser, served: Served, faults: list[str]) -> Iterator[Callable[[str], Page]]:
    contexts = []

    def opened(how: str) -> Page:
        context = browser.new_context(locale="en-GB", reduced_motion="reduce")
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(f"localStorage.setItem('breastai.address', 'ws://localhost:{served.port}')")
        page.goto(served.page_url(how))
        page.wait_for_selector("#connection-state.phase-connected")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def start(page: Page, epochs: int) -> None:
    page.select_option("#preset", "quick")
    page.fill("#setting-training-epochs", str(epochs))
    page.locator("#all-settings > summary").click()
    page.select_option("#settings-level", "all")
    for section, fields in SETTINGS.items():
        page.locator(f'[data-section="{section}"] > summary').click()
        for field, value in fields.items():
            page.fill(f"#setting-{field}", value)
    page.locator('[data-action="start_training"]').click()


def start_and_stop(page: Page) -> None:
    start(page, epochs=500)
    expect(page.locator(".run-stage")).to_contain_text("of 500", timeout=WITHIN_MS)
    page.locator('#job-bar [data-action="stop_training"]').click()
    expect(page.locator("#run-state")).to_have_text("Stopped", timeout=WITHIN_MS)
    expect(page.locator('[data-action="start_training"]')).to_be_enabled()


@pytest.mark.full
@pytest.mark.parametrize("how", ["file", "http"])
def test_a_real_run_is_started_and_stopped_by_clicking(open_real_page: Callable[[str], Page], how: str) -> None:
    start_and_stop(open_real_page(how))


def test_a_real_run_is_trained_to_its_end_and_leaves_a_checkpoint(
    open_real_page: Callable[[str], Page], served: Served
) -> None:
    page = open_real_page("http")
    start(page, epochs=2)
    expect(page.locator(".run-stage")).to_contain_text("of 2", timeout=WITHIN_MS)
    expect(page.locator("#run-state")).to_have_text("Complete", timeout=WITHIN_MS)
    epochs = page.evaluate(
        "() => Chart.getChart(document.querySelector('[data-chart=loss]')).data.datasets.map((set) => set.data.map((p) => p.x))"
    )
    assert epochs == [[1, 2], [1, 2]]
    assert page.locator("#confusion tbody tr").count() == 3
    run_id = page.locator(".run-name .name").text_content()
    assert (served.workspace / "checkpoints" / str(run_id) / "best.safetensors").is_file()
