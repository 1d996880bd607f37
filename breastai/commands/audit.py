"""`audit`: the faults of a folder of images, before anything is trained on them."""

from typing import Annotated, Literal

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import ForwardedOutput, Output, open_output
from breastai.domain.events import AuditDone, Event

FAILED = 1


def register(app: typer.Typer) -> None:
    app.command()(audit)


def audit(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Class folders, or a folder that holds train/, val/, test/.")
    ],
    fail_on: Annotated[
        Literal["error", "warning"] | None,
        typer.Option("--fail-on", help="Exit with status 1 when there is a finding at least as severe."),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Look for duplicates, contradicting labels, leaks between splits, shortcuts and broken images."""
    from breastai.commands.effective_config import image_place, workspace_config
    from breastai.commands.run_job import run_job
    from breastai.domain.jobs import Audit
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    root = image_place(folder, place)
    config = workspace_config(place)
    rule, frames = config.evaluation.patient_id, config.preprocessing.frames
    with open_output(as_json) as output:
        watching = _Watching(output)
        status = run_job(Audit(workspace=str(place.root), data=root, patient_id=rule, frames=frames), watching)
    severe = {"error": {"error"}, "warning": {"error", "warning"}, None: set()}[fail_on]
    return FAILED if status == 0 and watching.severities & severe else status


class _Watching(ForwardedOutput):
    """Passes everything on, and remembers how severe the findings were."""

    def __init__(self, output: Output) -> None:
        super().__init__(output)
        self.severities: set[str] = set()

    def event(self, event: Event) -> None:
        if isinstance(event, AuditDone):
            self.severities = {finding.severity for finding in event.findings}
        super().event(event)
