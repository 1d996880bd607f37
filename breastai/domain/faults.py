"""Faults of what a user wrote, settings and tables alike: the place, what was expected, what came."""

from breastai.domain.text import Text


class UnusableSetting(ValueError):
    """A check of the models found fault with a value; pydantic takes any ValueError for one."""

    def __init__(self, code: str, **params: str | int | float | list[str]) -> None:
        self.text = Text(code, params)
        super().__init__(str(self.text))


def describe_mismatch(place: Text | str, wanted: Text, came: Text | str | float) -> Text:
    """Return that at `place` (the path of a setting, or a place in a table) something else came than was wanted."""
    return Text("problem.expected", {"name": place, "expected": wanted, "got": came})


def describe_fault(place: Text | str, fault: Text, came: Text | str | None = None) -> Text:
    """Return what is wrong at `place`, and with what, where that says more."""
    if fault.code.startswith("expected.") and came is not None:
        return describe_mismatch(place, fault, came)
    if came is None:
        return Text("problem.fault", {"name": place, "fault": fault})
    return Text("problem.fault_of", {"name": place, "fault": fault, "got": came})


def place_below(prefix: str, fault: Text) -> Text:
    """Return a fault of a part of the settings, named from above that part."""
    return Text(fault.code, {**fault.params, "name": f"{prefix}.{fault.params['name']}"})
