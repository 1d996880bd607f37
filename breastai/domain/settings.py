"""What every group of settings is: frozen, and refusing what it does not know, unless a program wrote it down."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic.functional_validators import ModelWrapValidatorHandler

# Of a setting: a path, an address, a pattern, a name.
LONGEST_TEXT = 1000

# As context of a validation: the values were written by a program, perhaps a later version of this one.
STORED = object()


class Settings(BaseModel):
    """A frozen group of settings. A person's unknown keys are refused; a later version's are kept, and passed over."""

    # What is saved is told to everyone who connects: no text in it may be endless.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=LONGEST_TEXT, defer_build=True
    )

    _unknown: dict[str, Any] = PrivateAttr(default_factory=dict)

    @property
    def unknown(self) -> Mapping[str, Any]:
        """What a later version wrote in this group."""
        return self._unknown

    @model_validator(mode="wrap")
    @classmethod
    def _keep_unknown(cls, values: Any, make: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if info.context is not STORED or not isinstance(values, Mapping):
            return make(values)
        made = make({key: value for key, value in values.items() if key in cls.model_fields})
        made._unknown = {key: value for key, value in values.items() if key not in cls.model_fields}
        return made

    @model_serializer(mode="wrap")
    def _with_unknown(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = dump(self)
        return {**values, **self._unknown} if self._unknown else values
