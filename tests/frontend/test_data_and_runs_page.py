"""Images and runs on the page: the light worker is real, the trainings play a script."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from breastai.data.phantoms.phantom_dataset import write_sample_data

from ..data.test_headers import picture
from .page_steps import OpenPage, confirm, go, trained, violations

WAYS = [("file", "fr"), ("http", "en")]
STATES = {"en": "Complete", "fr": "Terminé"}
BAD_CLASS = "<img src=x onerror=alert(1)>"
LONG_NAME = "x" * 240 + ".png"
NAMES = [LONG_NAME, "ورم خبيث.png", "🩺 \u202egnp.png"]


@pytest.fixture(scope="module")
def images(stage: Any) -> Any:
    """Sample images in the stage's workspace, one class of them with the names that users give."""
    root = stage.workspace.root / "data"
    write_sample_data(root, per_class=14, seed=1)
    one = next((root / "train" / "benign").glob("*.png")).read_bytes()
    for split in ("train", "val", "test"):
        (root / split / BAD_CLASS).mkdir()
        for name in NAMES:
            (root / split / BAD_CLASS / name).write_bytes(one)
    (root / "train" / "benign" / "<b>empty.png").write_bytes(b"")
    picture(root / "train" / "malignant" / "left.dcm", ImageLaterality="L", ViewPosition="MLO")
    return root


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.mark.standard
@pytest.mark.parametrize(("how", "language"), WAYS)
def test_images_are_counted_shown_and_previewed_as_the_sliders_move(
    open_page: OpenPage, images: Any, how: str, language: str
) -> None:
    page = open_page(how, locale=language)
    page.locator('#start-form [data-action="describe_data"]').click()
    expect(page.locator("#start-data")).to_contain_text(BAD_CLASS)
    go(page, "data")
    expect(page.locator("#data-described tbody tr")).to_have_count(5)
    expect(page.locator("#data-described tbody")).to_contain_text(BAD_CLASS)
    expect(page.locator("#skipped-list")).to_contain_text("<b>empty.png")
    expect(page.locator("#images-list img").first).to_be_visible()
    range_shown = page.locator("#images-range")
    first_page = str(range_shown.text_content())
    expect(page.locator("#images-before")).to_be_disabled()
    page.locator("#images-after").click()
    expect(range_shown).not_to_have_text(first_page)
    page.locator("#images-before").click()
    expect(range_shown).to_have_text(first_page)
    page.select_option("#images-class", "malignant")
    breast = {"en": "left breast · MLO", "fr": "sein gauche · MLO"}[language]
    page.locator("#images-list .thumbnail", has_text="left.dcm").click()
    expect(page.locator("#images-list .thumbnail", has_text="left.dcm")).to_contain_text(breast)
    expect(page.locator("#preview-name")).to_contain_text(breast)
    page.select_option("#images-class", BAD_CLASS.lower())
    expect(page.locator("#images-list li")).to_have_count(3)
    expect(page.locator("#images-list")).to_contain_text("ورم خبيث.png")
    page.locator("#images-list .thumbnail", has_text="ورم").click()
    expect(page.locator("#preview-name")).to_contain_text("ورم خبيث.png")
    expect(page.locator("#preview-augmented img")).to_have_count(4)
    seen = page.locator("#preview-pictures img").nth(1)
    first = seen.get_attribute("src")
    page.locator("#preview-preprocessing-clahe_clip_limit").fill("9")
    expect(seen).not_to_have_attribute("src", str(first))
    drawn = page.locator("#preview-augmented img").first.get_attribute("src")
    page.locator("#preview-redraw").click()
    expect(page.locator("#preview-augmented img").first).not_to_have_attribute("src", str(drawn))
    page.locator("#preview-reset").click()
    expect(seen).to_have_attribute("src", str(first))
    page.locator("#preview-preprocessing-clahe_clip_limit").fill("9")
    expect(seen).not_to_have_attribute("src", str(first))
    assert violations(page) == []
    page.set_viewport_size({"width": 380, "height": 800})
    assert overflow(page) <= 0
    page.locator("#preview-adopt").click()
    expect(page.locator("#settings-changed")).to_contain_text("1")
    # What a run of the form would train on is not told by what was asked of the folder of the other view.
    go(page, "data")
    page.locator('#data-form [data-action="describe_data"]').click()
    go(page, "training")
    expect(page.locator("#start-data")).to_have_text("")
    assert page.evaluate("document.querySelectorAll('main img[src=x]').length") == 0
    assert overflow(page) <= 0


