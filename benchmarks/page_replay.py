"""What a long run costs the page: a journal of many epochs and lines, opened, scrolled and hovered in a real browser.

    python benchmarks/page_replay.py [--epochs 2000] [--lines 100000] [--tabs-that-missed-all 1]

The journal is written with our own models; the server finds it as the latest run. Told are the time until every chart
has every epoch, how long the page's main thread worked for it (on a busy machine the fairer figure; scripts, style and
layout alone, too), its longest task, and its memory. With --tabs-that-missed-all the page says that it has seen nothing
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
from scripted_worker import update  # type: ignore[import-not-found]

from breastai.domain.events import Log, TrainingComplete, TrainingStarted
from breastai.server.app import Options
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
ALL_THERE = """(epochs) => {
  const charts = [...document.querySelectorAll("canvas[data-chart]")].map((canvas) => Chart.getChart(canvas));
  return charts.length > 5 && charts.every((chart) => chart && chart.data.datasets.every((set) => set.data.length === epochs));
}"""


def write_journal(workspace: Workspace, epochs: int, lines: int) -> None:
    """Write a run as long as asked, its lines spread over its epochs."""
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2000)
    parser.add_argument("--lines", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tabs-that-missed-all", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace.open(scratch)
        write_journal(workspace, asked.epochs, asked.lines)
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
            browser.close()


if __name__ == "__main__":
    main()
