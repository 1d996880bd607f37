"""A study as text for people: what each of its trials came to, and what all of them showed."""

from collections.abc import Callable
from typing import Any

from breastai.commands.crossval_text import crossval_lines, member_lines, spread_lines
from breastai.commands.format_text import count_text, duration, number, percent, values_text
from breastai.commands.language import say
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
        key = "cli.study.again" if over else "cli.study.started"
        return [say(key, study=study.study_id, runs=count_text(len(study.members), "run"), over=over)]
    key = "cli.tuning.again" if study.tuning.done else "cli.tuning.started"
    trials = count_text(study.tuning.trials, "trial")
    return [say(key, study=study.study_id, trials=trials, done=study.tuning.done)]


def _member(event: StudyMemberChanged) -> list[str]:
    member = event.member
    if member.trial is None:
        return member_lines(member)
    if member.state not in ("complete", "pruned", "failed"):
        return []
    return [
        say(
            f"cli.trial.{member.state}",
            trial=member.trial + 1,
            auc=number(member.figures.get("auc_roc")),
            epoch=member.epoch,
            epochs=count_text(member.epochs, "epoch"),
            what=say("cli.trial.as_configured") if member.trial == 0 else values_text(member.values),
        )
    ]


def _update(event: TuningUpdate) -> list[str]:
    return []  # each trial's line says it


def _stopped(event: StudyStopped) -> list[str]:
    return [
        say("cli.study.stopped"),
        say("cli.resume", command=f"breastai {_COMMANDS[event.kind]} {event.study_id}"),
    ]


def _cross_validated(event: CrossvalComplete) -> list[str]:
    return [*crossval_lines(event.result), say("page.research_use")]


def _seeds_trained(event: SeedsComplete) -> list[str]:
    found = event.result
    return [*spread_lines(len(found.seeds), found.spread), say("page.research_use")]


def _tuned(event: TuningComplete) -> list[str]:
    state = event.tuning
    trials = count_text(state.done, "trial")
    key = "cli.tuning.time_up" if event.reason == "time" else "cli.tuning.complete"
    images = count_text(state.val_images or 0, "validation_image")
    lines = [
        f"\n{say(key, trials=trials, duration=duration(state.spent_s))}",
        _saved(state),
        say("cli.tuning.default", auc=number(state.default_auc), images=images),
    ]
    if state.improved and state.best is not None:
        values = values_text(event.values)
        lines += [
            say("cli.tuning.best", auc=number(state.best_auc), checkpoint=f"{state.best}/best", values=values),
            say("cli.tuning.optimistic"),
            say("cli.tuning.train", command=f"breastai train --config configs/{state.config_name}.json"),
        ]
    else:
        lines.append(say("cli.tuning.none"))
    if state.importance:
        shares = ", ".join(f"{item.setting} {percent(item.share or 0)}" for item in state.importance)
        lines.append(say("cli.tuning.importance", trials=trials, shares=shares))
    return [*lines, say("page.research_use")]


def _saved(state: TuningState) -> str:
    share = state.share_saved or 0.0
    planned = state.epochs_run + state.epochs_saved
    epochs = count_text(planned, "epoch")
    return say("cli.tuning.saved", saved=state.epochs_saved, epochs=epochs, share=percent(share))


STUDY_LINES: dict[type[Event], Callable[[Any], list[str]]] = {
    StudyStarted: _started,
    StudyMemberChanged: _member,
    StudyStopped: _stopped,
    CrossvalComplete: _cross_validated,
    SeedsComplete: _seeds_trained,
    TuningUpdate: _update,
    TuningComplete: _tuned,
}
