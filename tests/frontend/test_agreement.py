"""What the page states for itself agrees with the Python it was taken from: bounds of requests, kinds, states."""

import re
from typing import Any, get_args

import pytest

from breastai.domain.events import Log
from breastai.domain.list_entries import RunState
from breastai.domain.requests import (
    MOST_PARTS,
    AnswerLeaks,
    CompareRuns,
    CorrectDataset,
    ExportModel,
    ListJudged,
    ListRuns,
    UploadPart,
)

from .conftest import FRONTEND


def stated(script: str, pattern: str) -> str:
    """Return what a script of the page states where `pattern` finds it."""
    found = re.search(pattern, (FRONTEND / "js" / script).read_text(encoding="utf-8"))
    assert found is not None, f"{script} states this otherwise now"
    return found[1]


def strings(script: str, pattern: str) -> set[str]:
    return set(re.findall(r'"(\w+)"', stated(script, pattern)))


def bound(model: Any, field: str, of: str) -> int:
    return next(value for rule in model.model_fields[field].metadata if (value := getattr(rule, of, None)) is not None)


@pytest.mark.parametrize(
    ("script", "name", "most"),
    [
        ("views/results/runs.js", "MOST_COMPARED", bound(CompareRuns, "run_ids", "max_length")),
        ("views/results/judged_images.js", "MOST_AT_ONCE", bound(CorrectDataset, "files", "max_length")),
        ("views/results/export_dialog.js", "MOST", bound(ExportModel, "others", "max_length")),
        ("views/results/runs.js", "PAGE", bound(ListRuns, "limit", "le")),
        ("views/results/judged_images.js", "ROWS", bound(ListJudged, "limit", "le")),
        ("views/data/folder_upload.js", "MOST_PARTS", MOST_PARTS),
        # In base64, four characters are three bytes.
        ("file_parts.js", "PART", bound(UploadPart, "part", "max_length") * 3 // 4),
    ],
)
def test_the_page_asks_for_no_more_than_a_request_takes(script: str, name: str, most: int) -> None:
    assert 0 < int(stated(script, rf"const {name} = (\d+);")) <= most


def test_the_page_knows_every_state_level_and_answer() -> None:
    assert strings("views/results/runs.js", r'fill\(only, \.\.\.\["", (.*?)\]') == set(get_args(RunState))
    assert strings("views/system/log.js", r"const LEVELS = \[(.*?)\]") == set(
        get_args(Log.model_fields["level"].annotation)
    )
    answers = get_args(AnswerLeaks.model_fields["choice"].annotation)[0]
    assert strings("views/data/audit.js", r"const CHOICES = \[(.*?)\]") == set(get_args(answers))
