"""The report as a job."""

from collections.abc import Iterator

from breastai.domain.events import Event
from breastai.domain.jobs import Report
from breastai.storage.workspace import Workspace


def report(job: Report, workspace: Workspace) -> Iterator[Event]:
    raise NotImplementedError
