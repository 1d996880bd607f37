"""One adapter for many messages, told apart by `type`."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, TypeAdapter

AModel = TypeVar("AModel", bound=BaseModel)


def union_of(models: Iterable[type[AModel]]) -> TypeAdapter[AModel]:
    """Return what reads a message that is of one of `models`, each with a `type` of its own."""
    annotated: Any = Annotated
    either: Any = reduce(or_, models)
    return TypeAdapter(annotated[either, Field(discriminator="type")])
