"""The form that starts a run outlives the page, a preset discards nothing unasked, and a heartbeat moves nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

OpenPage = Callable[..., Page]


@pytest.mark.parametrize("how", ["file", "http"])
def test_folder_preset_and_changes_are_there_after_a_reload(open_page: OpenPage, how: str) -> None:
    page = open_page(how)
    page.fill("#data-path", "my/images")
    page.select_option("#preset", "quick")
    page.fill("#setting-training-epochs", "9")
    expect(page.locator("#settings-changed")).to_have_text("1 changed")
    page.reload()
    page.wait_for_selector("#connection-state.phase-connected")
    expect(page.locator("#preset")).to_have_value("quick")
    expect(page.locator("#data-path")).to_have_value("my/images")
    expect(page.locator("#setting-training-epochs")).to_have_value("9")
    expect(page.locator("#setting-model-architecture")).to_have_value('"tf_efficientnet_lite0"')


def test_a_preset_keeps_changed_settings_says_so_and_what_is_discarded_comes_back(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#setting-training-epochs", "9")
    page.select_option("#preset", "quick")
    expect(page.locator("#form-note")).to_contain_text("1 changed setting is kept over this preset.")
    expect(page.locator("#setting-training-epochs")).to_have_value("9")
    page.locator("#form-undo").click()
    expect(page.locator("#form-note")).to_contain_text("1 changed setting was discarded.")
    expect(page.locator("#setting-training-epochs")).to_have_value("12")
    page.locator("#form-undo").click()
    expect(page.locator("#form-note")).to_be_hidden()
    expect(page.locator("#setting-training-epochs")).to_have_value("9")


def test_a_heartbeat_leaves_open_what_is_open_and_chosen_what_is_chosen(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#data-path", "data")
    page.fill("#setting-training-epochs", "1")
    page.locator('[data-action="start_training"]').click()
    expect(page.locator("#job-bar-text .pill")).to_have_text("Complete")
    page.evaluate("location.hash = '#runs'")
    box = page.locator("#runs-list input[type=checkbox]").first
    box.focus()
    page.evaluate("() => { window.before = document.querySelector('#runs-list table'); }")
    page.evaluate("location.hash = '#system'")
    page.locator('[data-action="ping"]').click()
    expect(page.locator("#ping")).to_contain_text("The server answered in")
    page.evaluate("location.hash = '#runs'")
    assert page.evaluate("document.querySelector('#runs-list table') === window.before")


def test_only_the_button_that_was_pressed_turns(open_page: OpenPage) -> None:
    page = open_page()
    waiting = """() => {
      const buttons = [1, 2].map((row) => BreastAI.elements.actionButton("verify_checkpoint", "Verify", { attributes: { "aria-label": `Verify ${row}` } }));
      document.querySelector("main").append(...buttons);
      document.addEventListener("click", BreastAI.actions.hear, true);
      buttons[1].click();
      const base = BreastAI.store.initial();
      const state = { ...base, connection: { ...base.connection, phase: "connected" }, pending: { 1: "verify_checkpoint" } };
      BreastAI.actions.markAll(document, state);
      return buttons.map((button) => button.getAttribute("aria-busy"));
    }"""
    assert page.evaluate(waiting) == ["false", "true"]
