"""Subgroups: what a CSV says of each image besides its class (device, density, age), to judge a model on each part."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from breastai.data.decoders.decoder_table import header_of
from breastai.data.named_files import file_key, match_files
from breastai.data.sources.frames import file_of
from breastai.data.user_tables import Row, TableUnreadable, read_table
from breastai.domain.errors import SubgroupsInvalid
from breastai.domain.text import Text

# A column of numbers with more different values than this is cut into bands: nobody asks for the age of 53 alone.
_MOST_NUMBERS = 6
_AGE_BANDS = (40, 50, 60, 70)
_NOT_SUBGROUPS = frozenset({"file", "label", "patient_id"})
# Names of columns that say who or which, and part nothing: PatientID, case_id, accession number.
_ID_NAME = re.compile(
    r"(?i:(?:^|[\W_])(?:id|uid|uuid|identifier|mrn|accession(?:[\W_]*(?:no|nr|number))?)$)|[a-z]U?ID$"
)
# A value of fewer images than this on average, among many values, names images one by one.
_FEWEST_IMAGES = 3
# From so many cases on, whole numbers that never occur twice are ids; fewer may be chance.
_MANY_CASES = 20


class Parted(NamedTuple):
    """Columns that part cases into subgroups, and how many values those have that are ids and part nothing."""

    columns: dict[str, list[str]]
    ids: dict[str, int]

    @property
    def notes(self) -> list[Text]:
        """What a reader must know of the columns left out."""
        return [Text("note.ids_part_nothing", {"column": name, "count": count}) for name, count in self.ids.items()]


def subgroups_of(files: Sequence[str], path: Path) -> Parted:
    """Return, for each column of the CSV at `path`, the value of each of `files`; "" where it has none.

    The column file holds paths relative to the image folder, or file names that occur once. Raises SubgroupsInvalid
    when the table can't be used, names none of the files, or holds ids alone.
    """
    columns, rows = _read(path)
    wholes = [file_of(file) for file in files]
    named = match_files(list(dict.fromkeys(wholes)), list(rows))
    found = [rows[named[file]] if file in named else {} for file in wholes]
    if not any(found):
        example = files[0] if files else "none"
        raise SubgroupsInvalid(path.name, Text("reason.expected_images_judged_column", {"example": example}))
    parted = part_cases({column: [row.get(column, "") for row in found] for column in columns})
    if not parted.columns:
        raise SubgroupsInvalid(path.name, Text("reason.columns_are_ids", {"columns": list(parted.ids)}))
    return parted


def part_cases(columns: Mapping[str, Sequence[str]], limits: Mapping[str, Sequence[float]] | None = None) -> Parted:
    """Return `columns` of N values, numbers in bands (by the `limits` of a column's name in lower case), ids apart."""
    edges = limits or {}
    ids = {
        name: len(set(values) - {""})
        for name, values in columns.items()
        if name.lower() not in edges and _is_id(name, values)
    }
    parting = {name: values for name, values in columns.items() if name not in ids}
    return Parted({name: band_values(name, values, edges.get(name.lower())) for name, values in parting.items()}, ids)


def _is_id(name: str, values: Sequence[str]) -> bool:
    """Say whether a column names cases or patients one by one: subgroups of it would be single patients."""
    known = [value for value in values if value]
    distinct = len(set(known))
    if distinct <= _MOST_NUMBERS:
        return False
    if _ID_NAME.search(name):
        return True
    try:
        numbers = [float(value.replace(",", ".")) for value in known]
    except ValueError:
        return len(known) < _FEWEST_IMAGES * distinct
    return len(known) >= _MANY_CASES and distinct == len(known) and all(number.is_integer() for number in numbers)


def subgroups_in(paths: Sequence[Path]) -> dict[str, list[str]]:
    """Return laterality and view of each image, "" where unknown; only those that tell at least two parts apart."""
    headers = [header_of(path) for path in paths]
    columns: dict[str, list[str]] = {
        "laterality": [header.laterality or "" for header in headers],
        "view": [header.view or "" for header in headers],
    }
    return {name: values for name, values in columns.items() if len(set(values) - {""}) > 1}


def _read(path: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Return the columns that are subgroups, and by file what each says of it."""
    try:
        table = read_table(path)
    except TableUnreadable as fault:
        raise SubgroupsInvalid(path.name, fault.reason) from None
    places = table.places()
    columns = [name for name in table.columns if name and name.lower() not in _NOT_SUBGROUPS]
    if "file" not in places or not columns:
        raise SubgroupsInvalid(path.name, Text("reason.expected_column_file_one", {"columns": list(table.columns)}))
    if (twice := table.contradiction(["file", *columns])) is not None:
        raise SubgroupsInvalid(path.name, twice)

    def values(row: Row) -> dict[str, str]:
        return {name: row.cell(places[name.lower()]) for name in columns}

    rows, repeated = table.by_file(places["file"])
    for row, before in repeated:
        file = file_key(row.cell(places["file"]))
        code = "row_repeats_file_row" if values(row) == values(before) else "row_says_otherwise_row"
        params = {"number": row.number, "file": file, "before": before.number}
        raise SubgroupsInvalid(path.name, Text(f"reason.{code}", params))
    return columns, {file: values(row) for file, row in rows.items()}


def band_values(column: str, values: Sequence[str], limits: Sequence[float] | None = None) -> list[str]:
    """Return the values; many different numbers in bands: by the `limits`, or ages by ten years and others in thirds."""
    try:
        numbers = np.array([float(value.replace(",", ".")) if value else np.nan for value in values])
    except ValueError:
        return list(values)
    known = numbers[np.isfinite(numbers)]
    if limits is None and len(np.unique(known)) <= _MOST_NUMBERS:
        return list(values)
    edges = (
        sorted(limits)
        if limits
        else list(_AGE_BANDS)
        if column.lower() == "age"
        else np.unique(np.quantile(known, (1 / 3, 2 / 3))).tolist()
    )
    return [_band(number, edges) if np.isfinite(number) else "" for number in numbers]


def _band(number: float, edges: Sequence[float]) -> str:
    place = int(np.searchsorted(edges, number, side="right"))
    if place == 0:
        return f"< {edges[0]:g}"
    if place == len(edges):
        return f"≥ {edges[-1]:g}"
    return f"{edges[place - 1]:g} – < {edges[place]:g}"
