"""A dataset description: where images lie, what is known of each and how it is found. A layout is a description, not code.

It is kept as datasets/NAME.json in a workspace, made by a recogniser or a person, and read by
`breastai.data.sources.described_cases`.
"""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator

from breastai.domain.birads import category_in
from breastai.domain.case_fields import FieldRule, PatternText, Role, columns_of, needs_table, rule_of
from breastai.domain.class_words import canonical_class, split_of
from breastai.domain.data_locations import checked_place
from breastai.domain.errors import DatasetInvalid
from breastai.domain.faults import UnusableSetting
from breastai.domain.stored import Stored, StoredDocument, unknown_keys
from breastai.domain.text import Text
from breastai.domain.validation_errors import describe_problems

_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*-\s*(\d+(?:\.\d+)?)")
# A number as tables write it: 4, 4.0, and the subcategories 4a to 4c of BI-RADS.
_NUMBER = re.compile(r"(\d+(?:[.,]\d+)?)[abc]?", re.IGNORECASE)

CorrectionKind = Literal["exclude", "relabel", "restore"]

_Glob = Annotated[str, Field(max_length=1000)]
_Rule = Annotated[FieldRule, BeforeValidator(rule_of)]


class FilePatterns(Stored):
    """Which files below the root are meant, as globs of their paths: * within a folder, ** across folders.

    Without `include` that is every image that is no mask.
    """

    include: tuple[_Glob, ...] = Field((), max_length=1000)
    exclude: tuple[_Glob, ...] = Field((), max_length=1000)


class RowFilter(Stored):
    """Which rows of a table, or images, count: those whose column says one of some values, or none of others.

    Compared without regard to case; numbers as numbers.
    """

    column: str = Field(min_length=1)
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()


class Join(Stored):
    """What ties a row of a table to its images: what a column says and what the image says of the same `role`.

    For the role file without `image` that is the image's path, name or name without ending, whichever the column holds,
    lost leading zeros included. Else `image` says what of the image is compared, by default the rule of the role.
    """

    role: Role = "file"
    column: str = Field(min_length=1)
    pattern: PatternText | None = Field(None, description="The first group of it finds the value in the column.")
    image: Annotated[FieldRule | None, BeforeValidator(rule_of)] = None


class LabelsTable(Stored):
    """A table that says something of images: a CSV of any common kind, a table of words parted by blanks, or a sheet.

    `several_rows`: an image may have several rows, of findings: of their labels the last in the order of the classes
    counts, of all else the first that is said. Otherwise a second row of an image is a fault.
    """

    file: str = Field(min_length=1, max_length=1000, description="Path of the table, relative to the root.")
    sheet: str | None = Field(None, description="Name of the sheet of a workbook; by default its first.")
    columns: tuple[str, ...] = Field((), description="Names of the columns, of a table that begins without them.")
    join: tuple[Join, ...] = Field(min_length=1)
    filters: tuple[RowFilter, ...] = ()
    several_rows: bool = False
    part: str | None = Field(None, description="The part of all its images, of a table that is one part's alone.")

    @field_validator("file")
    @classmethod
    def _lies_below_the_root(cls, value: str) -> str:
        if value.startswith(("/", "~")) or ":" in value or ".." in value.replace("\\", "/").split("/"):
            raise UnusableSetting("expected.below_root")
        return value

    @field_validator("part")
    @classmethod
    def _is_a_part(cls, value: str | None) -> str | None:
        part = None if value is None else split_of(value)
        if value is not None and part is None:
            raise UnusableSetting("expected.one_of", options=["train", "val", "test"])
        return part


class ArrayPart(Stored):
    """Images in an .npz file: the names of their array and of that of their labels, and the part they are."""

    images: str = Field(min_length=1)
    labels: str = Field(min_length=1)
    part: str = Field(min_length=1, description="train, val or test; also how their names begin: train/00012.")


