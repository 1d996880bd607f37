"""A table beside class folders: what it says of the images besides their class, and where it says another class."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from breastai.data.named_files import file_key, match_files
from breastai.data.sources.field_values import folder_of
from breastai.data.sources.masks import is_mask_folder
from breastai.data.sources.recognition.column_guess import ColumnGuess, guess_columns
from breastai.data.sources.recognition.recogniser import SIDES, Reading, subgroups_of
from breastai.data.sources.recognition.survey import Survey
from breastai.data.sources.recognition.surveyed_table import SurveyedTable
from breastai.domain.case_fields import FolderRule, Role
from breastai.domain.class_words import canonical_class, split_of
from breastai.domain.dataset_description import DatasetDescription, parse_description
from breastai.domain.text import Text

# What is taken from a table where folders or names say the class.
_TAKEN: tuple[Role, ...] = ("patient", "breast", "view", "split", "fold", "site", "device", "age", "density", "birads")


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
    for file, table in survey.tables.items():
        guess = guess_columns(table, images)
        roles = {role: guess.roles[role] for role in _TAKEN if role in guess.roles and role not in description.fields}
        if guess.file is None:
            continue
        rows = {file_key(row.cell(table.columns.index(guess.file))): row.cells for row in table.table.rows}
        means = match_files(images, list(rows))
        doubts = list(
            _contradictions(description, file, table, guess, {each: rows[name] for each, name in means.items()})
        )
        if not roles:
            return replace(reading, doubts=(*reading.doubts, *doubts))
        told = {"table": file, "columns": list(roles.values()), "count": len(roles)}
        if len(means) < len(images) or not file.startswith(prefix) or not survey.complete:
            code = "doubt.table_names_some" if file.startswith(prefix) else "doubt.table_above"
            return replace(reading, doubts=(*reading.doubts, *doubts, Text(code, told)))
        return Reading(
            reading.score,
            _joined(description, file.removeprefix(prefix), guess.file, roles),
            (
                *(each for each in reading.doubts if "patient" not in roles or each.code != "doubt.patients_unknown"),
                *doubts,
                Text("doubt.table_taken", told),
            ),
        )
    return reading


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


def _joined(description: DatasetDescription, file: str, column: str, roles: Mapping[Role, str]) -> DatasetDescription:
    values = description.model_dump(mode="json", exclude_defaults=True)
    fields: dict[str, object] = {role: {"column": name} for role, name in roles.items()}
    if "breast" in roles:
        fields["breast"] = {"column": roles["breast"], "values": dict(SIDES)}
    values["tables"] = [{"file": file, "join": [{"role": "file", "column": column}], "several_rows": True}]
    values["fields"] = {**values["fields"], **fields}
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
