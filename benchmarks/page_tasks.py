"""What five usual tasks cost a user of the page: actions and seconds, with a real server and real trainings.

    python benchmarks/page_tasks.py [--language fr]

An action is a click, a choice, a drop, or a field that is typed into. Seconds are the whole task's, waiting for the machine included. Trainings are of this machine: the sample images with the preset that
the page starts them with, and a folder of a user's own, which is dropped on the page.
"""

import argparse
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "frontend"))

from conftest import CHROMIUM, ServerThread  # type: ignore[import-not-found]
from page_steps import drop  # type: ignore[import-not-found]

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.server.app import Options
from breastai.storage.workspace import Workspace

WITHIN_MS = 900_000
MOST_ACTIONS = 6


class Hand:
    """Does what a user does on a page, and counts it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.actions = 0

    def click(self, target: Locator) -> None:
        self.actions += 1
        target.click()

    def choose(self, selector: str, value: str) -> None:
        self.actions += 1
        self.page.select_option(selector, value)

    def drop(self, place: str, path: Path) -> None:
        self.actions += 1
        drop(self.page, place, path)


def first_figures(page: Page) -> None:
    """Wait until an epoch of a training is told."""
    expect(page.locator("#tiles .tile-value").nth(1)).to_have_text(re.compile("[0-9]"))


def sample_to_figures(hand: Hand) -> None:
    hand.click(hand.page.locator('#first-steps [data-action="try_sample"]'))
    first_figures(hand.page)


def stop_and_resume(hand: Hand) -> None:
    """Of the run that goes on."""
    bar = hand.page.locator("#job-bar")
    hand.click(bar.locator('[data-action="stop_training"]'))
    hand.click(bar.locator('[data-action="resume_training"]'))
    expect(bar.locator("#job-bar-progress")).to_be_visible()


def missed_and_their_maps(hand: Hand) -> None:
    """The malignant images that the run which has just ended answered otherwise, and the first one's heat map."""
    page = hand.page
    hand.click(page.locator('#job-bar-next a[href$="/images"]'))
    hand.click(page.locator('.judged-images [data-action="evaluate_model"]'))
    expect(page.locator("#judged-label")).to_be_visible()
    hand.choose("#judged-label", "malignant")
    hand.choose("#judged-right", "false")
    page.wait_for_function("() => !document.querySelector('.judged-images tbody tr:not(:has(.judged-wrong))')")
    if page.locator(".judged-file").count() == 0:
        # A model that missed none: its least sure one, which stands first, takes as many actions.
        page.select_option("#judged-right", "")
    hand.click(page.locator(".judged-file").first)
    hand.click(page.locator('dialog.lightbox [data-action="explain_images"]'))
    expect(page.locator('dialog.lightbox [data-lightbox="heat_map"]')).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")


def report_in_french(hand: Hand) -> None:
    page = hand.page
    if page.input_value("#language") != "fr":
        hand.choose("#language", "fr")
    hand.click(page.locator('#job-bar-next [data-action="create_report"]'))
    with page.expect_popup() as opened:
        hand.click(page.locator("#job-bar-next a[target=_blank]"))
    expect(opened.value.locator("html")).to_have_attribute("lang", "fr")


def own_folder_to_figures(hand: Hand, own: Path) -> None:
    page = hand.page
    hand.drop("#first-steps .intake-drop", own)
    page.wait_for_url("**#data")
    expect(page.locator("#data-described tbody")).to_contain_text("malignant")
    hand.click(page.locator('nav [data-view="training"]'))
    hand.click(page.locator('#start-form [data-action="start_training"]'))
    first_figures(page)


def timed(what: str, page: Page, task: Callable[[Hand], None]) -> bool:
    """Do a task, and tell what it cost; tell whether that is as few actions as were promised."""
    hand = Hand(page)
    begun = time.perf_counter()
    task(hand)
    seconds = time.perf_counter() - begun
    print(f"| {what} | {hand.actions} | {seconds:.0f} |", flush=True)
    return hand.actions <= MOST_ACTIONS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--language", default="en", choices=("en", "fr"))
    asked = parser.parse_args()
    expect.set_options(timeout=WITHIN_MS)
    good = []
    print("| task | actions | seconds |\n| --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])

        def opened(port: int) -> Page:
            page = browser.new_page(locale=asked.language, viewport={"width": 1440, "height": 900})
            page.set_default_timeout(WITHIN_MS)
            page.goto(f"http://localhost:{port}/")
            page.wait_for_selector("#connection-state.phase-connected")
            return page

        with ServerThread(Options(workspace=Workspace.open(Path(scratch) / "first"), port=0)) as server:
            page = opened(server.port)
            good.append(timed("sample to figures", page, sample_to_figures))
            good.append(timed("stop and resume", page, stop_and_resume))
            expect(page.locator('#job-bar-next [data-action="create_report"]')).to_be_visible()
            good.append(timed("malignant images missed, with a map", page, missed_and_their_maps))
            good.append(timed("report in French", page, report_in_french))
        own = Path(scratch) / "own images"
        write_sample_data(own, per_class=12, seed=3)
        with ServerThread(Options(workspace=Workspace.open(Path(scratch) / "second"), port=0)) as server:
            page = opened(server.port)
            good.append(timed("own folder to figures", page, lambda hand: own_folder_to_figures(hand, own)))
        browser.close()
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
