"""A table beside images: any that names files and classes, and the metadata of Hugging Face."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from breastai.data.sources.field_values import folder_of as folder_at
from breastai.data.sources.labels_table import box_fields
from breastai.data.sources.recognition.column_guess import ColumnGuess, guess_columns, is_birads, says_of_disease
from breastai.data.sources.recognition.recogniser import (
    BIRADS_CLASSES,
    SIDES,
    Reading,
    Recogniser,
    describe,
    folder_of,
    subgroups_of,
)
from breastai.data.sources.recognition.survey import Survey
from breastai.data.sources.recognition.surveyed_table import SurveyedTable, read_further_sheets, read_surveyed
from breastai.domain.case_fields import ColumnRule, Role
from breastai.domain.class_words import canonical_class, is_marked, meaning_of, split_of, yes_or_no
from breastai.domain.text import Text

_MOST_CLASSES = 30
_NEARLY_ALL = 0.9
# Where the id of a patient stands: in a folder, or at the beginning of the file's name.
_PATIENT_PLACES: tuple[tuple[str, int | str], ...] = (
    *(("folder", level) for level in (1, 2, 3, 4)),
    ("path", r"(?:^|/)([^/_\-. ]+)[^/]*$"),
    ("path", r"(?:^|/)([^/_\-. ]+[_\-. ]+[^/_\-. ]+)[_\-. ][^/]*$"),
    ("path", r"(?:^|/)([A-Za-z]*\d+)[^/]*$"),
    ("path", r"(?:^|/)([^/]+?)[_\-. ]*(?:left|right|l|r|cc|mlo|\d)?\.[^./]+$"),
)
_SIDE = re.compile(r"(?i)(?:^|[\W_\d])(left|right|l|r|gauche|droite?|links|rechts)(?![^\W\d_])[^/]*$")
_LETTERS: Mapping[str, str] = {"b": "benign", "m": "malignant", "n": "normal"}


def table_reading(survey: Survey, only: str | None = None, columns: Mapping[Role, str] | None = None) -> Reading | None:
    """Return how images are read by a table that names them, None where none does.

    `only`: this table alone, by its path below the place; `columns` that a person named.
    """
    found: list[tuple[float, str, SurveyedTable, ColumnGuess]] = []
    for file, table in _with_sheets(survey, _tables(survey, only)):
        guess = guess_columns(table, survey.images, (survey.place, (survey.place / file).parent), columns)
        if guess.file is not None and (guess.label is not None or _marked_columns(table, guess)):
            found.append((guess.file_share + 0.01 * len(guess.roles), file, table, guess))
    if not found:
        return _by_patient(survey, only)
    found.sort(key=lambda item: (-item[0], item[1]))
    share, file, table, guess = found[0]
    parts = _parts_of(found)
    marked = () if columns and "label" in columns else _marked_columns(table, guess)
    class_map, doubts = ({}, []) if marked else class_map_of(table, str(guess.label))
    fields: dict[str, object] = {
        role: {"column": column} for role, column in guess.roles.items() if role not in ("file", "breast", "exam")
    }
    if marked:
        fields["label"] = {"marked": {column: canonical_class(column) for column in marked}}
    if "breast" in guess.roles:
        fields["breast"] = {"column": guess.roles["breast"], "values": dict(SIDES)}
    fields.update(box_fields(table.table).items())
    named = file if table.sheet is None else f"{file} ({table.sheet})"
    doubts = [*_doubts_of_columns(named, table, guess, marked), *doubts]
    if guess.further_files:
        doubts.append(Text("doubt.several_file_columns", {"columns": [str(guess.file), *guess.further_files]}))
    if "patient" not in guess.roles:
        doubts.append(Text("doubt.patients_unknown"))
    doubts += [] if marked else _one_of_columns(table, str(guess.label)) or _other_labels(table, guess)
    if len(found) > 1 and not parts:
        doubts.append(Text("doubt.other_tables", {"table": file, "others": [item[1] for item in found[1:6]]}))
    return Reading(
        0.75 * min(1.0, share),
        describe(
            survey,
            "labels_table",
            tables=[
                {
                    "file": each,
                    "sheet": table.sheet,
                    "join": [{"role": "file", "column": column}],
                    "several_rows": True,
                    "part": parts.get(each),
                }
                for each in (parts or (file,))
                for column in (guess.file, *guess.further_files)
            ],
            fields=fields,
            class_map=class_map,
            subgroups=subgroups_of(fields),
        ),
        tuple(doubts),
    )


def _with_sheets(survey: Survey, tables: Mapping[str, SurveyedTable]) -> Iterator[tuple[str, SurveyedTable]]:
    """Yield tables by their file, and the further sheets of workbooks."""
    for file, table in tables.items():
        yield file, table
        for further in read_further_sheets(survey.place / file):
            yield file, further


def _parts_of(found: Sequence[tuple[float, str, SurveyedTable, ColumnGuess]]) -> dict[str, str]:
    """Return the part that each of several tables of the same columns is of, by their names; empty of any others."""
    parts = {file: split_of(PurePosixPath(file).stem) for _, file, _, _ in found}
    alike = {(guess.file, guess.label) for *_, guess in found}
    known = {file: part for file, part in parts.items() if part is not None}
    is_whole = len(parts) > 1 and len(alike) == 1 and len(set(known.values())) == len(parts)
    return known if is_whole else {}


def _by_patient(survey: Survey, only: str | None) -> Reading | None:
    """Return how images are read by a table that names the patients whose folders they lie in."""
    for file, table in _tables(survey, only).items():
        guess = guess_columns(table, survey.images)
        column = guess.roles.get("patient")
        if column is None or guess.label is None:
            continue
        patients = {_plain_id(value) for value in table.values[column]}
        for kind, finds in _PATIENT_PLACES:
            named = Counter(
                _plain_id(found) for each in survey.images if (found := value_at(kind, finds, each)) is not None
            )
            share = sum(count for name, count in named.items() if name in patients) / max(1, len(survey.images))
            if share < 0.5 or len(named.keys() & patients) < 2:
                continue
            class_map, doubts = class_map_of(table, guess.label)
            rule = {kind: finds}
            join: list[dict[str, object]] = [{"role": "patient", "column": column, "image": rule}]
            fields: dict[str, object] = {"label": {"column": guess.label}, "patient": rule}
            side = guess.roles.get("breast")
            if side is not None and survey.share(_SIDE) > 0.9:
                fields["breast"] = {"path": _SIDE.pattern}
                join.append({"role": "breast", "column": side, "image": fields["breast"]})
            code = "table_by_patient" if kind == "folder" else "table_by_patient_in_names"
            told = {"table": file, "column": column, "label": guess.label, "side": side}
            doubts.insert(0, Text(f"doubt.{'table_by_breast' if 'breast' in fields else code}", told))
            return Reading(
                0.7 * share,
                describe(
                    survey,
                    "labels_table",
                    tables=[{"file": file, "join": join}],
                    fields=fields,
                    class_map=class_map,
                ),
                tuple(doubts),
            )
    return None


def value_at(kind: str, finds: int | str, file: str) -> str | None:
    """Return what a rule of a folder or of the path finds in an image's path."""
    if isinstance(finds, int):
        return folder_at(file, finds)
    found = re.search(finds, file)
    return None if found is None else found[1]


