"""The first line of a job: what the data it reads were recognised as."""

from collections.abc import Iterator
from pathlib import Path

from breastai.domain.data_locations import is_remote
from breastai.domain.errors import BreastAIError
from breastai.domain.events import Log
from breastai.domain.jobs import Job
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace


def read_as(job: Job) -> Iterator[Log]:
    """Yield a line for each place that a job reads by a description: what it is read as."""
    from breastai.data.sources.place_description import describe_place, is_described

    workspace = Workspace(Path(job.workspace))
    config = getattr(job, "config", None)
    places = [*job.images_read, *([] if config is None else [config.data.train_dir])]
    for place in dict.fromkeys(places):
        path = workspace.resolve(place)
        try:
            if is_remote(place) or not path.exists() or not is_described(path):
                continue
            layout = Text(f"layout.{describe_place(path).layout}")
        except BreastAIError:  # told when it is read
            continue
        yield Log.of("info", Text("log.data_read_as", {"path": place, "layout": layout}))
