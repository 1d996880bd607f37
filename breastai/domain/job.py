"""What every job of a worker has: what it reads, needs and holds, said by its kind."""

from typing import ClassVar, Literal, Self

from breastai.domain.stored import Stored

# What must be there before a job begins: packages beyond the base install, or copies of what lies on shared storage.
Need = Literal["torch", "statistics", "documents", "remote_images"]


class Job(Stored):
    """Work for the worker process. `workspace` is an absolute path.

    Each kind says what it reads, needs and holds; whoever prepares, checks, queues or runs a job asks it and knows no kind.
    """

    # The fields that name what it reads beside its configuration: images (folders, files, addresses), and tables.
    image_fields: ClassVar[tuple[str, ...]] = ()
    table_fields: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[frozenset[Need]] = frozenset({"torch", "remote_images"})
    # The field with the name of the run or study whose lease it takes.
    holds: ClassVar[Literal["run_id", "study_id"] | None] = None
    # Whether what it holds is new: it gets its name when the job's turn comes, since names sort by when runs began.
    begins: ClassVar[bool] = False

    workspace: str
    session_id: str = "default"

    @property
    def held(self) -> str | None:
        """The run or study whose lease it takes."""
        return None if self.holds is None else str(getattr(self, self.holds))

    @property
    def images_read(self) -> list[str]:
        """The folders, files and addresses that it names as images."""
        return self._values(self.image_fields)

    @property
    def paths_read(self) -> list[str]:
        """All that it names to be read, images and tables; what its configuration names stands there."""
        return self._values(self.image_fields + self.table_fields)

    def with_name(self, name: str) -> Self:
        """Return the job with `name` for what it begins; itself when it begins nothing."""
        return self.model_copy(update={self.holds: name}) if self.begins and self.holds is not None else self

    def _values(self, fields: tuple[str, ...]) -> list[str]:
        found = [getattr(self, field) for field in fields]
        return [path for value in found for path in ([value] if isinstance(value, str) else value or [])]


class RunJob(Job):
    """A job whose life is recorded as a run: its worker takes the run's lease and writes its journal."""

    holds = "run_id"


class StudyJob(Job):
    """A job made of several runs. Its function is also given who asks it to stop: job, workspace, stop -> events."""

    holds = "study_id"


class LightJob(Job):
    """A short job for the light worker, which has no torch and copies nothing, also while a run goes on."""

    needs = frozenset()


class BackupJob(LightJob):
    """Work on backups, which may be large, in a light worker of its own; its last event is of `answer`'s type."""

    answer: ClassVar[str]
