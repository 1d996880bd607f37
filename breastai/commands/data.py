"""`data`: what a folder or table would be read as, and the data sets of a workspace: kept, listed, shown, forgotten."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from breastai.commands import data_corrections
from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import Output, open_output
from breastai.domain.errors import CommandInvalid
from breastai.domain.text import Text

if TYPE_CHECKING:
    from breastai.domain.dataset_inspection import DatasetInspection, ReadingChanges
    from breastai.storage.workspace import Workspace

PlaceArgument = Annotated[str, typer.Argument(metavar="PATH", help="A folder, a labels table or an .npz file.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the data set.")]
FileOption = Annotated[str | None, typer.Option("--file", metavar="COLUMN", help="Column that names the image.")]
TableOption = Annotated[str | None, typer.Option("--table", metavar="FILE", help="The table that says the classes.")]
LabelOption = Annotated[
    str | None,
    typer.Option(
        "--label", metavar="RULE", help="Where the class is: a column, folder:N, path:PATTERN, header:NAME, constant:X."
    ),
]
PatientOption = Annotated[str | None, typer.Option("--patient", metavar="RULE", help="Where the patient is; or none.")]
BreastOption = Annotated[str | None, typer.Option("--breast", metavar="RULE", help="Where the side is.")]
ViewOption = Annotated[str | None, typer.Option("--view", metavar="RULE", help="Where the view is.")]
SplitOption = Annotated[str | None, typer.Option("--split", metavar="RULE", help="Where the part is; or none.")]
FoldOption = Annotated[str | None, typer.Option("--fold", metavar="RULE", help="Where the fold is.")]
SiteOption = Annotated[str | None, typer.Option("--site", metavar="RULE", help="Where the site is.")]
MapOption = Annotated[
    list[str] | None,
    typer.Option("--map", metavar="VALUE=CLASS", help="What a value means; VALUE= leaves it out. Once for each."),
]
FilterOption = Annotated[
    list[str] | None,
    typer.Option("--filter", metavar="COLUMN=VALUES", help="Only rows with one of these; COLUMN!=VALUES: none."),
]
TargetOption = Annotated[str | None, typer.Option("--target", metavar="CLASS", help="The class in question.")]
OrderedOption = Annotated[
    str | None, typer.Option("--ordered", metavar="A,B,C", help="The classes as a scale, the lowest first.")
]
# What the options from --label to --site give a rule for.
_ROLES = ("label", "patient", "breast", "view", "split", "fold", "site")


def register(app: typer.Typer) -> None:
    data = typer.Typer(
        name="data", help="Data sets: what a place would be read as, and those that are kept.", no_args_is_help=True
    )
    data.command("inspect")(inspect_data)
    data.command("add")(add_data)
    data.command("list")(list_data)
    data.command("show")(show_data)
    data.command("remove")(remove_data)
    data_corrections.register(data)
    app.add_typer(data)


def inspect_data(
    place: PlaceArgument,
    table: TableOption = None,
    file: FileOption = None,
    label: LabelOption = None,
    patient: PatientOption = None,
    breast: BreastOption = None,
    view: ViewOption = None,
    split: SplitOption = None,
    fold: FoldOption = None,
    site: SiteOption = None,
    values: MapOption = None,
    filters: FilterOption = None,
    target: TargetOption = None,
    ordered: OrderedOption = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Say what a place would be read as: layout, classes, patients, parts, masks, and what is doubtful."""
    from breastai.commands.inspection_text import inspection_lines
    from breastai.storage.workspace import Workspace

    rules = (label, patient, breast, view, split, fold, site)
    changes = _changes(rules, values, filters, target, table, file, ordered)
    with open_output(as_json) as output:
        inspection = _inspect(place, changes, Workspace(workspace.expanduser().resolve()), output)
        output.result(inspection.summary(), "\n".join(inspection_lines(inspection, place)))
    return 0


