"""Tables with a row for each patient, or each exam: where its id stands in the names and folders of the images."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from breastai.data.sources.field_values import folder_of
from breastai.data.sources.recognition.column_guess import ColumnGuess, column_called, guess_columns
from breastai.data.sources.recognition.label_columns import label_columns
from breastai.data.sources.recognition.recogniser import SIDES, Reading, describe, subgroups_of
from breastai.data.sources.recognition.survey import Survey
from breastai.data.sources.recognition.surveyed_table import SurveyedTable
from breastai.data.sources.recognition.table_doubts import doubts_of_cells
from breastai.domain.case_fields import Role, in_words_of
from breastai.domain.text import Text

# Where an id stands: in a folder, or at the beginning of the file's name.
_PLACES: tuple[tuple[str, int | str], ...] = (
    *(("folder", level) for level in (1, 2, 3, 4)),
    ("path", r"(?:^|/)([^/_\-. ]+)[^/]*$"),
    ("path", r"(?:^|/)([^/_\-. ]+[_\-. ]+[^/_\-. ]+)[_\-. ][^/]*$"),
    ("path", r"(?:^|/)([A-Za-z]*\d+)[^/]*$"),
    ("path", r"(?:^|/)([^/]+?)[_\-. ]*(?:left|right|l|r|cc|mlo|\d)?\.[^./]+$"),
)
# The same of ids that a spreadsheet holds as numbers: 7 for P007. What stands before the number must be one for all.
_NUMBERS = (
    r"(?:^|/)([A-Za-z]+[_\- ]*)0*(\d+)/",
    r"(?:^|/)([A-Za-z]+[_\- ]*)0*(\d+)[^/]*$",
)
_LEAST_SHARE = 0.5
_VIEW = "(?:cc|mlo|ml|lm)?"
_SIDE = re.compile(rf"(?i)(?:^|[\W_\d]){_VIEW}(left|right|l|r|gauche|droite?|links|rechts){_VIEW}(?![^\W\d_])[^/]*$")
_SIDE_FOLDER = re.compile(r"(?i)(?:^|/)(left|right|l|r|gauche|droite?|links|rechts)/")
# Whose row it is: of what the ids in its column are.
_ID_ROLES: tuple[Role, ...] = ("patient", "exam", "file")
_LISTED = 5


@dataclass(frozen=True)
class IdPlace:
    """Where the ids of a table stand: the `rule` that finds them in an image's path; `letters` before a number, left out.

    `row_of`: for each image whose id the table has, that id as `plain_id` has it.
    """

    rule: Mapping[str, int | str]
    row_of: Mapping[str, str]
    letters: str = ""

    @property
    def in_folders(self) -> bool:
        return "folder" in self.rule or str(self.rule.get("path", "")).endswith("/")

    def doubts(self, table: str, column: str) -> list[Text]:
        """Return that ids differ from what is in the table by letters before them."""
        if not self.letters:
            return []
        return [Text("doubt.ids_without_letters", {"table": table, "column": column, "letters": self.letters})]


def find_ids(images: Sequence[str], ids: Collection[str]) -> IdPlace | None:
    """Return where ids of a table stand in the paths of at least half of the images; None where they do not.

    Of several places that where most images have one and most ids are: 0.png in the folder P003 is of patient 3.
    """
    known = {plain_id(value) for value in ids}
    found: list[tuple[float, IdPlace]] = []
    for place in (*_plain_places(images), *(_places_of_numbers(images) if all(map(str.isdigit, known)) else ())):
        row_of = {file: name for file, name in place.row_of.items() if name in known}
        used = len(set(row_of.values()))
        if not place.in_folders and used < len({file.rpartition("/")[0] for file in row_of}):
            continue  # 0.png and 1.png in the folders of many
        if len(row_of) >= _LEAST_SHARE * len(images) and used > 1:
            score = len(row_of) / len(images) * used / len(known) * (0.9 if place.letters else 1.0)
            found.append((score, replace(place, row_of=row_of)))
    return max(found, key=lambda item: item[0])[1] if found else None


def _plain_places(images: Sequence[str]) -> Iterator[IdPlace]:
    for kind, finds in _PLACES:
        said = ((file, _value_at(kind, finds, file)) for file in images)
        yield IdPlace({kind: finds}, {file: plain_id(value) for file, value in said if value is not None})


def _places_of_numbers(images: Sequence[str]) -> Iterator[IdPlace]:
    """Yield where numbers stand behind the same letters everywhere: P007 and C007 are two."""
    for pattern in _NUMBERS:
        matches = {file: match for file in images if (match := re.search(pattern, file)) is not None}
        letters = {match[1].casefold() for match in matches.values()}
        if len(letters) == 1:
            begins, ends = re.escape(next(iter(letters))), pattern.rpartition(r"(\d+)")[2]
            row_of = {file: plain_id(match[2]) for file, match in matches.items()}
            yield IdPlace({"path": rf"(?i)(?:^|/){begins}0*(\d+){ends}"}, row_of, next(iter(letters)).upper())


def _value_at(kind: str, finds: int | str, file: str) -> str | None:
    """Return what a rule of a folder or of the path finds in an image's path."""
    if isinstance(finds, int):
        return folder_of(file, finds)
    found = re.search(finds, file)
    return None if found is None else found[1]


def plain_id(value: str) -> str:
    """Return an id as ids are compared: in any case, a number without the zeros before it."""
    plain = value.strip().casefold()
    return plain.lstrip("0") or plain if plain.isdigit() else plain


