"""Why a table says no classes of images: several files in a cell, ids as powers of ten, a column or a list for each class."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from breastai.data.named_files import has_image_ending
from breastai.data.sources.recognition.column_guess import is_of_a_side
from breastai.data.sources.recognition.surveyed_table import SurveyedTable
from breastai.domain.class_words import meaning_of
from breastai.domain.text import Text

_POWER = re.compile(r"\d(?:[.,]\d+)?E\+\d+", re.IGNORECASE)
_PARTING = re.compile(r"[;,|\s]+")


def doubts_of_cells(file: str, table: SurveyedTable, images: Sequence[str]) -> Iterator[Text]:
    """Yield why no column of a table names images: several in a cell, ids as powers of ten."""
    names = {
        name for image in images for name in (PurePosixPath(image).name.lower(), PurePosixPath(image).stem.lower())
    }
    for column in table.columns:
        values = list(table.values[column])
        parts = [[PurePosixPath(part).name.lower() for part in _PARTING.split(value) if part] for value in values]
        if values and sum(len(each) > 1 and names.issuperset(each) for each in parts) > len(values) / 2:
            yield Text("doubt.several_files_in_cell", {"table": file, "column": column})
        elif values and sum(_POWER.fullmatch(value) is not None for value in values) > len(values) / 2:
            yield Text("doubt.ids_as_powers", {"table": file, "column": column, "value": values[0]})


def doubts_of_shape(tables: Mapping[str, SurveyedTable]) -> Iterator[Text]:
    """Yield which tables say the class in another shape than a row for each image: what to make of them."""
    lists = [file for file, table in tables.items() if _lists_a_class(file, table)]
    if len(lists) > 1:
        yield Text("doubt.list_for_each_class", {"tables": lists})
    for file, table in tables.items():
        sides = [column for column in table.columns if is_of_a_side(column) and _say_classes(table, column)]
        classes = [column for column in table.columns if meaning_of(column) != "silent" and _names_files(table, column)]
        if len(sides) > 1:
            yield Text("doubt.columns_for_sides", {"table": file, "columns": sides})
        elif len(classes) > 1:
            yield Text("doubt.files_under_classes", {"table": file, "columns": classes})
        elif any(sum(map(has_image_ending, row.cells)) > len(table.table.rows) for row in table.table.rows[:2]):
            yield Text("doubt.table_lies_on_its_side", {"table": file})


def _lists_a_class(file: str, table: SurveyedTable) -> bool:
    """Return whether a table is called after a class and lists files alone."""
    is_list = len(table.columns) == 1 and _names_files(table, table.columns[0])
    return is_list and meaning_of(PurePosixPath(file).stem) != "silent"


def _names_files(table: SurveyedTable, column: str) -> bool:
    values = table.values[column]
    return bool(values) and all(map(has_image_ending, values))


def _say_classes(table: SurveyedTable, column: str) -> bool:
    values = table.values[column]
    return bool(values) and all(meaning_of(value) != "silent" for value in values)
