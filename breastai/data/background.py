"""Running a slow function in a thread while a generator goes on telling how far it is."""

import queue
import threading
from collections.abc import Callable, Generator
from typing import TypeVar

from breastai.domain.events import BatchProgress, Event, ProgressUpdate
from breastai.domain.text import Text

Result = TypeVar("Result")
Progress = Callable[[int, int], None]

_TICK_S = 0.5


class Abandoned(Exception):
    """Raised inside the function, at its next report of progress, when nobody waits for it any more."""


def with_progress(function: Callable[[Progress], Result]) -> Generator[tuple[int, int], None, Result]:
    """Run `function(on_progress)` in a thread; yield (done, total) as it reports, and again each half second.

    Returns what the function returns and raises what it raises. Closing the generator ends the function.
    """
    reports: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
    outcome: list[Result] = []
    failure: list[BaseException] = []
    abandoned = threading.Event()

    def report(done: int, total: int) -> None:
        if abandoned.is_set():
            raise Abandoned
        reports.put((done, total))

    def run() -> None:
        try:
            outcome.append(function(report))
        except BaseException as error:
            failure.append(error)
        finally:
            reports.put(None)

    thread = threading.Thread(target=run, name="background", daemon=True)
    thread.start()
    latest = (0, 0)
    try:
        while True:
            try:
                news = reports.get(timeout=_TICK_S)
            except queue.Empty:
                news = latest
            if news is None:
                break
            latest = news
            yield latest
    finally:
        abandoned.set()
        thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def run_with_progress(
    function: Callable[[Progress], Result], say: Callable[[int, int], Event]
) -> Generator[Event, None, Result]:
    """Run a function as `with_progress` does; yield `say(done, total)` for each report."""
    steps = with_progress(function)
    try:
        while True:
            yield say(*next(steps))
    except StopIteration as end:
        result: Result = end.value
        return result
    finally:
        steps.close()


def read_with_progress(function: Callable[[Progress], Result]) -> Generator[Event, None, Result]:
    """Run a function that reads images, as `with_progress` does; yield events that tell how many are read."""
    return run_with_progress(function, _reading)


def _reading(done: int, total: int) -> Event:
    return ProgressUpdate(
        stage="preparing",
        text=Text("progress.reading_of" if total else "progress.reading", {"done": done, "total": total}),
        batch_progress=BatchProgress(batch=done, total_batches=total),
    )
