"""What does the work of each kind of study; imported when it is asked for, as a node needs one of them alone."""

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from breastai.domain.events import Event
from breastai.domain.study import Study, StudyKind, StudyMember
from breastai.storage.run_recorder import Stop
from breastai.storage.workspace import Workspace

if TYPE_CHECKING:
    from breastai.scale.remote_task import RemoteStudy


def study_resumer(kind: StudyKind) -> Callable[[Study, Workspace, str, Stop], Iterator[Event]]:
    """Return what goes on with a study of `kind`: study, workspace, session_id, stop_requested -> events."""
    if kind == "crossval":
        from breastai.scale.cross_validation import go_on
    elif kind == "tuning":
        from breastai.scale.hyperparameter_search import go_on
    else:
        from breastai.scale.seed_study import go_on
    return go_on


def member_runner(kind: StudyKind) -> "Callable[[RemoteStudy, StudyMember], Generator[Event, None, StudyMember]]":
    """Return what does one member of a study of `kind`: progress, member -> events; returns it complete."""
    if kind == "tuning":
        from breastai.scale.hyperparameter_search import trial_on_node as run_member
    elif kind == "crossval":
        from breastai.scale.cross_validation import fold_on_node as run_member
    else:
        from breastai.scale.seed_study import seed_on_node as run_member
    return run_member