def table_by_id(
    survey: Survey,
    tables: Sequence[tuple[tuple[str, ...], SurveyedTable]],
    columns: Mapping[Role, str] | None = None,
) -> Reading | None:
    """Return how images are read by a table of classes whose rows are of patients, or exams; None where none is.

    `tables`, each with its files; `columns` that a person named.
    """
    for files, table in tables:
        guess = guess_columns(table, survey.images, (), columns)
        for role in _ID_ROLES:
            column = guess.roles.get(role) or column_called(table, role)
            place = None if column is None else _place_of_ids(survey, role, list(table.values[column]))
            if place is not None and place.letters and any(doubts_of_cells(files[0], table, survey.images)):
                continue  # its cells name images in a way that is told
            if column is not None and place is not None:
                reading = _reading(survey, files, table, guess, role, column, place)
                if reading is not None:
                    return reading
    return None


def _place_of_ids(survey: Survey, role: Role, ids: Collection[str]) -> IdPlace | None:
    """Return where ids stand: in the paths of the images, or those of patients in the headers of a few looked at."""
    place = find_ids(survey.images, ids)
    if role == "file" and place is not None and len(set(place.row_of.values())) < len(place.row_of):
        return None  # the name of a file is of one image
    if place is None and role == "patient":
        known = {plain_id(value) for value in ids}
        said = [plain_id(header.patient_id) for header in survey.headers if header.patient_id]
        if said and len(set(said) & known) > 1 and sum(each in known for each in said) >= _LEAST_SHARE * len(said):
            return IdPlace({"header": "patient_id"}, {})
    return place


def _reading(
    survey: Survey,
    files: tuple[str, ...],
    table: SurveyedTable,
    guess: ColumnGuess,
    role: Role,
    column: str,
    place: IdPlace,
) -> Reading | None:
    labels = label_columns(table, guess)
    if labels is None:
        return None
    share = 1.0 if "header" in place.rule else len(place.row_of) / max(1, len(survey.images))
    side = guess.roles.get("breast")
    in_paths = next((each for each in (_SIDE, _SIDE_FOLDER) if survey.share(each) > 0.9), None)
    by_side = side is not None and role != "file" and ("header" in place.rule or in_paths is not None)
    keys = (column, side) if side is not None and by_side else (column,)
    without = ("file", "exam", "label", "box", "mask", role, *varying_roles(table, guess.roles, keys))
    join: list[dict[str, object]] = [{"role": role, "column": column, "image": dict(place.rule)}]
    fields = {"label": dict(labels.rule), **fields_of(guess.roles, without)}
    doubts = [*labels.doubts, *place.doubts(files[0], column)]
    if side is not None and not by_side and "breast" in without:
        doubts.append(Text("doubt.sides_not_in_names", {"table": files[0], "column": side}))
    if role != "file":
        fields[role] = dict(place.rule)
    if role == "exam" and "patient" not in fields:
        fields["patient"] = dict(place.rule)
        doubts.append(Text("doubt.study_is_patient"))
    elif role == "file" and "patient" not in fields:
        doubts.append(Text("doubt.patients_unknown"))
    if by_side:
        path = _SIDE.pattern if in_paths is None else in_paths.pattern
        fields["breast"] = {"header": "laterality"} if "header" in place.rule else {"path": path}
        join.append({"role": "breast", "column": side, "image": fields["breast"]})
    code = "by_breast" if by_side else "by_patient" if place.in_folders else "by_patient_in_names"
    code = "by_patient_in_headers" if "header" in place.rule and not by_side else code
    told = {"table": files[0], "column": column, "label": ", ".join(labels.columns), "side": side}
    return Reading(
        0.7 * share,
        describe(
            survey,
            "labels_table",
            tables=[{"file": file, "sheet": table.sheet, "join": join, "several_rows": True} for file in files],
            fields=fields,
            class_map=dict(labels.class_map),
            subgroups=subgroups_of(fields),
        ),
        (Text(f"doubt.table_{code}", told), *doubts, *doubts_of_sides(table, guess)),
    )


def varying_roles(table: SurveyedTable, roles: Mapping[Role, str], keys: Sequence[str]) -> list[Role]:
    """Return the roles whose columns say different things in rows of the same keys: they speak of images one by one."""
    places = table.table.places()
    found: list[Role] = []
    rows = table.table.rows
    key_places = [places[each.lower()] for each in keys]
    ids = [tuple(plain_id(row.cell(place)) for place in key_places) for row in rows]
    for role, column in roles.items():
        place = places[column.lower()]
        said: dict[tuple[str, ...], str] = {}
        if any(
            cell and said.setdefault(key, cell) != cell
            for key, row in zip(ids, rows, strict=True)
            for cell in (row.cell(place),)
        ):
            found.append(role)
    return found


def fields_of(roles: Mapping[Role, str], without: Collection[str]) -> dict[str, object]:
    """Return the fields that columns say, by role, without some roles."""
    fields: dict[str, object] = {role: {"column": column} for role, column in roles.items() if role not in without}
    if "breast" in fields:
        fields["breast"] = {"column": roles["breast"], "values": dict(SIDES)}
    return fields


def doubts_of_sides(table: SurveyedTable, guess: ColumnGuess) -> list[Text]:
    """Return which words in the column of sides are understood as neither left nor right."""
    column = guess.roles.get("breast")
    if column is None:
        return []
    unknown = sorted(value for value in table.values[column] if in_words_of("breast", value) is None)
    return [Text("doubt.sides_unknown", {"column": column, "values": unknown[:_LISTED]})] if unknown else []
