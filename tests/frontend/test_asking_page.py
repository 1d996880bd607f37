"""Asking models about images on the page: a real small model, a real server and its workers, a browser."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from breastai.domain.dataset_description import parse_description
from breastai.server.app import Options
from breastai.server.jobs.uploads import FOLDER
from breastai.storage.datasets import read_dataset, save_dataset
from breastai.storage.evaluations import read_evaluations
from breastai.storage.workspace import Workspace

from .page_steps import OpenPage, confirm, hold, make_judged_workspace, release, violations, wait_until

WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def asked_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_judged_workspace(tmp_path_factory.mktemp("asked") / "workspace")


@pytest.fixture(scope="module")
def asked_server(serving: Any, asked_workspace: Workspace) -> Iterator[Any]:
    """One server for all tests, with its light worker: each costs as much as many a test."""
    with serving(Options(workspace=asked_workspace, port=0)) as server:
        yield server
    assert not (asked_workspace.root / FOLDER).exists()


@pytest.fixture
def open_asking(opening: Any, asked_server: Any) -> Iterator[OpenPage]:
    with opening(asked_server.port, WITHIN_MS) as open_page:

        def opened(how: str, **options: Any) -> Page:
            page: Page = open_page(how, view="predict", **options)
            expect(page.locator("#predict-model optgroup")).to_have_count(2)
            page.cut = asked_server.cut_connections
            return page

        yield opened
        asked_server.end_job()


def pictures(workspace: Workspace, count: int) -> list[Path]:
    return sorted((workspace.root / "data" / "val").glob("*/*.png"))[:count]


def option(page: Page, ending: str) -> str:
    values = page.eval_on_selector_all("#predict-model option", "options => options.map((option) => option.value)")
    return next(value for value in values if value.endswith(ending))


@pytest.mark.standard
@pytest.mark.parametrize("how", ["file", "http"])
def test_dropped_images_are_answered_by_an_export_and_nothing_is_kept(
    open_asking: OpenPage, asked_workspace: Workspace, how: str
) -> None:
    page = open_asking(how)
    first, second = pictures(asked_workspace, 2)
    page.select_option("#predict-model", option(page, ".onnx"))
    ask = page.locator("#predict-ask")
    expect(ask).to_be_disabled()
    expect(page.locator("#predict-heat")).to_be_disabled()
    # As a drop hands files to the page; and one that is no image, by the keyboard's way.
    page.evaluate(
        """([bytes, name]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
          document.getElementById("predict-drop").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        [list(first.read_bytes()), "<b>é</b>.png"],
    )
    with page.expect_file_chooser() as chosen:
        page.locator("#predict-choose").press("Enter")
    chosen.value.set_files([{"name": second.name, "mimeType": "image/png", "buffer": b"no image at all"}])
    expect(page.locator("#predict-chosen li")).to_have_count(2)
    expect(ask).to_be_enabled()
    ask.press("Enter")
    expect(page.locator("#predict-told")).to_contain_text(
        "2 images answered. The server has removed what it was given."
    )
    answers = page.locator("#answers-list > li")
    expect(answers).to_have_count(2)
    expect(answers.nth(0)).to_contain_text("<b>é</b>.png")
    expect(answers.nth(0).locator(".decision")).to_contain_text(re.compile("Answer: .* (≥|<) threshold"))
    expect(answers.nth(0).locator(".chances meter")).to_have_count(3)
    # Of so few images no set of plausible classes is offered: that nothing speaks against the answer is no green light.
    expect(answers.nth(0)).to_contain_text("cannot say which classes are plausible")
    expect(answers.nth(0).locator(".banner.success")).to_have_count(0)
    expect(answers.nth(0)).to_contain_text("Preprocessing: 96 × 96 pixels · grey")
    expect(answers.nth(1)).to_contain_text("its content is text, not an image")
    expect(page.locator("#answers-slider")).to_be_hidden()
    assert answers.nth(0).locator(".stack img").evaluate("image => image.naturalWidth") == 96
    assert violations(page) == []


