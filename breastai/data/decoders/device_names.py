"""Device names: maker and model of what made an image, from what its header or EXIF says, in a few printable words."""

from collections.abc import Iterable

_LONGEST = 40


def device_name(parts: Iterable[object]) -> str | None:
    """Return maker and model as one name; None where neither is said."""
    said = [
        " ".join("".join(c if c.isprintable() else " " for c in str(part or "")).split())[:_LONGEST] for part in parts
    ]
    return " ".join(part for part in said if part) or None
