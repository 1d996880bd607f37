"""The queue on the page, with a worker that plays a script."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .page_steps import OpenPage, confirm, violations

WORDS = {
    "en": {"idle": "Complete", "running": "Running", "stopped": "Stopped", "train": "Training", "now": "Running now: Training"},
    "fr": {"idle": "Terminé", "running": "En cours", "stopped": "Arrêté", "train": "Entraînement", "now": "En cours\u00a0: Entraînement"},
}  # fmt: skip


def rows(page: Page) -> Any:
    return page.locator("#queue-list tbody tr")


def add(page: Page, epochs: int) -> None:
    page.fill("#setting-training-epochs", str(epochs))
    page.locator('[data-action="queue_training"]').click()


def keeps_its_rows_while_the_run_goes_on(page: Page) -> None:
    """Look at the rows over five drawings of the page, each for another progress of the run."""
    kept = page.evaluate(
        """() => new Promise((done) => {
          const row = () => document.querySelector("#queue-list tbody tr");
          const first = row();
          const told = new Set();
          const { markAll } = BreastAI.actions;
          // The page marks its buttons at the end of every drawing.
          BreastAI.actions.markAll = (root, state) => {
            markAll(root, state);
            if (root === document && told.add(state.progress).size > 5) done(row() === first);
          };
        })"""
    )
    assert kept


@pytest.mark.parametrize(("how", "language"), [("file", "fr"), ("http", "en")])
def test_jobs_are_queued_reordered_held_cancelled_and_run_by_clicking(
    open_page: OpenPage, how: str, language: str
) -> None:
    words = WORDS[language]
    page = open_page(how, locale=language)
    page.fill("#data-path", "data/<b>queued</b>")
    expect(page.locator('[data-action="queue_training"]')).to_be_hidden()
    page.fill("#setting-training-epochs", "500")
    page.locator('[data-action="start_training"]').click()
    expect(page.locator("#run-state")).to_have_text(words["running"])
    for count, epochs in enumerate((1, 2, 3), start=1):
        add(page, epochs)
        expect(page.locator("#queue-count")).to_have_text(str(count))

    page.evaluate("location.hash = '#queue'")
    expect(page.locator("#queue-now")).to_have_text(words["now"])
    expect(rows(page)).to_have_count(3)
    expect(rows(page).first).to_contain_text("data/<b>queued</b>/train")
    up, down = (
        page.locator(f'#queue-list [data-action="move_job"][data-focus^="queue.{way}"]') for way in ("up", "down")
    )
    expect(up.first).to_be_disabled()
    expect(down.last).to_be_disabled()
    keeps_its_rows_while_the_run_goes_on(page)
    up.nth(2).click()
    expect(rows(page).nth(1)).to_contain_text("3")
    expect(rows(page).nth(2)).to_contain_text("2")
    expect(page.locator('[data-focus^="queue.up"]:focus')).to_have_count(1)
    page.locator('#queue-list [data-action="cancel_job"]').first.click()
    page.locator("#dialog-cancel").click()
    expect(rows(page)).to_have_count(3)
    page.locator('#queue-list [data-action="cancel_job"]').first.click()
    confirm(page)
    expect(rows(page)).to_have_count(2)

    page.locator('[data-action="hold_queue"]').click()
    expect(page.locator("#queue-held")).to_be_visible()
    assert violations(page) == []
    page.evaluate("location.hash = '#training'")
    page.locator('#job-bar [data-action="stop_training"]').click()
    expect(page.locator("#run-state")).to_have_text(words["stopped"])
    expect(page.locator("#queue-count")).to_have_text("2")
    page.evaluate("location.hash = '#queue'")
    page.locator('[data-action="hold_queue"]').click()
    expect(page.locator("#queue-list")).to_have_text(page.evaluate("BreastAI.i18n.t('queue.empty')"), timeout=60_000)
    page.evaluate("location.hash = '#training'")
    expect(page.locator("#run-state")).to_have_text(words["idle"], timeout=60_000)
    assert (
        page.evaluate("Chart.getChart(document.querySelector('[data-chart=loss]')).data.datasets[0].data.length") == 2
    )
