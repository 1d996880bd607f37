"""A model adapted to a site from the page: a real small model, a real server, a browser."""

from typing import Any

import pytest
from playwright.sync_api import expect

from breastai.server.app import Options
from breastai.storage.workspace import Workspace

from .test_asking_page import WITHIN_MS, asked_workspace

__all__ = ["asked_workspace"]


@pytest.mark.parametrize(("locale", "title"), [("fr-FR", "Adapté à un site")])
def test_a_model_is_adapted_to_a_site_and_shown_beside_itself(
    opening: Any, serving: Any, asked_workspace: Workspace, locale: str, title: str
) -> None:
    with serving(Options(workspace=asked_workspace, port=0)) as server, opening(server.port, WITHIN_MS) as open_page:
        page = open_page(view="checkpoints", locale=locale)
        page.locator("[data-action=load_checkpoint]:visible").first.click()
        page.evaluate("location.hash = '#evaluation'")
        page.locator("#sites-form").evaluate("form => { form.closest('details').open = true }")
        page.fill("#sites-places", "data/train")
        page.fill("#sites-sample", "0.8")
        page.locator("#adapt-run").click()
        expect(page.locator("#adapted-card")).to_contain_text(title)
        expect(page.locator("#adapted-body tbody tr")).to_have_count(5, timeout=WITHIN_MS)
        page.locator("#adapted-body [data-action=create_report]").click()
        page.locator("#adapted-body a[href*=results]").click()
        kept = page.locator("#run-page-body tbody tr")
        expect(kept).to_have_count(2, timeout=WITHIN_MS)  # its evaluation on the rest, and its report
        link = kept.locator("a[href*='report.fr.html']").get_attribute("href")
        assert page.request.get(link or "").ok
    assert len([path for path in asked_workspace.checkpoints_dir.iterdir() if path.name.endswith("-adapted")]) == 1
