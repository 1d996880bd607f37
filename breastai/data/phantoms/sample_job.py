"""The job that makes the sample data set of a workspace, for whoever tries BreastAI without images."""

from collections.abc import Iterator

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.events import Event, SampleDataMade
from breastai.domain.jobs import MakeSampleData
from breastai.storage.workspace import Workspace, naming_full_disk

# Enough for curves that mean something, few enough for figures within a minute.
_PER_CLASS = 40


def make_sample_data(job: MakeSampleData, workspace: Workspace) -> Iterator[Event]:
    """Write the sample images, over those of before."""
    target = workspace.resolve(job.path)
    with naming_full_disk(target):
        made = write_sample_data(target, _PER_CLASS)
    yield SampleDataMade(path=workspace.relative(target), images=made.images, patients=made.patients)
