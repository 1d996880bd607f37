"""A model that decides by patient on the page: its figures first, and one answer for the images of an exam."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from breastai.server.app import Options
from breastai.storage.workspace import Workspace

from .page_steps import SMALLEST, OpenPage, make_judged_workspace, violations

WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def unit_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    settings = {**SMALLEST, "evaluation": {"patient_id": r"^(P\d+)_"}}
    return make_judged_workspace(tmp_path_factory.mktemp("units") / "workspace", settings)


@pytest.fixture
def open_units(opening: Any, serving: Any, unit_workspace: Workspace) -> Iterator[OpenPage]:
    with serving(Options(workspace=unit_workspace, port=0)) as server, opening(server.port, WITHIN_MS) as open_page:
        yield open_page


@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_figures_by_patient_stand_before_those_by_image(open_units: OpenPage, locale: str) -> None:
    page = open_units("http", view="evaluation/run/val-1", locale=locale, bypass_csp=True)
    units = page.locator("#evaluation-head .by-unit")
    expect(units.locator("h4").first).to_have_text("By patient" if locale == "en-GB" else "Par patient")
    expect(units.locator(".tile-value")).to_have_count(3)
    titles = page.locator("#evaluation-head h4").all_text_contents()
    assert titles == (["By patient", "By image"] if locale == "en-GB" else ["Par patient", "Par image"])
    units.locator("summary").click()
    expect(units.locator("table")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("how", ["file", "http"])
@pytest.mark.parametrize("model", [".onnx", "/best"])
def test_the_images_of_an_exam_get_one_answer(
    open_units: OpenPage, unit_workspace: Workspace, how: str, model: str
) -> None:
    page: Page = open_units(how, view="predict", bypass_csp=True)
    expect(page.locator("#predict-model optgroup")).to_have_count(2)
    names = page.eval_on_selector_all("#predict-model option", "options => options.map((option) => option.value)")
    page.select_option("#predict-model", next(name for name in names if name.endswith(model)))
    files = sorted((unit_workspace.root / "data" / "val").rglob("*.png"))[:3]
    with page.expect_file_chooser() as chosen:
        page.locator("#predict-choose").click()
    chosen.value.set_files(
        [{"name": f"{n}.png", "mimeType": "image/png", "buffer": file.read_bytes()} for n, file in enumerate(files)]
    )
    if model != ".onnx":
        page.locator("#predict-heat").uncheck()
    page.locator("#predict-one-patient").check()
    page.locator("#predict-ask").click()
    expect(page.locator("#answers-list > li")).to_have_count(3)
    answer = page.locator("#answers-units-list > li")
    expect(answer).to_have_count(1)
    expect(answer.locator(".decision")).not_to_be_empty()
    answer.locator("summary").click()
    expect(answer.locator(".shares li")).to_have_count(3)
    assert violations(page) == []
