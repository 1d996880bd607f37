"""`plan`: how many patients a study needs."""

from typing import Annotated, Any, Literal

import typer

from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import open_output


def register(app: typer.Typer) -> None:
    app.command()(plan)


def plan(
    purpose: Annotated[
        Literal["development", "validation"],
        typer.Argument(metavar="PURPOSE", help="development of a model, or validation of one."),
    ],
    prevalence: Annotated[float, typer.Option("--prevalence", help="Share of the target class.")],
    auc: Annotated[float, typer.Option("--auc", help="The AUC that is expected.")],
    parameters: Annotated[
        int | None, typer.Option("--parameters", help="Of a development: candidate predictor parameters [default: 10].")
    ] = None,
    r_squared: Annotated[
        float | None,
        typer.Option("--r-squared", help="Of a development: Cox and Snell's R2 [default: as the AUC implies]."),
    ] = None,
    sensitivity: Annotated[float | None, typer.Option("--sensitivity", help="Of a validation.")] = None,
    specificity: Annotated[float | None, typer.Option("--specificity", help="Of a validation.")] = None,
    auc_width: Annotated[
        float | None, typer.Option("--auc-width", help="Of the AUC's 95 % interval [default: 0.1].")
    ] = None,
    share_width: Annotated[
        float | None, typer.Option("--share-width", help="Of sensitivity's and specificity's [default: 0.1].")
    ] = None,
    slope_width: Annotated[
        float | None, typer.Option("--slope-width", help="Of the calibration slope's [default: 0.2].")
    ] = None,
    oe_width: Annotated[
        float | None, typer.Option("--oe-width", help="Of observed to expected's [default: 0.2].")
    ] = None,
    images: Annotated[
        float | None, typer.Option("--images-per-patient", help="How many images a patient has [default: 1].")
    ] = None,
    icc: Annotated[
        float | None, typer.Option("--icc", help="How alike the images of a patient are, 0 to 1 [default: 0.5].")
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Say how many patients a study needs, by Riley's criteria and for intervals as narrow as wanted."""
    from breastai.commands.run_job import run_job
    from breastai.domain.jobs import PlanStudy
    from breastai.storage.workspace import Workspace

    said: dict[str, Any] = {
        "purpose": purpose,
        "prevalence": prevalence,
        "auc": auc,
        "parameters": parameters,
        "r_squared": r_squared,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "auc_width": auc_width,
        "share_width": share_width,
        "slope_width": slope_width,
        "oe_width": oe_width,
        "images_per_patient": images,
        "icc": icc,
    }
    given = {name: value for name, value in said.items() if value is not None}
    place = Workspace.open(workspace)
    with open_output(as_json) as output:
        return run_job(PlanStudy.model_validate({"workspace": str(place.root), "assumptions": given}), output)