def _plain_id(value: str) -> str:
    plain = value.strip().casefold()
    return plain.lstrip("0") or plain if plain.isdigit() else plain


def _doubts_of_columns(named: str, table: SurveyedTable, guess: ColumnGuess, marked: Sequence[str]) -> Iterator[Text]:
    """Yield which columns are taken for the file and the class, and how many rows of marks have none."""
    if not marked:
        yield Text("doubt.columns_guessed", {"file": guess.file, "label": guess.label, "table": named})
        return
    yield Text("doubt.columns_of_marks", {"file": guess.file, "columns": list(marked), "table": named})
    counts = Counter(_marks(table, marked))
    if counts[0]:
        yield Text("doubt.rows_without_mark", {"count": counts[0]})


def _marked_columns(table: SurveyedTable, guess: ColumnGuess) -> tuple[str, ...]:
    """Return the columns of marks that say the class together, of which nearly each row has one; empty where none do.

    Those called after classes, where these do alone; else with the others: of IDC, cyst and fibroadenoma.
    """
    label = guess.label
    taken = [column for column in guess.roles.values() if column != label]
    marks = [
        column
        for column in dict.fromkeys(table.columns)
        if column
        and column not in taken
        and {True} <= {is_marked(value) for value in table.values[column]} <= {True, False}
    ]
    if label is not None and label not in marks:
        return ()
    telling = [column for column in marks if meaning_of(column) != "silent"]
    for chosen, least in ((telling, 0.5), (marks, _NEARLY_ALL)):
        counts = Counter(_marks(table, chosen))
        fits = counts[0] + counts[1] > _NEARLY_ALL * counts.total() and counts[1] > least * counts.total()
        if telling and len(chosen) > 1 and fits:
            return tuple(chosen)
    return ()


