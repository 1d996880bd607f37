"""An evaluation is read from top to bottom, other thresholds are tried on it, and the runs are sorted and filtered."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .page_steps import OpenPage, trained, violations


def evaluated(page: Page) -> None:
    trained(page, 1)
    page.evaluate("location.hash = '#evaluation'")
    page.fill("#evaluate-path", "data")
    page.locator("#evaluate-form [data-action=evaluate_model]").click()
    expect(page.locator("#evaluation-card")).to_be_visible()


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_an_evaluation_is_read_at_a_glance_and_the_rest_is_folded(open_page: OpenPage, locale: str) -> None:
    page = open_page(locale=locale, bypass_csp=True, viewport={"width": 1440, "height": 900})
    evaluated(page)
    values = page.locator("#evaluation-head .tile-value").all_text_contents()
    assert [value.replace(",", ".") for value in values] == ["0.900", "0.950"]
    # Where the interval lies, and where the value.
    style = page.locator("#evaluation-head .interval-bar").first.get_attribute("style")
    assert style is not None and "--low: 0.8" in style and "--value: 0.9" in style
    expect(page.locator("#evaluation-matrix table")).to_be_visible()
    expect(page.locator("#evaluation-roc canvas")).to_be_visible()
    expect(page.locator("#evaluation-body")).to_be_hidden()
    bottom = page.evaluate("document.getElementById('evaluation-curves').getBoundingClientRect().bottom + scrollY")
    assert bottom <= 1500
    page.locator("#evaluation-more > summary").click()
    page.locator("#explorer-card > summary").click()
    page.locator("#evaluation-curves-more > summary").click()
    expect(page.locator("#evaluation-charts canvas").first).to_be_visible()
    for theme in ("light", "dark"):
        page.select_option("#theme", theme)
        assert violations(page) == []


@pytest.mark.parametrize("how", ["file", "http"])
def test_another_threshold_moves_the_counts_and_a_prevalence_the_predictive_values(
    open_page: OpenPage, how: str
) -> None:
    page = open_page(how)
    evaluated(page)
    page.locator("#explorer-card > summary").click()
    expect(page.locator("#explorer-told")).to_have_text("0.250")
    cells = page.locator("#explorer-body td")
    assert cells.all_text_contents() == ["18", "2", "8", "32"]
    page.locator("#explorer-threshold").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#explorer-told")).to_have_text("0.100")
    assert cells.all_text_contents() == ["19", "1", "20", "20"]
    page.fill("#explorer-prevalence", "1")
    # 0.95 * 0.01 / (0.95 * 0.01 + 0.5 * 0.99)
    expect(page.locator("#explorer-body .terms")).to_contain_text("PPV at this prevalence0.019")
    page.locator("#explorer-frozen").click()
    expect(page.locator("#explorer-told")).to_have_text("0.250")
    expect(page.locator("#explorer-card .banner")).to_contain_text("needs new images")


def test_runs_are_sorted_filtered_and_shown_by_the_columns_chosen(open_page: OpenPage) -> None:
    page = open_page()
    short, long = trained(page, 1), trained(page, 4)
    page.evaluate("location.hash = '#runs'")
    names = page.locator("#runs-list tbody th a")
    assert names.all_text_contents()[:2] == [long, short]
    page.locator('#runs-list [data-sort="auc_roc"]').press("Enter")
    expect(page.locator('#runs-list [data-sort="auc_roc"]')).to_have_attribute("aria-pressed", "true")
    expect(page.locator('#runs-list [data-sort="auc_roc"]')).to_be_focused()
    assert names.all_text_contents()[0] == long
    page.locator('#runs-list [data-sort="auc_roc"]').click()
    expect(names.first).to_have_text(short)
    page.locator(".column-choice > summary").click()
    page.locator('#runs-columns input[value="duration"]').check()
    expect(page.locator("#runs-list thead")).to_contain_text("Duration")
    page.reload()
    page.evaluate("location.hash = '#runs'")
    expect(page.locator("#runs-list thead")).to_contain_text("Duration")
    page.select_option("#runs-state", "stopped")
    expect(page.locator("#runs-list")).to_contain_text("No run")
    page.select_option("#runs-state", "")
    names.first.click()
    expect(page.locator("#view-run")).to_be_visible()


def test_predictive_values_follow_bayes(open_page: OpenPage) -> None:
    page = open_page()
    found: dict[str, Any] = page.evaluate("BreastAI.views.thresholdExplorer.predictive(0.9, 0.8, 0.1)")
    assert found["ppv"] == pytest.approx(0.09 / (0.09 + 0.18))
    assert found["npv"] == pytest.approx(0.72 / (0.72 + 0.01))
    assert page.evaluate("BreastAI.views.thresholdExplorer.predictive(0, 1, 0.1)")["ppv"] is None
