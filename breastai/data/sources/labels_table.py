"""A labels table: a file that says of each image which class it is of, and whose it is where it says so; as a description.

Images lie anywhere below the table's folder. A column is known by its name; of several for the same the first counts.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from breastai.data.user_tables import TableUnreadable, UserTable, plain_name, read_table
from breastai.domain.case_fields import BoxForm, BoxRule, ColumnRule, FieldRule, Role
from breastai.domain.data_locations import TABLE_ENDINGS
from breastai.domain.dataset_description import DatasetDescription, Join, LabelsTable
from breastai.domain.errors import LabelsInvalid, PathNotFound
from breastai.domain.text import Text

# What columns are called, without regard to case, spaces and signs between words.
COLUMN_NAMES: Mapping[Role, tuple[str, ...]] = {
    "file": (
        *("file", "filename", "filepath", "image", "imagename", "imagefile", "imagepath", "imageid", "path", "img"),
        *("fichier", "datei", "id"),
    ),
    "label": (
        *("label", "class", "classname", "diagnosis", "pathology", "classification", "target", "cancer", "malignancy"),
        *("malignant", "category", "etiquette", "classe", "klasse", "diagnostic", "diagnose"),
    ),
    "patient": ("patientid", "patient", "subject", "subjectid", "case", "caseid", "patiente", "patientin"),
    "breast": ("breast", "laterality", "side", "leftright", "leftorrightbreast", "cote", "seite"),
    "view": ("view", "viewposition", "imageview", "incidence"),
    "exam": ("exam", "examid", "studyid", "study", "studyinstanceuid"),
    "split": ("split", "part", "subset", "partition", "set"),
    "fold": ("fold", "kfold", "foldid"),
    "site": ("site", "siteid", "hospital", "center", "centre"),
    "device": ("device", "machineid", "machine", "manufacturer", "scanner", "appareil"),
    "age": ("age", "patientage"),
    "density": ("density", "breastdensity", "densite"),
    "birads": ("birads", "biradsassessment", "breastbirads", "assessment"),
    "box": ("bbox", "box"),
    "mask": ("mask", "maskfile", "maskpath", "maskfilename"),
}
# Columns that say together where a lesion is, by how they say it; the corners first, which leave no doubt.
_BOX_COLUMNS: tuple[tuple[BoxForm, tuple[str, ...]], ...] = (
    ("xyxy", ("xmin", "ymin", "xmax", "ymax")),
    ("xyxy", ("x1", "y1", "x2", "y2")),
    ("xyxy", ("left", "top", "right", "bottom")),
    ("xywh", ("xmin", "ymin", "width", "height")),
    ("xywh", ("bboxx", "bboxy", "bboxwidth", "bboxheight")),
    ("xywh", ("bboxx", "bboxy", "bboxw", "bboxh")),
    ("xywh", ("x", "y", "width", "height")),
    ("xywh", ("x", "y", "w", "h")),
)
_NO_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def is_labels_table(place: Path) -> bool:
    """Return whether a place is a file that can only be meant as a table."""
    return place.suffix.lower() in TABLE_ENDINGS and place.is_file()


def describe_table(place: Path) -> DatasetDescription:
    """Return the description of the images that the table at `place` labels; raise PathNotFound and LabelsInvalid."""
    if not place.is_file():
        raise PathNotFound(place.as_posix())
    table = _table(place)
    columns = known_columns(table)
    if not {"file", "label"} <= columns.keys():
        there = list(table.columns) or ["—"]
        raise LabelsInvalid(place.name, Text("reason.expected_file_and_label", {"columns": there}))
    return DatasetDescription(
        name=dataset_name(place.stem),
        root=place.absolute().parent.as_posix(),
        tables=(LabelsTable(file=place.name, join=(Join(column=columns["file"]),)),),
        fields={
            **{role: ColumnRule(column=name) for role, name in columns.items() if role != "file"},
            **box_fields(table),
        },
    )


def known_columns(table: UserTable) -> dict[Role, str]:
    """Return the columns of a table whose names say what they hold, by role."""
    plain = {plain_name(name): name for name in reversed(table.columns)}
    found: dict[Role, str] = {}
    for role, names in COLUMN_NAMES.items():
        name = next((plain[each] for each in names if each in plain), None)
        if name is not None:
            found[role] = name
    return found


def box_fields(table: UserTable) -> dict[Role, FieldRule]:
    """Return how the lesion of an image is found by several columns of a table; nothing where there are none such."""
    plain = {plain_name(name): name for name in reversed(table.columns)}
    for form, names in _BOX_COLUMNS:
        if all(name in plain for name in names):
            return {"box": BoxRule(columns=tuple(plain[name] for name in names), form=form)}
    return {}


def dataset_name(text: str) -> str:
    """Return a name for a data set, made of that of a file or folder."""
    return _NO_NAME.sub("-", text).strip("-._")[:100] or "dataset"


def _table(place: Path) -> UserTable:
    try:
        return read_table(place)
    except TableUnreadable as fault:
        raise LabelsInvalid(place.name, fault.reason) from None
