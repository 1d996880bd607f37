"""What a long run costs the page: a journal of many epochs and lines, opened, scrolled and hovered in a real browser.

    python benchmarks/page_replay.py [--epochs 2000] [--lines 100000] [--runs 300] [--images 50000] [--tabs-that-missed-all 1]

The journal is written with our own models; the server finds it as the latest run. Told are the time until every chart
that is seen has every epoch, how long the page's main thread worked for it (on a busy machine the fairer figure; scripts, style and
layout alone, too), its longest task, and its memory; and how soon the table of so many runs and that of an evaluation of
so many images are there, sorted and filtered, with the longest task of each. With --tabs-that-missed-all the page says that it has seen nothing
but the first event of the run, as a tab does that was cut off when the run began.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import CDPSession, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "frontend"))

from conftest import CHROMIUM, ServerThread  # type: ignore[import-not-found]
from scripted_worker import save, update  # type: ignore[import-not-found]

from breastai.domain.config import parse_config
from breastai.domain.events import DataLoaded, Log, TrainingComplete, TrainingStarted
from breastai.domain.records import CalibrationEvidence, EvaluationRecord, Evidence, JudgedCase, Reliability
from breastai.server.app import Options
from breastai.storage.evaluations import save_evaluation, sha256_of
from breastai.storage.journal import Journal
from breastai.storage.workspace import Workspace

NAMES = ["benign", "malignant", "normal"]
WATCH = """
  window.longest = 0;
  new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => { window.longest = Math.max(window.longest, duration); }))
    .observe({ type: "longtask", buffered: true });
"""
MISSED_ALL = """
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    const request = JSON.parse(text);
    if (request.type === "get_status") { request.last_seq = 1; request.most = 3000; }
    send.call(this, JSON.stringify(request));
  };
