"""A recogniser: one row for each layout; what it looks for, and how cases are read from what it finds."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from breastai.data.sources.recognition.survey import Survey
from breastai.data.sources.recognition.surveyed_table import SurveyedTable
from breastai.data.user_tables import plain_name
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.text import Text

# Classes by what a set writes, in today's words and in the order of their weight.
BENIGN_MALIGNANT = ("benign", "malignant")
NORMAL_BENIGN_MALIGNANT = ("normal", "benign", "malignant")
CLASS_LETTERS: Mapping[str, str] = {"b": "benign", "m": "malignant", "n": "normal"}
BIRADS_CLASSES: Mapping[str, str | None] = {"0": None, "1-3": "benign", "4-6": "malignant"}
SIDES: Mapping[str, str | None] = {"left": "L", "l": "L", "right": "R", "r": "R"}


@dataclass(frozen=True)
class Reading:
    """What a place was recognised as: how its cases are read, None where their labels are nowhere, and what is doubtful.

    `score`: how well the place fits, 0 to 1; readings of several layouts are compared by it. `is_published`: whether it is
    the set whose citation, licence and twins its recogniser knows, and no other in the same layout.
    """

    score: float
    description: DatasetDescription | None
    doubts: tuple[Text, ...] = ()
    is_published: bool = True


@dataclass(frozen=True)
class Recogniser:
    """A layout by its `name`: `recognise(survey)` is its reading, None where the place is something else.

    `citation`, `licence`, `homepage`: of a published set, what its authors ask for. `twins`: what of it is known to occur
    in other sets, or twice within it.
    """

    name: str
    recognise: Callable[[Survey], Reading | None]
    citation: str | None = None
    licence: str | None = None
    homepage: str | None = None
    twins: Text | None = None


def describe(survey: Survey, layout: str, root: Path | None = None, **known: Any) -> DatasetDescription:
    """Return a description of what lies at a place, or at a `root` in it; raise ValidationError where it is none."""
    place = (root or survey.place).absolute()
    return DatasetDescription.model_validate(
        {"name": dataset_name(place, layout), "layout": layout, "root": place.as_posix(), **known}
    )


def dataset_name(place: Path, layout: str) -> str:
    """Return a name for the data set at a place: that of its folder, or of its layout where that is none."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", place.stem if place.is_file() else place.name).strip("-._")[:100]
    return name or layout


def folder_of(file: str) -> str:
    """Return the folder in which a file lies, "" at the top."""
    folder = PurePosixPath(file).parent.as_posix()
    return "" if folder == "." else folder


def root_of(survey: Survey, file: str) -> Path:
    """Return the folder in which a file of a survey lies."""
    return (survey.place / file).parent


def common_folder(files: Sequence[str]) -> str:
    """Return the deepest folder in which all of some files lie, "" at the top."""
    if not files:
        return ""
    parts = [PurePosixPath(file).parts[:-1] for file in files]
    common: list[str] = []
    for level in zip(*parts, strict=False):
        if len(set(level)) > 1:
            break
        common.append(level[0])
    return "/".join(common)


def column_of(table: SurveyedTable, *names: str) -> str:
    """Return the column of a table called by one of some names; the first name where none is."""
    return table.column_named(*names) or names[0]


def keep_known(fields: Mapping[str, Mapping[str, Any]], table: SurveyedTable) -> dict[str, Mapping[str, Any]]:
    """Return the fields without those whose column a table has not."""
    return {
        role: rule
        for role, rule in fields.items()
        if "column" not in rule or plain_name(str(rule["column"])) in table.plain_columns
    }


def subgroups_of(fields: Mapping[str, object]) -> list[dict[str, str]]:
    """Return the subgroups that evaluations tell apart by the fields of a reading: the sites, where they are known."""
    return [{"name": "site", "role": "site"}] if "site" in fields else []
