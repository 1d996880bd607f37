"""Screenshots of the page while a small project is worked on: every view, language, theme and width, into a folder.

    python tests/frontend/take_screenshots.py DIR [SCENE ...]

With names of scenes (screenshot_scenes.py), only their pictures are taken. page.png and asking.png, and the same with
.fr, are the pictures of the two READMEs; to renew them, copy them to docs/images. Nothing is compared: the pictures are
for looking at. What can be told without eyes is written beside their names: how far a page is wider than its screen,
words of another language, and texts that are cut.
"""

import json
import os
import sys
import tempfile
from itertools import product
from pathlib import Path

from conftest import CHROMIUM, FRONTEND, ServerThread
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from screenshot_scenes import AIMS, CONFIG, RETOLD, SCENES, write_project

from breastai.server.app import Options
from breastai.storage.workspace import Workspace

WITHIN_MS = 240_000
# The page before any server answers, and when one that did has ended.
OFFLINE = "offline"
GONE = "gone"
WIDTHS = {"wide": (1440, 900), "narrow": (380, 800), "huge": (2560, 1440)}
# Of the READMEs, each with the scene it shows: name, language, theme, height, and what is scrolled to.
COVERS = {
    "training": (("page.png", "en", "light", 1180, "body"), ("page.fr.png", "fr", "dark", 1180, "body")),
    "predict": (
        ("asking.png", "en", "light", 960, "#answers-card"),
        ("asking.fr.png", "fr", "dark", 960, "#answers-card"),
    ),
}
# What is wrong with a page without looking at it.
FAULTS = """() => {
  const visible = (element) => element.checkVisibility() && element.getClientRects().length > 0;
  const beyond = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  const foreign = document.documentElement.lang === "fr" ? [...document.querySelectorAll("main [lang=en]")].filter(visible) : [];
  const cut = [...document.querySelectorAll("main button, main a, main label, main .pill, main .badge, main summary, main h3, main h4")]
    .filter((element) => visible(element) && getComputedStyle(element).overflow === "hidden" && element.scrollWidth > element.clientWidth + 1 && element.clientWidth > 1);
  return [...(beyond > 0 ? [`${beyond} px too wide`] : []), ...foreign.map(({ textContent }) => `English: ${textContent}`), ...cut.map(({ textContent }) => `cut: ${textContent}`)];
}"""
SETTLED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 120))))"


def opened(browser: Browser, url: str, until: str) -> Page:
    context = browser.new_context(locale="en-GB", reduced_motion="reduce", viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(WITHIN_MS)
    page.goto(url)
    page.wait_for_selector(until)
    return page


def dress(page: Page, language: str, theme: str, width: int, height: int) -> None:
    """Show the page in `language` and `theme` on a screen of this size, by its own switches."""
    page.set_viewport_size({"width": width, "height": height})
    choose = "([id, value]) => { const list = document.getElementById(id); list.value = value; list.dispatchEvent(new Event('change', { bubbles: true })); }"
    page.evaluate(choose, ["language", language])
    page.evaluate(choose, ["theme", theme])
    page.evaluate(
        "document.activeElement?.blur?.(); scrollTo(0, 0); document.getElementById('start-form').scrollTo(0, 0)"
    )
    page.evaluate(SETTLED)


def save(page: Page, path: Path, full_page: bool, aim: str | None = None) -> None:
    """Write a picture of `page` with a palette of 256 colours: a quarter of the size, and looks the same."""
    size = page.viewport_size
    assert size is not None
    if full_page:  # a screen as high as the page: what sticks to the screen's edge lies over nothing
        page.set_viewport_size({**size, "height": max(size["height"], page.evaluate("document.body.scrollHeight"))})
        page.evaluate(SETTLED)
    if aim is not None:
        page.evaluate("(aim) => document.querySelector(aim).scrollIntoView({ block: 'center' })", aim)
    faults = page.evaluate(FAULTS)
    page.screenshot(path=path)
    page.set_viewport_size(size)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print("; ".join([f"{path} ({path.stat().st_size // 1024} KiB)", *faults]), flush=True)


def take(page: Page, root: Path, name: str, folder: Path) -> None:
    """Take every picture of the scene that is being shown."""
    if name != "notices":  # elsewhere what was told by the way would lie over the view
        page.evaluate("document.querySelectorAll('.toast button').forEach((button) => button.click())")
    for file, language, theme, height, aim in COVERS.get(name, ()):
        dress(page, language, theme, 1440, height)
        page.evaluate("(aim) => document.querySelector(aim).scrollIntoView()", aim)
        save(page, folder / file, full_page=False)
    for language, theme, size in product(("en", "fr"), ("light", "dark"), WIDTHS):
        if size == "huge" and (language, theme) != ("en", "light"):
            continue
        dress(page, language, theme, *WIDTHS[size])
        if name in RETOLD:
            SCENES[name](page, root)
        full_page = name not in ("notices", *RETOLD)
        save(page, folder / f"{name}.{language}.{theme}.{size}.png", full_page, AIMS.get(name))
    dress(page, "en", "light", *WIDTHS["wide"])


def main(folder: Path, wanted: set[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        if OFFLINE in wanted:
            page = opened(browser, (FRONTEND / "index.html").as_uri(), "#offline:not([hidden])")
            take(page, Path(scratch), OFFLINE, folder)
            page.context.close()
        root = Path(scratch) / "project"
        write_project(root)
        (root / "config.json").write_text(json.dumps(CONFIG))
        with ServerThread(Options(workspace=Workspace.open(root), port=0)) as server:
            page = opened(browser, f"http://localhost:{server.port}/", "#connection-state.phase-connected")
            for name, play in SCENES.items():
                play(page, root)
                if name in wanted:
                    take(page, root, name, folder)
            page.evaluate("document.querySelector('dialog[open] #dialog-cancel')?.click(); location.hash = '#training'")
        if GONE in wanted:
            page.wait_for_selector("#offline:not([hidden])")
            take(page, root, GONE, folder)
        browser.close()


if __name__ == "__main__":
    known = {OFFLINE, *SCENES, GONE}
    asked = set(sys.argv[2:])
    if len(sys.argv) < 2 or asked - known:
        sys.exit(f"{__doc__}\nScenes: {', '.join(sorted(known))}")
    main(Path(sys.argv[1]), asked or known)
