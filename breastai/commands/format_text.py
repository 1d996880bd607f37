"""Figures, counts, decisions, settings and durations as text for people, in English."""

from collections.abc import Sequence
from typing import Any

from breastai.domain.events import Figure, Prediction
from breastai.domain.records import ReferralTradeOff


def number(value: float | None) -> str:
    if value is None:
        return "undefined"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


# Why a figure has no interval, or what its interval lacks.
_FLAGS = {
    "one_patient": "none: a single patient",
    "few_patients": "none: fewer than 10 patients",
    "often_undefined": "none: undefined without one of the patients",
    "no_variation": "none: no variation in these images",
    "biased": "none: chance alone raises it",
    "loose_bound": "too few images for a tighter bound",
}


def interval(figure: Figure) -> str:
    """Return the interval, or why there is none; what is to be known of it besides follows it."""
    bounds = [] if figure.low is None or figure.high is None else [f"{figure.low:.3f} to {figure.high:.3f}"]
    if not bounds and figure.low is not None:
        bounds = [f"{figure.low:.3f} or more"]
    return ", ".join(bounds + ([_FLAGS[figure.flag]] if figure.flag else []))


def decision(event: Prediction) -> str:
    """Return the one answer of a case and what it rests on: threshold, plausible classes, whether it is referred and why."""
    answer = event.decision or event.label
    parts = [f"{answer}, the most probable class"]
    if event.called is not None and event.target_class is not None:
        score = (event.probabilities or {}).get(event.target_class)
        sign = "at or above" if event.called else "below"
        parts = [f"{answer}: {event.target_class} {number(score)} is {sign} its threshold {number(event.threshold)}"]
    if event.plausible or event.sets_offered:
        parts.append(f"plausible: {', '.join(event.plausible) or 'none'}")
    if event.refer is False:
        parts.append("not referred")
    if event.refer:
        parts.append(f"REFER: {_REASONS[event.refer_reason or 'several_classes'].format(**_places(event))}")
    return "; ".join(parts)


_REASONS = {
    "modality": "its header says {modality}, and the model learnt from {known} images",
    "unlike": "it is unlike the images the model was judged on",
    "several_classes": "several classes are plausible",
    "no_class": "no class is plausible",
    "answer_not_plausible": "the answer is not among the plausible classes",
}


def _places(event: Prediction) -> dict[str, str]:
    return {"modality": event.modality or "", "known": ", ".join(event.known_modalities)}


def trade_off(rows: Sequence[ReferralTradeOff]) -> list[list[str]]:
    """Return a row of text for each error rate: the rate, the share referred, the share wrong among the others."""
    return [
        [
            f"{row.error_rate:g}",
            f"{row.referred:.0%}",
            "all are referred" if row.error_among_kept is None else f"{row.error_among_kept:.1%}",
        ]
        for row in rows
    ]


def count_text(count: int, word: str) -> str:
    """Return "1 epoch", "2 epochs"."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def counts(counts: dict[str, int]) -> str:
    return f"{sum(counts.values())} ({', '.join(f'{name} {count}' for name, count in counts.items())})"


def duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def values_text(values: dict[str, Any]) -> str:
    """Return settings as `--set` takes them, numbers shortened."""
    return "  ".join(
        f"{path}={value:.3g}" if isinstance(value, float) else f"{path}={value}" for path, value in values.items()
    )
