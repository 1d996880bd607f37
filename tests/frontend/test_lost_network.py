"""A network lost for a minute while a run goes on: afterwards each chart has every epoch once, and the state is true.

The page's clock is moved on, so that the minute takes a moment. By hand, with the real one:

    BREASTAI_REAL_MINUTE=1 python -m pytest tests/frontend/test_lost_network.py
"""

import os
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from .cuttable_proxy import LOSSES, CuttableProxy
from .page_steps import EPOCHS, confirm, wait_until

REAL_MINUTE = bool(os.environ.get("BREASTAI_REAL_MINUTE"))


def opened(browser: Browser, url: str, socket_url: str, faults: list[str], slow: bool = False) -> Page:
    page = browser.new_context(locale="en-GB", reduced_motion="reduce").new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: faults.append(str(error)))
    if slow and not REAL_MINUTE:
        page.clock.install()
    page.add_init_script(f"localStorage.setItem('breastai.address', '{socket_url}')")
    page.goto(url)
    page.wait_for_selector("#connection-state.phase-connected")
    return page


def pass_s(page: Page, seconds: int) -> None:
    """Let time go by for the page: for real, or by its clock, which between two steps lets the network speak."""
    for _ in range(seconds // 10):
        if REAL_MINUTE:
            page.wait_for_timeout(10_000)
        else:
            page.clock.run_for(10_000)


def expect_epochs(page: Page, epochs: str) -> None:
    wait_until(page, f"(epochs) => new Set(({EPOCHS})()).size === 1 && ({EPOCHS})()[0] === epochs", epochs, within_s=60)


@pytest.mark.parametrize("how", list(LOSSES))
def test_after_a_minute_without_network_every_epoch_is_there_once(browser: Browser, stage: Any, how: str) -> None:
    faults: list[str] = []
    with CuttableProxy(stage.port) as proxy:
        page = opened(browser, stage.file_url, f"ws://localhost:{proxy.port}", faults, slow=True)
        page.fill("#data-path", "data")
        page.fill("#setting-training-epochs", "8")
        page.locator('[data-action="start_training"]').click()
        expect(page.locator(".run-stage")).to_contain_text("epoch 6 of 8")
        expect_epochs(page, "1 2 3 4 5")

        LOSSES[how](proxy)
        # Meanwhile the run is stopped and gone on with, as another tab sees it.
        other = opened(browser, stage.file_url, stage.socket_url, faults)
        other.locator('#job-bar [data-action="stop_training"]').click()
        expect(other.locator("#run-state")).to_have_text("Stopped")
        other.evaluate("location.hash = '#checkpoints'")
        other.locator('#checkpoints-list tr:has-text("/last") [data-action="resume_training"]').first.click()
        other.fill("#resume-epochs", "12")
        confirm(other)
        expect(other.locator(".run-stage")).to_contain_text("epoch 11 of 12")
        expect_epochs(other, "1 2 3 4 5 6 7 8 9 10")

        pass_s(page, 60)
        expect(page.locator("#run-state")).to_have_text("Connection lost")
        expect(page.locator("#connection-state")).not_to_have_text("Connected")
        expect_epochs(page, "1 2 3 4 5")
        proxy.mend()
        # What was begun on the dead network is given up first, then tried again.
        pass_s(page, 40)
        page.wait_for_selector("#connection-state.phase-connected")
        expect(page.locator("#run-state")).to_have_text("Running")
        expect(page.locator(".run-stage")).to_contain_text("epoch 11 of 12")
        expect_epochs(page, "1 2 3 4 5 6 7 8 9 10")
        other.evaluate("location.hash = '#training'")
        other.locator('#job-bar [data-action="stop_training"]').click()
        for each in (page, other):
            expect(each.locator("#run-state")).to_have_text("Stopped")
            each.context.close()
    assert faults == []
