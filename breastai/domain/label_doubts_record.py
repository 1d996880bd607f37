"""The images whose labels are in doubt, as they are kept: which, by what, and what a person says of each."""

from typing import Literal

from pydantic import Field

from breastai.domain.records import Number
from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.text import Text

DoubtDecision = Literal["undecided", "keep", "leave_out", "relabel"]


class LabelDoubt(Stored):
    """An image whose label a model that never saw it, or an image like it, contradicts; the most doubtful first."""

    file: str = Field(description="Relative to the folder, forward slashes.")
    label: str
    suggested: str
    given_to_label: float
    given_to_suggested: float
    doubt: float = Field(
        description="What the list goes by: 1 less what its label gets, and half the share of its near-duplicates that "
        "say otherwise; from 0 to 1.5."
    )
    likely: bool = Field(
        description="Whether the suggestion reaches what its class gets on average, and the label not."
    )
    twin: str | None = Field(None, description="A near-duplicate with another label.")
    twin_label: str | None = None
    picture: str | None = Field(None, description="A small JPEG as a data URI; not kept.")
    twin_picture: str | None = None
    dataset_file: str | None = Field(None, description="As the kept data set names it.")
    decision: DoubtDecision = "undecided"
    note: str = ""


class PlantedCheck(Stored):
    """Labels changed on purpose in several rounds, and how many of them came in the first `share` of the list."""

    planted: int
    found: int
    share: float


class LabelDoubts(StoredDocument):
    """All images of a folder by how doubtful their labels are. `part`: that of the folder they are of."""

    notice: str
    created: str
    breastai: str
    doubts_id: str
    data: str
    dataset: str | None = Field(None, description="The data set that is kept, in which images can be corrected.")
    part: str | None = None
    method: Literal["probe", "crossval"]
    images: int
    class_names: list[str]
    log_loss: Number = Field(None, description="Of the probabilities that were held out; chance is log of the classes.")
    likely: int = Field(description="Images that are likely mislabelled.")
    twins: int = Field(description="Images with a near-duplicate of another label.")
    check: PlantedCheck | None = Field(None, description="What the same list finds of errors planted on purpose.")
    doubts: list[LabelDoubt]
    notes: list[Text | str] = []