def add_data(
    name: NameArgument,
    place: PlaceArgument,
    table: TableOption = None,
    file: FileOption = None,
    label: LabelOption = None,
    patient: PatientOption = None,
    breast: BreastOption = None,
    view: ViewOption = None,
    split: SplitOption = None,
    fold: FoldOption = None,
    site: SiteOption = None,
    values: MapOption = None,
    filters: FilterOption = None,
    target: TargetOption = None,
    ordered: OrderedOption = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Keep how a place is read under a name, which --data then takes. Images stay where they are."""
    from breastai.commands.inspection_text import inspection_lines
    from breastai.storage.kept_datasets import keep_dataset
    from breastai.storage.workspace import Workspace

    rules = (label, patient, breast, view, split, fold, site)
    changes = _changes(rules, values, filters, target, table, file, ordered)
    kept = Workspace.open(workspace)
    with open_output(as_json) as output:
        inspection = keep_dataset(kept, name, _inspect(place, changes, kept, output))
        lines = [*inspection_lines(inspection, name), say("cli.data.added", name=name)]
        output.result({**inspection.summary(), "type": "dataset_added", "name": name}, "\n".join(lines))
    return 0


def list_data(workspace: WorkspaceOption = CURRENT_FOLDER, as_json: JsonOption = False) -> int:
    """List the data sets that are kept."""
    from breastai.storage.kept_datasets import list_datasets
    from breastai.storage.workspace import Workspace

    entries = list_datasets(Workspace.open(workspace))
    with open_output(as_json) as output:
        lines = [
            say("cli.data.listed", name=entry.name, layout=say(f"layout.{entry.layout}"), root=entry.root)
            if entry.problem is None
            else say("cli.data.listed_problem", name=entry.name, problem=entry.problem)
            for entry in entries
        ]
        values = {"type": "datasets_list", "datasets": [entry.model_dump(mode="json") for entry in entries]}
        output.result(values, "\n".join(lines or [say("cli.data.none")]))
    return 0


def show_data(name: NameArgument, workspace: WorkspaceOption = CURRENT_FOLDER, as_json: JsonOption = False) -> int:
    """Show the description of a data set, which a text editor may change: datasets/NAME.json."""
    import json

    from breastai.storage.datasets import read_dataset
    from breastai.storage.workspace import Workspace

    description = read_dataset(Workspace.open(workspace), name).model_dump(mode="json", exclude_defaults=True)
    with open_output(as_json) as output:
        values = {"type": "dataset_description", **description}
        output.result(values, json.dumps(description, indent=2, ensure_ascii=False))
    return 0


def remove_data(name: NameArgument, workspace: WorkspaceOption = CURRENT_FOLDER, as_json: JsonOption = False) -> int:
    """Forget a data set. Its images stay where they are."""
    from breastai.storage.datasets import delete_dataset
    from breastai.storage.workspace import Workspace

    delete_dataset(Workspace.open(workspace), name)
    with open_output(as_json) as output:
        output.result({"type": "dataset_deleted", "name": name}, say("cli.data.removed", name=name))
    return 0


def _inspect(place: str, changes: "ReadingChanges", workspace: "Workspace", output: Output) -> "DatasetInspection":
    """Return what lies at a place, telling how far that is."""
    from breastai.data.cases.inspection import inspect_steps
    from breastai.domain.dataset_inspection import DatasetInspection
    from breastai.domain.errors import PathNotFound
    from breastai.domain.events import ProgressUpdate

    inspection = None
    for step in inspect_steps(Path(place).expanduser().resolve(), changes, workspace.root):
        if isinstance(step, DatasetInspection):
            inspection = step
        else:
            output.event(ProgressUpdate(stage="inspecting", text=Text("progress.files_seen", {"count": step})))
    if inspection is None:
        raise PathNotFound(place)
    return inspection


def _changes(
    rules: Sequence[str | None],
    values: list[str] | None,
    filters: list[str] | None,
    target: str | None,
    table: str | None,
    file: str | None,
    ordered: str | None,
) -> "ReadingChanges":
    """Return what the options change, `rules` in the order of _ROLES; raise CommandInvalid."""
    from pydantic import ValidationError

    from breastai.domain.dataset_inspection import ReadingChanges

    given: dict[str, Any] = {
        "fields": {role: _rule(rule) for role, rule in zip(_ROLES, rules, strict=True) if rule is not None}
    }
    given |= {"table": table, "file_column": file, "target_class": target}
    given["class_map"] = dict(_mapped(value) for value in values or [])
    if ordered:
        given["ordered"] = [name.strip() for name in ordered.split(",") if name.strip()]
    if filters:
        given["filters"] = [_filter(value) for value in filters]
    try:
        return ReadingChanges.model_validate({key: value for key, value in given.items() if value})
    except ValidationError as error:
        raise CommandInvalid(str(error.errors()[0]["msg"]), "breastai data add --help") from None


def _rule(text: str) -> Any:
    """Return a rule as an option gives it: a column's name, or folder:-2, path:PATTERN, header:patient_id, none."""
    key, colon, value = text.partition(":")
    if text.lower() == "none":
        return None
    if colon and key in ("folder", "path", "header", "constant", "column"):
        return {key: int(value) if key == "folder" and value.lstrip("-").isdigit() else value}
    return text


def _mapped(text: str) -> tuple[str, str | None]:
    value, equals, name = text.rpartition("=")
    if not equals or not value:
        raise CommandInvalid(Text("command.data_map", {"value": text}), "breastai data add --help")
    return value.strip(), name.strip() or None


def _filter(text: str) -> dict[str, Any]:
    column, unequal, values = text.partition("!=")
    if not unequal:
        column, equals, values = text.partition("=")
        if not equals:
            raise CommandInvalid(Text("command.data_filter", {"value": text}), "breastai data add --help")
    chosen = [value.strip() for value in values.split(",")]
    return {"column": column.strip(), "none_of" if unequal else "one_of": chosen}
