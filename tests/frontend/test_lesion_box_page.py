"""A box drawn round a lesion on the page: a real model of lesion crops, a real server, a browser."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from breastai.server.app import Options
from breastai.storage.workspace import Workspace

from .page_steps import SMALLEST, make_judged_workspace
from .test_asking_page import WITHIN_MS, option, pictures

CROPS = {**SMALLEST, "preprocessing": {"lesion_crop": "marked", "lesion_margin": 0.1}}


@pytest.fixture(scope="module")
def crop_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_judged_workspace(tmp_path_factory.mktemp("crops") / "workspace", CROPS)


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
    opening: Any, serving: Any, crop_workspace: Workspace, locale: str, button: str
) -> None:
    with serving(Options(workspace=crop_workspace, port=0)) as server, opening(server.port, WITHIN_MS) as open_page:
        page = open_page(view="predict", locale=locale)
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
        again.click()
        expect(page.locator(".crop-box")).to_have_count(1)
        left = page.locator(".crop-box").first.evaluate("box => parseFloat(box.style.left)")
        assert 21 <= left <= 24  # a tenth of the box's 24 pixels to the left of a quarter of 96
        expect(page.locator(".lesion-box:visible")).to_have_count(1)
