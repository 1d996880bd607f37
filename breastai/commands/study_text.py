"""A study as text for people: what each of its trials came to, and what all of them showed."""

from collections.abc import Callable
from typing import Any

from breastai.commands.crossval_text import crossval_lines, member_lines
from breastai.commands.format_text import count_text, duration, number, values_text
from breastai.commands.repeated_runs import spread_lines
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.events import (
    CrossvalComplete,
    Event,
    SeedsComplete,
    StudyMemberChanged,
    StudyStarted,
    StudyStopped,
    TuningComplete,
    TuningUpdate,
)
from breastai.domain.study import StudyKind, TuningState

# Which command goes on with a study.
_COMMANDS: dict[StudyKind, str] = {"crossval": "crossval --resume", "tuning": "tune --resume", "seeds": "resume"}


def study_lines(event: Event) -> list[str]:
    """Return the lines that tell of an event of STUDY_LINES."""
    return STUDY_LINES[type(event)](event)


def _started(event: StudyStarted) -> list[str]:
    study = event.study
    if study.tuning is None:
        over = sum(member.is_over for member in study.members)
        again = f", {over} of them complete already" if over else ""
        return [f"Study {study.study_id}: {count_text(len(study.members), 'run')}{again}"]
    done = f", {study.tuning.done} of them done" if study.tuning.done else ""
    return [f"Tuning {study.study_id}: {count_text(study.tuning.trials, 'trial')}{done}"]


def _member(event: StudyMemberChanged) -> list[str]:
    member = event.member
    if member.trial is None:
        return member_lines(member)
    if member.state not in ("complete", "pruned", "failed"):
        return []
    what = "as configured" if member.trial == 0 else values_text(member.values)
    how = {"complete": "", "pruned": ", ended early", "failed": ", failed"}[member.state]
    return [
        f"Trial {member.trial + 1}: AUC {number(member.figures.get('auc_roc'))} "
        f"({member.epoch} of {count_text(member.epochs, 'epoch')}{how})  {what}"
    ]


def _update(event: TuningUpdate) -> list[str]:
    return []  # each trial's line says it


def _stopped(event: StudyStopped) -> list[str]:
    return [
        "Stopped; what was done is kept.",
        f"Go on with: breastai {_COMMANDS[event.kind]} {event.study_id}",
    ]


def _cross_validated(event: CrossvalComplete) -> list[str]:
    return [*crossval_lines(event.result), RESEARCH_USE]


def _seeds_trained(event: SeedsComplete) -> list[str]:
    found = event.result
    return [*spread_lines(len(found.seeds), found.spread), RESEARCH_USE]


def _tuned(event: TuningComplete) -> list[str]:
    state = event.tuning
    used = "the time was used up" if event.reason == "time" else "all trials are done"
    lines = [
        f"\n{count_text(state.done, 'trial')} in {duration(state.spent_s)}; {used}.",
        _saved(state),
        f"As configured: AUC {number(state.default_auc)} on {count_text(state.val_images or 0, 'validation image')}.",
    ]
    if state.improved and state.best is not None:
        lines += [
            f"The best:      AUC {number(state.best_auc)} ({state.best}/best): {values_text(event.values)}",
            "That is the highest of many figures on the same images, and so an optimistic one: judge the model on "
            "images that took no part, once.",
            f"Train from it: breastai train --config configs/{state.config_name}.json",
        ]
    else:
        lines.append("No trial was better: the configuration stays as it is, and nothing was saved.")
    if state.importance:
        shares = ", ".join(f"{item.setting} {item.share or 0:.0%}" for item in state.importance)
        lines.append(f"What mattered, by {count_text(state.done, 'trial')} (a hint, no measurement): {shares}")
    return [*lines, RESEARCH_USE]


def _saved(state: TuningState) -> str:
    share = state.share_saved or 0.0
    planned = state.epochs_run + state.epochs_saved
    return f"Ending trials early saved {state.epochs_saved} of {count_text(planned, 'epoch')} ({share:.0%})."


STUDY_LINES: dict[type[Event], Callable[[Any], list[str]]] = {
    StudyStarted: _started,
    StudyMemberChanged: _member,
    StudyStopped: _stopped,
    CrossvalComplete: _cross_validated,
    SeedsComplete: _seeds_trained,
    TuningUpdate: _update,
    TuningComplete: _tuned,
}