def _marks(table: SurveyedTable, columns: Sequence[str]) -> Iterator[int]:
    """Yield how many of some columns each row marks."""
    places = [table.table.places()[column.lower()] for column in columns]
    return (sum(bool(is_marked(row.cell(place))) for place in places) for row in table.table.rows)


def _one_of_columns(table: SurveyedTable, label: str) -> list[Text]:
    """Return what is doubtful where several columns of 0 and 1 say the class together, of which one is read."""
    marks = [
        column
        for column in table.columns
        if meaning_of(column) != "silent" and {value.casefold() for value in table.values[column]} <= {"0", "1"}
    ]
    return [Text("doubt.one_of_columns", {"column": label, "columns": marks})] if label in marks and marks[1:] else []


def _other_labels(table: SurveyedTable, guess: ColumnGuess) -> list[Text]:
    """Return what is doubtful where other columns hold words for disease or its absence and say otherwise somewhere."""
    label = str(guess.label)
    places = table.table.places()
    said = {canonical_class(value) for value in table.values[label]}
    others = [
        column
        for column in table.columns
        if column not in guess.roles.values()
        and 1 < len(table.values[column]) <= _MOST_CLASSES
        and all(meaning_of(value) in ("disease", "absence") for value in table.values[column])
        and {canonical_class(value) for value in table.values[column]} <= said
        and any(
            canonical_class(row.cell(places[column.lower()])) != canonical_class(row.cell(places[label.lower()]))
            for row in table.table.rows
        )
    ]
    return [Text("doubt.other_label_columns", {"column": label, "others": others})] if others else []


# What is doubtful of the classes that a reading has, and of no other.
_DOUBTS_OF_CLASSES = frozenset(
    f"doubt.{name}"
    for name in (
        *("columns_guessed", "classes_are_numbers", "classes_say_nothing", "letters_as_classes", "birads_as_classes"),
        *("no_cancer_is_benign", "other_label_columns", "columns_of_marks", "rows_without_mark", "one_of_columns"),
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
            update={"fields": {**description.fields, "label": rule}, "class_map": class_map, "class_names": ()}
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


def class_map_of(table: SurveyedTable, column: str) -> tuple[dict[str, str | None], list[Text]]:
    """Return which class each value of a column means, and what is doubtful of that; empty where values are classes."""
    values = list(table.values[column])
    plain = {value.strip().casefold() for value in values}
    if says_of_disease(column, values):
        found = {value: "malignant" if yes_or_no(value) else "benign" for value in values}
        return dict(found), [Text("doubt.no_cancer_is_benign")]
    if plain <= _LETTERS.keys():
        return {value: _LETTERS[value.strip().casefold()] for value in values}, [Text("doubt.letters_as_classes")]
    if is_birads(column, values):
        return dict(BIRADS_CLASSES), [Text("doubt.birads_as_classes")]
    if all(re.fullmatch(r"\d+(?:\.0)?", value) for value in plain):
        return {}, [Text("doubt.classes_are_numbers")]
    if all(meaning_of(value) == "silent" for value in plain):
        return {}, [Text("doubt.classes_say_nothing", {"classes": sorted(map(canonical_class, plain))[:10]})]
    return {}, []


def _labels_table(survey: Survey) -> Reading | None:
    return table_reading(survey)


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
