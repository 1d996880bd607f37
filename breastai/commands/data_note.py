"""The first line of a job: what the data it reads were recognised as."""

from collections.abc import Iterator
from pathlib import Path

from breastai.domain.data_locations import is_remote
from breastai.domain.errors import BreastAIError
from breastai.domain.events import Log
from breastai.domain.jobs import Job, Train
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace


def read_as(job: Job) -> Iterator[Log]:
    """Yield lines for each place that a job reads by a description: what it is read as, and what is doubtful of that."""
    from breastai.data.sources.place_description import ASKED_BY_A_RUN, describe_place, doubts_of_place, is_described

    workspace = Workspace(Path(job.workspace))
    config = getattr(job, "config", None)
    places = [*job.images_read, *([] if config is None else [config.data.train_dir])]
    for place in dict.fromkeys(places):
        path = workspace.resolve(place)
        try:
            if is_remote(place) or not path.exists() or not is_described(path):
                continue
            layout = Text(f"layout.{describe_place(path).layout}")
            doubts = doubts_of_place(path)
        except BreastAIError:  # told when it is read
            continue
        yield Log.of("info", Text("log.data_read_as", {"path": place, "layout": layout}))
        if not isinstance(job, Train):  # a run tells them itself
            yield from (Log.of("warning", doubt) for doubt in doubts if doubt.code not in ASKED_BY_A_RUN)
