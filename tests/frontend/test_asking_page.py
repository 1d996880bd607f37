"""Asking models about images on the page: a real small model, a real server and its workers, a browser."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.server.app import Options
from breastai.server.jobs.uploads import FOLDER
from breastai.storage.evaluations import read_evaluations
from breastai.storage.workspace import Workspace

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
WITHIN_MS = 60_000
# As small as a real training can be; its export is asked by the light worker, its checkpoint by a job.
SETTINGS = {
    "data": {"train_dir": "data/train", "val_dir": "data/val", "test_dir": None, "image_size": 32, "batch_size": 8},
    "model": {"architecture": "tiny_cnn", "pretrained": "none"},
    "training": {"epochs": 1, "use_amp": False, "export_onnx": True},
    "system": {"num_threads": 1, "autotune": False},
}
# In a process of its own, so that this one needs no torch.
MAKE_RUN = """
import json, sys
from breastai.domain.config import parse_config
from breastai.domain.jobs import Evaluate, Train
from breastai.worker import perform
root, settings = sys.argv[1], json.loads(sys.argv[2])
train = Train(workspace=root, run_id="run", config=parse_config(settings))
for job in (train, Evaluate(workspace=root, checkpoint="run/best", data="data", split="val")):
    *_, last = perform(job)
    assert last.type in ("training_complete", "evaluation"), last
"""


@pytest.fixture(scope="module")
def asked_workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with one run, its export, and an evaluation on validation images."""
    workspace = Workspace.open(tmp_path_factory.mktemp("asked") / "workspace")
    write_sample_data(workspace.root / "data", per_class=8, seed=1, image_size=96)
    arguments = [sys.executable, "-c", MAKE_RUN, str(workspace.root), json.dumps(SETTINGS)]
    done = subprocess.run(arguments, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return workspace


@pytest.fixture
def open_asking(browser: Browser, serving: Any, asked_workspace: Workspace) -> Iterator[Callable[..., Page]]:
    contexts = []
    faults: list[str] = []
    with serving(Options(workspace=asked_workspace, port=0)) as server:

        def opened(how: str, **options: Any) -> Page:
            context = browser.new_context(**{"locale": "en-GB", "reduced_motion": "reduce", **options})
            contexts.append(context)
            page = context.new_page()
            page.set_default_timeout(WITHIN_MS)
            page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
            page.on("pageerror", lambda error: faults.append(str(error)))
            page.add_init_script(f"localStorage.setItem('breastai.address', 'ws://localhost:{server.port}')")
            home = f"http://localhost:{server.port}/" if how == "http" else (FRONTEND / "index.html").as_uri()
            page.goto(f"{home}#predict")
            page.wait_for_selector("#connection-state.phase-connected")
            expect(page.locator("#predict-model optgroup")).to_have_count(2)
            return page

        yield opened
        for context in contexts:
            context.close()
    assert faults == []
    assert not (asked_workspace.root / FOLDER).exists()


def pictures(workspace: Workspace, count: int) -> list[Path]:
    return sorted((workspace.root / "data" / "val").glob("*/*.png"))[:count]


def option(page: Page, ending: str) -> str:
    values = page.eval_on_selector_all("#predict-model option", "options => options.map((option) => option.value)")
    return next(value for value in values if value.endswith(ending))


@pytest.mark.parametrize("how", ["file", "http"])
def test_dropped_images_are_answered_by_an_export_and_nothing_is_kept(
    open_asking: Callable[..., Page], asked_workspace: Workspace, how: str
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
    expect(page.locator("#predict-told")).to_contain_text("2 images answered. The server has removed what it was given.")
    answers = page.locator("#answers-list > li")
    expect(answers).to_have_count(2)
    expect(answers.nth(0)).to_contain_text("<b>é</b>.png")
    expect(answers.nth(0).locator(".decision")).to_contain_text(re.compile("Answer: .* (≥|<) threshold"))
    expect(answers.nth(0).locator(".chances meter")).to_have_count(3)
    expect(answers.nth(0)).to_contain_text("Done to the image: 96 × 96 pixels · grey")
    expect(answers.nth(1)).to_contain_text("its content is text, not an image")
    expect(page.locator("#answers-slider")).to_be_hidden()
    assert answers.nth(0).locator(".stack img").evaluate("image => image.naturalWidth") == 96
    if how == "http":  # axe fetches the style sheet, which a file page may not
        assert [found["id"] for found in Axe().run(page).response["violations"]] == []


def test_a_checkpoint_draws_heat_maps_under_a_slider_and_is_compared_with_its_export(
    open_asking: Callable[..., Page], asked_workspace: Workspace
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
    assert [found["id"] for found in Axe().run(page).response["violations"]] == []


def test_the_worst_errors_of_a_run_are_shown_with_their_pictures(
    open_asking: Callable[..., Page], asked_workspace: Workspace
) -> None:
    page = open_asking("file")
    page.locator("[data-action=show_errors]").click()
    expect(page.locator("#errors-body")).to_contain_text(re.compile(r"\d+ of \d+ images in data/val were answered wrongly"))
    wrong = page.locator(".wrong-cases li")
    expect(wrong).not_to_have_count(0)
    expect(wrong.first).to_contain_text(re.compile(r"truth: \w+ \(0\.\d+\)\s*said: \w+ \(0\.\d+\)"))
    assert wrong.first.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")


def test_a_run_without_an_evaluation_is_evaluated_by_one_click_and_its_errors_shown(
    open_asking: Callable[..., Page], asked_workspace: Workspace
) -> None:
    before = read_evaluations(asked_workspace, "run")
    for path, _ in before:
        path.unlink()
    page = open_asking("http")
    page.locator("[data-action=show_errors]").click()
    expect(page.locator("#errors-body")).to_contain_text("This run was not evaluated yet")
    assert [found["id"] for found in Axe().run(page).response["violations"]] == []
    page.locator("#errors-body [data-action=evaluate_model]").click()
    expect(page.locator(".wrong-cases li")).not_to_have_count(0, timeout=60_000)
    ((_, record),) = read_evaluations(asked_workspace, "run")
    assert (record.split, record.data) == ("val", "data/val")
    assert len(record.cases) == len(before[0][1].cases)
