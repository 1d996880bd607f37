"""One member of a study done on a node of a cluster: what it is told, what it tells, how it ends. Knows no Ray."""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import breastai
from breastai.data.remote.remote_inputs import copy_config_inputs
from breastai.domain.errors import BreastAIError, NodeUnfit, WorkspaceNotShared
from breastai.domain.event_messages import encode_event, error_event
from breastai.domain.events import Error, Event, Log
from breastai.domain.stored import Stored
from breastai.domain.stored_config import stored_config
from breastai.domain.study import Study, StudyMember
from breastai.domain.text import Text
from breastai.scale.study_kinds import member_runner
from breastai.scale.study_runner import MemberFailed, MemberStopped, StudyInProgress
from breastai.storage.private_files import keep_files_private
from breastai.storage.run_recorder import Pace, StopReason, as_breastai_errors
from breastai.storage.studies import is_going_on, study_file
from breastai.storage.workspace import Workspace

# A node that is lost may be alive still and not know it, until Ray ends its processes.
FREE_WITHIN_S = 180.0
_LOOK_EVERY_S = 1.0

MemberState = Literal["complete", "stopped", "failed"]


class Task(Stored):
    """What a node is told: plain values, so that nothing is unpickled that is not Ray's own."""

    study: Study
    run_id: str
    workspace: str
    session_id: str
    version: str = breastai.__version__


class Ending(Stored):
    """How a member ended on its node."""

    state: MemberState
    reason: StopReason | None = None
    error: Error | None = None


@dataclass
class RemoteStudy(StudyInProgress):
    """A study as the node of one member sees it: the record of all is kept by who asked for it.

    `lags_behind`: whether a trial is to end after an epoch; also decided by who asked for it.
    """

    lags_behind: Callable[[StudyMember], bool]

    def keep(self, study: Study) -> None:
        self.study = study

    def share_done(self, of_member: float = 0.0) -> float:
        """Return how much of this member is done."""
        return of_member


def run_remote_task(
    task: Task,
    node: str,
    tell: Callable[[str], None],
    stop_requested: Callable[[], StopReason | bool],
    lags_behind: Callable[[StudyMember], bool] = lambda member: False,
) -> Ending:
    """Do one member to its end, or from where it stopped; `node` names this one, `tell` gets each event, encoded. Raises nothing of ours.

    The whole state of a member lies in the workspace, so another node goes on with it when this one is lost.
    """
    keep_files_private()
    endings: list[Ending] = []
    pace = Pace()
    try:
        workspace = _workspace(task, node)
        progress = RemoteStudy(task.study, workspace, task.session_id, stop_requested, lags_behind)
        for event in as_breastai_errors(_events(task, progress, node, endings), workspace):
            if pace.passes(event):
                tell(encode_event(event))
    except BreastAIError as error:
        return Ending(state="failed", error=error_event(error))
    return endings[0]


def _workspace(task: Task, node: str) -> Workspace:
    if task.version != breastai.__version__:
        raise NodeUnfit(
            node, Text("reason.breastai_expected", {"version": breastai.__version__, "expected": task.version})
        )
    study_id = task.study.study_id
    if not (Path(task.workspace) / "logs" / study_id / "study.json").is_file():
        raise WorkspaceNotShared(node, task.workspace)
    workspace = Workspace.open(task.workspace)
    if Study.model_validate_json(study_file(workspace, study_id).read_bytes()).created != task.study.created:
        raise WorkspaceNotShared(node, task.workspace)
    return workspace


def _events(task: Task, progress: RemoteStudy, node: str, endings: list[Ending]) -> Generator[Event, None, None]:
    """Yield a member's events; put how it ended into `endings`."""
    run_id = task.run_id
    try:
        progress.check_stop()
        yield Log(
            level="info",
            code="cluster.placed",
            message=f"{run_id} is worked on by the node {node}",
            params={"run_id": run_id, "node": node},
        )
        _wait_until_free(progress, run_id)
        yield from copy_config_inputs(stored_config(progress.study.config), progress.workspace)
        yield from member_runner(progress.study.kind)(progress, progress.study.member(run_id))
        endings.append(Ending(state="complete"))
    except MemberStopped as stop:
        endings.append(Ending.model_validate({"state": "stopped", "reason": stop.reason}))
    except MemberFailed as failure:
        endings.append(Ending(state="failed", error=failure.event))


def _wait_until_free(progress: RemoteStudy, run_id: str) -> None:
    """Wait while the attempt before still holds the run; what follows raises RunLocked should it never let go."""
    if not progress.workspace.run_dir(run_id).is_dir():
        return
    until = time.monotonic() + FREE_WITHIN_S
    while is_going_on(progress.workspace, run_id) and time.monotonic() < until:
        progress.check_stop()
        time.sleep(_LOOK_EVERY_S)