class Subgroup(Stored):
    """Parts of the images that an evaluation tells apart: by a role, or by a rule; numbers in bands at `bands`.

    Bands of age at 50 and 65 are < 50, 50 – < 65, ≥ 65.
    """

    name: str = Field(min_length=1, max_length=100)
    role: Role | None = None
    rule: Annotated[FieldRule | None, BeforeValidator(rule_of)] = None
    bands: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _is_found_in_one_way(self) -> "Subgroup":
        if (self.role is None) == (self.rule is None):
            raise UnusableSetting("expected.role_or_rule")
        if list(self.bands) != sorted(set(self.bands)):
            raise UnusableSetting("expected.rising_bands")
        return self

    def band_of(self, value: str) -> str:
        """Return the band in which a value lies, "" of what is no number."""
        number = number_in(value)
        if number is None:
            return ""
        place = sum(number >= edge for edge in self.bands)
        if place == 0:
            return f"< {self.bands[0]:g}"
        if place == len(self.bands):
            return f"≥ {self.bands[-1]:g}"
        return f"{self.bands[place - 1]:g} – < {self.bands[place]:g}"


class LeftOutFile(Stored):
    """An image that someone left out, and why."""

    file: str = Field(min_length=1)
    note: str = ""
    was: str | None = Field(None, description="The class its source says.")
    part: str | None = Field(None, description="The part it was given to, test for one.")


class RelabelledFile(Stored):
    """An image that someone gave another class than its source says, and why."""

    file: str = Field(min_length=1)
    label: str = Field(min_length=1)
    note: str = ""
    was: str | None = Field(None, description="The class its source says.")
    part: str | None = Field(None, description="The part it was given to, test for one.")


class CorrectionCounts(Stored):
    """How many images a person left out or gave another class, and how many of both are of the test part."""

    left_out: int = 0
    relabelled: int = 0
    of_test: int = 0


class DatasetFingerprint(Stored):
    """What a data set was when it was described: how many files of how many bytes, and a hash of names, sizes and tables."""

    files: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: str


