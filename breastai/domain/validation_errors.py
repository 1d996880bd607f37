"""The faults pydantic finds, as lines a user can act on: the place, what was expected, what came."""

from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from breastai.domain.data_locations import without_secrets

# Whoever sends nonsense by the megabyte gets back a page of it at most.
_MOST_LINES = 50
_LONGEST_PLACE = 200
_BOUND_FAULTS = ("greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number")
_NUMBER_FAULTS = ("int_type", "int_parsing", "int_from_float", "float_type", "float_parsing")


class SeveralFaults(ValueError):
    """Faults found together by a check of several settings at once, each a line of its own; `place`: below the check's."""

    def __init__(self, place: str, faults: list[str]) -> None:
        super().__init__(f"{place}: {'; '.join(faults)}")
        self.place = place
        self.faults = faults


def describe_problems(error: ValidationError, model: type[BaseModel], tag: str | None = None) -> list[str]:
    """Return one line for each fault. `model` is what was validated; `tag`, when it is a member of a tagged union."""
    lines: dict[str, None] = {}
    faults = error.errors(include_url=False)
    for fault in faults:
        if len(lines) == _MOST_LINES:
            return [*lines, f"and more: {len(faults)} faults in all"]
        location = fault["loc"][1:] if tag is not None and fault["loc"][:1] == (tag,) else fault["loc"]
        place = ".".join(str(part) for part in location)[:_LONGEST_PLACE] or "the whole"
        if fault["type"] == "extra_forbidden":
            lines[f"{place}: unknown key"] = None
        elif isinstance(several := fault.get("ctx", {}).get("error"), SeveralFaults):
            lines |= {f"{place}.{several.place}: {each}": None for each in several.faults}
        elif fault["type"] == "missing":
            lines[f"{place}: missing"] = None
        else:
            lines[f"{place}: {_expectation(fault, model, location)}, got {_shortened(fault.get('input'))}"] = None
    return list(lines)


def _expectation(fault: Any, model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    kind = fault["type"]
    if kind == "value_error":
        return str(fault["ctx"]["error"])
    if kind in _BOUND_FAULTS or kind in _NUMBER_FAULTS:
        info = _field(model, location)
        whole = kind.startswith("int") or (info is not None and _is_whole(info.annotation))
        bounds = None if info is None else _range_text(info.metadata)
        noun = "a whole number" if whole else "a number"
        return f"expected {noun} {bounds}" if bounds else f"expected {noun}"
    message: str = fault["msg"]
    if message.startswith("Input should be "):
        return "expected " + message.removeprefix("Input should be ")
    return message[0].lower() + message[1:]


def _field(model: type[BaseModel], location: tuple[int | str, ...]) -> FieldInfo | None:
    """Return the field at `location`, looked up in the models themselves."""
    for depth, part in enumerate(location):
        by_alias = {info.alias or name: info for name, info in model.model_fields.items()}
        info = by_alias.get(str(part))
        if info is None:
            return None
        if depth == len(location) - 1:
            return info
        if not (isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel)):
            return None
        model = info.annotation
    return None


def _is_whole(annotation: Any) -> bool:
    return annotation is int or (int in get_args(annotation) and float not in get_args(annotation))


def _range_text(metadata: list[Any]) -> str | None:
    limits: dict[str, Any] = {}
    for item in metadata:
        for name in ("ge", "gt", "le", "lt"):
            if getattr(item, name, None) is not None:
                limits[name] = getattr(item, name)
    low = f"from {limits['ge']}" if "ge" in limits else f"above {limits['gt']}" if "gt" in limits else ""
    high = f"to {limits['le']}" if "le" in limits else f"to below {limits['lt']}" if "lt" in limits else ""
    return f"{low} {high}".strip() or None


def _shortened(value: Any, longest: int = 80) -> str:
    text = without_secrets(repr(value))
    return text if len(text) <= longest else text[: longest - 3] + "..."
