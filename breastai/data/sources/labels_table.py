"""A labels table: a CSV that says of each image which class it is of, and whose it is where it says so.

Columns: file (a path relative to the table's folder, a name that occurs once, or either without its ending), label, and
patient_id where patients are known. Images without a row and rows without an image are left out and listed.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from breastai.data.sources.case_table import CaseTable, Skipped
from breastai.data.sources.class_folders import MaskRule, images_below
from breastai.data.user_tables import Row, TableUnreadable, UserTable, file_key, match_files, read_table
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.class_words import canonical_class
from breastai.domain.errors import ClassesDiffer, DataNotFound, LabelsInvalid, NoImages, TooFewClasses
from breastai.domain.text import Text

_ENDINGS = (".csv", ".tsv", ".txt")
_NO_IMAGE = Text("reason.row_without_image")
_NO_ROW = Text("reason.image_without_row")
_NO_LABEL = Text("reason.row_without_label")


def is_labels_table(place: Path) -> bool:
    """Return whether a place is a file that can only be meant as a table."""
    return place.suffix.lower() in _ENDINGS and place.is_file()


def read_labels(
    place: Path,
    expected_classes: Sequence[str] | None = None,
    masks_are: MaskRule = "leave_out",
    known: Collection[str] = (),
) -> CaseTable:
    """Return the images below the folder of the table at `place`, with the labels it says.

    Raises DataNotFound, LabelsInvalid, NoImages, TooFewClasses and ClassesDiffer.
    """
    if not place.is_file():
        raise DataNotFound(place.as_posix())
    table = _table(place)
    columns = table.places()
    rows = _rows(place, table)
    root = place.parent
    listed = images_below(root)
    masks = {path.relative_to(root).as_posix(): reason for path, reason in listed.masks.items()}
    masks = {} if masks_are == "keep" else {file: reason for file, reason in masks.items() if file not in known}
    beside = [path.relative_to(root).as_posix() for path in listed.masks]
    files = [path.relative_to(root).as_posix() for path in listed.files]
    files += [file for file in beside if file not in masks]
    named = _match(files, list(rows))
    skipped = [Skipped(file, _NO_ROW) for file in files if file not in named]
    skipped += [Skipped(key, _NO_IMAGE) for key in rows if key not in named.values() and key not in masks]
    label_of = {file: canonical_class(rows[key].cell(columns["label"])) for file, key in named.items()}
    skipped += [Skipped(file, _NO_LABEL) for file, label in label_of.items() if not label]
    chosen = [file for file in files if label_of.get(file)]
    if not chosen:
        raise NoImages(place.as_posix(), list(IMAGE_SUFFIXES))
    class_names = _class_names(place, {label_of[file] for file in chosen}, expected_classes)
    patients = None
    if "patient_id" in columns:
        patients = [rows[named[file]].cell(columns["patient_id"]) or None for file in chosen]
    return CaseTable(
        root=root,
        files=tuple(chosen),
        labels=np.array([class_names.index(label_of[file]) for file in chosen], dtype=np.int64),
        class_names=class_names,
        skipped=tuple(sorted(skipped, key=lambda item: item.file)),
        masks=tuple(sorted(masks)),
        mask_reasons=masks,
        masks_kept=masks_are == "keep",
        known=frozenset(known),
    ).with_columns(patient=patients)


def label_in_table(place: Path, file: str) -> str:
    """Return the class that a table says of one image; "" where it says none."""
    table = _table(place)
    rows = _rows(place, table)
    key = _match([file], list(rows)).get(file)
    return "" if key is None else canonical_class(rows[key].cell(table.places()["label"]))


def _table(place: Path) -> UserTable:
    try:
        table = read_table(place)
    except TableUnreadable as fault:
        raise LabelsInvalid(place.name, fault.reason) from None
    columns = table.places()
    if not {"file", "label"} <= columns.keys():
        raise LabelsInvalid(place.name, Text("reason.expected_file_and_label", {"columns": list(table.columns)}))
    if "split" in columns:
        raise LabelsInvalid(place.name, Text("reason.column_split_in_labels"))
    return table


def _rows(place: Path, table: UserTable) -> dict[str, Row]:
    """Return the row of each file; raise LabelsInvalid where two name the same one."""
    columns = table.places()
    rows, repeated = table.by_file(columns["file"])
    for row, before in repeated:
        file = file_key(row.cell(columns["file"]))
        code = "row_repeats_file_row" if row.cells == before.cells else "row_says_otherwise_row"
        params = {"number": row.number, "file": file, "before": before.number}
        raise LabelsInvalid(place.name, Text(f"reason.{code}", params))
    return rows


def _match(files: Sequence[str], keys: Sequence[str]) -> dict[str, str]:
    """Return the row that means each file: by path or name, or else by either without its ending."""
    named = match_files(files, keys)
    taken = set(named.values())
    ids = [key for key in keys if key not in taken and PurePosixPath(key).suffix.lower() not in IMAGE_SUFFIXES]
    if not ids:
        return named
    stems = {file: file.removesuffix(PurePosixPath(file).suffix) for file in files if file not in named}
    once = Counter(stems.values())
    by_stem = match_files([stem for stem in stems.values() if once[stem] == 1], ids)
    return named | {file: by_stem[stem] for file, stem in stems.items() if stem in by_stem}


def _class_names(place: Path, found: set[str], expected_classes: Sequence[str] | None) -> tuple[str, ...]:
    names = tuple(sorted(found))
    if not expected_classes:
        if expected_classes is None and len(names) < 2:
            raise TooFewClasses(place.as_posix(), names[0])
        return names
    expected = tuple(canonical_class(name) for name in expected_classes)
    if found != set(expected):
        raise ClassesDiffer(place.as_posix(), list(names), list(expected))
    return expected
