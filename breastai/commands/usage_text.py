"""Faults of arguments as texts: what the reader of the command line says in English, as a code with its parameters."""

import re

from breastai.domain.text import Text

_NEAR = r"(?:\.?,? \(?(?:Did you mean|Possible options:) (?P<near>[^?)]+)[?)]+)?"
# By what the reader of the command line says, from one release of it to the next: the code of our own text. Without a
# `near`, `options` or `expected` it is the text of that code; with one, of the code and its name.
_SAID: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), code)
    for pattern, code in (
        (rf"No such command '(?P<name>[^']*)'{_NEAR}", "usage.no_command"),
        (rf"No such option:? '?(?P<name>-[^\s']*)'?{_NEAR}", "usage.no_option"),
        (
            r"Missing (?:argument|option|parameter):? '(?P<name>[^']*)'(?:\.?\s*Choose from:\s*(?P<options>.*))?",
            "usage.missing",
        ),
        (r"Option '(?P<name>[^']*)' requires an argument", "usage.needs_value"),
        (r"Option '(?P<name>[^']*)' does not take a value", "usage.no_value"),
        (r"Got unexpected extra arguments?(?:\(s\))? \((?P<name>.*)\)", "usage.extra"),
        (r"Invalid value for '(?P<name>[^']*)'(?: / '[^']*')*: (?P<expected>.*)", "usage.value"),
    )
)
# What is expected of a value, by what is said of one that is not.
_EXPECTED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"valid integer|valid int"), "problem.whole_number"),
    (re.compile(r"valid number|valid float"), "problem.number"),
)
_OPTIONS = re.compile(r"is not one of (?P<options>.*)")
_LOW = re.compile(r"(?:greater than or equal to|range x>=) ?(?P<low>[-\d.]+)")


def usage_text(message: str) -> Text | str:
    """Return a fault of arguments as a text of ours; a message of another kind as it is, on one line."""
    said = message.strip().rstrip(".")
    for pattern, code in _SAID:
        found = pattern.fullmatch(said)
        if found is None:
            continue
        params: dict[str, object] = {name: value for name, value in found.groupdict().items() if value is not None}
        if "near" in params:
            params["near"] = ", ".join(each.strip(" '") for each in str(params["near"]).split(","))
            return Text(f"{code}.near", params)
        if "options" in params:
            return Text(f"{code}.options", params | {"options": _listed(str(params["options"]))})
        if "expected" in params:
            return _of_value(str(params["name"]), str(params["expected"]))
        return Text(code, params)
    return " ".join(message.split()).rstrip(".") + "."


def _of_value(name: str, message: str) -> Text:
    options, low = _OPTIONS.search(message), _LOW.search(message)
    if options is not None:
        return Text("usage.value.options", {"name": name, "options": _listed(options["options"])})
    if low is not None:
        bound = Text("problem.from", {"low": float(low["low"])})
        return Text("usage.value", {"name": name, "expected": bound})
    for pattern, code in _EXPECTED:
        if pattern.search(message):
            return Text("usage.value", {"name": name, "expected": Text(code)})
    return Text("usage.value.other", {"name": name, "message": " ".join(message.split())})


def _listed(options: str) -> list[str]:
    return [each.strip(" '\t\n.") for each in options.split(",")]
