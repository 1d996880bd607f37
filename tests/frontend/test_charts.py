"""What can be done with a chart, in a real browser: enlarge, smooth, switch off, save."""

import csv
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect

OpenPage = Callable[..., Page]
LOSS = 'Chart.getChart(document.querySelector("[data-chart=loss]"))'


def loss(page: Page, what: str) -> object:
    return page.evaluate(f"() => {LOSS}.{what}")


def saved(page: Page, button: str, folder: Path) -> Path:
    found = page.locator(button) if button.startswith("#") else page.get_by_role("button", name=button, exact=True)
    with page.expect_download() as download:
        found.click()
    path = folder / download.value.suggested_filename
    download.value.save_as(path)
    return path


def test_curves_are_enlarged_smoothed_switched_off_and_saved(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("file")
    page.fill("#data-path", "data")
    page.fill("#setting-training-epochs", "5")
    page.locator('[data-action="start_training"]').click()
    expect(page.locator("#run-state")).to_have_text("Complete")

    whole = page.locator("#curves-whole")
    expect(whole).to_be_disabled()
    page.fill("#curves-from", "2")
    page.fill("#curves-to", "4")
    page.press("#curves-to", "Enter")
    assert (loss(page, "scales.x.min"), loss(page, "scales.x.max")) == (2, 4)
    whole.click()
    assert (loss(page, "scales.x.min"), loss(page, "scales.x.max")) == (1, 5)

    # Dragging over one chart enlarges that part of all.
    canvas = page.locator("[data-chart=accuracy]")
    ends = page.evaluate(
        '() => [3, 5].map((x) => Chart.getChart(document.querySelector("[data-chart=accuracy]")).scales.x.getPixelForValue(x))'
    )
    canvas.hover(position={"x": ends[0], "y": 60})
    page.mouse.down()
    canvas.hover(position={"x": ends[1], "y": 90}, force=True)
    page.mouse.up()
    assert (loss(page, "scales.x.min"), loss(page, "scales.x.max")) == (3, 5)
    expect(page.locator("#curves-from")).to_have_value("3")
    canvas.dblclick()
    assert (loss(page, "scales.x.min"), loss(page, "scales.x.max")) == (1, 5)

    # Smoothed curves are drawn beside what was measured, which stays as it was.
    page.locator("#curves-smoothing").fill("0.5")
    assert loss(page, "data.datasets.length") == 4
    assert loss(page, "data.datasets.map(({ data }) => data[4].y)")[1] == 1.2 / 5  # type: ignore[index]
    expect(page.locator("#curves-smoothing-value")).to_have_text("50%")
    page.locator("#curves-smoothing").fill("0")
    assert loss(page, "data.datasets.length") == 2

    names = page.get_by_role("group", name="Curves of Loss", exact=True).get_by_role("button")
    names.first.press("Enter")
    expect(names.first).to_have_attribute("aria-pressed", "false")
    assert loss(page, "data.datasets.map(({ hidden }) => hidden)") == [True, False]

    with Image.open(saved(page, "Save the picture of Loss", tmp_path)) as picture:
        assert (picture.format, picture.width) == ("PNG", round(canvas.bounding_box()["width"]))  # type: ignore[index]
    with saved(page, "Save the figures of Loss as CSV", tmp_path).open(newline="") as file:
        assert list(csv.reader(file))[1] == ["1", "1.1", "1.2"]
    with saved(page, "#curves-save", tmp_path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert (rows[4]["Loss · Validation"], rows[4]["Sensitivity by class · normal"]) == ("0.24", "")
