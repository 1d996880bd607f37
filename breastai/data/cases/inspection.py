"""Inspections: what a place would be read as, with counts of what would be trained on, and why the rest is left out."""

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

import numpy as np

from breastai.data.decoders.decoder_table import file_header
from breastai.data.decoders.value_range import file_is_wide
from breastai.data.sources.case_source import read_description
from breastai.data.sources.case_table import CaseTable, Skipped
from breastai.data.sources.image_listing import images_below, reason_against_ending
from breastai.data.sources.masks import is_mask_folder
from breastai.data.sources.recognition.column_guess import column_called, guess_columns
from breastai.data.sources.recognition.label_columns import is_measured
from breastai.data.sources.recognition.named_classes import NAMED_CLASSES, doubts_of_names
from breastai.data.sources.recognition.recogniser import Reading, Recogniser, describe
from breastai.data.sources.recognition.recogniser_table import is_table, read_survey
from breastai.data.sources.recognition.survey import Survey, survey_steps
from breastai.data.sources.recognition.table_doubts import doubts_of_cells, doubts_of_shape
from breastai.data.sources.recognition.table_layouts import with_label
from breastai.data.user_tables import TableUnreadable, read_table
from breastai.domain.case_fields import ColumnRule, HeaderRule
from breastai.domain.catalog import UNREAD_IMAGE_SUFFIXES
from breastai.domain.class_words import kinds_of, meaning_of, names_no_class
from breastai.domain.data_locations import TABLE_ENDINGS
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.dataset_inspection import UNKNOWN_LAYOUT, DatasetInspection, LeftOutFiles, ReadingChanges
from breastai.domain.errors import InputError, LabelsInvalid, PathNotFound, TooFewClasses
from breastai.domain.text import Text

_SAMPLES, _FILES_OF_A_REASON = 8, 20
_FEW = 10
_FEW_TOLD = 5
# Classes spelt so alike, of which one has so many times more images.
_NEAR, _MANY_MORE = 0.8, 4
_ARRAYS_NOT_READ = frozenset(
    {".h5", ".hdf5", ".npy", ".pt", ".pkl", ".tfrecord", ".tfrecords", ".parquet", ".lmdb", ".zarr"}
)
_MOST_HEADERS, _MOST_TIFFS = 5_000, 20
_OF_ROWS = ("reason.row_without_image", "reason.row_outside_root", "reason.row_without_label")
_NO_ARCHIVES = (".nii.gz",)
_ARCHIVES = frozenset({".zip", ".tar", ".gz", ".tgz", ".rar", ".7z", ".bz2", ".xz"})


def inspect_place(place: Path, changes: ReadingChanges | None = None, base: Path | None = None) -> DatasetInspection:
    """Return what a folder, a table or an .npz file would be read as, with `changes`.

    `base`: the workspace, to which a description's root may be relative. Raises PathNotFound, and what the changes make
    wrong.
    """
    *_, last = inspect_steps(place, changes, base)
    assert isinstance(last, DatasetInspection)
    return last


def inspect_steps(
    place: Path, changes: ReadingChanges | None = None, base: Path | None = None
) -> Iterator[int | DatasetInspection]:
    """Yield how many files were seen so far, a few times a second, and at last the inspection, as `inspect_place` does."""
    if not place.exists():
        raise PathNotFound(place.as_posix())
    changes = changes or ReadingChanges()
    seen = yield from survey_steps(place.parent if is_table(place) else place)
    table = changes.table or (place.name if is_table(place) else None)
    if table is not None:
        table = _below(seen.place, table)
    recognised = read_survey(seen, table, changes.columns)
    label = changes.columns.get("label")
    named = (
        None
        if table or label is None
        else next((each for each in seen.tables if seen.tables[each].column_named(label)), None)
    )
    if named is not None and (recognised.reading is None or recognised.reading.description is None):
        # Nothing was recognised, but a person says which column the class is.
        recognised = read_survey(seen, named, changes.columns)
    row, reading = recognised.row, recognised.reading
    yield seen.files_seen
    if label is not None and reading is not None and reading.description is not None:
        reading = reading if changes.keeps_label(reading.description) else with_label(reading, label)
    if reading is None or row is None or reading.description is None:
        rule = changes.fields.get("label")
        if rule is None or isinstance(rule, ColumnRule):
            yield _unlabelled(place, seen, row, reading)
            return
        # A person says where the class is: in a folder, in the path.
        row, reading = NAMED_CLASSES, Reading(0.0, describe(seen, NAMED_CLASSES.name, fields={"label": rule}))
        assert reading.description is not None
    description = changes.apply(reading.description)
    # Of a scale that a person gave nothing is read as benign or malignant.
    kept = [doubt for doubt in reading.doubts if changes.ordered is None or not doubt.code.startswith("doubt.birads_")]
    doubts = [*kept, *_doubts_of_packed(seen, "doubt.archives_beside"), *_doubts_of_values(seen)]
    published = row if reading.is_published else None
    yield inspect_described(description, place, base, published, doubts, seen.files_seen)


