"""What a request's handler can reach: the parts of one server, put together in app.py."""

import time
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from breastai.domain.config import Config, overlay, parse_config, read_config_file
from breastai.domain.errors import RequestInvalid
from breastai.domain.events import Event
from breastai.domain.faults import describe_mismatch
from breastai.domain.server_settings import ServerSettings
from breastai.domain.text import Text
from breastai.server.access.allowed_paths import DataRoots
from breastai.server.connections.broadcast import Broadcaster
from breastai.server.connections.fair_queue import FairQueue
from breastai.server.connections.greetings import Greetings
from breastai.server.jobs.dataset_uploads import DatasetUploads
from breastai.server.jobs.job_queue import JobQueue
from breastai.server.jobs.job_runner import JobRunner, status
from breastai.server.jobs.preview_worker import PreviewWorker
from breastai.server.jobs.session import Session
from breastai.server.jobs.supervisor import Supervisor
from breastai.server.jobs.uploads import Uploads
from breastai.storage.runs import RunSummaries
from breastai.storage.workspace import Workspace

_MOST_SESSIONS = 100
_DEFAULT = "default"
# Less than a request may take, so that its worker has ended when it is answered.
_BACKUP_WITHIN_S = 590.0


class Sessions:
    """The sessions by id, made when first asked for; so many at most, and then the one that rested longest is forgotten."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._sessions.values()))

    def get(self, session_id: str) -> Session:
        """Return a session; raise RequestInvalid when a job runs in each of too many to make another."""
        session = self._sessions.get(session_id)
        if session is None:
            if len(self._sessions) >= _MOST_SESSIONS and not self._forget_one():
                in_use = Text("expected.session_in_use", {"count": _MOST_SESSIONS})
                raise RequestInvalid([describe_mismatch("session_id", in_use, repr(session_id))])
            session = self._sessions[session_id] = Session(session_id)
        self._sessions.move_to_end(session_id)
        return session

    def _forget_one(self) -> bool:
        """Forget the session that was not asked about for longest and in which no job runs; return whether there was one."""
        resting = (name for name, each in self._sessions.items() if each.state == "idle" and name != _DEFAULT)
        oldest = next(resting, None)
        if oldest is not None:
            del self._sessions[oldest]
        return oldest is not None


@dataclass(frozen=True)
class Services:
    """`started`: when the server did, on time.monotonic's clock; `token_required`: not of file pages alone."""

    workspace: Workspace
    data_roots: DataRoots
    sessions: Sessions
    supervisor: Supervisor
    hub: Broadcaster
    runner: JobRunner
    queue: JobQueue
    runs: RunSummaries
    light: PreviewWorker
    archivist: PreviewWorker
    handed: Uploads
    dataset_uploads: DatasetUploads
    token_required: bool = False
    turns: FairQueue = field(default_factory=FairQueue)
    greetings: Greetings = field(default_factory=Greetings)
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def build(
        cls,
        workspace: Workspace,
        data_roots: DataRoots,
        supervisor: Supervisor,
        token_required: bool = False,
        settings: ServerSettings | None = None,
    ) -> "Services":
        """Put the parts together."""
        sessions = Sessions()

        def latest_state(session_id: str) -> Event:
            return status(sessions.get(session_id), hub)

        hub = Broadcaster(latest_state)
        runner = JobRunner(workspace, supervisor, hub)
        light = PreviewWorker(supervisor.command, workspace.logs_dir / "light_worker.log")
        archivist = PreviewWorker(
            supervisor.command, workspace.logs_dir / "backup_worker.log", answer_s=_BACKUP_WITHIN_S
        )
        queue = JobQueue(workspace, data_roots, runner, hub, sessions.get)
        return cls(
            workspace,
            data_roots,
            sessions,
            supervisor,
            hub,
            runner,
            queue,
            RunSummaries(workspace),
            light,
            archivist,
            Uploads(workspace),
            DatasetUploads(workspace, settings or ServerSettings()),
            token_required,
        )


def workspace_config(workspace: Workspace, *layers: dict[str, object]) -> Config:
    """Return the workspace's configuration with `layers` over it; raise ConfigUnreadable or ConfigInvalid."""
    base = read_config_file(workspace.config_file) if workspace.config_file.exists() else {}
    return parse_config(overlay(base, *layers))
