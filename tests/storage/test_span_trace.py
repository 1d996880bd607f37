"""A trace: every span once, in a format that viewers open; nothing measured without one."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from breastai.storage.span_trace import each_in_span, recorded_trace, span


def rows(file: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["traceEvents"]
    return found


def test_spans_of_all_threads_are_written_with_their_details(tmp_path: Path) -> None:
    def work() -> None:
        with span("read an image", file="a.png"):
            pass

    file = tmp_path / "trace.json"
    with recorded_trace(file), span("audit"):
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [row["name"] for row in rows(file)] == ["read an image"] * 4 + ["audit"]
    assert {row["ph"] for row in rows(file)} == {"X"}
    assert all(row["dur"] >= 0 for row in rows(file))
    assert rows(file)[0]["args"] == {"file": "a.png"}


def test_a_body_that_fails_leaves_its_trace(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    with pytest.raises(ValueError, match="broken"), recorded_trace(file), span("step"):
        raise ValueError("broken")
    assert [row["name"] for row in rows(file)] == ["step"]


def test_items_are_handed_on_and_their_waits_recorded(tmp_path: Path) -> None:
    file = tmp_path / "trace.json"
    with recorded_trace(file):
        assert list(each_in_span("wait", iter([1, None, 3]))) == [1, None, 3]
    assert len(rows(file)) == 4
    assert list(each_in_span("wait", iter("ab"))) == ["a", "b"]


def test_nothing_is_recorded_without_a_trace(tmp_path: Path) -> None:
    with recorded_trace(None), span("step"):
        pass
    assert list(tmp_path.iterdir()) == []
