"""The form that starts a run outlives the page, a preset discards nothing unasked, and a heartbeat moves nothing."""

from typing import Any

import pytest
from playwright.sync_api import expect

from breastai.data.phantoms.phantom_dataset import write_sample_data

from .page_steps import OpenPage, go, hold, trained, wait_until

# Chromium begun a moment ago loses at times what a page opened as a file has stored, before it is loaded again.
WAYS = [pytest.param("file", marks=pytest.mark.full), "http"]


@pytest.mark.parametrize("how", WAYS)
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


@pytest.mark.standard
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


def test_a_patient_rule_is_not_taken_for_that_of_other_images(open_page: OpenPage) -> None:
    """Said, and taken back by a click; what says nothing of the images stays."""
    page = open_page()
    page.fill("#data-path", "first")
    page.evaluate(
        "BreastAI.memory.write('breastai.form', JSON.stringify({ ...JSON.parse(BreastAI.memory.read('breastai.form')), images: 'first' }))"
    )
    page.reload()
    page.wait_for_selector("#connection-state.phase-connected")
    page.locator("#all-settings > summary").click()
    page.fill("#settings-search", "patient")
    rule = page.locator("#setting-evaluation-patient_id")
    rule.fill('"^(P[0-9]+)_"')
    rule.blur()
    page.fill("#setting-training-epochs", "9")
    expect(page.locator("#settings-changed")).to_have_text("2 changed")
    page.fill("#data-path", "second")
    page.locator("#preset").focus()
    expect(page.locator("#form-note")).to_contain_text("Set for other images, and taken back: Patient rule")
    expect(page.locator("#settings-changed")).to_have_text("1 changed")
    page.locator("#form-undo").click()
    expect(page.locator("#settings-changed")).to_have_text("2 changed")


@pytest.mark.standard
def test_a_heartbeat_leaves_open_what_is_open_and_chosen_what_is_chosen(open_page: OpenPage) -> None:
    page = open_page()
    trained(page)
    page.clock.install()
    page.reload()
    page.wait_for_selector("#connection-state.phase-connected")
    page.evaluate(
        """() => {
          const send = WebSocket.prototype.send;
          WebSocket.prototype.send = function (text) { (window.sent ??= []).push(JSON.parse(text).type); send.call(this, text); };
        }"""
    )
    go(page, "runs")
    page.locator(".column-choice > summary").click()
    box = page.locator("#runs-list input[type=checkbox]").first
    box.check()
    page.evaluate("() => { window.before = document.querySelector('#runs-list table'); }")
    page.clock.run_for(21_000)
    wait_until(page, "() => window.sent?.includes('ping')")
    page.clock.run_for(1000)
    assert page.evaluate("document.querySelector('#runs-list table') === window.before")
    expect(box).to_be_checked()
    expect(box).to_be_focused()
    expect(page.locator(".column-choice")).to_have_attribute("open", "")


def test_only_the_button_that_was_pressed_turns(open_page: OpenPage) -> None:
    page = open_page()
    trained(page)
    go(page, "checkpoints")
    buttons = page.locator('[data-action="verify_checkpoint"]')
    expect(buttons.nth(1)).to_be_enabled()
    hold(page, "verify_checkpoint")
    buttons.nth(1).click()
    expect(buttons.nth(1)).to_have_attribute("aria-busy", "true")
    expect(buttons.nth(0)).to_be_disabled()
    expect(buttons.nth(0)).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize("how", WAYS)
def test_without_a_configuration_the_preset_that_suits_the_images_is_proposed_until_one_is_chosen(
    open_page: OpenPage, stage: Any, how: str
) -> None:
    page = open_page(how)
    expect(page.locator("#preset")).to_have_value("quick")
    expect(page.locator("#setting-training-epochs")).not_to_have_value("50")
    if not (stage.workspace.root / "few").exists():
        write_sample_data(stage.workspace.root / "few", per_class=8)
    page.fill("#data-path", "few")
    expect(page.locator("#preset")).to_have_value("probe")
    # A probe has no epochs to be asked for.
    page.fill("#setting-training-epochs", "7")
    expect(page.locator("#preset")).to_have_value("quick")
    page.select_option("#preset", "")
    expect(page.locator("#setting-training-epochs")).to_have_value("7")
    page.reload()
    page.wait_for_selector("#connection-state.phase-connected")
    expect(page.locator("#pre-flight")).to_contain_text("few/train")
    expect(page.locator("#preset")).to_have_value("")


def test_a_network_that_is_in_no_list_is_shown_and_stays(open_page: OpenPage, stage: Any) -> None:
    config = stage.workspace.config_file
    config.write_text('{"model": {"architecture": "timm:resnet10t"}}')
    try:
        network = open_page().locator("#setting-model-architecture")
        expect(network).to_have_value('"timm:resnet10t"')
        expect(network.locator("option:checked")).to_have_text("timm:resnet10t")
    finally:
        config.unlink()


def test_a_search_is_not_made_of_a_probe_that_was_only_proposed(open_page: OpenPage, stage: Any) -> None:
    if not (stage.workspace.root / "few").exists():
        write_sample_data(stage.workspace.root / "few", per_class=8)
    page = open_page()
    page.fill("#data-path", "few")
    expect(page.locator("#preset")).to_have_value("probe")
    go(page, "tuning")
    hold(page, "start_tuning")
    page.locator('[data-action="start_tuning"]').click()
    assert page.evaluate("window.lastHeld.preset") == "quick"
