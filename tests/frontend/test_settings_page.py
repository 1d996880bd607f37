"""The settings of the form: found by a word, the basic ones or all, those changed; what is wrong leads to its field."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from breastai.data.phantoms.phantom_dataset import write_sample_data

from .page_steps import OpenPage, begin, violations, wait_until

# As a file only in make test-all: Chromium begun a moment ago loses at times what such a page has stored.
WAYS = [pytest.param("file", "fr", marks=pytest.mark.full), ("http", "en")]


def shown(page: Page) -> list[str]:
    return page.eval_on_selector_all(
        "#settings-form .field", "fields => fields.filter((field) => !field.closest('[hidden]')).map(({ dataset }) => dataset.setting)"
    )  # fmt: skip


@pytest.mark.standard
@pytest.mark.parametrize(("how", "language"), WAYS)
def test_settings_are_found_by_a_word_by_their_use_and_by_being_changed(
    open_page: OpenPage, how: str, language: str
) -> None:
    page = open_page(how, locale=language, bypass_csp=True)
    page.locator("#all-settings > summary").click()
    basic = shown(page)
    assert "evaluation.patient_id" in basic and "training.ema_decay" not in basic
    page.select_option("#settings-level", "all")
    assert set(basic) < set(shown(page))
    expect(page.locator("#settings-found")).to_have_text("")
    page.fill("#settings-search", {"en": "focal", "fr": "FOCALE"}[language])
    assert set(shown(page)) == {"training.use_focal_loss", "training.focal_loss_alpha", "training.focal_loss_gamma"}
    expect(page.locator("#settings-found")).to_contain_text("3")
    expect(page.locator("#setting-training-use_focal_loss")).to_be_visible()
    assert violations(page) == []
    page.fill("#setting-training-focal_loss_gamma", "3")
    page.fill("#settings-search", "")
    expect(page.locator("#setting-training-focal_loss_gamma")).to_be_hidden()
    page.select_option("#settings-level", "changed")
    assert shown(page) == ["training.focal_loss_gamma"]
    page.reload()
    page.wait_for_selector("#connection-state.phase-connected")
    # The form is filled once the server has told of its settings, and what was changed is found again then.
    expect(page.locator("#setting-training-focal_loss_gamma")).to_have_value("3")
    wait_until(
        page,
        "() => [...document.querySelectorAll('#settings-form .field')].filter((field) => !field.closest('[hidden]')).length === 1",
    )
    assert shown(page) == ["training.focal_loss_gamma"]
    for width in (380, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_what_is_wrong_leads_to_its_field(open_page: OpenPage) -> None:
    page = open_page()
    page.locator("#all-settings > summary").click()
    page.select_option("#settings-level", "all")
    page.locator(".settings-group[data-section=training] > summary").click()
    page.fill("#setting-training-ema_decay", "7")
    page.locator(".settings-group[data-section=training] > summary").click()
    page.locator("#all-settings > summary").click()
    fault = page.locator("#settings-problems li")
    expect(fault).to_have_count(1)
    for _ in range(2):
        fault.get_by_role("link").click()
        expect(page.locator("#setting-training-ema_decay")).to_be_focused()
        page.locator("#all-settings > summary").click()
        expect(page.locator("#setting-training-ema_decay")).to_be_hidden()


@pytest.mark.parametrize(
    ("folder", "when"), [("refused", "by the server"), ("unfit_weights", "by the worker, once it began")]
)
def test_a_setting_that_is_refused_at_the_start_is_told_at_its_field(
    open_page: OpenPage, stage: Any, folder: str, when: str
) -> None:
    page = open_page()
    page.evaluate("location.hash = '#training/model.weights_file'")
    field = page.locator("#setting-model-weights_file")
    field.fill("/nowhere/at/all" if folder == "refused" else "weights/mine.pth")
    page.evaluate("location.hash = '#training/model.architecture'")
    begin(page, folder=folder)
    expect(field).to_be_focused()
    expect(field).to_be_in_viewport()
    expect(field).to_have_attribute("aria-invalid", "true")
    told = page.locator("#setting-model-weights_file-fault")
    expect(told).to_contain_text("/nowhere/at/all" if folder == "refused" else "can't be used as weights")
    expect(page.locator("#settings-problems li")).to_have_count(1)
    assert page.locator(".toast").count() == 0
    expect(page.locator('#start-form [data-action="start_training"]')).to_be_enabled()
    field.fill("")
    expect(told).to_have_text("")


def test_a_setting_has_an_address_and_is_gone_to_by_its_name(open_page: OpenPage) -> None:
    page = open_page(view="training/training.ema_decay")
    expect(page.locator("#setting-training-ema_decay")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("evaluation.patient_id")
    page.keyboard.press("Enter")
    expect(page.locator("#setting-evaluation-patient_id")).to_be_focused()


@pytest.mark.parametrize(("how", "language"), WAYS)
def test_a_patient_rule_is_tried_on_the_images_while_it_is_typed(
    open_page: OpenPage, stage: Any, how: str, language: str
) -> None:
    if not (stage.workspace.root / "patients").exists():
        write_sample_data(stage.workspace.root / "patients", per_class=8)
    page = open_page(how, locale=language)
    page.fill("#data-path", "patients")
    unknown = page.locator("#pre-flight .fair", has=page.locator('a[href="#training/evaluation.patient_id"]'))
    unknown.get_by_role("link").click()
    field = page.locator("#setting-evaluation-patient_id")
    expect(field).to_be_focused()
    told = page.locator("#setting-evaluation-patient_id-told")
    expect(told).to_have_text("")
    # The images offer a rule of their own, which is taken by one press.
    page.locator("[data-preflight=rule]").press("Enter")
    expect(told).to_contain_text(" patients")
    expect(page.locator("[data-preflight=rule]")).to_have_count(0)
    field.fill('{"pattern": "^(P[0-9]+)_"}')
    expect(told).to_contain_text("← P")
    expect(told).to_contain_text(" patients")
    field.fill('{"pattern": "^(Q[0-9]+)_"}')
    expect(told).to_contain_text("Q[0-9]+")
    expect(page.locator("#pre-flight .field-fault a")).to_have_attribute("href", "#training/evaluation.patient_id")
