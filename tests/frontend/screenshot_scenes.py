"""What is shown on the page before each picture: a small project as a user would work on it, from an empty page on."""

import contextlib
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import page_steps
import psutil
from playwright.sync_api import Page

from breastai.data.phantoms.phantom_dataset import write_sample_data

EPOCHS_BEFORE = 9
# Real trainings are waited for.
wait_until = partial(page_steps.wait_until, within_s=240)
# So small that it trains in seconds an epoch on one thread, and longer than the pictures take, on a quiet machine too.
CONFIG = {
    "data": {"image_size": 64, "batch_size": 16, "num_workers": 0},
    "model": {"architecture": "tf_efficientnet_lite0"},
    "training": {"epochs": 300, "early_stopping": {"patience": 300}},
    "evaluation": {"patient_id": {"pattern": "^(P[0-9]+)_"}},
    "crossval": {"folds": 3},
    "system": {"num_threads": 1},
}
IDLE = '[data-action="start_training"]:not([disabled])'

Scene = Callable[[Page, Path], None]
# In the order they are played: a scene may need what those before it left.
SCENES: dict[str, Scene] = {}
# Played anew for each picture: what is open keeps the language it was opened in.
RETOLD = {"question", "export"}
# What lies in a part that scrolls by itself, and is to be seen.
AIMS = {"settings": "#setting-training-learning_rate"}


def scene(play: Scene) -> Scene:
    SCENES[play.__name__] = play
    return play


def write_project(root: Path) -> None:
    """Sample images, and beside them some with faults: twins of two labels and two splits, and a broken file."""
    write_sample_data(root / "data", per_class=60, seed=7)
    shutil.copytree(root / "data", root / "faulty")
    (root / "faulty" / "sample-data.json").unlink(missing_ok=True)
    for index, path in enumerate(sorted((root / "data" / "train" / "benign").glob("*.png"))[:6:3]):
        shutil.copy(path, root / "faulty" / ("val", "train")[index] / "malignant" / f"P090{index}_1.png")
    (root / "faulty" / "train" / "normal" / "P0400_1.png").write_bytes(b"not a picture")


def go(page: Page, view: str) -> None:
    page.evaluate(f"location.hash = '#{view}'")
    page.wait_for_selector(f"#view-{view}", state="visible")


def press(page: Page, action: str, within: str = "") -> None:
    page.locator(f'{within} [data-action="{action}"]:visible:enabled').first.click()


def wait_for_epoch(page: Page, epoch: int) -> None:
    wait_until(
        page, "(epoch) => parseInt(document.querySelector('#tiles .tile-value')?.textContent, 10) >= epoch", arg=epoch
    )


def wait_until_idle(page: Page) -> None:
    page.wait_for_selector(IDLE, state="attached")


@scene
def start(page: Page, root: Path) -> None:
    """The first thing a user sees."""


@scene
def settings(page: Page, root: Path) -> None:
    page.locator("#all-settings > summary").click()
    page.locator('[data-section="training"] > summary').click()
    press(page, "describe_data", "#start-form")
    page.wait_for_selector("#start-data li")
    press(page, "estimate_cost")
    wait_until(page, "() => document.querySelector('#start-estimate').textContent !== ''")
    wait_until_idle(page)
    page.fill("#setting-training-learning_rate", "seven")


@scene
def data(page: Page, root: Path) -> None:
    page.fill("#setting-training-learning_rate", "0.001")
    page.locator("#all-settings > summary").click()
    go(page, "data")
    page.fill("#data-folder", "faulty")
    press(page, "describe_data", "#data-form")
    page.wait_for_selector("#skipped-list table")
    page.wait_for_selector("#images-list img")
    page.wait_for_selector("#preview-augmented img")


@scene
def audit(page: Page, root: Path) -> None:
    go(page, "audit")
    page.fill("#audit-path", "faulty")
    press(page, "audit_data")
    page.wait_for_selector("#twins-body img")
    wait_until_idle(page)


@scene
def training(page: Page, root: Path) -> None:
    go(page, "training")
    press(page, "start_training")
    wait_for_epoch(page, EPOCHS_BEFORE)
    page.evaluate("window.longest = document.querySelector('.run-name .name').textContent")


@scene
def queue(page: Page, root: Path) -> None:
    for epochs in ("3", "2"):
        page.fill("#setting-training-epochs", epochs)
        press(page, "queue_training")
        wait_until(page, "(n) => document.querySelectorAll('#queue-list tbody tr').length === n", arg=4 - int(epochs))
    go(page, "queue")


@scene
def log(page: Page, root: Path) -> None:
    go(page, "log")


