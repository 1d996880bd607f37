"""A plugin for pytest that tells coverage.py which test it runs, so that a line knows its tests; for `mutations.py`.

How long each took, in seconds, stands beside the data of coverage.py. coverage.py's own `dynamic_context = test_function` takes a function of Hypothesis for the test that it runs.
"""

import json
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from coverage import Coverage

_seconds: dict[str, float] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    measuring = Coverage.current()
    assert measuring is not None, "run by coverage: coverage run -m pytest -p benchmarks.tests_of_lines"
    measuring.switch_context(item.nodeid)
    begun = time.process_time()
    try:
        return (yield)
    finally:
        measuring.switch_context("")
        _seconds[item.nodeid] = round(time.process_time() - begun, 4)


def pytest_sessionfinish() -> None:
    measuring = Coverage.current()
    assert measuring is not None
    data = Path(measuring.config.data_file)
    data.with_name(f"{data.name}.seconds.json").write_text(json.dumps(_seconds), encoding="utf-8")
