"""Figures, counts, decisions, settings and durations as text for people, in their language."""

from collections.abc import Mapping, Sequence
from typing import Any

from breastai.commands.language import current_language, say
from breastai.domain.events import Figure, Prediction, UnitPrediction
from breastai.domain.records import ReferralTradeOff
from breastai.texts.number_format import fixed_text, large_text, percent_text, short_text


def number(value: float | None) -> str:
    if value is None:
        return say("cli.undefined")
    return str(value) if isinstance(value, int) else decimals(value, 3)


def decimals(value: float, digits: int) -> str:
    """Return a number with so many decimals."""
    return fixed_text(value, digits, current_language())


def large(value: int) -> str:
    """Return a large number in words: 4.7 million."""
    return large_text(value, current_language())


def percent(share: float, digits: int = 0) -> str:
    """Return a fraction of 1 in per cent."""
    return percent_text(share, digits, current_language())


def interval(figure: Figure) -> str:
    """Return the interval, or why there is none; what is to be known of it besides follows it."""
    bounds = []
    if figure.low is not None:
        low = decimals(figure.low, 3)
        bounds = [
            say("cli.interval.least", low=low)
            if figure.high is None
            else say("cli.interval", low=low, high=decimals(figure.high, 3))
        ]
    return ", ".join(bounds + ([say(f"report.interval.{figure.flag}")] if figure.flag else []))


def unit_lines(event: UnitPrediction) -> list[str]:
    """Return the answer for a breast, an exam or a patient, and which of its images carry it."""
    chances = "  ".join(f"{name} {number(value)}" for name, value in event.probabilities.items())
    lines = [f"{say(f'unit.{event.unit}').capitalize()} {event.name}: {decision(event)}  ({chances})"]
    first, images = event.images[0], count_text(len(event.images), "image")
    lines.append(say("cli.unit_from", images=images, file=first.file, share=f"{100 * first.share:.0f}"))
    if event.failed:
        lines.append(say("cli.unit_unread", images=count_text(event.failed, "image")))
    return lines


def decision(event: Prediction | UnitPrediction) -> str:
    """Return the one answer of a case and what it rests on: threshold, plausible classes, whether it is referred and why."""
    answer = event.decision or event.label
    parts = [say("cli.decision.highest", answer=answer)]
    if event.called is not None and event.target_class is not None:
        score = number((event.probabilities or {}).get(event.target_class))
        key = "cli.decision.called" if event.called else "cli.decision.not_called"
        parts = [say(key, answer=answer, name=event.target_class, score=score, threshold=number(event.threshold))]
    if event.plausible:
        parts.append(say("cli.decision.plausible", names=", ".join(event.plausible)))
    elif event.sets_offered:
        parts.append(say("cli.decision.no_class"))
    if event.refer is False:
        parts.append(say("cli.decision.kept"))
    if event.refer:
        places = {"modality": event.modality or "", "known": ", ".join(event.known_modalities)}
        reason = say(f"cli.refer.{event.refer_reason or 'several_classes'}", **places)
        parts.append(say("cli.decision.refer", reason=reason))
    return "; ".join(parts)


def trade_off(rows: Sequence[ReferralTradeOff]) -> list[list[str]]:
    """Return a row of text for each error rate: the rate, the share referred, the share wrong among the others."""
    return [
        [
            general(row.error_rate),
            percent(row.referred),
            say("cli.referral.all") if row.error_among_kept is None else percent(row.error_among_kept, 1),
        ]
        for row in rows
    ]


def general(value: float) -> str:
    """Return a number in its shortest form."""
    return short_text(value, current_language())


def count_text(count: int, word: str, **values: Any) -> str:
    """Return "1 epoch", "2 epochs": `word` is a key under cli.count."""
    return say(f"cli.count.{word}", count=count, **values)


def counts(counts: dict[str, int]) -> str:
    return f"{sum(counts.values())} ({counts_by_name(counts)})"


def counts_by_name(counts: Mapping[str, int]) -> str:
    """Return "benign 3, malignant 2"."""
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return say("cli.seconds", seconds=str(whole))
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return say("cli.minutes", minutes=str(minutes), seconds=f"{rest:02d}")
    return say("cli.hours", hours=str(minutes // 60), minutes=f"{minutes % 60:02d}")


def values_text(values: dict[str, Any]) -> str:
    """Return settings as `--set` takes them, numbers shortened."""
    return "  ".join(
        f"{path}={value:.3g}" if isinstance(value, float) else f"{path}={value}" for path, value in values.items()
    )
