"""How deep JSON from elsewhere may be nested: what walks through it later calls itself once for each level."""

from typing import Any

MOST_LEVELS = 40


def is_too_deep(values: Any, most: int = MOST_LEVELS) -> bool:
    """Return whether lists and objects lie more than `most` deep in one another. Looks level by level."""
    level = [values]
    for _ in range(most + 1):
        level = [each for value in level for each in _inside(value)]
        if not level:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    """Return the lists and objects directly within a value."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [each for each in parts if isinstance(each, dict | list)]
