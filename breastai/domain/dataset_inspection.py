"""An inspection: what a place would be read as, what is in it and what is doubtful; and changes to how it is read."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from breastai.domain.case_fields import ColumnRule, FieldRule, Role, rule_of
from breastai.domain.class_words import canonical_class
from breastai.domain.dataset_description import DatasetDescription, RowFilter, parse_description
from breastai.domain.errors import DatasetInvalid
from breastai.domain.settings import Settings
from breastai.domain.stored import Stored
from breastai.domain.text import Text

UNKNOWN_LAYOUT = "unknown"


class LeftOutFiles(Stored):
    """Why some images or rows are left out."""

    reason: Text
    count: int
    files: list[str] = Field([], description="The first of them.")


class DatasetInspection(Stored):
    """What lies at a place, counted as it would be trained on, and how it would be read.

    `description` is None where nothing says the classes. Patients, breasts and splits are None where they are not known.
    """

    path: str
    layout: str = Field(description="Name of the layout it is read as, or unknown.")
    images: int
    classes: dict[str, int] = {}
    patients: int | None = None
    breasts: int | None = None
    splits: dict[str, int] | None = Field(None, description="Images of train, val and test.")
    views: dict[str, int] | None = None
    masks: int = Field(0, description="Outlines, regions and crops, which train nothing.")
    left_out: int = 0
    doubts: list[Text] = []
    reasons: list[LeftOutFiles] = Field([], description="Why what is left out is left out, the most frequent first.")
    samples: dict[str, list[str]] = Field({}, description="A few images of each class, by path below the root.")
    description: DatasetDescription | None = None
    twins: Text | None = Field(None, description="What of a published set occurs elsewhere or twice.")
    files_seen: int = 0

    def summary(self) -> dict[str, Any]:
        """Return what a script is told: counts and doubts."""
        keys = ("layout", "images", "classes", "patients", "breasts", "splits", "masks", "left_out")
        values = self.model_dump(mode="json")
        doubts = [doubt.model_dump(mode="json") for doubt in self.doubts]
        return {"type": "dataset_inspection", **{key: values[key] for key in keys}, "doubts": doubts}


class ReadingChanges(Settings):
    """What a person changes in how a place is read; what is not named stays."""

    table: str | None = Field(None, description="The table that says the classes, by its path below the place.")
    file_column: str | None = Field(None, description="Its column that names the image.")
    fields: dict[Role, Annotated[FieldRule | None, BeforeValidator(rule_of)]] = Field(
        {}, description="Where a thing is found: a column's name, or a rule; null: nowhere."
    )
    class_map: dict[str, str | None] = Field({}, description='Class by value; "1-3" is a range, null is left out.')
    filters: tuple[RowFilter, ...] | None = Field(None, description="Rows that count, beside those left out already.")
    target_class: str | None = None
    ordered: list[str] | None = Field(
        None, min_length=2, max_length=100, description="The classes as a scale, the lowest first."
    )

    @property
    def columns(self) -> dict[Role, str]:
        """The columns that are named, by what they say."""
        named: dict[Role, str] = {} if self.file_column is None else {"file": self.file_column}
        return named | {role: rule.column for role, rule in self.fields.items() if isinstance(rule, ColumnRule)}

    def keeps_label(self, description: DatasetDescription) -> bool:
        """Return whether the class is still found where a description finds it."""
        named, known = self.fields.get("label"), description.fields.get("label")
        if "label" not in self.fields or named == known:
            return True
        if not isinstance(named, ColumnRule) or not isinstance(known, ColumnRule):
            return False
        return named == ColumnRule(column=named.column) and named.column.casefold() == known.column.casefold()

    def apply(self, description: DatasetDescription) -> DatasetDescription:
        """Return a description with the changes; raise DatasetInvalid."""
        if not self.model_fields_set:
            return description
        values = description.model_dump(mode="json", exclude_defaults=True)
        changed = self.model_dump(mode="json", exclude_defaults=True)
        fields = {**values.get("fields", {}), **changed.get("fields", {})}
        fields |= {role: None for role in self.fields if self.fields[role] is None}
        values["fields"] = {role: rule for role, rule in fields.items() if rule is not None}
        if not self.keeps_label(description):  # what another column's values meant, this one's do not
            values.pop("class_map", None)
            values.pop("class_names", None)
        elif "label" in self.fields:
            values["fields"]["label"] = description.fields["label"]
        if self.class_map:
            values["class_map"] = {**values.get("class_map", {}), **self.class_map}
            values.pop("class_names", None)
        if self.filters is not None:
            if self.filters and not description.tables:
                raise DatasetInvalid(description.name, [Text("problem.filter_without_table")])
            rows = [each.model_dump(mode="json") for each in self.filters]
            values["tables"] = [{**table, "filters": [*table.get("filters", []), *rows]} for table in values["tables"]]
        if self.target_class is not None:
            values["target_class"] = self.target_class
        if self.ordered is not None:
            names = {None, *map(canonical_class, self.ordered)}
            meant = {value: name for value, name in values.get("class_map", {}).items() if name in names}
            values |= {"class_names": self.ordered, "ordered": True, "class_map": meant}
        return parse_description(values)
