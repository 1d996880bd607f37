"""The search for settings on the page, with a worker that plays a script."""

import pytest
from playwright.sync_api import Page, expect

from .page_steps import OpenPage, violations

WORDS = {
    "en": {"better": "AUC 0.900, against 0.800", "early": "Ended early", "none": "No trial beat the current settings", "stopped": "Stopped", "rate": "Learning rate"},
    "fr": {"better": "AUC de 0,900, contre 0,800", "early": "Écourté", "none": "Aucun essai n’a fait mieux", "stopped": "Arrêtée", "rate": "Taux d’apprentissage"},
}  # fmt: skip


def begin(page: Page, trials: str) -> None:
    page.fill("#tuning-trials-asked", trials)
    page.locator('[data-action="start_tuning"]').click()


def chart(page: Page) -> list[list[float | None]]:
    code = "Chart.getChart(document.querySelector('[data-chart=tuning]')).data.datasets.map(({ data }) => data.map(({ y }) => y))"
    return page.evaluate(code)


@pytest.mark.parametrize(("how", "language"), [("http", "en"), ("file", "fr")])
def test_trials_are_seen_as_they_run_and_the_best_settings_are_taken_over(
    open_page: OpenPage, how: str, language: str
) -> None:
    words = WORDS[language]
    page = open_page(how, locale=language)
    page.evaluate("location.hash = '#tuning'")
    expect(page.locator("#tuning-trials-asked")).to_have_value("20")
    page.fill("#tuning-trials-asked", "no number")
    expect(page.locator('[data-action="start_tuning"]')).to_be_disabled()
    expect(page.locator("#tuning-fault")).not_to_have_text("")
    page.fill("#tuning-hours-asked", "1.5")
    begin(page, "8")
    expect(page.locator("#tuning-verdict")).to_contain_text(words["better"])
    expect(page.locator("#tuning-optimistic")).to_be_visible()
    rows = page.locator("#tuning-list tbody tr")
    expect(rows).to_have_count(8)
    expect(rows.first).to_contain_text(words["early"])
    expect(rows.nth(4)).to_contain_text("0.900" if language == "en" else "0,900")
    best_so_far, each, before = chart(page)
    assert best_so_far == [0.8, 0.8, 0.8, 0.9, 0.9, 0.9, 0.9, 0.9]
    assert each == [0.8, 0.75, 0.7, 0.9, 0.6, 0.65, 0.62, 0.61]
    assert before == [0.8] * 8
    shares = page.locator("#tuning-importance tbody tr")
    expect(shares).to_have_count(2)
    expect(shares.first).to_contain_text(words["rate"])
    expect(page.locator("#tuning-facts")).to_contain_text("15")  # epochs saved
    expect(page.locator("#tuning-stop")).to_be_hidden()
    assert violations(page) == []

    page.locator('[data-action="use_tuned"]').click()
    expect(page.locator("#view-training")).to_be_visible()
    expect(page.locator("#setting-training-learning_rate")).to_have_value("0.0012")
    expect(page.locator("#setting-training-use_ema")).to_be_checked()
    expect(page.locator("#setting-training-early_stopping-monitor")).to_have_value('"val_auc_roc"')


def test_that_nothing_was_better_is_said_and_there_is_nothing_to_take_over(open_page: OpenPage) -> None:
    page = open_page("http", locale="en")
    page.evaluate("location.hash = '#tuning'")
    begin(page, "2")
    expect(page.locator("#tuning-verdict")).to_contain_text(WORDS["en"]["none"])
    expect(page.locator('[data-action="use_tuned"]')).to_have_count(0)
    expect(page.locator("#tuning-list tbody tr")).to_have_count(2)


def test_a_search_is_seen_after_a_reload_and_can_be_stopped(open_page: OpenPage) -> None:
    page = open_page("http", locale="en")
    page.evaluate("location.hash = '#tuning'")
    begin(page, "30")
    rows = page.locator("#tuning-list tbody tr")
    expect(rows).to_have_count(8)
    page.reload()
    expect(rows).to_have_count(8)
    expect(page.locator("#tuning-verdict")).to_contain_text(WORDS["en"]["better"])
    page.locator("#tuning-stop").click()
    expect(page.locator("#tuning-state")).to_have_text(WORDS["en"]["stopped"])
    page.locator("#tuning-resume").click()
    expect(page.locator("#tuning-verdict")).to_contain_text("AUC 0.900, against 0.800")
    expect(page.locator("#tuning-state")).to_have_text("Running")
    page.locator("#tuning-stop").click()
    expect(page.locator("#tuning-state")).to_have_text(WORDS["en"]["stopped"])
    expect(page.locator('[data-action="use_tuned"]')).to_have_count(0)
