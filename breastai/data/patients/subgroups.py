"""Subgroups: what a CSV says of each image besides its class (device, density, age), to judge a model on each part."""

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from breastai.data.decoders.decoder_table import header_of
from breastai.data.patients.patient_ids import file_key
from breastai.data.sources.frames import file_of
from breastai.domain.errors import SubgroupsInvalid

_MAX_TABLE_BYTES = 2**28
# A column of numbers with more different values than this is cut into bands: nobody asks for the age of 53 alone.
_MOST_NUMBERS = 6
_AGE_BANDS = (40, 50, 60, 70)
_NOT_SUBGROUPS = frozenset({"file", "label", "patient_id"})


def subgroups_of(files: Sequence[str], path: Path) -> dict[str, list[str]]:
    """Return, for each column of the CSV at `path`, the value of each of `files`; "" where it has none.

    The column file holds paths relative to the image folder, or file names that occur once. Raises SubgroupsInvalid
    when the table can't be used, or names none of the files.
    """
    columns, rows = _read(path)
    names_in_table = Counter(PurePosixPath(file).name for file in rows)
    wholes = [file_of(file) for file in files]
    names_in_folder = Counter(PurePosixPath(file_key(file)).name for file in dict.fromkeys(wholes))
    by_name = {PurePosixPath(file).name: row for file, row in rows.items()}
    found: list[dict[str, str]] = []
    for file in wholes:
        key = file_key(file)
        name = PurePosixPath(key).name
        once = names_in_table[name] == 1 and names_in_folder[name] == 1
        found.append(rows.get(key) or (by_name[name] if once else {}))
    if not any(found):
        example = files[0] if files else "none"
        raise SubgroupsInvalid(path.name, f"expected the images judged in its column file, such as {example}")
    return {column: _banded(column, [row.get(column, "") for row in found]) for column in columns}


def subgroups_in(paths: Sequence[Path]) -> dict[str, list[str]]:
    """Return laterality and view of each image, "" where unknown; only those that tell at least two parts apart."""
    headers = [header_of(path) for path in paths]
    columns: dict[str, list[str]] = {
        "laterality": [header.laterality or "" for header in headers],
        "view": [header.view or "" for header in headers],
    }
    return {name: values for name, values in columns.items() if len(set(values) - {""}) > 1}


def _read(path: Path) -> tuple[list[str], dict[str, dict[str, str]]]:
    try:
        if path.stat().st_size > _MAX_TABLE_BYTES:
            raise SubgroupsInvalid(path.name, f"expected at most {_MAX_TABLE_BYTES >> 20} MiB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise SubgroupsInvalid(path.name, error.strerror or str(error)) from None
    except UnicodeDecodeError:
        raise SubgroupsInvalid(path.name, "expected UTF-8 text; save it as CSV UTF-8") from None
    separator = max(",;\t", key=text.partition("\n")[0].count)
    try:
        table = list(csv.reader(text.splitlines(), delimiter=separator, skipinitialspace=True))
    except csv.Error as error:
        raise SubgroupsInvalid(path.name, str(error)) from None
    header = [name.strip() for name in table[0]] if table else []
    places = {name.lower(): place for place, name in enumerate(header)}
    columns = [name for name in header if name and name.lower() not in _NOT_SUBGROUPS]
    if "file" not in places or not columns:
        raise SubgroupsInvalid(
            path.name, f"expected a column file and one for each subgroup, got {', '.join(header) or 'none'}"
        )
    rows: dict[str, dict[str, str]] = {}
    first: dict[str, int] = {}
    for number, cells in enumerate(table[1:], 2):
        stripped = [cell.strip() for cell in cells] + [""] * (len(header) - len(cells))
        file = file_key(stripped[places["file"]])
        if not file:
            continue
        row = {name: stripped[places[name.lower()]] for name in columns}
        before = first.setdefault(file, number)
        if before != number:
            same = f"row {number} repeats the file {file} of row {before}"
            other = f"row {number} says otherwise of {file} than row {before}"
            raise SubgroupsInvalid(path.name, same if rows[file] == row else other)
        rows[file] = row
    return columns, rows


def _banded(column: str, values: list[str]) -> list[str]:
    """Return the values; many different numbers in bands: ages by ten years, others in thirds."""
    try:
        numbers = np.array([float(value.replace(",", ".")) if value else np.nan for value in values])
    except ValueError:
        return values
    known = numbers[np.isfinite(numbers)]
    if len(np.unique(known)) <= _MOST_NUMBERS:
        return values
    edges = list(_AGE_BANDS) if column.lower() == "age" else np.unique(np.quantile(known, (1 / 3, 2 / 3))).tolist()
    return [_band(number, edges) if np.isfinite(number) else "" for number in numbers]


def _band(number: float, edges: Sequence[float]) -> str:
    place = int(np.searchsorted(edges, number, side="right"))
    if place == 0:
        return f"below {edges[0]:g}"
    if place == len(edges):
        return f"{edges[-1]:g} and above"
    return f"{edges[place - 1]:g} to below {edges[place]:g}"