"""
# Of the charts that are not folded away; the others are drawn when they are unfolded.
ALL_THERE = """(epochs) => {
  const charts = [...document.querySelectorAll("#charts canvas[data-chart]")].map((canvas) => Chart.getChart(canvas));
  return charts.length > 3 && charts.every((chart) => chart && chart.data.datasets.every((set) => set.data.length === epochs));
}"""


def write_runs(workspace: Workspace, count: int) -> None:
    """Write short runs, older than any other."""
    for number in range(count):
        run_id = f"20250101-{number:06d}-run"
        journal = Journal(workspace.journal_file(run_id), run_id, "default")
        config = {"data": {"train_dir": "data/train"}}
        journal.stamp(TrainingStarted(architecture="resnet50", epochs=3, class_names=NAMES, config=config))
        journal.stamp(DataLoaded(train={"benign": 400}, val={"benign": 100}, split="by image"))
        for epoch in (1, 2, 3):
            journal.stamp(update(epoch, 3, NAMES))
        complete = {"final_metrics": {}, "history": {}, "checkpoint": f"{run_id}/best", "best_epoch": 3}
        journal.stamp(TrainingComplete(**complete, epochs_run=3, stopped_early=False, duration_s=60.0))
        journal.close()


def write_evaluation(workspace: Workspace, run_id: str, images: int) -> None:
    """Write an evaluation of so many images, which lie in the workspace, though nothing is in them."""
    files = [f"{NAMES[number % 3]}/P{number // 4:06d}_{number % 4}.png" for number in range(images)]
    for name in NAMES:
        (workspace.root / "many" / name).mkdir(parents=True)
    for file in files:
        (workspace.root / "many" / file).touch()
    nothing = Reliability(curve={}, ece=None, brier=None, log_loss=None)
    evidence = Evidence(
        class_names=NAMES, n=images, patients=None, counts={}, figures={}, confusion_matrix=[[0] * 3] * 3,
        calibration=CalibrationEvidence(temperature=1, prior_shift=[], before=nothing, after=nothing),
    )  # fmt: skip
    cases = []
    for number, file in enumerate(files):
        sure = 0.34 + 0.6 * (number * 7919 % images) / images
        probabilities = [(1 - sure) / 2] * 3
        probabilities[number % 3 if number % 10 else (number + 1) % 3] = sure
        cases.append(JudgedCase(name_sha256=sha256_of(file), patient_sha256=None, label=NAMES[number % 3], probabilities=probabilities))  # fmt: skip
    record = EvaluationRecord(
        notice="", created="2026-01-01T00:00:00+00:00", breastai="4", run_id=run_id, checkpoint=f"{run_id}/best",
        data="many", split="val", evidence=evidence, cases=cases,
    )  # fmt: skip
    save_evaluation(workspace, record)
    save(run_id, parse_config({"data": {"train_dir": "many", "val_dir": None, "test_dir": None}}), workspace, 1, NAMES)


def write_journal(workspace: Workspace, epochs: int, lines: int) -> str:
    """Write a run as long as asked, its lines spread over its epochs; return its name."""
    run_id = workspace.new_run_id()
    journal = Journal(workspace.journal_file(run_id), run_id, "default")
    journal.stamp(TrainingStarted(architecture="resnet50", epochs=epochs, class_names=NAMES, config={}))
    written = 0
    for epoch in range(1, epochs + 1):
        while written < lines * epoch // epochs:
            written += 1
            journal.stamp(Log(level="info", message=f"Line {written} of a run that goes on for days, and says so."))
        journal.stamp(update(epoch, epochs, NAMES))
    complete = {"final_metrics": {}, "history": {}, "checkpoint": f"{run_id}/best", "best_epoch": epochs}
    journal.stamp(TrainingComplete(**complete, epochs_run=epochs, stopped_early=False, duration_s=2e5))
    journal.close()
    size = workspace.journal_file(run_id).stat().st_size
    print(f"journal: {epochs} epochs, {lines} lines, {size / 1e6:.1f} MB", flush=True)
    return run_id


def taken(page: Page) -> float:
    """Return the longest task since the last question, in ms."""
    page.wait_for_timeout(300)  # the observer tells with a delay
    return float(page.evaluate("() => { const found = window.longest; window.longest = 0; return found; }"))


def heap(page: Page) -> float:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(page.evaluate("() => performance.memory.usedJSHeapSize")) / 1e6


def worked(session: CDPSession) -> dict[str, float]:
    """Return how long the main thread has worked since `Performance.enable`, in all and at what."""
    metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
    parts = {"worked_s": "Task", "scripts_s": "Script", "style_s": "RecalcStyle", "layout_s": "Layout"}
    return {told: metrics[f"{part}Duration"] for told, part in parts.items()}


def measure(page: Page, url: str, epochs: int) -> dict[str, float]:
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    begun = time.perf_counter()
    page.goto(url)
    page.wait_for_function(ALL_THERE, arg=epochs, timeout=300_000)
    found = {"opened_s": time.perf_counter() - begun}
    found |= worked(session)
    page.wait_for_load_state("networkidle")
    found["longest_task_opening_ms"] = taken(page)
    found["heap_mb"] = heap(page)
    box = page.locator("[data-chart=loss]").bounding_box()
    assert box is not None
    for step in range(60):
        page.mouse.move(box["x"] + 20 + step * (box["width"] - 40) / 60, box["y"] + box["height"] / 2)
    found["longest_task_hovering_ms"] = taken(page)
    for _ in range(20):
        page.mouse.wheel(0, 300)
    found["longest_task_scrolling_ms"] = taken(page)
    page.evaluate("location.hash = '#log'")
    page.locator("#log-lines").hover()
    for _ in range(20):
        page.mouse.wheel(0, -400)
    found["longest_task_log_ms"] = taken(page)
    for _ in range(5):
        for view in ("training", "log"):
            page.evaluate(f"location.hash = '#{view}'")
            page.wait_for_selector(f"#view-{view}", state="visible")
    found["longest_task_changing_views_ms"] = taken(page)
    found["heap_afterwards_mb"] = heap(page)
    return found


def within(page: Page, what: str, found: dict[str, float], act: str, ready: str, arg: object = None) -> None:
    """Do something on the page; tell how soon it was ready, in s, and the longest task meanwhile, in ms."""
    taken(page)
    begun = time.perf_counter()
    page.evaluate(act, arg)
    page.wait_for_function(ready, timeout=60_000)
    found[f"{what}_s"] = time.perf_counter() - begun
    found[f"longest_task_{what}_ms"] = taken(page)


def measure_tables(page: Page, url: str, run_id: str) -> dict[str, float]:
    """Return how soon the tables of runs and of images are there, and sorted and filtered ones."""
    found: dict[str, float] = {}
    page.goto(url)
    page.wait_for_selector("#connection-state.phase-connected")
    page.wait_for_load_state("networkidle")
    rows = "document.querySelectorAll('#runs-list tbody tr').length"
    within(page, "runs", found, "() => { location.hash = '#runs'; }", f"() => {rows} >= 50")
    more = "() => document.getElementById('runs-more').click()"
    for count in range(100, 301, 50):
        within(
            page,
            f"runs_to_{count}",
            found,
            more,
            f"() => {rows} >= {count} || document.getElementById('runs-more').hidden",
        )
    sort = "() => document.querySelector('#runs-list [data-sort=auc_roc]').click()"
    within(
        page,
        "runs_sorted",
        found,
        sort,
        "() => document.querySelector('#runs-list [data-sort=auc_roc][aria-pressed=true]')",
    )
    images = ".judged-images tbody tr"
    open_images = "(run) => { location.hash = `#run/${run}/images`; }"
    within(page, "images_opened", found, open_images, f"() => document.querySelector('{images}')", run_id)
    first = "() => { window.first = document.querySelector('.judged-file').textContent; document.querySelector('.judged-images [data-sort=probability]').click(); }"
    within(
        page, "images_sorted", found, first, "() => document.querySelector('.judged-file').textContent !== window.first"
    )
    wrong = "() => { const select = document.getElementById('judged-right'); select.value = 'false'; select.dispatchEvent(new Event('change')); }"
    within(
        page,
        "images_filtered",
        found,
        wrong,
        "() => !document.querySelector('.judged-images tbody tr:not(:has(.judged-wrong))')",
    )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2000)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--images", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tabs-that-missed-all", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace.open(scratch)
        write_runs(workspace, asked.runs)
        run_id = write_journal(workspace, asked.epochs, asked.lines)
        write_evaluation(workspace, run_id, asked.images)
        with ServerThread(Options(workspace=workspace, port=0)) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=str(CHROMIUM), args=["--no-sandbox", "--enable-precise-memory-info"]
            )
            for number in range(asked.repeats + asked.tabs_that_missed_all):
                page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
                page.add_init_script(WATCH)
                if number >= asked.repeats:
                    page.add_init_script(MISSED_ALL)
                found = measure(page, f"http://localhost:{server.port}/", asked.epochs)
                how = "opened anew" if number < asked.repeats else "missed all"
                print(how, json.dumps({key: round(value, 2) for key, value in found.items()}), flush=True)
                page.close()
            for _ in range(asked.repeats):
                page = browser.new_page(viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
                page.add_init_script(WATCH)
                tables = measure_tables(page, f"http://localhost:{server.port}/", run_id)
                print("tables", json.dumps({key: round(value, 2) for key, value in tables.items()}), flush=True)
                page.close()
            browser.close()


if __name__ == "__main__":
    main()
