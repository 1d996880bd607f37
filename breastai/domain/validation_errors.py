"""The faults pydantic finds, by their type and data, as texts a user can act on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from breastai.domain.data_locations import without_secrets
from breastai.domain.faults import UnusableSetting, describe_fault, describe_mismatch
from breastai.domain.near_names import leaf_paths, near_path
from breastai.domain.text import Text

# Whoever sends nonsense by the megabyte gets back a page of it at most.
_MOST_LINES = 50
_LONGEST_PLACE = 200
_NUMBERS = frozenset(
    {"greater_than", "greater_than_equal", "less_than", "less_than_equal", "finite_number"}
    | {"int_type", "int_parsing", "int_from_float", "float_type", "float_parsing"}
)
# Types of fault whose data say nothing more, or of whose data the named one is all that must be said.
_KINDS: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(("bool_type", "bool_parsing"), ("expected.boolean", None)),
    "string_type": ("expected.string", None),
    "list_type": ("expected.list", None),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), ("expected.object", None)),
    "string_too_short": ("expected.characters_from", "min_length"),
    "string_too_long": ("expected.characters_to", "max_length"),
    "string_pattern_mismatch": ("expected.pattern", "pattern"),
    "too_short": ("expected.items_from", "min_length"),
    "too_long": ("expected.items_to", "max_length"),
}
_WITHOUT_CAME = {"extra_forbidden": "problem.unknown_key", "missing": "problem.missing"}
_QUOTED = re.compile(r"'[^']*'|[^\s',]+")


class SeveralFaults(ValueError):
    """Faults found together by a check of several settings at once; `place`: below the check's."""

    def __init__(self, place: str, faults: Sequence[Text]) -> None:
        super().__init__(f"{place}: {'; '.join(map(str, faults))}")
        self.place = place
        self.faults = faults


def describe_problems(error: ValidationError, model: type[BaseModel]) -> list[Text]:
    """Return one text for each fault. `model` is what was validated."""
    found: dict[str, Text] = {}
    faults = error.errors(include_url=False)
    for fault in faults:
        if len(found) == _MOST_LINES:
            return [*found.values(), Text("problem.more", {"count": len(faults)})]
        for text in _describe(fault, model):
            found[str(text)] = text
    return list(found.values())


def _describe(fault: Any, model: type[BaseModel]) -> list[Text]:
    kind, context = fault["type"], fault.get("ctx", {})
    location = fault["loc"]
    name = ".".join(str(part) for part in location)[:_LONGEST_PLACE]
    place: Text | str = name or Text("problem.whole")
    if kind == "extra_forbidden" and "." in str(location[-1]) and name in leaf_paths(model):
        return [Text("problem.dotted_key", {"name": place, "near": _nested(name)})]
    if kind == "extra_forbidden" and (near := near_path(name, list(leaf_paths(model)))):
        return [Text("problem.unknown_key_near", {"name": place, "near": near})]
    if kind in _WITHOUT_CAME:
        return [Text(_WITHOUT_CAME[kind], {"name": place})]
    raised = context.get("error")
    if isinstance(raised, SeveralFaults):
        return [describe_fault(f"{name}.{raised.place}", each) for each in raised.faults]
    came = _shorten(fault.get("input"))
    if isinstance(raised, UnusableSetting):
        return [describe_fault(place, raised.text, came)]
    if kind in _NUMBERS:
        return [describe_mismatch(place, _describe_number(kind, _find_field(model, location), context), came)]
    if kind in ("literal_error", "enum"):
        options = [each for each in _QUOTED.findall(context["expected"]) if each != "or"]
        return [describe_mismatch(place, Text("expected.one_of_these", {"options": options}), came)]
    if kind in _KINDS:
        code, limit = _KINDS[kind]
        return [describe_mismatch(place, Text(code, {} if limit is None else {"limit": context[limit]}), came)]
    # What no setting has, and only a program sends: in pydantic's words.
    message: str = str(raised) if raised is not None else fault["msg"]
    return [describe_fault(place, Text("fault.other", {"message": message}), came)]


def _describe_number(kind: str, info: FieldInfo | None, context: Mapping[str, Any]) -> Text:
    """Return what number is expected: whole or not, from where to where; by what pydantic says where no field is found."""
    whole = kind.startswith("int") or (info is not None and _is_whole(info.annotation))
    text = Text("problem.whole_number" if whole else "problem.number")
    limits: dict[str, Any] = {}
    for item in (SimpleNamespace(**context),) if info is None else _limits_in(info):
        limits |= {name: found for name in ("ge", "gt", "le", "lt") if (found := getattr(item, name, None)) is not None}
    for bound, code, param in (
        ("ge", "problem.from", "low"),
        ("gt", "problem.above", "low"),
        ("le", "problem.to", "high"),
        ("lt", "problem.below", "high"),
    ):
        if bound in limits:
            code = "problem.and_below" if bound == "lt" and "gt" in limits else code
            text = Text("expected.bounded", {"number": text, "bound": Text(code, {param: limits[bound]})})
    return text


def _limits_in(info: FieldInfo) -> Iterator[Any]:
    """Yield what limits a field, also where it may be null: Annotated[float, Field(ge=0)] | None."""
    yield from info.metadata
    for annotation in get_args(info.annotation):
        for each in getattr(annotation, "__metadata__", ()):
            yield from each.metadata if isinstance(each, FieldInfo) else (each,)


def _find_field(model: type[BaseModel], location: tuple[int | str, ...]) -> FieldInfo | None:
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


def _nested(name: str) -> str:
    """Return a dotted name as JSON nests it."""
    *above, last = name.split(".")
    return "".join(f'{{"{part}": ' for part in above) + f'{{"{last}": …' + "}" * (len(above) + 1)


def _shorten(value: Any, longest: int = 80) -> str:
    text = without_secrets(repr(value))
    return text if len(text) <= longest else text[: longest - 3] + "..."
