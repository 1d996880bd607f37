"""The layouts that are recognised, one row each, and what a place is read as: the row that fits it best.

Adding a layout is a module with its row, and the row in RECOGNISERS.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from breastai.data.sources.recognition.array_layouts import MEDMNIST
from breastai.data.sources.recognition.class_layouts import CLASS_FOLDERS, IMAGE_FOLDER, PATIENT_FOLDERS
from breastai.data.sources.recognition.finding_lists import FINDING_LIST
from breastai.data.sources.recognition.histology import BREAKHIS, IDC
from breastai.data.sources.recognition.mammography import (
    CBIS_DDSM,
    CMMD,
    INBREAST,
    KAU_BCMD,
    MINI_MIAS,
    RSNA,
    VINDR_MAMMO,
)
from breastai.data.sources.recognition.named_classes import NAMED_CLASSES
from breastai.data.sources.recognition.recogniser import Reading, Recogniser, folder_of
from breastai.data.sources.recognition.survey import Survey, survey
from breastai.data.sources.recognition.table_beside import with_table_beside
from breastai.data.sources.recognition.table_layouts import HUGGING_FACE, LABELS_TABLE, table_reading
from breastai.data.sources.recognition.ultrasound import BREAST, BUS_BRA, BUS_UCLM, BUSI, UDIAT
from breastai.data.sources.recognition.unlabelled_layouts import DICOM_EXPORT
from breastai.domain.case_fields import ColumnRule, FolderRule, Role
from breastai.domain.data_locations import TABLE_ENDINGS
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.text import Text

RECOGNISERS: tuple[Recogniser, ...] = (
    *(BUSI, BUS_BRA, BREAST, BUS_UCLM, UDIAT),
    *(MINI_MIAS, CBIS_DDSM, INBREAST, CMMD, RSNA, VINDR_MAMMO, KAU_BCMD),
    *(IDC, BREAKHIS, MEDMNIST),
    *(
        FINDING_LIST,
        HUGGING_FACE,
        LABELS_TABLE,
        CLASS_FOLDERS,
        IMAGE_FOLDER,
        PATIENT_FOLDERS,
        NAMED_CLASSES,
        DICOM_EXPORT,
    ),
)

# Folders that hold tables beside the folders of images.
_TABLE_FOLDERS = frozenset({"csv", "tables", "table", "metadata", "meta", "labels", "annotations", "clinical", "info"})

_PLAIN = frozenset({"class_folders", "image_folder", "busi"})


class Recognised(NamedTuple):
    """What a place is read as: the `row` that fits it best, None where none does, and its reading."""

    survey: Survey
    row: Recogniser | None
    reading: Reading | None


def recognise(place: Path) -> Recognised:
    """Return what lies at a place and how it would be read, by names, tables and a few headers alone."""
    if is_table(place):
        return read_survey(survey(place.parent), place.name)
    return read_survey(survey(place))


def is_table(place: Path) -> bool:
    """Return whether a place is a table, read with the images beside it."""
    return place.suffix.lower() in TABLE_ENDINGS and place.is_file()


def read_survey(seen: Survey, table: str | None = None, columns: Mapping[Role, str] | None = None) -> Recognised:
    """Return what a survey shows and how that would be read; by a `table` where one is named, and its `columns`."""
    found = [(_fitted(seen, reading), row) for row in RECOGNISERS if (reading := row.recognise(seen)) is not None]
    if table is not None:
        found = [item for item in found if _reads(item[0], table)] if not columns else []
        named = table_reading(seen, only=table, columns=columns)
        found += [] if named is None else [(named, LABELS_TABLE)]
    if not found:
        return Recognised(seen, None, None)
    # A reading with labels before one without; of equals the first row.
    reading, row = max(found, key=lambda item: (item[0].description is not None, item[0].score))
    if reading.description is not None and reading.is_published:
        said = {"citation": row.citation, "licence": row.licence}
        reading = replace(reading, description=reading.description.model_copy(update=said))
    beside = next((other for other, of in found if of is LABELS_TABLE and row.name in _PLAIN), None)
    if beside is not None and beside.description is not None:
        doubt = Text("doubt.table_ignored", {"table": beside.description.tables[0].file})
        reading = replace(reading, doubts=(*reading.doubts, doubt))
    if table is None and row.name in (*_PLAIN, NAMED_CLASSES.name):
        reading = with_table_beside(seen, reading)
    return Recognised(seen, row, reading)


def _fitted(seen: Survey, reading: Reading) -> Reading:
    """Return a reading whose score counts only the images that lie about its tables."""
    if reading.description is None or not reading.description.tables or not seen.images:
        return reading
    folders = {_about(seen, table.file) for table in reading.description.tables}
    below = sum(any(not folder or file.startswith(f"{folder}/") for folder in folders) for file in seen.images)
    return replace(reading, score=reading.score * below / len(seen.images))


def _about(seen: Survey, table: str) -> str:
    """Return the folder of the images that a table speaks of: its own, or the next above that holds some."""
    folder = folder_of(table)
    if PurePosixPath(folder).name.lower() in _TABLE_FOLDERS:
        folder = folder_of(folder)
    while folder and not any(file.startswith(f"{folder}/") for file in seen.images):
        folder = folder_of(folder)
    return folder


def _reads(reading: Reading, table: str) -> bool:
    return reading.description is not None and table in [each.file for each in reading.description.tables]


def is_plain(description: DatasetDescription, place: Path) -> bool:
    """Return whether a place is read without a description: class folders, and tables whose columns are named plainly."""
    if place.is_file():
        one = len(description.tables) == 1 and description.tables[0].sheet is None
        one = one and [join.role for join in description.tables[0].join] == ["file"]
        plain = one and isinstance(description.fields.get("label"), ColumnRule)
        return description.layout == LABELS_TABLE.name and plain and not description.class_map
    levels = {role: rule.folder for role, rule in description.fields.items() if isinstance(rule, FolderRule)}
    whole = not description.tables and all(rule.pattern is None for rule in description.fields.values())
    parts_first = whole and levels in ({"label": 1}, {"split": 1, "label": 2}) and not description.class_map
    return description.layout in _PLAIN and parts_first and len(levels) == len(description.fields)