def test_a_checkpoint_draws_heat_maps_under_a_slider_and_is_compared_with_its_export(
    open_asking: OpenPage, asked_workspace: Workspace
) -> None:
    page = open_asking("http", color_scheme="dark", locale="fr-FR")
    page.select_option("#predict-model", option(page, "/best"))
    page.select_option("#predict-other", option(page, ".onnx"))
    page.set_input_files("#predict-files", [str(path) for path in pictures(asked_workspace, 2)])
    page.locator("#predict-ask").click()
    expect(page.locator("#predict-told")).to_contain_text("2 images traitées.")
    expect(page.locator("#answers-summary")).to_contain_text("Les deux modèles concordent sur 2 images sur 2")
    expect(page.locator("#answers-list > li")).to_have_count(2)
    heat = page.locator(".heat")
    expect(heat).to_have_count(2)
    assert heat.first.evaluate("image => image.naturalWidth") == 96
    assert heat.first.evaluate("image => getComputedStyle(image).opacity") == "0.6"
    # The map lies on its picture, to the pixel.
    assert heat.first.evaluate(
        "image => { const [a, b] = [image, image.previousElementSibling].map((one) => one.getBoundingClientRect()); return [a.x - b.x, a.y - b.y, a.width - b.width, a.height - b.height].every((by) => Math.abs(by) < 1); }"
    )
    slider = page.locator("#answers-opacity")
    slider.focus()
    slider.press("Home")
    assert heat.first.evaluate("image => getComputedStyle(image).opacity") == "0"
    page.locator("#answers-differing").check()
    expect(page.locator("#answers-list > li")).to_have_count(0)
    assert violations(page) == []


def test_the_worst_errors_of_a_run_are_shown_with_their_pictures(
    open_asking: OpenPage, asked_workspace: Workspace
) -> None:
    page = open_asking("file")
    page.locator("[data-action=show_errors]").click()
    expect(page.locator("#errors-body")).to_contain_text(re.compile(r"Answered wrongly: \d+ of \d+ images in data/val"))
    wrong = page.locator(".wrong-cases li")
    expect(wrong).not_to_have_count(0)
    expect(wrong.first).to_contain_text(re.compile(r"actual: \w+ \(0\.\d+\)\s*predicted: \w+ \(0\.\d+\)"))
    assert wrong.first.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")


@pytest.mark.standard
@pytest.mark.parametrize("locale", ["en-GB", "fr-FR"])
def test_judged_images_are_filtered_shown_large_and_left_out_of_their_data_set(
    open_asking: OpenPage, asked_workspace: Workspace, locale: str
) -> None:
    described = {"name": "ours", "root": "data", "fields": {"label": {"folder": 2}, "split": {"folder": 1}}}
    save_dataset(asked_workspace, parse_description(described))
    page = open_asking("http", locale=locale)
    page.evaluate("location.hash = '#run/run/images'")
    rows = page.locator(".judged-images tbody tr")
    ((_, record),) = read_evaluations(asked_workspace, "run")
    expect(rows).to_have_count(len(record.cases))
    page.locator("#judged-right").focus()
    page.select_option("#judged-right", "false")
    expect(rows).to_have_count(
        sum(
            case.probabilities.index(max(case.probabilities)) != record.evidence.class_names.index(case.label)
            for case in record.cases
        )
    )
    expect(page.locator("#judged-right")).to_be_focused()
    assert violations(page) == []
    page.select_option("#judged-right", "")
    expect(rows).to_have_count(len(record.cases))
    page.locator(".judged-file").first.press("Enter")
    box = page.locator("dialog.lightbox")
    expect(box.locator("img")).to_be_visible()
    assert box.locator("img").evaluate("image => image.naturalWidth") == 96
    first = box.locator("h2").text_content()
    assert violations(page) == []
    page.keyboard.press("ArrowRight")
    expect(box.locator("h2")).not_to_have_text(str(first))
    page.keyboard.press("ArrowLeft")
    expect(box.locator("h2")).to_have_text(str(first))
    expect(box.locator("img")).to_be_visible()
    # The whole image is seen before it is enlarged.
    within = "image => image.clientHeight <= image.parentElement.clientHeight && image.clientHeight > 0"
    assert box.locator("img").evaluate(within)
    width = box.locator("img").evaluate("image => image.clientWidth")
    page.keyboard.press("+")
    assert box.locator("img").evaluate("image => image.clientWidth") > width
    # The focus stays within: Tab goes round.
    for _ in range(25):
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || document.activeElement.closest('dialog.lightbox') !== null"
        )
    box.locator('[data-lightbox="exclude"]').click()
    page.fill("#correction-note", "<b>ruler</b>")
    confirm(page)
    expect(box.locator(".badge")).to_be_visible()
    (left_out,) = read_dataset(asked_workspace, "ours").left_out
    assert (left_out.file, left_out.note) == (f"val/{first}", "<b>ruler</b>")
    page.keyboard.press("Escape")
    expect(box).to_be_hidden()
    expect(rows.first.locator(".badge")).to_be_visible()
    # The table was drawn anew meanwhile, and the keyboard goes on in it.
    expect(page.locator(".judged-file").first).to_be_focused()
    with page.expect_download() as download:
        page.locator('[data-action="save_judged"]').click()
    lines = Path(download.value.path()).read_text().splitlines()
    assert len(lines) == len(record.cases) + 1 and sum("exclude" in line for line in lines) == 1