def test_a_question_about_the_classes_is_answered_by_a_click(open_page: OpenPage, stage: Any, images: Any) -> None:
    one = next((images / "train" / "malignant").glob("*.png")).read_bytes()
    for name in ("0", "1"):
        (stage.workspace.root / "asked" / name).mkdir(parents=True)
        for number in range(3):
            (stage.workspace.root / "asked" / name / f"{number}.png").write_bytes(one)
    page = open_page("http", locale="en")
    page.locator("#data-path").fill("asked")
    page.locator('#start-form [data-action="describe_data"]').click()
    question = page.locator("#start-data .data-questions")
    expect(question).to_contain_text("Class in question")
    question.get_by_role("button", name="1 is the class in question").click()
    expect(page.locator("#start-data")).to_contain_text("Class in question: 1")
    expect(question).to_have_count(0)
    expect(page.locator("#settings-changed")).to_contain_text("1")
    go(page, "data")
    page.locator('#data-form [data-action="describe_data"]').click()
    expect(page.locator("#data-described")).to_contain_text("Class in question: 1")


def test_a_row_of_checkpoints_is_low_at_every_width(open_page: OpenPage) -> None:
    page = open_page()
    trained(page)
    assert page.locator("#job-bar-text").bounding_box()["height"] < 40  # type: ignore[index]
    # What comes next after a run: its export is asked about at once.
    page.locator('#job-bar-next a[href="#checkpoints"]').click()
    expect(page.locator("#export-format")).to_be_visible()
    page.locator("#dialog-cancel").click()
    assert page.evaluate("BreastAI.views.comparedRuns.imagesIn('held_out · held_out')") == "Held-out part"
    rows = page.locator("#checkpoints-list tbody tr")
    for width in (1440, 1300, 1000, 730):
        page.set_viewport_size({"width": width, "height": 900})
        assert rows.first.bounding_box()["height"] < 190, width  # type: ignore[index]
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.standard
@pytest.mark.parametrize(("how", "language"), WAYS)
def test_runs_are_found_annotated_compared_and_deleted_by_clicking(
    open_page: OpenPage, stage: Any, images: Any, how: str, language: str
) -> None:
    page = open_page(how, locale=language)
    page.fill("#data-path", "data/strange")
    for epochs in (2, 3):
        page.fill("#setting-training-epochs", str(epochs))
        page.locator('[data-action="start_training"]').first.click()
        expect(page.locator("#tiles")).to_contain_text(re.compile(rf"(of|sur) {epochs}(?!\d)"))
        expect(page.locator("#run-state")).to_have_text(STATES[language])
    go(page, "runs")
    rows = page.locator("#runs-list tbody tr")
    expect(rows.nth(1)).to_be_visible()
    before = rows.count()
    newest = str(page.locator("#runs-list [data-run]").first.get_attribute("data-run"))

    page.locator('#runs-list [data-action="annotate_run"]').first.click()
    page.fill("#run-tags", f"<b>{how}</b>, 🩺 {'long' * 8}")
    page.fill("#run-note", "ملاحظة <script>alert(1)</script>")
    confirm(page)
    expect(rows.first).to_contain_text(f"<b>{how}</b>")
    expect(rows.first).to_contain_text("<script>alert(1)</script>")
    page.fill("#runs-search", f"<b>{how}")
    expect(rows).to_have_count(1)
    page.fill("#runs-search", "")
    expect(rows).to_have_count(before)

    for box in range(2):
        page.locator("#runs-list [data-run]").nth(box).check()
    page.locator('[data-action="compare_runs"]').click()
    expect(page.locator("#compared-settings tbody tr")).to_have_count(1)
    expect(page.locator("#compared-settings tbody")).to_contain_text(re.compile("3.*2"))
    points = "Chart.getChart(document.querySelector('[data-chart=runs]')).data.datasets.map((set) => set.data.length)"
    assert page.evaluate(points) == [3, 2]
    page.select_option("#compared-curve", "val_accuracy")
    assert page.evaluate(points) == [3, 2]
    if how == "http":
        assert violations(page) == []
    page.set_viewport_size({"width": 380, "height": 800})
    assert overflow(page) <= 0

    page.locator('#runs-list [data-action="delete_run"]').first.click()
    expect(page.locator("#dialog-text")).to_contain_text(newest)
    confirm(page)
    expect(rows).to_have_count(before - 1)
    expect(page.locator("#compared-card")).to_be_hidden()
    assert newest not in stage.workspace.runs()
    assert not (stage.workspace.checkpoints_dir / newest).exists()
