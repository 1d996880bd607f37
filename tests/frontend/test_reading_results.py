"""An evaluation is read from top to bottom, other thresholds are tried on it, and the runs are sorted and filtered."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from breastai.domain.events import DataLoaded, TrainingStarted
from breastai.domain.study import Study
from breastai.storage.journal import Journal
from breastai.storage.studies import save_study

from .page_steps import OpenPage, trained, violations
from .scripted_worker import PLAIN_NAMES, update


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
    expect(page.locator("#evaluation-head > p").first).to_contain_text("sample-set data · ")
    # Where the interval lies, and where the value.
    style = page.locator("#evaluation-head .interval-bar").first.get_attribute("style")
    assert style is not None and "--low: 0.8" in style and "--value: 0.9" in style
    expect(page.locator("#evaluation-matrix table")).to_be_visible()
    # What stands under the tiles is not by their threshold, and says so.
    for place in ("#evaluation-matrix", "#evaluation-classes"):
        expect(page.locator(place)).to_contain_text(re.compile("most probable class|classe la plus probable"))
    expect(page.locator("#evaluation-roc canvas")).to_be_visible()
    expect(page.locator("#evaluation-body")).to_be_hidden()
    bottom = page.evaluate("document.getElementById('evaluation-curves').getBoundingClientRect().bottom + scrollY")
    assert bottom <= 1500
    page.emulate_media(media="print")
    assert page.locator("#evaluation-card").evaluate("card => getComputedStyle(card).breakInside") == "auto"
    page.emulate_media(media="screen")
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
    # What the frozen point did, as it is told above, also where the thinned curve has no such place.
    assert cells.all_text_contents() == ["19", "1", "6", "34"]
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


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_the_runs_of_a_study_are_folded_under_it_and_runs_on_other_images_are_not_compared_unwarned(
    open_page: OpenPage, stage: Any, locale: str
) -> None:
    workspace, study_id = stage.workspace, f"study-{locale}"
    members = [f"{study_id}-r1f{fold}" for fold in (1, 2, 3)]
    for number, run_id in enumerate(members, start=1):
        journal = Journal(workspace.journal_file(run_id), run_id, "default")
        config = {"data": {"train_dir": "cohort/train"}}
        journal.stamp(TrainingStarted(architecture="tiny_cnn", epochs=number, class_names=PLAIN_NAMES, config=config))
        journal.stamp(DataLoaded(train={"benign": 30 + number}, val={"benign": 10 + number}, split="by image"))
        journal.stamp(update(number, number, PLAIN_NAMES))
        journal.close()
    save_study(workspace, Study(study_id=study_id, kind="crossval", created="2026-01-01", config={}, members=[]))
    page = open_page(locale=locale, bypass_csp=True)
    page.evaluate("location.hash = '#runs'")
    page.fill("#runs-search", study_id)
    rows = page.locator("#runs-list tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("3")
    # Accuracy plus 0.07, of one, two and three epochs: 0.570, 0.770 and 0.837.
    expect(rows.locator("td", has_text="726")).to_contain_text(re.compile("0[.,]570"))
    toggle = page.locator("#runs-list [data-study]")
    toggle.press("Enter")
    expect(rows).to_have_count(4)
    expect(toggle).to_be_focused()
    expect(rows.nth(1)).to_contain_text(re.compile(r"3\d\s\+\s1\d"))
    assert violations(page) == []
    for box in page.locator("#runs-list .study-member input").all()[:2]:
        box.check()
    page.locator('[data-action="compare_runs"]').click()
    words = {"en-GB": "validated on different images", "fr-FR": "validés sur des images différentes"}
    expect(page.locator("#compared-images .banner")).to_contain_text(words[locale])
    page.set_viewport_size({"width": 380, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_predictive_values_follow_bayes(open_page: OpenPage) -> None:
    page = open_page()
    found: dict[str, Any] = page.evaluate("BreastAI.views.thresholdExplorer.predictive(0.9, 0.8, 0.1)")
    assert found["ppv"] == pytest.approx(0.09 / (0.09 + 0.18))
    assert found["npv"] == pytest.approx(0.72 / (0.72 + 0.01))
    assert page.evaluate("BreastAI.views.thresholdExplorer.predictive(0, 1, 0.1)")["ppv"] is None