def _below(root: Path, table: str) -> str:
    """Return where a table lies below the folder; raise LabelsInvalid where it lies elsewhere."""
    path = PurePosixPath(os.path.normpath(root.absolute() / table))
    if not path.is_relative_to(root.absolute().as_posix()):
        raise LabelsInvalid(table, Text("reason.table_outside_root", {"folder": root.as_posix()}))
    return path.relative_to(root.absolute().as_posix()).as_posix()


def inspect_described(
    description: DatasetDescription,
    place: Path,
    base: Path | None = None,
    row: Recogniser | None = None,
    doubts: Sequence[Text] = (),
    files_seen: int = 0,
) -> DatasetInspection:
    """Return what a description reads: counts, doubts, and why the rest is left out."""
    try:
        table = _read(description, base or Path())
    except InputError as fault:
        return DatasetInspection(
            path=place.as_posix(),
            layout=description.layout,
            images=0,
            doubts=[*doubts, Text("doubt.unreadable", {"fault": fault.text})],
            description=description,
            files_seen=files_seen,
        )
    if isinstance(description.fields.get("patient"), HeaderRule) and len(table) <= _MOST_HEADERS:
        table = table.with_columns(patient=[file_header(table.path(number)).patient_id for number in range(len(table))])
    skipped = [item for item in table.skipped if concerns_images(item)]
    parts = table.column("part")
    return DatasetInspection(
        path=place.as_posix(),
        layout=description.layout,
        images=len(table),
        classes={name: count for name, count in table.counts().items() if count or description.class_names},
        patients=_distinct(table, "patient"),
        breasts=_distinct(table, "patient", "breast"),
        splits=None if parts is None else _counted(parts, ("train", "val", "test")),
        views=None if (views := table.column("view")) is None else _counted(views),
        masks=len(table.masks),
        left_out=len(skipped),
        doubts=[*doubts, *_doubts_of(table)],
        reasons=_reasons(skipped),
        samples=_samples(table),
        description=description,
        twins=None if row is None else row.twins,
        files_seen=files_seen,
    )


def _read(description: DatasetDescription, base: Path) -> CaseTable:
    """Return the cases of a description, also where they are of one class alone."""
    try:
        return read_description(description, base)
    except TooFewClasses as fault:
        return read_description(description, base, (fault.found,))


def concerns_images(item: Skipped) -> bool:
    """Return whether what is left out is an image, of whatever format: no table, text or other file beside the images."""
    if isinstance(item.reason, Text) and item.reason.code in _OF_ROWS:
        return True
    path = PurePosixPath(item.file)
    return reason_against_ending(path.name) is None or not UNREAD_IMAGE_SUFFIXES.isdisjoint(
        map(str.lower, path.suffixes)
    )


def _unlabelled(place: Path, seen: Survey, row: Recogniser | None, reading: Reading | None) -> DatasetInspection:
    """Return what is told of a place of which nothing says the classes."""
    listed = images_below(place) if place.is_dir() else None
    images = [] if listed is None else list(listed.files)
    doubts = list(_doubts_of_tables(seen) if reading else _doubts_of_unknown(seen, len(images)))
    if reading is not None:
        told = {doubt.code for doubt in reading.doubts}
        doubts = [*reading.doubts, *(doubt for doubt in doubts if doubt.code not in told)]
    patients = breasts = None
    if row is not None and row.name == "dicom_export":
        patients, breasts = _in_headers(images)
    return DatasetInspection(
        path=place.as_posix(),
        layout=UNKNOWN_LAYOUT if row is None else row.name,
        images=len(images),
        patients=patients,
        breasts=breasts,
        masks=0 if listed is None else len(listed.masks),
        doubts=doubts,
        files_seen=seen.files_seen,
    )


