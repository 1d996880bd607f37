"""What can be done with a chart, in a real browser: enlarge, smooth, switch off, save."""

import csv
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from .page_steps import OpenPage, trained, violations, wait_until

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


@pytest.mark.standard
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
    with saved(page, "Save the values of Loss as CSV", tmp_path).open(newline="") as file:
        assert list(csv.reader(file))[1] == ["1", "1.1", "1.2"]
    with saved(page, "#curves-save", tmp_path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Epoch"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert (rows[4]["Loss · Validation"], rows[4]["Sensitivity by class · normal"]) == ("0.24", "")


def epoch_at(page: Page, chart: str, epoch: int) -> dict[str, float]:
    """Return the place of an epoch on a chart, in pixels of its canvas."""
    code = "([name, epoch]) => Chart.getChart(document.querySelector(`[data-chart=${name}]`)).scales.x.getPixelForValue(epoch)"
    return {"x": page.evaluate(code, [chart, epoch]), "y": 60}


@pytest.mark.parametrize(("how", "locale"), [("file", "fr-FR"), ("http", "en-GB")])
def test_an_epoch_pointed_to_is_told_on_every_chart_and_one_pinned_by_the_matrix_and_the_classes_too(
    open_page: OpenPage, how: str, locale: str
) -> None:
    page = open_page(how, locale=locale)
    trained(page, epochs=5)
    told = page.locator("figure:has([data-chart=accuracy]) .legend-value")
    expect(told.first).to_have_text("")
    page.locator("[data-chart=loss]").hover(position=epoch_at(page, "loss", 3))
    # 0.9 - 0.4 / 3, as the script of the worker has it, and a twentieth more in training.
    assert [text.strip().replace(",", ".") for text in told.all_text_contents()] == ["0.817", "0.767"]
    expect(page.locator("figure:has([data-chart=accuracy]) .chart-guide")).to_be_visible()
    page.mouse.move(0, 0)
    expect(told.first).to_have_text("")
    expect(page.locator(".chart-guide:visible")).to_have_count(0)

    latest = page.locator("#confusion").text_content()
    page.locator("[data-chart=loss]").click(position=epoch_at(page, "loss", 2))
    for card in ("#confusion", "#per-class"):
        expect(page.locator(card)).to_contain_text(
            {"en-GB": "epoch 2 (pinned)", "fr-FR": "époque 2 (épinglée)"}[locale]
        )
    page.mouse.move(0, 0)
    assert [text.strip().replace(",", ".") for text in told.all_text_contents()] == ["0.750", "0.700"]
    expect(page.locator("#curves-pin")).to_have_value("2")
    page.locator("#curves-best").click()
    expect(page.locator("#confusion")).to_contain_text("5 (")
    page.locator("[data-chart=loss]").click(position=epoch_at(page, "loss", 5))
    expect(page.locator("#confusion")).to_have_text(str(latest))
    page.fill("#curves-pin", "4")
    page.press("#curves-pin", "Enter")
    expect(page.locator("#confusion")).to_contain_text("4 (")
    page.fill("#curves-pin", "400")
    page.press("#curves-pin", "Enter")
    expect(page.locator("#confusion")).to_have_text(str(latest))


def test_a_chart_is_logarithmic_where_that_shows_more_and_fills_the_screen(open_page: OpenPage) -> None:
    page = open_page()
    trained(page, epochs=5)
    page.locator("#more-curves > summary").click()
    rate = page.locator("figure:has([data-chart=learning_rate])")
    # From 0.0003 to a fifth of it is less than a decade.
    expect(rate.get_by_role("button", name="Logarithmic axis")).to_be_hidden()
    wide = page.evaluate("BreastAI.series.isWide([{ label: '', points: [{ x: 1, y: 1 }, { x: 2, y: 0.05 }] }])")
    assert wide is True
    page.evaluate(
        """() => {
          const card = BreastAI.views.chartCard.create({ name: "own", title: "Own", x: "Epoch", whole: true });
          document.getElementById("charts").append(card.element);
          card.show([{ label: "a", points: [{ x: 1, y: 1 }, { x: 2, y: 0.05 }] }]);
          const empty = BreastAI.views.chartCard.create({ name: "none", title: "None", x: "Epoch", whole: true });
          document.getElementById("charts").append(empty.element);
          empty.show([{ label: "a", points: [{ x: 1, y: null }] }]);
        }"""
    )
    own = page.locator("figure:has([data-chart=own])")
    log = own.get_by_role("button", name="Logarithmic axis for Own")
    for kind in ("logarithmic", "linear"):
        log.press("Enter")
        assert page.evaluate("Chart.getChart(document.querySelector('[data-chart=own]')).scales.y.type") == kind
    # A share has no place above 1, and curves of many classes differ in more than their names.
    top = """() => {
      const card = BreastAI.views.chartCard.create({ name: "whole", title: "Whole", x: "Epoch", whole: true });
      document.getElementById("charts").append(card.element);
      card.show([{ label: "a", points: [{ x: 1, y: 1 }] }]);
      const { y } = Chart.getChart(document.querySelector("[data-chart=whole]")).scales;
      return [y.max, ...y.ticks.map(({ value }) => value)].every((value) => value <= 1);
    }"""
    assert page.evaluate(top)
    looks = "[-1, 0, 1, 2, 3, 4, 5, 6, 7].map((index) => JSON.stringify(BreastAI.charts.look(index)))"
    assert len(set(page.evaluate(looks))) == 9
    assert violations(page) == []
    none = page.locator("figure:has([data-chart=none])")
    expect(none).to_contain_text("No data yet.")
    expect(none.locator("canvas")).to_be_hidden()
    own.get_by_role("button", name="Full screen: Own").click()
    wait_until(page, "() => document.fullscreenElement?.querySelector('[data-chart=own]') != null")
    own.get_by_role("button", name="Full screen: Own").click()
    wait_until(page, "() => document.fullscreenElement === null")
