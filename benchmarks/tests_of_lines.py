"""A plugin for pytest that tells coverage.py which test it runs, so that a line knows its tests; for `mutations.py`.

coverage.py's own `dynamic_context = test_function` takes a function of Hypothesis for the test that it runs.
"""

from collections.abc import Generator

import pytest
from coverage import Coverage


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    measuring = Coverage.current()
    assert measuring is not None, "run by coverage: coverage run -m pytest -p benchmarks.tests_of_lines"
    measuring.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        measuring.switch_context("")
