"""A table beside class folders: what it says of the images besides their class, and where it says another class."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from breastai.data.named_files import file_key, match_files
from breastai.data.sources.field_values import folder_of
from breastai.data.sources.masks import is_mask_folder
from breastai.data.sources.recognition.column_guess import ColumnGuess, guess_columns
from breastai.data.sources.recognition.patient_tables import (
    IdPlace,
    doubts_of_sides,
    fields_of,
    find_ids,
    plain_id,
    varying_roles,
)
from breastai.data.sources.recognition.recogniser import Reading, subgroups_of
from breastai.data.sources.recognition.survey import Survey
from breastai.data.sources.recognition.surveyed_table import SurveyedTable, together
from breastai.domain.case_fields import FolderRule, Role
from breastai.domain.class_words import canonical_class, split_of
from breastai.domain.dataset_description import DatasetDescription, parse_description
from breastai.domain.text import Text

# What is taken from a table where folders or names say the class.
_TAKEN: tuple[Role, ...] = ("patient", "breast", "view", "split", "fold", "site", "device", "age", "density", "birads")

_OF_UNKNOWN_PATIENTS = frozenset({"doubt.patients_unknown", "doubt.patients_inside_classes"})


def with_table_beside(survey: Survey, reading: Reading) -> Reading:
    """Return a reading with what a table that names every image says of them; told where it names but some."""
    description = reading.description
    if description is None or description.tables:
        return reading
    root = Path(description.root)
    above = root.relative_to(survey.place.absolute()).as_posix()
    prefix = "" if above == "." else f"{above}/"
    images = [file.removeprefix(prefix) for file in survey.images if file.startswith(prefix) and not _is_mask(file)]
    if (parts := _lists_of_parts(survey, images, prefix)) and "split" not in description.fields:
        values = description.model_dump(mode="json", exclude_defaults=True) | {"tables": list(parts.values())}
        doubt = Text("doubt.parts_by_lists", {"tables": list(parts)})
        return Reading(reading.score, parse_description(values), (*reading.doubts, doubt))
    for files, table in together(survey.tables):
        guess = guess_columns(table, images)
        tied = _by_file(images, table, guess) or _by_id(images, table, guess)
        if tied is None:
            continue
        varying = varying_roles(table, guess.roles, (tied.column,)) if tied.place is not None else ()
        found = {
            role: guess.roles[role] for role in _TAKEN if role in guess.roles and role not in (tied.role, *varying)
        }
        roles = {role: column for role, column in found.items() if role not in description.fields}
        doubts = [*_contradictions(description, files[0], table, guess, tied.rows), *tied.doubts(files[0])]
        if not roles and (tied.place is None or tied.role in description.fields):
            return replace(reading, doubts=(*reading.doubts, *doubts))
        columns = list(roles.values()) or [tied.column]
        told = {"table": files[0], "columns": columns, "count": len(columns)}
        within = all(file.startswith(prefix) for file in files)
        if len(tied.rows) < len(images) or not within or not survey.complete:
            code = "doubt.table_names_some" if within else "doubt.table_above"
            return replace(reading, doubts=(*reading.doubts, *doubts, Text(code, told)))
        if "breast" in roles:
            doubts += doubts_of_sides(table, guess)
        knows = "patient" in roles or tied.role == "patient"
        kept = [each for each in reading.doubts if not knows or each.code not in _OF_UNKNOWN_PATIENTS]
        names = [file.removeprefix(prefix) for file in files]
        told_of = "doubt.table_taken" if tied.place is None else "doubt.table_taken_by_patient"
        return Reading(
            reading.score,
            _joined(description, names, tied, roles),
            (*kept, *doubts, Text(told_of, {**told, "column": tied.column})),
        )
    return reading


@dataclass(frozen=True)
class _Tied:
    """How rows of a table are tied to images: by the `column` of a `role`; `place`: of an id in paths.

    `rows`: the cells of the row of each image.
    """

    role: Role
    column: str
    rows: Mapping[str, tuple[str, ...]]
    place: IdPlace | None = None

    def join(self) -> dict[str, object]:
        image = {} if self.place is None else {"image": dict(self.place.rule)}
        return {"role": self.role, "column": self.column, **image}

    def doubts(self, table: str) -> list[Text]:
        return [] if self.place is None else self.place.doubts(table, self.column)


def _by_file(images: Sequence[str], table: SurveyedTable, guess: ColumnGuess) -> _Tied | None:
    if guess.file is None:
        return None
    rows = {file_key(row.cell(table.columns.index(guess.file))): row.cells for row in table.table.rows}
    return _Tied("file", guess.file, {each: rows[name] for each, name in match_files(images, list(rows)).items()})


def _by_id(images: Sequence[str], table: SurveyedTable, guess: ColumnGuess) -> _Tied | None:
    """Return how a table with a row for each patient is tied to the images, None where their ids stand in no path."""
    column = guess.roles.get("patient")
    place = None if column is None else find_ids(images, list(table.values[column]))
    if column is None or place is None:
        return None
    rows = {plain_id(row.cell(table.columns.index(column))): row.cells for row in table.table.rows}
    return _Tied("patient", column, {image: rows[name] for image, name in place.row_of.items()}, place)


def _lists_of_parts(survey: Survey, images: Sequence[str], prefix: str) -> dict[str, dict[str, object]]:
    """Return tables of one column that list the images of a part each, train.txt and test.txt, as tables of a description."""
    found: dict[str, dict[str, object]] = {}
    for file, table in survey.tables.items():
        part = split_of(PurePosixPath(file).stem)
        column = guess_columns(table, images).file if part is not None and len(table.columns) == 1 else None
        if column is not None and file.startswith(prefix):
            join = [{"role": "file", "column": column}]
            found[file] = {"file": file.removeprefix(prefix), "join": join, "several_rows": True, "part": part}
    return found if len({table["part"] for table in found.values()}) == len(found) > 1 else {}


def _joined(
    description: DatasetDescription, files: Sequence[str], tied: _Tied, roles: Mapping[Role, str]
) -> DatasetDescription:
    values = description.model_dump(mode="json", exclude_defaults=True)
    fields = fields_of(roles, ())
    if tied.place is not None:
        fields["patient"] = dict(tied.place.rule)
    values["tables"] = [{"file": file, "join": [tied.join()], "several_rows": True} for file in files]
    values["fields"] = {**fields, **values["fields"]}
    values["subgroups"] = [*values.get("subgroups", []), *subgroups_of(fields)]
    return parse_description(values)


def _contradictions(
    description: DatasetDescription,
    file: str,
    table: SurveyedTable,
    guess: ColumnGuess,
    rows: Mapping[str, tuple[str, ...]],
) -> Iterator[Text]:
    """Yield in how many images the folder of the class and the table's column of classes differ, where both know the same."""
    rule = description.fields.get("label")
    if guess.label is None or not isinstance(rule, FolderRule) or rule.pattern is not None or description.class_map:
        return
    place = table.columns.index(guess.label)
    said = {image: canonical_class(cells[place]) for image, cells in rows.items() if len(cells) > place}
    folders = {image: canonical_class(folder_of(image, rule.folder) or "") for image in said}
    if set(said.values()) <= set(folders.values()) and (count := sum(said[image] != folders[image] for image in said)):
        yield Text("doubt.table_contradicts", {"table": file, "column": guess.label, "count": count})


def _is_mask(file: str) -> bool:
    return any(map(is_mask_folder, file.split("/")))
