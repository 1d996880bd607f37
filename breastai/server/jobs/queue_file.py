"""logs/queue.json: the jobs that wait, as they are kept over a restart; those of a later version are carried along."""

import json
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from breastai.domain.jobs import AnyJob
from breastai.domain.stored import Stored, StoredDocument


class QueuedJob(Stored):
    """A waiting job. Its settings are those it was asked for with, whatever config.json says when its turn comes."""

    entry: str
    kind: str
    queued: str
    job: AnyJob


class QueueFile(StoredDocument):
    """What logs/queue.json holds."""

    held: bool = False
    jobs: list[QueuedJob] = []


@dataclass(frozen=True)
class StoredQueue:
    """The file, and the waiting jobs in it that this version can't read; they are written back as they were."""

    file: QueueFile = field(default_factory=QueueFile)
    unread: tuple[Any, ...] = ()


def read_queue(content: bytes) -> StoredQueue:
    """Return a stored queue; raise ValueError for what is none.

    A job that this version can't read is left aside; of a file of a later format every one.
    """
    values = json.loads(content)
    if not isinstance(values, dict) or not isinstance(values.get("jobs", []), list):
        raise ValueError("expected an object with a list of jobs")
    file = QueueFile.model_validate(values | {"jobs": []})
    listed = values.get("jobs", [])
    if file.is_of_later_version:
        return StoredQueue(file, tuple(listed))
    jobs, unread = [], []
    for raw in listed:
        try:
            jobs.append(QueuedJob.model_validate(raw))
        except ValidationError:
            unread.append(raw)
    return StoredQueue(file.model_copy(update={"jobs": jobs}), tuple(unread))


def queue_text(queue: StoredQueue, held: bool, jobs: list[QueuedJob]) -> bytes:
    """Return what to write down for these jobs, with what was read and not understood."""
    values = queue.file.model_copy(update={"held": held, "jobs": jobs}).model_dump(mode="json")
    values["jobs"].extend(queue.unread)
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()
