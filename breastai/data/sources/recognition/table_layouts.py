"""A table beside images: any that names files and classes, and the metadata of Hugging Face."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from breastai.data.named_files import file_key, match_files
from breastai.data.sources.field_values import folder_of as folder_at
from breastai.data.sources.labels_table import box_fields
from breastai.data.sources.recognition.column_guess import ColumnGuess, guess_columns
from breastai.data.sources.recognition.folder_copies import FolderCopies, one_of_copies
from breastai.data.sources.recognition.label_columns import LabelColumns, bands_in_order, class_map_of, label_columns
from breastai.data.sources.recognition.patient_tables import doubts_of_sides, fields_of, table_by_id
from breastai.data.sources.recognition.recogniser import SIDES, Reading, Recogniser, describe, folder_of, subgroups_of
from breastai.data.sources.recognition.survey import Survey
from breastai.data.sources.recognition.surveyed_table import SurveyedTable, read_further_sheets, read_surveyed, together
from breastai.domain.case_fields import ColumnRule, Role
from breastai.domain.class_words import split_of
from breastai.domain.text import Text

_OF_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_LEAST_SHARE = 0.5
_LEAST_RUNS, _BLANK_SHARE = 3, 0.3


@dataclass(frozen=True)
class _Found:
    """A table that names images and classes: its `files`, several of the same columns in folders of their own."""

    files: tuple[str, ...]
    table: SurveyedTable
    guess: ColumnGuess
    labels: LabelColumns

    @property
    def score(self) -> float:
        return self.guess.file_share + 0.01 * len(self.guess.roles)


def table_reading(survey: Survey, only: str | None = None, columns: Mapping[Role, str] | None = None) -> Reading | None:
    """Return how images are read by a table that names them, or their patients; None where none does.

    `only`: this table alone, by its path below the place; `columns` that a person named.
    """
    tables = _tables(survey, only)
    found = sorted(_naming_files(survey, tables, columns), key=lambda item: (-item.score, item.files))
    if not found:
        return table_by_id(survey, list(together(tables)), columns)
    best = found[0]
    guess, table = best.guess, best.table
    parts = _parts_of(found)
    copies, folder = one_of_copies(survey), _folder_column(survey, best)
    fields: dict[str, object] = {"label": dict(best.labels.rule), **fields_of(guess.roles, ("file", "exam", "label"))}
    fields.update(box_fields(table.table).items())
    described = [
        {
            "file": each,
            "sheet": table.sheet,
            "join": _joins(_within(survey, best, each), folder, column),
            "several_rows": True,
            "part": parts.get(each),
        }
        for each in (parts or best.files)
        for column in (str(guess.file), *guess.further_files)
    ]
    return Reading(
        0.75 * min(1.0, best.score),
        describe(
            survey,
            "labels_table",
            tables=described,
            fields=fields,
            images={} if copies is None else {"include": copies.include},
            class_map=dict(best.labels.class_map),
            class_names=bands_in_order(table, best.labels.columns[0], best.labels.class_map),
            subgroups=subgroups_of(fields),
        ),
        tuple(_doubts(survey, found, folder, copies, bool(parts))),
    )


def _naming_files(
    survey: Survey, tables: Mapping[str, SurveyedTable], columns: Mapping[Role, str] | None
) -> Iterator[_Found]:
    """Yield the tables of which a column names images and one, or several, the classes."""
    further = [((file,), sheet) for file in tables for sheet in read_further_sheets(survey.place / file)]
    for files, table in (*together(tables), *further):
        folders = (survey.place, *((survey.place / file).parent for file in files))
        own = _names_in_own_folders(survey, files, table) if len(files) > 1 else {}
        guess = guess_columns(table, survey.images, folders, {**own, **(columns or {})})
        labels = label_columns(table, guess, "label" in (columns or {}))
        if guess.file is not None and labels is not None:
            yield _Found(files, table, guess, labels)


def _names_in_own_folders(survey: Survey, files: Sequence[str], table: SurveyedTable) -> dict[Role, str]:
    """Return the column of tables in folders of their own that names the images there: 1.png in the folder of each."""
    images = {file.lower() for file in survey.images}
    own = {file: read_surveyed(survey.place / file) for file in files}
    for column in table.columns:
        paths = [f"{folder_of(file)}/{name}" for file, each in own.items() if each for name in each.values[column]]
        if paths and sum(path.lower() in images for path in paths) > _LEAST_SHARE * len(paths):
            return {"file": column}
    return {}


def _joins(within: dict[str, object], folder: tuple[str, int] | None, column: str) -> list[dict[str, object]]:
    """Return what ties rows to images: names, and where those repeat also the folder that another column names."""
    if within or folder is None:
        return [{"role": "file", "column": column, **within}]
    name, level = folder
    return [
        {"role": "exam", "column": name, "image": {"folder": level}},
        {"role": "file", "column": column, "image": {"path": "([^/]+)$"}},
    ]


def _folder_column(survey: Survey, found: _Found) -> tuple[str, int] | None:
    """Return the column that names the folder of an image whose name alone is that of several, and which folder it is."""
    names = Counter(PurePosixPath(file).name for file in survey.images)
    column = str(found.guess.file)
    repeated = [value for value in found.table.values[column] if names[value] > 1]
    if len(repeated) <= _LEAST_SHARE * len(found.table.values[column]):
        return None
    for level in (-1, -2, -3):
        folders = {folder for file in survey.images if (folder := folder_at(file, level)) is not None}
        for name in found.table.columns:
            values = found.table.values[name].keys()
            if name != column and len(values) > 1 and len(values & folders) > 0.9 * len(values):
                return name, level
    return None


def _within(survey: Survey, found: _Found, file: str) -> dict[str, object]:
    """Return how names are compared of a table that lies in the folder of its images, as others of its kind do."""
    folder = folder_of(file)
    if len(found.files) == 1 or not folder:
        return {}
    names = read_surveyed(survey.place / file)
    column = str(found.guess.file)
    below = {each.removeprefix(f"{folder}/") for each in survey.images if each.startswith(f"{folder}/")}
    named = set() if names is None else set(match_files(sorted(below), list(map(file_key, names.values[column]))))
    return {"image": {"path": rf"^{re.escape(folder)}/(.+)$"}} if named else {}


def _doubts(
    survey: Survey,
    found: Sequence[_Found],
    folder: tuple[str, int] | None,
    copies: FolderCopies | None,
    are_parts: bool,
) -> Iterator[Text]:
    """Yield what is doubtful of the first of the tables found; `folder`: the column of its folders, and their level."""
    best = found[0]
    guess, table = best.guess, best.table
    named = best.files[0] if table.sheet is None else f"{best.files[0]} ({table.sheet})"
    if best.labels.are_marks:
        told = {"file": guess.file, "columns": list(best.labels.columns), "table": named}
        yield Text("doubt.columns_of_marks", told)
    else:
        yield Text("doubt.columns_guessed", {"file": guess.file, "label": guess.label, "table": named})
    yield from best.labels.doubts
    if len(best.files) > 1:
        yield Text("doubt.tables_together", {"count": len(best.files), "table": best.files[0]})
    yield from _doubts_of_paths(survey, named, table, str(guess.file))
    if folder is not None:
        yield Text("doubt.files_by_folder", {"table": named, "column": folder[0], "file": guess.file})
    elif (several := _name_of_several(survey, table, str(guess.file))) is not None:
        yield Text("doubt.names_of_several", {"table": named, "column": guess.file, **several})
    if copies is not None:
        yield copies.doubt
    blank = [column for column in guess.roles.values() if _is_blank_below(table, column)]
    if blank:
        yield Text("doubt.blank_below", {"table": named, "columns": blank})
    if guess.further_files:
        yield Text("doubt.several_file_columns", {"columns": [str(guess.file), *guess.further_files]})
    if "patient" not in guess.roles:
        yield Text("doubt.patients_unknown")
    yield from doubts_of_sides(table, guess)
    if len(found) > 1 and not are_parts:
        others = [item.files[0] for item in found[1:6]]
        yield Text("doubt.other_tables", {"table": best.files[0], "others": others})


def _doubts_of_paths(survey: Survey, named: str, table: SurveyedTable, column: str) -> Iterator[Text]:
    """Yield that a table has whole paths of another computer, with one of them and the image it is taken for."""
    whole = [file_key(value) for value in table.values[column] if is_whole_path(value)]
    place = survey.place.absolute().as_posix()
    elsewhere = [path for path in whole if not path.startswith(f"{place}/")]
    if 2 * len(elsewhere) <= len(table.values[column]):
        return
    stems = {PurePosixPath(file).stem.casefold() for file in survey.images}
    some = [path for path in elsewhere if path.rpartition("/")[2].rpartition(".")[0].casefold() in stems]
    meant = next(iter(match_files(survey.images, some).items()), None)
    if meant is not None:
        told = {"table": named, "column": column, "path": meant[1], "file": meant[0]}
        yield Text("doubt.paths_of_elsewhere", told)


def _name_of_several(survey: Survey, table: SurveyedTable, column: str) -> dict[str, object] | None:
    """Return a name in a table that several images have, where most of its names are such; with two of those images."""
    keys = list(map(file_key, table.values[column]))
    by_name: dict[str, list[str]] = {}
    for file in survey.images:
        by_name.setdefault(PurePosixPath(file).name, []).append(file)
    repeated = [name for key in keys if len(by_name.get(name := key.rpartition("/")[2], ())) > 1]
    if len(repeated) <= _LEAST_SHARE * len(keys) or len(match_files(survey.images, keys)) > _LEAST_SHARE * len(keys):
        return None
    return {"name": repeated[0], "files": by_name[repeated[0]][:2]}


def _is_blank_below(table: SurveyedTable, column: str) -> bool:
    """Return whether cells of a column are blank below others again and again, as merged ones leave them."""
    place = table.table.places()[column.lower()]
    cells = [row.cell(place) for row in table.table.rows]
    runs = sum(bool(cell) and not below for cell, below in pairwise(cells))
    return bool(cells and cells[0]) and runs >= _LEAST_RUNS and cells.count("") >= _BLANK_SHARE * len(cells)


def is_whole_path(text: str) -> bool:
    """Return whether a text is a path from the root of a system on: /home/x.png, C:\\x.png."""
    return text.startswith("/") or _OF_WINDOWS.match(text) is not None


def _parts_of(found: Sequence[_Found]) -> dict[str, str]:
    """Return the part that each of several tables of the same columns is of, by their names; empty of any others."""
    parts = {item.files[0]: split_of(PurePosixPath(item.files[0]).stem) for item in found if len(item.files) == 1}
    alike = {(item.guess.file, item.labels.columns) for item in found}
    known = {file: part for file, part in parts.items() if part is not None}
    is_whole = len(parts) > 1 and len(alike) == 1 and len(set(known.values())) == len(parts) == len(found)
    return known if is_whole else {}


# What is doubtful of the classes that a reading has, and of no other.
_DOUBTS_OF_CLASSES = frozenset(
    f"doubt.{name}"
    for name in (
        *("columns_guessed", "classes_are_numbers", "classes_say_nothing", "letters_as_classes", "birads_as_classes"),
        *("no_cancer_is_benign", "other_label_columns", "columns_of_marks", "rows_without_mark", "one_of_columns"),
        *("column_is_measured", "column_in_bands"),
    )
)


def with_label(reading: Reading, column: str) -> Reading:
    """Return a reading whose classes are those of another column, with what its values mean and what of that is doubtful."""
    description = reading.description
    if description is None:
        return reading
    place = Path(description.root)
    for described in description.tables:
        path = place / described.file
        table = read_surveyed(path) if path.is_file() and not described.columns else None
        name = None if table is None else table.column_named(column)
        if table is None or name is None:
            continue
        class_map, doubts = class_map_of(table, name)
        rule = ColumnRule(column=name)
        changed = description.model_copy(
            update={
                "fields": {**description.fields, "label": rule},
                "class_map": class_map,
                "class_names": bands_in_order(table, name, class_map),
            }
        )
        kept = [doubt for doubt in reading.doubts if doubt.code not in _DOUBTS_OF_CLASSES]
        return replace(reading, description=changed, doubts=(*doubts, *kept))
    return reading


def _tables(survey: Survey, only: str | None) -> Mapping[str, SurveyedTable]:
    if only is None:
        return survey.tables
    if only in survey.tables:
        return {only: survey.tables[only]}
    table = read_surveyed(survey.place / only)
    return {} if table is None else {only: table}


def _labels_table(survey: Survey) -> Reading | None:
    return table_reading(survey)


def _hugging_face(survey: Survey) -> Reading | None:
    tables = [
        (file, table)
        for file, table in survey.tables_with("file_name")
        if PurePosixPath(file).stem.lower() == "metadata"
    ]
    if not tables:
        return None
    guess = guess_columns(tables[0][1], [PurePosixPath(file).name for file in survey.images])
    label = guess.label
    if label is None:
        return Reading(
            0.5, None, (Text("doubt.no_label_column", {"table": tables[0][0], "columns": list(tables[0][1].columns)}),)
        )
    class_map, doubts = class_map_of(tables[0][1], label)
    described = []
    for file, _ in tables:
        folder = folder_of(file)
        join: dict[str, object] = {"role": "file", "column": "file_name"}
        if folder:
            join["image"] = {"path": rf"^{re.escape(folder)}/(.+)$"}
        part = next((split for name in reversed(folder.split("/")) if (split := split_of(name))), None)
        described.append({"file": file, "join": [join], "part": part})
    roles: dict[str, object] = {
        role: {"column": column} for role, column in guess.roles.items() if role not in ("file", "exam")
    }
    if "breast" in roles:
        roles["breast"] = {"column": guess.roles["breast"], "values": dict(SIDES)}
    if "patient" not in roles:
        doubts.append(Text("doubt.patients_unknown"))
    return Reading(
        0.96,
        describe(survey, "hugging_face", tables=described, fields=roles, class_map=class_map),
        tuple(doubts),
    )


LABELS_TABLE = Recogniser("labels_table", _labels_table)
HUGGING_FACE = Recogniser("hugging_face", _hugging_face)