def _doubts_of(table: CaseTable) -> Iterator[Text]:
    """Yield what the counts of a reading make doubtful."""
    counts = {name: count for name, count in table.counts().items() if count}
    if len(table) > 1 and _distinct(table, "patient") == 1 and all(table.column("patient") or ()):
        yield Text("doubt.one_patient", {"count": len(table)})
    regions = [name for name in counts if meaning_of(name) == "silent" and is_mask_folder(name, among_images=True)]
    if places := [name for name in counts if names_no_class(name) or name in regions]:
        options = _map_options(dict.fromkeys(places, ""))
        yield Text("doubt.classes_are_no_classes", {"class_names": places, "options": options})
    trained = table.by_part().get("train")
    if trained is not None and (lacking := [name for name in counts if not trained.counts()[name]]):
        yield Text("doubt.class_not_trained", {"class_names": lacking})
    validated = table.by_part().get("val") if table.description and not table.description.tables else None
    given = counts if trained is None else {name: count for name, count in trained.counts().items() if count}
    if validated is not None and (lacking := [name for name in given if not validated.counts()[name]]):
        params = {"class_names": lacking, "options": _map_options(dict.fromkeys(lacking, ""))}
        yield Text("doubt.class_not_validated", params)
    if single := [name for name, count in counts.items() if count == 1 < len(table) - 1 and trained is None]:
        params = {"class_names": single, "options": _map_options(dict.fromkeys(single, ""))}
        yield Text("doubt.single_image", params)
    if len(counts) == 1:
        yield Text("doubt.one_class", {"class_name": next(iter(counts))})
    near = _near_classes(counts)
    for code, another in (("near_classes", near), ("same_classes", _same_classes(counts))):
        if another:
            options = _map_options({name: another.get(name, name) for name in counts})
            pairs = [f"{name} – {meant}" for name, meant in another.items()]
            yield Text(f"doubt.{code}", {"pairs": pairs, "options": options})
    few = {name: count for name, count in counts.items() if count < _FEW <= len(table) / 5 and name not in near}
    if len(few) > _FEW_TOLD:
        yield Text("doubt.many_classes_of_few", {"count": len(few), "most": _FEW - 1})
        return
    for name, count in few.items():
        yield Text("doubt.few_cases", {"class_name": name, "count": count})


def _map_options(meant: Mapping[str, str]) -> str:
    """Return the options that read each value as a class, or leave it out where that is empty."""
    return " ".join(f"--map {shlex.quote(f'{value}={name}')}" for value, name in meant.items())