@scene
def tuning(page: Page, root: Path) -> None:
    go(page, "queue")
    press(page, "cancel_job")
    page_steps.confirm(page)
    go(page, "training")
    press(page, "stop_training", ".job-bar")
    page.wait_for_selector("#run-state.run-complete")  # the one that waited
    wait_until_idle(page)
    go(page, "tuning")
    page.fill("#tuning-trials-asked", "8")  # from so many on, what mattered is told
    page.fill("#tuning-epochs-asked", "1")
    press(page, "start_tuning")
    page.wait_for_selector('[data-action="use_tuned"], #tuning-state.run-complete')
    wait_until_idle(page)


@scene
def crossval(page: Page, root: Path) -> None:
    go(page, "training")
    page.fill("#setting-training-epochs", "2")
    press(page, "start_crossval")
    page.wait_for_selector("#crossval-result table")
    wait_until_idle(page)


@scene
def checkpoints(page: Page, root: Path) -> None:
    go(page, "checkpoints")
    press(page, "list_checkpoints")
    row = f'#checkpoints-list tr:has-text("{page.evaluate("window.longest")}/best")'
    press(page, "verify_checkpoint", row)
    press(page, "load_checkpoint", row)
    page.wait_for_selector("#checkpoints-list .pill.phase-connected")
    press(page, "export_model", row)
    page.locator("#dialog-confirm").click()
    page.wait_for_selector("#exports-list tbody tr")
    wait_until_idle(page)
    press(page, "create_report", row)
    page.wait_for_selector("#reports-list li")
    wait_until_idle(page)


@scene
def runs(page: Page, root: Path) -> None:
    go(page, "runs")
    longest = f'[data-run="{page.evaluate("window.longest")}"]'
    page.locator(f"#runs-list input{longest}").check()
    page.locator(f"#runs-list input:not({longest})").first.check()
    press(page, "compare_runs")
    page.wait_for_selector("#compared-settings table")


@scene
def evaluation(page: Page, root: Path) -> None:
    go(page, "evaluation")
    page.select_option("#evaluate-split", "val")
    press(page, "evaluate_model", "#evaluate-form")
    page.wait_for_selector("#evaluation-roc canvas")
    wait_until_idle(page)
    press(page, "compare_models")
    page.wait_for_selector("#comparison-body table")
    wait_until_idle(page)


@scene
def predict(page: Page, root: Path) -> None:
    go(page, "predict")
    images = [next((root / "data" / "val" / label).glob("*.png")) for label in ("malignant", "normal")]
    page.set_input_files("#predict-files", images)
    longest = page.evaluate("window.longest")
    offered = page.eval_on_selector_all("#predict-other option", "all => all.map(({value}) => value)")
    page.select_option("#predict-model", f"{longest}/best")
    page.select_option("#predict-other", next(name for name in offered if longest in name and name.endswith(".onnx")))
    press(page, "ask_images")
    wait_until(page, "() => document.querySelectorAll('#answers-list .stack .heat').length >= 2")
    wait_until_idle(page)
    page.select_option("#errors-run", longest)
    press(page, "show_errors")
    page.wait_for_selector("#errors-body p")


@scene
def editor(page: Page, root: Path) -> None:
    go(page, "editor")
    page.wait_for_selector("#editor-box .ace_line")


@scene
def system(page: Page, root: Path) -> None:
    go(page, "system")
    press(page, "system_diagnostics")
    press(page, "create_backup")
    page.wait_for_selector("#backup .banner")
    page.wait_for_selector(".toast.level-success")  # told to all: after it the list is as it will stay
    press(page, "list_backups")
    page.wait_for_selector("#backups-list tbody tr")
    press(page, "ping")
    page.wait_for_selector("#diagnostics meter")


@scene
def failed(page: Page, root: Path) -> None:
    """A run whose worker was killed. The tiles show the run before until the new one, of 61 epochs, has begun."""
    go(page, "training")
    page.fill("#setting-training-epochs", "61")
    press(page, "start_training")
    wait_until(page, "() => document.querySelector('#tiles .tile-note')?.textContent.includes('61')")
    wait_for_epoch(page, 2)
    for process in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # one that has just ended
            if "breastai.worker" in process.cmdline():
                process.kill()
    page.wait_for_selector("#interrupted-list li")
    wait_until_idle(page)


@scene
def notices(page: Page, root: Path) -> None:
    go(page, "audit")
    page.fill("#audit-path", "no-such-folder")
    press(page, "audit_data")
    page.wait_for_selector(".toast.level-error")


@scene
def question(page: Page, root: Path) -> None:
    if page.locator("dialog[open]").count():
        page.locator("#dialog-cancel").click()
    go(page, "checkpoints")
    press(page, "delete_checkpoint")
    page.wait_for_selector("dialog[open]")


@scene
def export(page: Page, root: Path) -> None:
    page.evaluate("document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close())")
    go(page, "checkpoints")
    press(page, "export_model", f'#checkpoints-list tr:has-text("{page.evaluate("window.longest")}/best")')
    page.wait_for_selector("dialog[open]")