class DatasetDescription(StoredDocument):
    """A data set and how it is read.

    Labels are what `fields["label"]` finds, by `class_map` where it has any entries: what it maps to null is left out, as
    is what it does not name unless it maps nothing to a class. `class_names` are in order where given: of several rows of an image the last counts, and with
    `ordered` the classes are a scale. `split` and `fold` among the fields, or `part` of tables, keep given parts.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    layout: str = Field("labels_table", min_length=1, description="Name of the layout it was recognised as.")
    root: str = Field(min_length=1, description="Folder, relative to the workspace or absolute, .npz file, or address.")
    images: FilePatterns = FilePatterns()
    tables: tuple[LabelsTable, ...] = ()
    arrays: tuple[ArrayPart, ...] = ()
    fields: dict[Role, _Rule] = Field({}, description="Where each thing that is known of an image is found.")
    class_map: dict[str, str | None] = Field({}, description='Class by value; "1-3" is a range, null is left out.')
    class_names: tuple[str, ...] = ()
    ordered: bool = Field(False, description="Whether the classes are a scale, lowest first.")
    target_class: str | None = None
    subgroups: tuple[Subgroup, ...] = ()
    masks: FilePatterns = Field(FilePatterns(), description="Files that are masks, beside those told by their names.")
    left_out: tuple[LeftOutFile, ...] = ()
    relabelled: tuple[RelabelledFile, ...] = ()
    known_twins: tuple[tuple[str, ...], ...] = Field((), description="Files published as showing the same.")
    citation: str | None = None
    licence: str | None = None
    fingerprint: DatasetFingerprint | None = None

    @field_validator("root")
    @classmethod
    def _a_folder_or_an_address(cls, value: str) -> str:
        return checked_place(value)

    @field_validator("class_map")
    @classmethod
    def _in_todays_words(cls, value: Mapping[str, str | None]) -> dict[str, str | None]:
        return {key: None if name is None else canonical_class(name) for key, name in value.items()}

    @field_validator("class_names")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        names = tuple(map(canonical_class, value))
        if len(set(names)) < len(names):
            raise UnusableSetting("expected.different_classes")
        return names

    @model_validator(mode="after")
    def _can_be_read(self) -> "DatasetDescription":
        if not self.arrays and "label" not in self.fields:
            raise UnusableSetting("expected.label_rule")
        for join in (join for table in self.tables for join in table.join if join.role != "file"):
            found = self.image_rule(join)
            if found is None or needs_table(found):
                raise UnusableSetting("expected.image_side", role=join.role)
        if self.class_names and set(filter(None, self.class_map.values())) - set(self.class_names):
            raise UnusableSetting("expected.named_classes", class_names=list(self.class_names))
        return self

    def corrections(self, part: str | None = None) -> CorrectionCounts:
        """Return how many corrections by a person there are; of a part, with those whose part is not known."""
        made: list[LeftOutFile | RelabelledFile] = [*self.left_out, *self.relabelled]
        meant = [item for item in made if part is None or item.part in (part, None)]
        return CorrectionCounts(
            left_out=sum(isinstance(item, LeftOutFile) for item in meant),
            relabelled=sum(isinstance(item, RelabelledFile) for item in meant),
            of_test=sum(item.part == "test" for item in meant),
        )

    @property
    def is_scale(self) -> bool:
        """Whether the classes are a scale, in the order of `class_names`."""
        return self.ordered and len(self.class_names) > 1

    def class_of(self, value: str) -> str | None:
        """Return the class that a value means, None where it is left out; raise LookupError where the map does not say."""
        if not self.class_map:
            return canonical_class(value)
        plain = value.strip().casefold()
        for key, name in self.class_map.items():
            if key.strip().casefold() == plain:
                return name
        category = category_in(plain)
        number = float(category.number) if category is not None else number_in(plain)
        if number is not None:
            for key, name in self.class_map.items():
                bounds = _RANGE.fullmatch(key.strip())
                if number_in(key) == number or (
                    bounds is not None and float(bounds[1]) <= int(number) <= float(bounds[2])
                ):
                    return name
        if not any(self.class_map.values()):
            return canonical_class(value)
        raise LookupError(value)

    def image_rule(self, join: Join) -> FieldRule | None:
        """Return how the image's side of a join is found; None: by its path and name."""
        return join.image or (None if join.role == "file" else self.fields.get(join.role))

    def columns(self) -> list[str]:
        """Return the columns of tables that its rules, joins and filters name."""
        named = [column for rule in self.fields.values() for column in columns_of(rule)]
        named += [column for group in self.subgroups if group.rule for column in columns_of(group.rule)]
        named += [join.column for table in self.tables for join in table.join]
        return list(dict.fromkeys([*named, *(item.column for table in self.tables for item in table.filters)]))


def number_in(value: str) -> float | None:
    """Return the number that a value is, 4 of 4, 4.0 and 4a; None of any other."""
    found = _NUMBER.fullmatch(value.strip())
    return None if found is None else float(found[1].replace(",", "."))


def parse_description(values: Mapping[str, Any]) -> DatasetDescription:
    """Return the description that a person wrote, unknown keys refused; raise DatasetInvalid naming every fault."""
    name = str(values.get("name", ""))[:100]
    description = _validated(values, name)
    problems = [Text("problem.unknown_key", {"name": key}) for key in unknown_keys(description)]
    if problems:
        raise DatasetInvalid(name, problems)
    return description


def load_description(content: bytes, name: str) -> DatasetDescription:
    """Return a description as it was kept, perhaps by a later version; raise DatasetInvalid and FormatTooNew."""
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DatasetInvalid(name, [Text("fault.other", {"message": str(error)})]) from None
    return _validated(values, name).check_format(name)


def _validated(values: Any, name: str) -> DatasetDescription:
    try:
        return DatasetDescription.model_validate(values)
    except ValidationError as error:
        raise DatasetInvalid(name, describe_problems(error, DatasetDescription)) from None
