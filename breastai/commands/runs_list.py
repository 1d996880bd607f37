"""`runs`: the runs of a workspace and what they take on disk; with --prune, what of it can go."""

from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.format_text import count_text, number
from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import Output, open_output
from breastai.domain.events import Log
from breastai.domain.text import Text

if TYPE_CHECKING:
    from breastai.domain.list_entries import RunEntry
    from breastai.storage.workspace import Workspace

_MIB = 2**20


def register(app: typer.Typer) -> None:
    app.command()(runs)


def runs(
    search: Annotated[str, typer.Argument(metavar="[WORDS]", help="Only runs with these words.")] = "",
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Say what complete runs keep beside their best weights; with --yes, delete it."),
    ] = False,
    confirmed: Annotated[bool, typer.Option("--yes", help="With --prune: delete.")] = False,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """List runs, the latest first, with what they take on disk.

    --prune frees the resume points of complete runs; best weights, journals, evaluations and reports stay. A pruned run
    can't be trained further.
    """
    from breastai.commands.effective_config import workspace_config
    from breastai.storage.disk_use import disk_use
    from breastai.storage.runs import RunSummaries
    from breastai.storage.workspace import Workspace

    place = Workspace.open(workspace)
    summaries = RunSummaries(place)
    found = summaries.list(search)
    with open_output(as_json) as output:
        if prune:
            _prune(place, found, confirmed, output)
            return 0
        for entry in found:
            output.result({"type": "run", **entry.model_dump(mode="json")}, _line(entry))
        total = sum(entry.size_bytes for entry in found)
        totals = {"type": "runs", "count": len(found), "size_bytes": total}
        output.result(totals, say("cli.runs.total", runs=count_text(len(found), "run"), size=_mib(total)))
        budget_gb = workspace_config(place).storage.disk_budget_gb
        if budget_gb is not None and (use := disk_use(place, summaries, budget_gb)).is_over:
            output.event(Log.of("warning", Text("log.disk.over_budget", use.in_gb)))
    return 0


def _line(entry: "RunEntry") -> str:
    state, auc = say(f"state.{entry.state}"), number(entry.metrics.get("auc_roc"))
    size = _mib(entry.size_bytes)
    return say("cli.runs.line", run=entry.run_id, state=state, what=entry.architecture or "", auc=auc, size=size)


def _prune(workspace: "Workspace", entries: "list[RunEntry]", confirmed: bool, output: Output) -> None:
    from breastai.storage.checkpoints import delete_checkpoint
    from breastai.storage.disk_use import checkpoint_paths, freed_bytes, spare_checkpoints

    names = list(spare_checkpoints(workspace, entries))
    files = {name: checkpoint_paths(workspace, name) for name in names}
    freed = freed_bytes(path for paths in files.values() for path in paths)
    for name in names:
        size_bytes = sum(path.stat().st_size for path in files[name])
        if confirmed:
            delete_checkpoint(workspace, name)
        key = "cli.runs.deleted" if confirmed else "cli.runs.spare"
        values = {"type": "spare_checkpoint", "checkpoint": name, "size_bytes": size_bytes, "is_deleted": confirmed}
        output.result(values, say(key, name=name, size=_mib(size_bytes)))
    key = "cli.runs.freed" if confirmed else "cli.runs.would_free"
    output.result({"type": "pruned", "size_bytes": freed, "is_deleted": confirmed}, say(key, size=_mib(freed)))


def _mib(size_bytes: int) -> str:
    return say("cli.runs.mib", size=size_bytes / _MIB)
