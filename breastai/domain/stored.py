"""What is written down and read again, perhaps by another version: unknown keys are kept, and a format is numbered.

A person's words (requests, settings) are read strictly; what a program wrote is read tolerantly. A later version may add
keys to a document without more ado. Where an earlier one must not pass over them it raises the number of the format;
then an earlier version shows the document, and refuses to work by it.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from breastai.domain.errors import FormatTooNew
from breastai.domain.faults import UnusableSetting
from breastai.domain.settings import Settings


class Stored(BaseModel):
    """A frozen part of what is stored. Keys of a later version are kept, and written again with the rest."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="after")
    def _no_unknown_number_is_infinite(self) -> Self:
        if self.__pydantic_extra__ and not _is_finite(self.__pydantic_extra__):
            raise UnusableSetting("expected.finite_numbers")
        return self


class StoredDocument(Stored):
    """A whole document: FORMAT is what this version writes, `format` what was read."""

    FORMAT: ClassVar[int] = 1

    format: int = Field(1, ge=1, description="Version of the format, raised where an earlier reader must not go on.")

    @property
    def is_of_later_version(self) -> bool:
        return self.format > self.FORMAT

    def check_format(self, what: str) -> Self:
        """Return the document, by which work may be done; raise FormatTooNew, which calls it `what`."""
        if self.is_of_later_version:
            raise FormatTooNew(what, self.format, self.FORMAT)
        return self


def unknown_keys(value: Any, place: str = "") -> list[str]:
    """Return the paths of all keys in a stored value that this version does not know."""
    if isinstance(value, BaseModel):
        unknown = value.unknown if isinstance(value, Settings) else value.__pydantic_extra__ or {}
        extra = [f"{place}{key}" for key in unknown]
        known = ((f"{place}{name}", getattr(value, name)) for name in type(value).model_fields)
        return [*extra, *(path for below, part in known for path in unknown_keys(part, f"{below}."))]
    if isinstance(value, Mapping):
        return [path for key, part in value.items() for path in unknown_keys(part, f"{place}{key}.")]
    if isinstance(value, list | tuple):
        return [path for number, part in enumerate(value) for path in unknown_keys(part, f"{place}{number}.")]
    return []


def _is_finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    parts: Iterable[Any] = ()
    if isinstance(value, Mapping):
        parts = value.values()
    elif isinstance(value, list | tuple):
        parts = value
    return all(map(_is_finite, parts))
