"""Runs have pages of their own, a job bar tells of the job in every view, and what was made of a run is listed."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .page_steps import OpenPage, begin, go, trained, violations


@pytest.mark.standard
@pytest.mark.parametrize("how", ["file", "http"])
def test_a_past_run_has_an_address_a_title_and_a_way_back(open_page: OpenPage, how: str) -> None:
    page = open_page(how)
    first, second = trained(page, 2), trained(page, 2)
    page.evaluate(f"location.hash = '#run/{first}/curves'")
    expect(page.locator("#run-page-title")).to_have_text(first)
    expect(page.locator("#run-cards-title .run-id")).to_have_text(first)
    expect(page.locator("#tiles .tile-value").first).to_have_text("2")
    expect(page).to_have_title(f"{first} · Curves · BreastAI")
    page.locator("#run-page-tabs").get_by_role("link", name="Settings").click()
    expect(page.locator("#run-page-body")).to_contain_text("Epochs")
    page.locator("#run-page-tabs").get_by_role("link", name="Log").click()
    expect(page.locator("#run-page-body .log-line").last).to_contain_text("Training finished: 2 epochs")
    page.go_back()
    page.go_back()
    expect(page).to_have_title(f"{first} · Curves · BreastAI")
    page.evaluate("location.hash = '#training'")
    expect(page.locator("#run-cards-title .run-id")).to_have_text(second)
    page.evaluate(f"location.hash = '#run/{first}/log'")
    page.reload()
    expect(page.locator("#run-page-body .log-line").last).to_contain_text("Training finished: 2 epochs")
    expect(page.locator("nav [aria-current=page][data-view]")).to_have_text("Runs")


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_the_page_of_a_run_is_in_nobody_s_way(open_page: OpenPage, locale: str) -> None:
    page = open_page(locale=locale, bypass_csp=True)
    run = trained(page)
    for tab in ("curves", "results", "images", "settings", "log"):
        page.evaluate(f"location.hash = '#run/{run}/{tab}'")
        expect(page.locator(f'#run-page-tabs [aria-current="page"][href$="{tab}"]')).to_be_visible()
        assert violations(page) == [], tab
        for width in (380, 1024, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (tab, width)


def test_what_was_made_of_a_run_is_listed_after_a_reload_with_its_links(open_page: OpenPage) -> None:
    page = open_page()
    run = trained(page)
    page.locator("#job-bar").get_by_role("button", name="Report").click()
    expect(page.locator(".toast").last).to_contain_text("Report")
    opens = page.locator("#job-bar").get_by_role("link", name="Open the report")
    assert page.request.get(str(opens.get_attribute("href"))).ok
    page.evaluate(f"location.hash = '#run/{run}/results'")
    page.reload()
    row = page.locator("#run-page-body tbody tr", has_text="Report")
    expect(row).to_contain_text("English")
    links = row.get_by_role("link")
    assert [link.get_attribute("href").rpartition(".")[2] for link in links.all()][:1] == ["html"]  # type: ignore[union-attr]
    assert page.request.get(str(links.first.get_attribute("href"))).ok


@pytest.mark.standard
def test_the_job_bar_tells_in_every_view_what_goes_on_and_stops_it(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, epochs=20)
    page.get_by_role("link", name="Log", exact=True).click()
    bar = page.locator("#job-bar")
    expect(bar).to_contain_text("epoch 6 of 20")
    expect(page).to_have_title(re.compile("[0-9]+% · Log · BreastAI"))
    run = page.locator("#job-bar .job-about").text_content()
    bar.locator('[data-action="stop_training"]').click()
    expect(bar.locator(".pill")).to_have_text("Stopped")
    bar.locator('[data-action="resume_training"]').click()
    expect(bar.locator(".job-about")).to_have_text(str(run))
    expect(bar.locator(".pill")).to_have_text("Complete")
    bar.locator('[data-action="adopt_settings"]').click()
    expect(page.locator("#view-training")).to_be_visible()
    expect(page.locator("#setting-training-epochs")).not_to_have_value("50")
    bar.locator("#job-dismiss").click()
    expect(bar).to_be_hidden()


def test_a_question_about_duplicates_outlives_the_tab_and_another_answers_it(open_page: OpenPage) -> None:
    page = open_page()
    before = trained(page)
    begin(page, epochs=1, folder="twins")
    expect(page.locator("#audit-question")).to_contain_text("Duplicates were found")
    page.close()
    other = open_page()
    expect(other.locator("#job-bar")).to_contain_text("waits for your answer")
    # The run that only asked has not taken the place of the one before it.
    expect(other.locator("#run-cards-title .run-id")).to_have_text(before)
    go(other, "runs")
    asked = other.locator("#runs-list tbody tr").filter(has_text="It asks what to do about duplicates.")
    expect(asked.locator(".pill")).to_have_text("Not started")
    expect(asked.get_by_role("link", name="Answer")).to_have_attribute("href", "#audit")
    asked.locator("a").first.click()
    expect(other.locator("#run-page-state")).to_have_text("Not started")
    other.locator("#run-page-asked").get_by_role("link", name="Answer").click()
    expect(other.locator(".twins img")).to_have_count(2)
    answers = other.locator('[data-action="answer_leaks"]')
    expect(answers).to_have_count(3)
    answers.nth(1).click()
    expect(other.locator("#job-bar-text .pill")).to_have_text("Complete")
    other.evaluate("location.hash = '#audit'")
    expect(other.locator("#audit-question")).to_be_empty()
    go(other, "runs")
    expect(other.locator("#runs-list tbody tr")).not_to_have_count(0)
    expect(other.locator("#runs-list tbody")).not_to_contain_text("Not started")


def test_another_job_folds_the_run_before_it_to_a_line(open_page: OpenPage) -> None:
    page = open_page()
    run = trained(page)
    cards = page.locator("#run-cards")
    expect(cards).to_have_attribute("open", "")
    page.locator('[data-action="start_crossval"]').click()
    expect(page.locator("#crossval-state")).to_have_text("Running")
    expect(cards).not_to_have_attribute("open", "")
    expect(page.locator("#run-cards-title")).to_contain_text(run)
    expect(page.locator("#run-cards-title .pill")).to_have_text("Complete")
    page.locator('#job-bar [data-action="stop_training"]').click()
    expect(page.locator("#crossval-state")).to_have_text("Stopped")
    expect(cards).to_have_attribute("open", "")


def test_an_address_typed_wrong_shows_the_first_view(open_page: OpenPage) -> None:
    page = open_page(view="100%")
    expect(page.locator("#view-training")).to_be_visible()
    expect(page).to_have_title("Training · BreastAI")
    page.evaluate("location.hash = '#runs'")
    expect(page.locator("#view-runs")).to_be_visible()


@pytest.fixture
def phone(open_page: OpenPage) -> Any:
    return open_page(viewport={"width": 380, "height": 800})


def test_on_a_phone_the_views_lie_behind_a_button(phone: Page) -> None:
    expect(phone.locator("#views-nav")).to_be_hidden()
    phone.locator("#menu").click()
    assert phone.locator("#views-nav .nav-group-name").all_text_contents() == ["Data", "Train", "Results", "System"]
    phone.locator('#views-nav [data-view="runs"]').click()
    expect(phone.locator("#view-runs")).to_be_visible()
    expect(phone.locator("#views-nav")).to_be_hidden()
