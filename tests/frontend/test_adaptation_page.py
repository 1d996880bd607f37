"""A model adapted to a site from the page: a real small model, a real server, a browser."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from breastai.server.app import Options
from breastai.storage.workspace import Workspace

from .test_asking_page import WITHIN_MS, asked_workspace

__all__ = ["asked_workspace"]


@pytest.mark.parametrize(("locale", "title"), [("fr-FR", "Adapté à un site")])
def test_a_model_is_adapted_to_a_site_and_shown_beside_itself(
    browser: Browser, serving: Any, asked_workspace: Workspace, locale: str, title: str
) -> None:
    with serving(Options(workspace=asked_workspace, port=0)) as server:
        context = browser.new_context(locale=locale, reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(WITHIN_MS)
        page.add_init_script(f"localStorage.setItem('breastai.address', 'ws://localhost:{server.port}')")
        page.goto(f"http://localhost:{server.port}/#checkpoints")
        page.wait_for_selector("#connection-state.phase-connected")
        page.locator("[data-action=load_checkpoint]:visible").first.click()
        page.evaluate("location.hash = '#evaluation'")
        page.locator("#sites-form").evaluate("form => { form.closest('details').open = true }")
        page.fill("#sites-places", "data/train")
        page.fill("#sites-sample", "0.8")
        page.locator("#adapt-run").click()
        expect(page.locator("#adapted-card")).to_contain_text(title)
        expect(page.locator("#adapted-body tbody tr")).to_have_count(5)
        context.close()
    assert len([path for path in asked_workspace.checkpoints_dir.iterdir() if path.name.endswith("-adapted")]) == 1
