"""A line of each list a page shows: waiting jobs."""

from pydantic import BaseModel, ConfigDict, Field


class Line(BaseModel):
    """A line of a list."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class QueueEntry(Line):
    """A job that waits for its turn, and what of it a reader needs to tell it from others."""

    entry: str = Field(description="Its name in the queue.")
    job: str
    queued: str = Field(description="Since when it waits, ISO 8601 in UTC.")
    architecture: str | None = None
    epochs: int | None = None
    data: str | None = Field(None, description="The folder of images it reads.")
    checkpoint: str | None = Field(None, description="The checkpoint or run it is about.")
