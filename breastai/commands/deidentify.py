"""`deidentify`: a copy of a set of images fit for sharing."""

from pathlib import Path
from typing import Annotated

import typer

from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output


def register(app: typer.Typer) -> None:
    app.command()(deidentify)


def deidentify(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Images, DICOM or others, in any folders; or the name of a data set.")
    ],
    target: Annotated[str, typer.Argument(metavar="OUT", help="An empty or new folder.")],
    classes: Annotated[
        str,
        typer.Option(
            help="Names of class folders to keep, with commas between them. Of others only usual words for a class "
            "are kept (benign, malin, BI-RADS 4a ...); every other name could be a patient's and becomes a hash."
        ),
    ] = "",
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Copy images without what tells who the patient is. Text in the pixels stays: look at them before sharing."""
    from breastai.data.privacy.deidentification import TABLE
    from breastai.data.privacy.deidentification import deidentify as copies
    from breastai.data.sources.case_source import read_cases
    from breastai.data.sources.place_description import is_case_list
    from breastai.domain.errors import FolderNotEmpty, PathNotFound
    from breastai.domain.text import Text
    from breastai.storage.remote_mirror import dataset_place
    from breastai.storage.salt import project_salt
    from breastai.storage.workspace import Workspace, naming_full_disk

    place = Workspace.open(workspace)
    described = dataset_place(place.root, folder)
    named = Path(folder).expanduser().resolve() if described is None else described
    cases = read_cases(named, ()) if is_case_list(named) else None
    source = named if cases is None else cases.root
    out = Path(target).expanduser().resolve()
    if not source.is_dir():
        raise PathNotFound(folder)
    there = next(out.iterdir(), None) if out.is_dir() else None
    if there is not None:
        raise FolderNotEmpty(target, there.name)
    salt = project_salt(place)
    with open_output(as_json) as output, naming_full_disk(out):
        given = [_checked(name.strip()) for name in classes.split(",") if name.strip()]
        done = list(copies(source, out, salt, given, cases))
        written = [each for each in done if each.written]
        reasons: dict[Text | str, int] = {}
        for each in done:
            if each.reason is not None:
                reasons[each.reason] = reasons.get(each.reason, 0) + 1
        values = {
            "type": "deidentified",
            "written": len(written),
            "patients": len({each.patient_id for each in written}),
            "table": TABLE,
            "left_out": {str(reason): count for reason, count in reasons.items()},
            "hashed_classes": sum(each.hashed_class for each in written),
        }
        lines = [say("cli.deidentified", images=len(written), folder=target, table=f"{target}/{TABLE}")]
        lines += [say("cli.deidentified.left_out", count=count, reason=reason) for reason, count in reasons.items()]
        if values["hashed_classes"]:
            lines.append(say("cli.deidentified.hashed", count=values["hashed_classes"], folder=target))
        lines.append(say("cli.deidentified.burned"))
        output.result(values, "\n".join(lines))
    return 0 if written else 2


def _checked(name: str) -> str:
    """Return the name of a class; raise NameInvalid unless it can be that of one folder."""
    from breastai.domain.errors import NameInvalid

    if (
        not name.isprintable()
        or any(sign in name for sign in '/\\:*?"<>|')
        or name.strip(". ") != name
        or len(name) > 100
    ):
        raise NameInvalid(name[:100], "the name of one folder, at most 100 letters")
    return name
