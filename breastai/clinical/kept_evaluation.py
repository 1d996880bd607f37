"""An evaluation that is kept, told again as it was when it was made."""

from collections.abc import Iterator

from breastai.clinical.evaluation_record import evaluation_event
from breastai.domain.event_messages import event_values
from breastai.domain.events import EvaluationShown, Event
from breastai.domain.jobs import ShowEvaluation
from breastai.storage.evaluations import find_evaluation
from breastai.storage.workspace import Workspace


def show_evaluation(job: ShowEvaluation, workspace: Workspace) -> Iterator[Event]:
    """Show an evaluation of a run by its name; raise EvaluationNotFound."""
    path, record = find_evaluation(workspace, job.run_id, job.name)
    event = evaluation_event(record, workspace.relative(path))
    yield EvaluationShown(evaluation_of=job.run_id, name=job.name, evaluation=event_values(event))
