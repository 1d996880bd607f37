"""A configuration as a program wrote it down, perhaps a later version: what this one does not know is kept."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationError

from breastai.domain.config import Config
from breastai.domain.errors import ConfigInvalid
from breastai.domain.settings import STORED
from breastai.domain.validation_errors import describe_problems


def stored_config(values: Mapping[str, Any]) -> Config:
    """Return the configuration in `values`, unknown settings kept and passed over; raise ConfigInvalid.

    What a person writes is read by `parse_config`, which refuses them.
    """
    try:
        return Config.model_validate(values, context=STORED)
    except ValidationError as error:
        raise ConfigInvalid(describe_problems(error, Config)) from None


# One within a stored document.
StoredConfig = Annotated[
    Config,
    BeforeValidator(
        lambda value: Config.model_validate(value, context=STORED) if isinstance(value, Mapping) else value
    ),
]
