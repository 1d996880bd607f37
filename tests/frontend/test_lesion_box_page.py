"""A box drawn round a lesion on the page: a real model of lesion crops, a real server, a browser."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.server.app import Options
from breastai.storage.workspace import Workspace

from .test_asking_page import MAKE_RUN, SETTINGS, WITHIN_MS, option, pictures

CROPS = {**SETTINGS, "preprocessing": {"lesion_crop": "marked", "lesion_margin": 0.1}}


@pytest.fixture(scope="module")
def crop_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.open(tmp_path_factory.mktemp("crops") / "workspace")
    write_sample_data(workspace.root / "data", per_class=8, seed=1, image_size=96)
    arguments = [sys.executable, "-c", MAKE_RUN, str(workspace.root), json.dumps(CROPS)]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return workspace


def draw(page: Page, picture: int, corners: tuple[float, float, float, float]) -> None:
    """Drag from corner to corner, as shares of a picture."""
    frame = page.locator("#answers-list .stack").nth(picture)
    frame.scroll_into_view_if_needed()
    edges = frame.bounding_box()
    assert edges is not None
    left, top, right, bottom = corners
    page.mouse.move(edges["x"] + left * edges["width"], edges["y"] + top * edges["height"])
    page.mouse.down()
    page.mouse.move(edges["x"] + right * edges["width"], edges["y"] + bottom * edges["height"], steps=4)
    page.mouse.up()


@pytest.mark.parametrize(("locale", "button"), [("en-GB", "Ask again"), ("fr-FR", "Interroger de nouveau")])
def test_a_box_drawn_on_an_answer_is_asked_about_and_shown(
    browser: Browser, serving: Any, crop_workspace: Workspace, tmp_path: Path, locale: str, button: str
) -> None:
    with serving(Options(workspace=crop_workspace, port=0)) as server:
        context = browser.new_context(locale=locale, reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.add_init_script(f"localStorage.setItem('breastai.address', 'ws://localhost:{server.port}')")
        page.goto(f"http://localhost:{server.port}/#predict")
        page.wait_for_selector("#connection-state.phase-connected")
        expect(page.locator("#predict-model optgroup")).to_have_count(2)
        page.select_option("#predict-model", option(page, ".onnx"))
        page.set_input_files("#predict-files", [str(path) for path in pictures(crop_workspace, 2)])
        page.locator("#predict-ask").click()
        expect(page.locator("#answers-list > li")).to_have_count(2)
        again = page.locator("#lesion-ask")
        expect(again).to_be_hidden()
        expect(page.locator(".crop-box")).to_have_count(0)
        draw(page, 0, (0.25, 0.25, 0.5, 0.5))
        expect(again).to_contain_text(button)
        page.screenshot(path=tmp_path / "drawn.png")
        again.click()
        expect(page.locator(".crop-box")).to_have_count(1)
        left = page.locator(".crop-box").first.evaluate("box => parseFloat(box.style.left)")
        assert 21 <= left <= 24  # a tenth of the box's 24 pixels to the left of a quarter of 96
        expect(page.locator(".lesion-box:visible")).to_have_count(1)
        context.close()