def test_a_cell_of_the_confusion_matrix_opens_its_images(open_asking: OpenPage, asked_workspace: Workspace) -> None:
    ((path, record),) = read_evaluations(asked_workspace, "run")
    page = open_asking("http")
    page.evaluate(f"location.hash = '#evaluation/run/{path.stem}'")
    expect(page.locator("#evaluation-card")).to_be_visible()
    page.reload()
    cell = page.locator("#evaluation-matrix button.matrix-cell").first
    count = int(cell.locator("b").text_content() or "0")
    cell.click()
    expect(page.locator("#view-run")).to_be_visible()
    expect(page.locator(".judged-images tbody tr")).to_have_count(count)
    label = page.locator("#judged-label").input_value()
    predicted = page.locator("#judged-predicted").input_value()
    names = record.evidence.class_names
    assert record.evidence.confusion_matrix[names.index(label)][names.index(predicted)] == count


def test_the_words_searched_for_stay_when_another_filter_changes(
    open_asking: OpenPage, asked_workspace: Workspace
) -> None:
    ((_, record),) = read_evaluations(asked_workspace, "run")
    word = "benign"  # the folder that the files of this class lie in
    page = open_asking("http")
    page.evaluate("location.hash = '#run/run/images'")
    rows = page.locator(".judged-images tbody tr")
    expect(rows).to_have_count(len(record.cases))
    page.fill("#judged-search", word)
    of_word = [case for case in record.cases if case.label == word]
    expect(rows).to_have_count(len(of_word))
    names = record.evidence.class_names
    right = [case for case in of_word if names[case.probabilities.index(max(case.probabilities))] == case.label]
    page.select_option("#judged-right", "true")
    expect(rows).to_have_count(len(right))
    expect(page.locator("#judged-search")).to_have_value(word)
    # Typed, and another filter chosen before the words were sent.
    page.fill("#judged-search", "")
    page.select_option("#judged-right", "")
    expect(rows).to_have_count(len(record.cases))
    page.select_option("#language", "fr")
    expect(page.locator(".judged-filters")).to_have_attribute("aria-label", "Filtrer les images")


def test_words_that_are_being_typed_stay_when_the_filters_are_drawn_anew(open_asking: OpenPage) -> None:
    page = open_asking("http")
    page.evaluate("location.hash = '#run/run/images'")
    expect(page.locator("#judged-search")).to_be_visible()
    draw = """(right) => {
      const found = { judged_of: "run", name: "val", data: "data", class_names: ["benign"], subgroups: {}, dataset: null, patients: false };
      const form = window.own ??= document.body.appendChild(document.createElement("form"));
      document.querySelector(".judged-filters")?.remove();
      BreastAI.views.judgedFilters.show(form, { results: {} }, found, { right, search: "benign" }, () => {});
    }"""
    page.evaluate(draw, None)
    search = page.locator("#judged-search")
    expect(search).to_have_value("benign")
    search.fill("mal")
    page.evaluate(draw, True)
    expect(search).to_have_value("mal")
    expect(search).to_be_focused()


