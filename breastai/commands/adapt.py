"""`adapt`: a checkpoint adapted to a site without retraining, and judged on the images that it did not use."""

from typing import Annotated

import typer

from breastai.commands.evaluate import MapOption, SampleSeedOption, class_map_of
from breastai.commands.options import CURRENT_FOLDER, JsonOption, SplitOption, WorkspaceOption
from breastai.commands.output import open_output


def register(app: typer.Typer) -> None:
    app.command()(adapt)


def adapt(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CHECKPOINT", help="latest, RUN, RUN/best, or the path of a checkpoint.")
    ],
    data: Annotated[str, typer.Option("--data", metavar="DIR", help="Labelled images of the site.")],
    local_sample: Annotated[
        float,
        typer.Option(
            "--local-sample",
            metavar="SHARE",
            min=0,
            help="A share of the site's patients below 1 or a number of them, which adapt the model; it is judged on the "
            "rest.",
        ),
    ],
    name: Annotated[
        str | None, typer.Option("--name", metavar="RUN", help="What the adapted one is called [default: made up].")
    ] = None,
    split: SplitOption = None,
    maps: MapOption = None,
    sample_seed: SampleSeedOption = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Adapt a checkpoint to a site: batch-norm statistics, last layer and decision rule on a local sample.

    The model stays as it was; the adapted one is a checkpoint of its own, judged on the site's other images.
    """
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.effective_config import image_place
    from breastai.commands.run_job import run_job
    from breastai.domain.errors import CommandInvalid
    from breastai.domain.jobs import AdaptModel
    from breastai.domain.text import Text
    from breastai.storage.checkpoints import adapted_run_id, checkpoint_kinds
    from breastai.storage.workspace import Workspace, safe_name

    place = Workspace.open(workspace)
    if local_sample <= 0:
        raise CommandInvalid(Text("command.missing", {"name": "--local-sample"}), "breastai adapt --help")
    run_id = adapted_run_id(place) if name is None else safe_name(name)
    if name is not None and (checkpoint_kinds(place, run_id) or place.run_dir(run_id).is_dir()):
        raise CommandInvalid(Text("command.run_exists", {"name": run_id}), "breastai adapt --help")
    job = AdaptModel(
        workspace=str(place.root),
        checkpoint=checkpoint_name(place, checkpoint),
        run_id=run_id,
        data=image_place(data, place),
        split=split,
        class_map=class_map_of(maps or []),
        local_sample=local_sample,
        sample_seed=sample_seed,
    )
    with open_output(as_json) as output:
        return run_job(job, output)
