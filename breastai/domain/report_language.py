"""A language as a request names one: it has a catalogue."""

from typing import Annotated

from pydantic import AfterValidator, Field

from breastai.texts.catalogue import languages


def _known(language: str) -> str:
    if language not in languages():
        raise ValueError(f"expected one of {', '.join(languages())}")
    return language


Language = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(languages())})]
