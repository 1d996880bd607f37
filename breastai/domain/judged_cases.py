"""Judged images as a table shows them: which are asked for, in which order, and what each row holds."""

from typing import Literal

from pydantic import Field

from breastai.domain.stored import Stored
from breastai.domain.text import Text

JudgedOrder = Literal[
    "file", "patient", "label", "predicted", "probability", "given_to_truth", "probability_of_target", "refer"
]
MOST_JUDGED = 1000


class JudgedFilter(Stored):
    """Which judged images are meant: those of which all that is given here is so, and nothing of what is null."""

    search: str = Field("", max_length=200, description="Words that must all stand in the name or be of the patient.")
    label: str | None = Field(None, max_length=200, description="The true class.")
    predicted: str | None = Field(None, max_length=200, description="The most probable class.")
    right: bool | None = None
    refer: bool | None = None
    corrected: bool | None = Field(None, description="Whether a person has left it out or relabelled it since.")
    subgroup: str | None = Field(None, max_length=200)
    subgroup_value: str | None = Field(None, max_length=1000)
    numbers: list[int] | None = Field(None, max_length=MOST_JUDGED, description="Places in the evaluation's record.")


class JudgedImage(Stored):
    """An image that was judged. `number`: its place in the evaluation's record; `file` null where it is no longer found."""

    number: int
    file: str | None = None
    patient: str | None = None
    label: str
    predicted: str
    probability: float = Field(description="Of the class predicted.")
    given_to_truth: float
    probability_of_target: float | None = None
    refer: bool | None = None
    refer_reason: str | None = None
    novelty: float | None = None
    subgroups: dict[str, str] = {}
    dataset_file: str | None = Field(None, description="Its name in the data set that is kept.")
    correction: Literal["exclude", "relabel"] | None = Field(None, description="What a person made of it since.")
    correction_label: str | None = None
    correction_note: str = ""


class JudgedPictures(Stored):
    """An image and what was laid over it, each as a data URI; null: there is none."""

    image: str | None = None
    mask: str | None = Field(None, description="The image with its lesion outlined, as a mask or a box marks it.")
    heat_map: str | None = None
    problem: Text | str | None = None
    path: str | None = Field(None, description="Where the image lies, as other requests take it.")
