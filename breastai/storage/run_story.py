"""A run told from its journal, past ones too: how it began, on what, how it ended, and its last lines."""

import contextlib
import json
from collections import deque
from typing import Any

from breastai.domain.event_messages import event_values
from breastai.domain.events import RunShown
from breastai.storage.journal import journal_lines, latest_events
from breastai.storage.runs import RunSummaries
from breastai.storage.workspace import Workspace

_ENDS = ("training_complete", "training_stopped")
_KINDS = ("training_started", "data_loaded", "model_loaded", *_ENDS)
_MOST_LINES = 500
# Pictures of duplicates stay in the journal.
_MOST_LINE_BYTES = 20_000


def run_story(workspace: Workspace, summaries: RunSummaries, run_id: str, running: str | None) -> RunShown:
    """Return what a run's page shows; raise RunNotFound."""
    entry = summaries.entry(run_id, running)
    journal = workspace.journal_file(run_id)
    _, events = latest_events(journal, _KINDS)
    by_kind = {event.type: event for event in events}
    begun = by_kind.get("training_started")
    since = 0 if begun is None else begun.seq or 0
    # What ended before the run was resumed is not its end.
    ended = next((event for event in reversed(events) if event.type in _ENDS and (event.seq or 0) > since), None)

    return RunShown(
        run=entry,
        started=event_values(begun) if begun else None,
        data=event_values(by_kind["data_loaded"]) if "data_loaded" in by_kind else None,
        model=event_values(by_kind["model_loaded"]) if "model_loaded" in by_kind else None,
        outcome=None if ended is None else {**event_values(ended), "history": {}},
        log=_last_lines(workspace, run_id),
    )


def _last_lines(workspace: Workspace, run_id: str) -> list[dict[str, Any]]:
    lines = journal_lines(workspace.journal_file(run_id))
    last = deque((line for line in lines if len(line) <= _MOST_LINE_BYTES), maxlen=_MOST_LINES)
    kept = []
    for line in last:
        with contextlib.suppress(ValueError, RecursionError):
            values = json.loads(line)
            if isinstance(values, dict):
                kept.append(values)
    return kept
