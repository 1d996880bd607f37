"""Screenshots of the page while a real, small training runs: every view, language, theme and width, into a folder.

    python tests/frontend/take_screenshots.py DIR

DIR/page.png and DIR/page.fr.png are the pictures of the two READMEs; to renew them, give docs/images and delete the
rest, or copy them there. Nothing is compared: the pictures are for looking at.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

from conftest import CHROMIUM, ServerThread
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from breastai.data.phantoms import write_sample_data
from breastai.server.app import Options
from breastai.storage.workspace import Workspace

EPOCHS_BEFORE = 9
WITHIN_MS = 180_000
WIDTHS = {"wide": (1440, 900), "narrow": (380, 800)}
# Of the READMEs: name, language, theme.
COVERS = (("page.png", "en", "light"), ("page.fr.png", "fr", "dark"))
# So small that it trains in seconds an epoch on one thread, and longer than the pictures take.
CONFIG = {
    "data": {"image_size": 64, "batch_size": 16, "num_workers": 0},
    "model": {"architecture": "tf_efficientnet_lite0"},
    "training": {"epochs": 60, "early_stopping": {"patience": 60}},
    "evaluation": {"patient_id": {"pattern": "^(P[0-9]+)_"}},
    "system": {"num_threads": 1},
}


def opened(browser: Browser, url: str, language: str, theme: str, width: int, height: int) -> Page:
    """Open the page, connected, in a context of its own."""
    context = browser.new_context(
        locale={"en": "en-GB", "fr": "fr-FR"}[language],
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        viewport={"width": width, "height": height},
    )
    page = context.new_page()
    page.set_default_timeout(WITHIN_MS)
    page.goto(url)
    page.wait_for_selector("#connection-state.phase-connected")
    return page


def wait_for_epoch(page: Page, epoch: int) -> None:
    page.wait_for_function(
        "(epoch) => parseInt(document.querySelector('#tiles .tile-value')?.textContent, 10) >= epoch", arg=epoch
    )


def save(page: Page, path: Path, full_page: bool) -> None:
    """Write a picture of `page` with a palette of 256 colours: a quarter of the size, and looks the same."""
    size = page.viewport_size
    if full_page:  # a screen as high as the page: what sticks to the screen's edge lies over nothing
        page.set_viewport_size({**size, "height": max(size["height"], page.evaluate("document.body.scrollHeight"))})
    page.screenshot(path=path)
    page.set_viewport_size(size)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(f"{path} ({path.stat().st_size // 1024} KiB)", flush=True)


def take_covers(browser: Browser, url: str, folder: Path) -> None:
    for name, language, theme in COVERS:
        page = opened(browser, url, language, theme, 1440, 1180)
        wait_for_epoch(page, EPOCHS_BEFORE)
        save(page, folder / name, full_page=False)
        page.context.close()


def take_every_view(browser: Browser, url: str, folder: Path) -> None:
    for language in ("en", "fr"):
        for theme in ("light", "dark"):
            for size, (width, height) in WIDTHS.items():
                page = opened(browser, url, language, theme, width, height)
                wait_for_epoch(page, EPOCHS_BEFORE)
                for view in page.eval_on_selector_all(
                    "nav [data-view]", "links => links.map(({dataset}) => dataset.view)"
                ):
                    page.evaluate(f"location.hash = '#{view}'")
                    page.wait_for_selector(f"#view-{view}", state="visible")
                    if view == "editor":
                        page.wait_for_selector("#editor-box .ace_line")
                    if view == "system":
                        page.locator('[data-action="system_diagnostics"]').click()
                        page.wait_for_selector("#diagnostics meter")
                    save(page, folder / f"{view}.{language}.{theme}.{size}.png", full_page=True)
                page.context.close()


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "project"
        write_sample_data(root / "data", per_class=60, seed=7)
        (root / "config.json").write_text(json.dumps(CONFIG))
        with ServerThread(Options(workspace=Workspace.open(root), port=0)) as server, sync_playwright() as playwright:
            url = f"http://localhost:{server.port}/"
            browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
            page = opened(browser, url, "en", "light", 1440, 900)
            page.locator('[data-action="start_training"]').click()
            take_covers(browser, url, folder)
            take_every_view(browser, url, folder)
            page.locator('.run-card [data-action="stop_training"]').click()
            page.wait_for_selector('[data-action="start_training"]:not([disabled])')
            browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
