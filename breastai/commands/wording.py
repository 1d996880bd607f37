"""Figures, counts, decisions, settings and durations as text for people, in English."""

from typing import Any

from breastai.domain.events import Figure, Prediction


def number(value: float | None) -> str:
    if value is None:
        return "undefined"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def interval(figure: Figure) -> str:
    return "" if figure.low is None or figure.high is None else f"{figure.low:.3f} to {figure.high:.3f}"


def decision(event: Prediction) -> str:
    """Return what the operating point and the conformal sets say of a case."""
    text = ""
    if event.called is not None:
        text += f"  {event.target_class}: {'called' if event.called else 'not called'} (from {number(event.threshold)})"
    if event.refer:
        why = f"plausible: {', '.join(event.plausible)}" if event.plausible else "unlike any class it knows"
        if event.refer_reason == "unlike":
            why = "unlike the images it was judged on"
        text += f"  REFER ({why})"
    return text


def counted(count: int, word: str) -> str:
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
