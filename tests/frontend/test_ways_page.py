"""Going anywhere by keyboard, the glossary, what a run meets before it starts, and names of classes in one's language."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from breastai.data.phantoms.phantom_dataset import write_sample_data

from .page_steps import OpenPage, hold, release, violations, wait_until


@pytest.mark.parametrize("how", ["file", "http"])
def test_a_view_is_found_by_typing_a_part_of_its_name(open_page: OpenPage, how: str) -> None:
    page = open_page(how, locale="fr-FR")
    page.keyboard.press("Control+k")
    expect(page.locator("#palette-input")).to_be_focused()
    page.keyboard.type("evalu")
    # Settings of that name come behind.
    expect(page.locator("#palette-list [role=option]").first).to_have_text("Évaluation Vue")
    page.keyboard.press("Enter")
    expect(page.locator("#view-evaluation")).to_be_visible()
    page.locator("#palette-open").click()
    page.keyboard.type("nothing of the kind")
    expect(page.locator("#palette-none")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#palette")).to_be_hidden()


@pytest.mark.standard
@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_question_mark_opens_the_glossary_and_both_dialogs_are_in_nobody_s_way(
    open_page: OpenPage, language: str
) -> None:
    page = open_page(locale=language, bypass_csp=True)
    for theme in ("light", "dark"):
        page.select_option("#theme", theme)
        page.locator("#content").focus()
        page.keyboard.press("?")
        expect(page.locator("#glossary-list dt").first).to_be_visible()
        page.fill("#glossary-search", "AUC")
        assert page.locator("#glossary-list > div").count() < 6
        assert violations(page) == []
        page.locator("#glossary-close").click()
        page.keyboard.press("Control+k")
        assert violations(page) == []
        page.keyboard.press("Escape")
    page.locator("#glossary-open").click()
    expect(page.locator("#glossary")).to_be_visible()
    # Where somebody types, a question mark is one.
    page.fill("#glossary-search", "")
    page.keyboard.type("?")
    expect(page.locator("#glossary-search")).to_have_value("?")


@pytest.mark.standard
def test_what_a_run_meets_is_looked_up_before_it_starts(open_page: OpenPage, stage: Any) -> None:
    write_sample_data(stage.workspace.root / "ours", per_class=8)
    page = open_page(locale="fr-FR")
    page.fill("#data-path", "ours")
    card = page.locator("#pre-flight")
    expect(card).to_contain_text("ours/train")
    expect(card).to_contain_text("malin")
    page.select_option("#preset", "quick")
    expect(card).to_contain_text("tf_efficientnet_lite0")
    page.fill("#data-path", "nowhere")
    expect(card).to_contain_text("Pas encore d’images dans ce dossier.")
    expect(page.locator(".toast")).to_have_count(0)


def test_a_look_that_a_lost_connection_cut_short_is_made_again(open_page: OpenPage, stage: Any) -> None:
    write_sample_data(stage.workspace.root / "mine", per_class=8)
    page = open_page(expected=("WebSocket",))
    hold(page, "pre_flight")
    page.fill("#data-path", "mine")
    wait_until(page, "() => window.held === 1")
    stage.cut_connections()
    expect(page.locator("#connection-state")).not_to_have_class(re.compile("phase-connected"))
    release(page)
    expect(page.locator("#pre-flight")).to_contain_text("mine/train")


def test_classes_are_named_in_the_reader_s_language(open_page: OpenPage) -> None:
    page = open_page(locale="fr-FR")
    page.fill("#data-path", "data")
    page.fill("#setting-training-epochs", "1")
    page.locator('[data-action="start_training"]').click()
    expect(page.locator("#job-bar-text .pill")).to_have_text("Terminé")
    assert page.locator("#class-tiles .tile-label").all_text_contents() == ["bénin", "malin", "normal"]
    page.select_option("#language", "en")
    expect(page.locator("#class-tiles .tile-label").first).to_have_text("benign")


def test_a_link_leads_to_the_top_of_its_view_and_back_to_where_one_was(open_page: OpenPage) -> None:
    page = open_page()
    page.set_viewport_size({"width": 1000, "height": 400})
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    before = page.evaluate("scrollY")
    assert before > 0
    page.locator('nav [data-view="system"]').click()
    expect(page.locator("#view-system")).to_be_visible()
    assert page.evaluate("scrollY") == 0
    page.go_back()
    wait_until(page, "(before) => Math.abs(scrollY - before) < 40", arg=before)