def test_images_asked_for_over_a_lost_connection_come_over_the_next(
    open_asking: OpenPage, asked_workspace: Workspace
) -> None:
    page = open_asking("http", expected=("WebSocket",))
    hold(page, "list_judged")
    page.evaluate("location.hash = '#run/run/images'")
    wait_until(page, "() => window.held === 1")
    release(page)  # before the cut: the page may be connected again at once
    page.cut()
    expect(page.locator(".judged-images tbody tr")).not_to_have_count(0)


def test_judged_images_are_there_when_the_checkpoint_is_gone(open_asking: OpenPage, asked_workspace: Workspace) -> None:
    ((_, record),) = read_evaluations(asked_workspace, "run")
    page = open_asking("http")
    there, away = asked_workspace.checkpoints_dir / "run", asked_workspace.root / "away"
    there.rename(away)
    try:
        page.evaluate("location.hash = '#run/run/images'")
        expect(page.locator(".judged-images tbody tr")).to_have_count(len(record.cases))
    finally:
        away.rename(there)


def open_first_large(page: Page) -> Locator:
    """Show the first judged image large; return what it is shown in."""
    page.evaluate("location.hash = '#run/run/images'")
    page.locator(".judged-file").first.click()
    return page.locator("dialog.lightbox")


def test_a_heat_map_that_comes_late_does_not_change_what_is_seen_of_another_image(open_asking: OpenPage) -> None:
    page = open_asking("http")
    box = open_first_large(page)
    expect(box.locator("img")).to_be_visible()
    box.locator('[data-action="explain_images"]').click()
    first = str(box.locator("h2").text_content())
    page.keyboard.press("ArrowRight")
    expect(box.locator("h2")).not_to_have_text(first)
    expect(box.locator('[data-action="explain_images"]')).to_be_enabled()
    page.keyboard.press("ArrowRight")
    expect(box.locator("img")).to_be_visible()
    expect(box.locator('[data-lightbox="image"]')).to_have_attribute("aria-pressed", "true")


def test_a_heat_map_is_drawn_over_the_image_shown_large(open_asking: OpenPage) -> None:
    page = open_asking("http")
    box = open_first_large(page)
    expect(box.locator('[data-lightbox="heat_map"]')).to_be_disabled()
    box.locator('[data-action="explain_images"]').click()
    expect(box.locator('[data-lightbox="heat_map"]')).to_have_attribute("aria-pressed", "true", timeout=WITHIN_MS)
    expect(box.locator("img")).to_have_attribute("alt", re.compile("under its heat map"))
    drawn = box.locator("img").get_attribute("src")
    page.keyboard.press("1")
    expect(box.locator("img")).not_to_have_attribute("src", str(drawn))
    plain = box.locator("img").get_attribute("src")
    page.keyboard.press("4")
    expect(box.locator('[data-lightbox="both"]')).to_have_attribute("aria-pressed", "true")
    assert [image.get_attribute("src") for image in box.locator("img").all()] == [plain, drawn]
    # What is in the middle stays there as it grows.
    for _ in range(2):
        page.keyboard.press("+")
    middle = "stage => (stage.scrollLeft + stage.clientWidth / 2) / stage.scrollWidth"
    assert abs(box.locator(".lightbox-stage").evaluate(middle) - 0.5) < 0.02


def test_a_run_without_an_evaluation_is_evaluated_by_one_click_and_its_errors_shown(
    open_asking: OpenPage, asked_workspace: Workspace
) -> None:
    before = read_evaluations(asked_workspace, "run")
    for path, _ in before:
        path.unlink()
    page = open_asking("http")
    page.locator("[data-action=show_errors]").click()
    expect(page.locator("#errors-body")).to_contain_text("This run was not evaluated yet")
    assert violations(page) == []
    page.locator("#errors-body [data-action=evaluate_model]").click()
    expect(page.locator(".wrong-cases li")).not_to_have_count(0, timeout=60_000)
    ((_, record),) = read_evaluations(asked_workspace, "run")
    assert (record.split, record.data) == ("val", "data/val")
    assert len(record.cases) == len(before[0][1].cases)