def _near_classes(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the rare classes that are spelt nearly as a frequent one and may be a slip: beningn for benign."""
    found: dict[str, str] = {}
    for name, count in counts.items():
        larger = [each for each in counts if counts[each] > _MANY_MORE * count]
        near = get_close_matches(name, larger, 1, _NEAR) if not any(sign.isdigit() for sign in name) else []
        if near and meaning_of(name) in ("silent", meaning_of(near[0])):
            found[name] = near[0]
    return found


def _same_classes(counts: Mapping[str, int]) -> dict[str, str]:
    """Return the classes that may be another in other words, with that one: bénin beside benign."""
    first: dict[frozenset[str], str] = {}
    found: dict[str, str] = {}
    for name in sorted(counts, key=lambda each: (-counts[each], each)):
        kinds = kinds_of(name)
        if len(kinds) == 1 and not any(sign.isdigit() for sign in name):
            larger = first.setdefault(kinds, name)
            found |= {name: larger} if larger != name else {}
    return found


def _doubts_of_unknown(seen: Survey, images: int) -> Iterator[Text]:
    """Yield why nothing was recognised, the nearest reading first."""
    yield from _doubts_of_packed(seen)
    yield from _doubts_of_unreadable(seen)
    masks = any(is_mask_folder(folder.rpartition("/")[2]) for folder in seen.folders)
    if images == 0:
        unread = Counter(ending for file in seen.files if (ending := _ending_not_read(file)) is not None)
        if unread:
            yield Text("doubt.formats_not_read", {"endings": sorted(unread), "count": sum(unread.values())})
        yield Text("doubt.masks_only" if seen.images else "doubt.no_images")
        return
    tables = list(_doubts_of_tables(seen))
    yield from tables
    if notes := _annotations(seen):
        yield Text("doubt.annotations_not_read", {"files": notes[:_FEW_TOLD]})
    names = list(doubts_of_names(seen))
    yield from names
    if not names:
        yield Text("doubt.images_beside_masks" if masks and not tables else "doubt.no_labels")


def _doubts_of_tables(seen: Survey) -> Iterator[Text]:
    """Yield why a table that lies there says no classes."""
    tables = [(file, table) for file, table in seen.tables.items() if len(table.table.rows) > 1]
    if tables:
        naming = [item for item in tables if guess_columns(item[1], seen.images).file is not None]
        file, table = (naming or tables)[0]
        code = "doubt.no_label_column" if naming else "doubt.table_names_no_file"
        label = column_called(table, "label") if naming else None
        if label is not None and is_measured(table, label):
            yield Text("doubt.label_is_measured", {"column": label, "count": len(table.values[label])})
        else:
            yield Text(code, {"table": file, "columns": list(table.columns[:20])})
        yield from doubts_of_cells(file, table, seen.images)
        yield from doubts_of_shape(seen.tables)


def _ending_not_read(file: str) -> str | None:
    """Return how a file ends that may hold images in a format that is not read."""
    ending = PurePosixPath(file).suffix.lower()
    return ending if ending in UNREAD_IMAGE_SUFFIXES | _ARRAYS_NOT_READ else None


def _annotations(seen: Survey) -> list[str]:
    """Return files that may say the classes in a format that is not read: JSON, XML, texts called as the images are."""
    stems = {PurePosixPath(file).stem for file in seen.images}
    beside = [file for file in seen.files if file.lower().endswith(".txt") and PurePosixPath(file).stem in stems]
    lists = [file for file in seen.files if file.lower().endswith((".json", ".xml", ".yaml", ".yml"))]
    return [*lists, *(beside if len(beside) > len(stems) / 2 else [])]


def _doubts_of_unreadable(seen: Survey) -> Iterator[Text]:
    """Yield why tables that lie there can't be read, the first few."""
    unread = [file for file in seen.files if file.lower().endswith(TABLE_ENDINGS) and file not in seen.tables]
    for file in unread[:_FEW_TOLD]:
        try:
            read_table(seen.place / file)
        except TableUnreadable as fault:
            yield Text("doubt.table_unreadable", {"table": file, "reason": fault.reason})


def _doubts_of_packed(seen: Survey, code: str = "doubt.still_packed") -> Iterator[Text]:
    """Yield which archives lie there: what is in them is not read."""
    packed = [file for file in seen.files if _is_archive(PurePosixPath(file))]
    if packed:
        yield Text(code, {"files": packed[:5]})


def _doubts_of_values(seen: Survey) -> Iterator[Text]:
    """Yield that TIFF files hold values without a white of their own, by the headers of a few."""
    files = [file for file in seen.images if file.lower().endswith((".tif", ".tiff"))]
    wide = [file for file in files[:: max(1, len(files) // _MOST_TIFFS)] if file_is_wide(seen.place / file)]
    if wide:
        yield Text("doubt.wide_values", {"file": wide[0]})


def _is_archive(file: PurePosixPath) -> bool:
    return file.suffix.lower() in _ARCHIVES and not file.name.lower().endswith(_NO_ARCHIVES)


def _in_headers(images: Sequence[Path]) -> tuple[int | None, int | None]:
    """Return how many patients and breasts the headers of images name; None where there are too many to read."""
    if len(images) > _MOST_HEADERS:
        return None, None
    found = [file_header(path) for path in images]
    patients = {header.patient_id for header in found if header.patient_id}
    breasts = {(header.patient_id, header.codes.laterality) for header in found if header.codes.laterality}
    return len(patients) or None, len(breasts) or None


def _distinct(table: CaseTable, *columns: str) -> int | None:
    """Return how many different values some columns have together; None where one of them is not known."""
    known = [table.column(name) for name in columns]
    if any(column is None for column in known):
        return None
    values = {each for each in zip(*(column for column in known if column is not None), strict=True) if all(each)}
    return len(values) or None


def _counted(values: Sequence[str | None], order: Sequence[str] = ()) -> dict[str, int]:
    counts = Counter(value for value in values if value)
    return {name: counts[name] for name in (*order, *sorted(counts.keys() - set(order))) if counts[name]}


def _reasons(skipped: Sequence[Skipped]) -> list[LeftOutFiles]:
    by_reason: dict[Text, list[str]] = {}
    for item in skipped:
        reason = item.reason if isinstance(item.reason, Text) else Text("fault.other", {"message": item.reason})
        by_reason.setdefault(reason, []).append(item.file)
    found = sorted(by_reason.items(), key=lambda each: -len(each[1]))
    return [LeftOutFiles(reason=reason, count=len(files), files=files[:_FILES_OF_A_REASON]) for reason, files in found]


def _samples(table: CaseTable) -> dict[str, list[str]]:
    """Return a few images of each class, evenly from all of them."""
    samples: dict[str, list[str]] = {}
    for label, name in enumerate(table.class_names):
        numbers = np.flatnonzero(table.labels == label)
        if len(numbers):
            chosen = numbers[np.unique(np.linspace(0, len(numbers) - 1, _SAMPLES).round().astype(int))]
            samples[name] = [table.files[int(number)] for number in chosen]
    return samples
