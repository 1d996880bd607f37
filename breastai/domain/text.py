"""What is told to people: a code and its parameters. The words stand in breastai/texts, one catalogue a language."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from breastai.texts.renderer import render


class Text(BaseModel):
    """A text by the key of its template; a parameter is a value, shown as it is, or a text of its own.

    `str(text)` is English, for logs, scripts and clients that know no codes.
    """

    model_config = ConfigDict(frozen=True, extra="allow")  # what a later version adds is kept

    code: str
    params: dict[str, "str | int | float | bool | Text | list[str | int | float | bool | Text | None] | None"] = Field(
        default_factory=dict
    )

    def __init__(self, code: str | None = None, params: Mapping[str, Any] | None = None, **unknown: Any) -> None:
        # What is no text is refused by pydantic, which tries this on other values too, not by a missing argument.
        given = {} if code is None else {"code": code}
        super().__init__(**given, params={} if params is None else params, **unknown)

    def __str__(self) -> str:
        return render(self)

    def __hash__(self) -> int:
        return hash(self.code)


def read_param(value: Any) -> Any:
    """Return a parameter that came as JSON: a text of its own where it is one."""
    if isinstance(value, list):
        return [read_param(each) for each in value]
    if isinstance(value, dict) and isinstance(value.get("code"), str):
        return Text(value["code"], {name: read_param(each) for name, each in value.get("params", {}).items()})
    return value
