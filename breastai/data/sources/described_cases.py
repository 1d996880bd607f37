"""Cases by a description: one reader for every layout, which lists what it leaves out with the reason and guesses nothing."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from breastai.data.sources.case_table import BY_HAND, CaseTable, Skipped, first_reasons
from breastai.data.sources.class_folders import MaskRule
from breastai.data.sources.described_tables import (
    DescribedTable,
    JoinedRows,
    join_rows,
    read_described_table,
    require_columns,
)
from breastai.data.sources.field_values import Value, value_of, values_of
from breastai.data.sources.image_listing import FilesSeen, Listing, list_images, sort_key
from breastai.domain.case_fields import FieldRule, FolderRule, HeaderRule, Role, columns_of, in_words_of, needs_table
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.class_words import canonical_class
from breastai.domain.data_locations import TABLE_ENDINGS
from breastai.domain.dataset_description import DatasetDescription, FilePatterns, Subgroup
from breastai.domain.errors import NOTHING, ClassesDiffer, DataNotFound, NoImages, TooFewClasses
from breastai.domain.text import Text
from breastai.domain.text_patterns import glob_finder
from breastai.storage.remote_mirror import as_written, root_place

# Roles that are columns of a table of cases by the same name, in the words of their source.
_COLUMNS: tuple[Role, ...] = (
    *("breast", "view", "exam", "fold", "site", "device", "age", "density", "birads", "box", "mask"),
)  # fmt: skip


def read_described(
    description: DatasetDescription,
    base: Path,
    expected_classes: Sequence[str] | None = None,
    masks_are: MaskRule = "leave_out",
    known: Collection[str] = (),
    on_progress: FilesSeen | None = None,
) -> CaseTable:
    """Return the cases of a description whose root is relative to `base`, ordered by class and name.

    Column `part` is there where the description gives parts: an image without one is left out. Raises DataNotFound,
    LabelsInvalid, NoImages, TooFewClasses and ClassesDiffer.
    """
    root = root_place(base, description.root)
    if not root.is_dir():
        raise DataNotFound(as_written(root))
    listing = _listing(description, root, masks_are, known, on_progress)
    tables = [read_described_table(table, root) for table in description.tables]
    _require_columns(description, tables)
    reader = _reader(description, root, tables, listing)
    found = [_case(file, reader) for file in listing.files]
    cases = [case for case in found if isinstance(case, _Read)]
    skipped = [case for case in found if isinstance(case, Skipped)]
    rowed = [item for joined in reader.joined for item in joined.skipped if item.file not in listing.masks]
    skipped += [_told_if_outside(item, root) for item in rowed]
    skipped += listing.skipped
    if not cases:
        raise NoImages(as_written(root), list(IMAGE_SUFFIXES), first_reasons(skipped) or (NOTHING,))
    class_names = _class_names(description, as_written(root), {case.label for case in cases}, expected_classes)
    by_folder = description.fields.get("label") == FolderRule(folder=1)
    cases.sort(key=lambda case: case.order(by_folder))
    files = [case.file for case in cases]
    return CaseTable(
        root=root,
        files=tuple(files),
        labels=np.array([class_names.index(case.label) for case in cases], dtype=np.int64),
        class_names=class_names,
        skipped=tuple(sorted(skipped, key=lambda item: sort_key(item.file))),
        masks=tuple(sorted(listing.masks, key=sort_key)),
        mask_reasons=listing.masks,
        masks_kept=masks_are == "keep",
        known=frozenset(known),
        subgroups={group.name: reader.subgroup(group, files) for group in description.subgroups},
        description=description,
    ).with_columns(part=[case.part for case in cases] if reader.gives_parts else None, **reader.columns(files))


def _told_if_outside(item: Skipped, root: Path) -> Skipped:
    """Return what a row without an image is told of; of one that names a whole path outside the root, that it does."""
    whole = PurePosixPath(item.file).is_absolute() or PureWindowsPath(item.file).is_absolute()
    if not whole or PurePosixPath(item.file).is_relative_to(root.absolute().as_posix()):
        return item
    return Skipped(item.file, Text("reason.row_outside_root", {"folder": as_written(root)}))


@dataclass(frozen=True)
class _Read:
    file: str
    label: str
    part: str | None

    def order(self, by_folder: bool) -> tuple[str, ...]:
        """Return by what cases are ordered: as class folders with the same names would be."""
        name = self.file if by_folder else self.file.rpartition("/")[2]
        return ("" if by_folder else self.label, *sort_key(name), *sort_key(self.file))


@dataclass(frozen=True)
class _Reader:
    """What finds each thing about an image. `joined`: by table, the rows of each image."""

    description: DatasetDescription
    root: Path
    tables: Sequence[DescribedTable]
    joined: Sequence[JoinedRows]
    labels: Callable[[str], Sequence[str]]
    class_of: Callable[[str], str | None]
    left_out: Mapping[str, str]
    relabelled: Mapping[str, str]
    split: Value | None

    @property
    def gives_parts(self) -> bool:
        return self.split is not None or any(table.described.part for table in self.tables)

    def value(self, rule: FieldRule) -> Value:
        return value_of(rule, self.root, self.tables, [joined.rows for joined in self.joined])

    def columns(self, files: Sequence[str]) -> dict[str, list[str | None]]:
        """Return what is known of each file, by the names of columns; one without any value is none."""
        fields = self.description.fields
        found = {role: self._column(role, fields[role], files) for role in _COLUMNS if role in fields}
        patient = fields.get("patient")
        if patient is not None and not isinstance(patient, HeaderRule):
            found["patient"] = self._column("patient", patient, files)
        return {name: values for name, values in found.items() if any(values)}

    def _column(self, role: Role, rule: FieldRule, files: Sequence[str]) -> list[str | None]:
        value = self.value(rule)
        return [in_words_of(role, value(file)) for file in files]

    def subgroup(self, group: Subgroup, files: Sequence[str]) -> tuple[str, ...]:
        """Return the part of each file by a subgroup; "" where it has none."""
        rule = group.rule or (None if group.role is None else self.description.fields.get(group.role))
        if rule is None:
            return ("",) * len(files)
        value = self.value(rule)
        values = [(in_words_of(group.role, value(file)) if group.role else value(file)) or "" for file in files]
        return tuple(group.band_of(each) for each in values) if group.bands else tuple(values)

    def part(self, file: str) -> str | None:
        """Return the part that a file is given to; None where nothing says."""
        for table, joined in zip(self.tables, self.joined, strict=True):
            if table.described.part is not None and file in joined.rows:
                return table.described.part
        return None if self.split is None else in_words_of("split", self.split(file))


def _reader(description: DatasetDescription, root: Path, tables: Sequence[DescribedTable], listing: Listing) -> _Reader:
    def by_image(rule: FieldRule | None) -> Value | None:
        return None if rule is None else value_of(rule, root, (), ())

    joined = [
        join_rows(table, listing.files, [by_image(description.image_rule(join)) for join in table.described.join])
        for table in tables
    ]
    rows = [each.rows for each in joined]
    split = description.fields.get("split")
    return _Reader(
        description=description,
        root=root,
        tables=tables,
        joined=joined,
        labels=values_of(description.fields["label"], root, tables, rows),
        class_of=lru_cache(maxsize=10_000)(description.class_of),
        left_out={item.file: item.note for item in description.left_out},
        relabelled={item.file: canonical_class(item.label) for item in description.relabelled},
        split=None if split is None else value_of(split, root, tables, rows),
    )


def _case(file: str, reader: _Reader) -> _Read | Skipped:
    """Return an image with its class and part, or why it is no case."""
    if file in reader.left_out:
        return Skipped(file, Text(BY_HAND, {"note": reader.left_out[file]}))
    label = reader.relabelled.get(file)
    if label is None:
        found = _label(file, reader)
        if isinstance(found, Text):
            return Skipped(file, found)
        label = found
    part = reader.part(file)
    if reader.gives_parts and part is None:
        said = None if reader.split is None else reader.split(file)
        return Skipped(file, Text("reason.part_unknown", {"value": said}) if said else Text("reason.no_part"))
    return _Read(file, label, part)


def _label(file: str, reader: _Reader) -> str | Text:
    """Return the class of an image, or why it has none."""
    values = reader.labels(file)
    if not values:
        return _why_without_label(file, reader)
    classes: list[str] = []
    for value in dict.fromkeys(values):
        try:
            name = reader.class_of(value)
        except LookupError:
            return Text("reason.value_without_class", {"value": value})
        if name is not None and name not in classes:
            classes.append(name)
    if not classes:
        return Text("reason.value_left_out", {"value": values[0]})
    order = reader.description.class_names
    if len(classes) > 1 and not set(classes) <= set(order):
        return Text("reason.rows_say_several", {"labels": classes})
    return max(classes, key=order.index) if len(classes) > 1 else classes[0]


def _why_without_label(file: str, reader: _Reader) -> Text:
    if not needs_table(reader.description.fields["label"]):
        return Text("reason.no_label_found")
    if any(file in joined.rows for joined in reader.joined):
        return Text("reason.row_without_label")
    if any(file in joined.filtered for joined in reader.joined):
        return Text("reason.row_filtered")
    return Text("reason.image_without_row")


def _listing(
    description: DatasetDescription,
    root: Path,
    masks_are: MaskRule,
    known: Collection[str],
    on_progress: FilesSeen | None,
) -> Listing:
    """Return the images below the root that a description means, and the masks among them."""
    label = description.fields["label"]
    level = label.folder if isinstance(label, FolderRule) and label.pattern is None else None
    listed = list_images(root, on_progress, level)
    images, own_masks = _chosen_by(description.images), _chosen_by(description.masks, empty=False)
    never = _chosen_by(FilePatterns(include=description.masks.exclude), empty=False)
    tables = {table.file for table in description.tables}
    masks: dict[str, Text] = {}
    if masks_are != "keep":
        masks = {file: why for file, why in listed.masks.items() if file not in known and not never(file)}
        masks |= {
            file: Text("reason.described_as_mask") for file in listed.files if own_masks(file) and file not in known
        }
    files = sorted({*listed.files, *listed.masks} - masks.keys(), key=sort_key)
    return Listing(
        files=tuple(file for file in files if images(file)),
        masks=masks,
        skipped=tuple(
            item
            for item in listed.skipped
            if item.file not in tables and not item.file.lower().endswith(TABLE_ENDINGS) and images(item.file)
        ),
    )


def _chosen_by(patterns: FilePatterns, empty: bool = True) -> Callable[[str], bool]:
    """Return whether a file is meant by patterns; `empty`: whether one is where nothing is to be included."""
    include, exclude = glob_finder(patterns.include), glob_finder(patterns.exclude)
    includes_some = bool(patterns.include)
    return lambda file: (include(file) if includes_some else empty) and not exclude(file)


def _require_columns(description: DatasetDescription, tables: Sequence[DescribedTable]) -> None:
    """Raise LabelsInvalid where no table has a column that a rule names, or one has it twice and it differs."""
    if not tables:
        return
    rules = [*description.fields.values(), *(group.rule for group in description.subgroups if group.rule is not None)]
    require_columns(tables, [column for rule in rules for column in columns_of(rule)])


def _class_names(
    description: DatasetDescription, place: str, found: set[str], expected_classes: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the classes found, in the order expected, described or of the alphabet."""
    order = Counter(description.class_names)
    names = tuple([name for name in order if name in found] + sorted(found - order.keys()))
    if not expected_classes:
        if expected_classes is None and len(names) < 2:
            raise TooFewClasses(place, names[0])
        return names
    expected = tuple(canonical_class(name) for name in expected_classes)
    if found != set(expected):
        raise ClassesDiffer(place, list(names), list(expected))
    return expected
