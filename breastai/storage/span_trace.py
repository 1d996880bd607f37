"""Where the seconds of a run go: spans in the trace-event format, which Perfetto and chrome://tracing open.

Nothing is measured unless a trace is being recorded. One trace at a time, from any number of threads.
"""

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from breastai.storage.workspace import atomic_write

Item = TypeVar("Item")

_lock = threading.Lock()
_spans: list[dict[str, object]] | None = None


@contextlib.contextmanager
def span(name: str, **details: object) -> Iterator[None]:
    """Record how long the body takes. Around a generator's `yield` it counts what the reader of it does, too."""
    if _spans is None:
        yield
        return
    began = time.perf_counter_ns()
    try:
        yield
    finally:
        row: dict[str, object] = {
            "name": name,
            "ph": "X",
            "ts": began / 1000,
            "dur": (time.perf_counter_ns() - began) / 1000,
            "pid": os.getpid(),
            "tid": threading.get_ident(),
            "args": details,
        }
        with _lock:
            if _spans is not None:
                _spans.append(row)


def each_in_span(name: str, items: Iterator[Item]) -> Iterator[Item]:
    """Yield each of `items`, recording how long it took to come."""
    ended = object()
    while True:
        with span(name):
            item = next(items, ended)
        if item is ended:
            return
        yield item  # type: ignore[misc]


@contextlib.contextmanager
def recorded_trace(file: Path | None) -> Iterator[None]:
    """Record every span of the body into `file`; None: record nothing. Written however the body ends."""
    global _spans
    if file is None:
        yield
        return
    _spans = []
    try:
        yield
    finally:
        spans, _spans = _spans, None
        atomic_write(file, json.dumps({"traceEvents": spans, "displayTimeUnit": "ms"}).encode())
