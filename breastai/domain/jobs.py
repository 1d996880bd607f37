"""What may be asked of a worker: one frozen model for each kind of job, and the control lines that may follow."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from breastai.domain.config import Config


class Job(BaseModel):
    """Work for the worker process. `workspace` is an absolute path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workspace: str
    session_id: str = "default"


class Train(Job):
    """Train a new run. Relative paths in `config` are relative to the workspace."""

    kind: Literal["train"] = "train"
    run_id: str
    config: Config


class Resume(Job):
    """Go on with a run from where it stopped; `epochs` extends or shortens the plan, None keeps it."""

    kind: Literal["resume"] = "resume"
    run_id: str
    epochs: int | None = Field(None, ge=1, le=10_000)


class Evaluate(Job):
    """Judge a checkpoint on labelled images: class folders, or a root that holds train/, val/, test/."""

    kind: Literal["evaluate"] = "evaluate"
    checkpoint: str
    data: str
    split: Literal["train", "val", "test"] | None = None


class Export(Job):
    """Write a checkpoint in another format, after proving that it gives the same answers."""

    kind: Literal["export"] = "export"
    checkpoint: str
    format: str


class Predict(Job):
    """Classify images by a checkpoint. `images` are paths of files or folders."""

    kind: Literal["predict"] = "predict"
    checkpoint: str
    images: list[str]


AnyJob = Annotated[Train | Resume | Evaluate | Export | Predict, Field(discriminator="kind")]
JOB: TypeAdapter[AnyJob] = TypeAdapter(AnyJob)


class Control(BaseModel):
    """A line the server sends to a worker after its job."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["stop"]
