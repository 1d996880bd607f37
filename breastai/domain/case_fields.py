"""What may be known of a case, its roles; and the rules by which each is found: in a table, a name, a folder, a header."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from breastai.domain.class_words import split_of
from breastai.domain.faults import UnusableSetting
from breastai.domain.stored import Stored
from breastai.domain.text_patterns import compile_pattern, rewriter_of

Role = Literal[
    "label", "file", "patient", "breast", "view", "exam", "split", "fold", "site", "device", "age", "density", "birads",
    "box", "mask",
]  # fmt: skip
HeaderValue = Literal["patient_id", "laterality", "view", "modality", "device", "series"]
# How the columns of a box say where it is: its corner and size, two corners, or a circle's centre and radius.
BoxForm = Literal["xywh", "xyxy", "circle", "circle_from_bottom"]
_COLUMNS_OF_FORM = {"xywh": 4, "xyxy": 4, "circle": 3, "circle_from_bottom": 3}


_BREASTS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            "l",
            "left",
            "gauche",
            "g",
            "links",
            "izquierda",
            "sinistra",
            "sx",
            "esquerda",
            "lt",
            "li",
            "sin",
            "левая",
            "左",
            "왼쪽",
            "يسار",
        ),
        "L",
    ),
    **dict.fromkeys(
        (
            "r",
            "right",
            "droite",
            "droit",
            "d",
            "rechts",
            "derecha",
            "destra",
            "dx",
            "direita",
            "rt",
            "re",
            "dex",
            "правая",
            "右",
            "오른쪽",
            "يمين",
        ),
        "R",
    ),
    **dict.fromkeys(("b", "both", "bilateral", "deux"), "B"),
}


def _compiles(value: str) -> str:
    compile_pattern(value)
    return value


# A regular expression that a person wrote; one that can't be used is refused.
PatternText = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_compiles)]


class Rule(Stored):
    """Where a value is found. What stands there is taken whole, or what the first group of `pattern` finds in it.

    `values`: what some of them mean instead, null that they say nothing; compared without regard to case.
    """

    pattern: PatternText | None = None
    values: dict[str, str | None] = {}


class ColumnRule(Rule):
    """A column of a table, by its name in any case: of the first table that has a row for the image and such a column."""

    column: str = Field(min_length=1, max_length=300)
    otherwise: str | None = Field(None, min_length=1, description="The column that counts where it says nothing.")


class FolderRule(Rule):
    """A folder of the image's path: 1 is the first below the root, -1 the one in which the file lies."""

    folder: int = Field(ge=-20, le=20)

    @field_validator("folder")
    @classmethod
    def _counts_from_an_end(cls, value: int) -> int:
        if value == 0:
            raise UnusableSetting("expected.folder_level")
        return value


class PathRule(Rule):
    r"""What the first group of a pattern finds in the image's path below the root.

    With `expand` it is that template, \1 and so on filled in: so is the path of a mask made from that of its image.
    """

    path: str = Field(min_length=1, max_length=500)
    expand: str | None = Field(None, min_length=1, max_length=500)

    @model_validator(mode="after")
    def _compile(self) -> "PathRule":
        if self.expand is None:
            compile_pattern(self.path)
        else:
            rewriter_of(self.path, self.expand)
        return self


class HeaderRule(Rule):
    """A value in the header of a DICOM file. Identifiers are hashed with the project's salt before they are used."""

    header: HeaderValue


class ConstantRule(Rule):
    """The same for all."""

    constant: str = Field(min_length=1, max_length=300)


class BoxRule(Rule):
    """A box or circle in columns of a table, in pixels of the image as stored.

    `circle_from_bottom` counts the centre's second coordinate from the lower edge of an image that is `height` pixels
    high. One column may hold all numbers, whatever stands between them.
    """

    columns: tuple[str, ...] = Field(min_length=1, max_length=4)
    form: BoxForm = "xywh"
    height: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _is_complete(self) -> "BoxRule":
        if len(self.columns) not in (1, _COLUMNS_OF_FORM[self.form]):
            raise UnusableSetting("expected.box_columns", count=_COLUMNS_OF_FORM[self.form], form=self.form)
        if self.form == "circle_from_bottom" and self.height is None:
            raise UnusableSetting("expected.box_height")
        return self


class MarkedRule(Rule):
    """What columns of marks stand for, by their names: of those that say 1, yes or x in the row. `values` are of no use."""

    marked: dict[str, str] = Field(min_length=2, max_length=100)


FieldRule = ColumnRule | FolderRule | PathRule | HeaderRule | ConstantRule | BoxRule | MarkedRule
# The key that tells each rule apart from the others.
RULES: Mapping[str, type[Rule]] = {
    "column": ColumnRule,
    "folder": FolderRule,
    "path": PathRule,
    "header": HeaderRule,
    "constant": ConstantRule,
    "columns": BoxRule,
    "marked": MarkedRule,
}


def rule_of(value: Any) -> Any:
    """Return the rule in a mapping, by the key that tells it; a text is the name of a column. Raises UnusableSetting."""
    if isinstance(value, str):
        return ColumnRule(column=value)
    if not isinstance(value, Mapping):
        return value
    found = [rule for key, rule in RULES.items() if key in value]
    if len(found) != 1:
        raise UnusableSetting("expected.field_rule", keys=list(RULES))
    return found[0].model_validate(value)


def columns_of(rule: FieldRule) -> tuple[str, ...]:
    """Return the columns of tables in which a rule finds its value."""
    if isinstance(rule, ColumnRule):
        return (rule.column, *((rule.otherwise,) if rule.otherwise else ()))
    if isinstance(rule, MarkedRule):
        return tuple(rule.marked)
    return rule.columns if isinstance(rule, BoxRule) else ()


def needs_table(rule: FieldRule) -> bool:
    """Return whether a rule finds its value in a table, not in the image or its name."""
    return bool(columns_of(rule))


def in_words_of(role: Role, value: str | None) -> str | None:
    """Return a value as all sources say it: a breast as L, R or B, a view in capitals, a part as train, val or test.

    A breast or a part that is none of these is None, and so is a mask that would lie outside the root.
    """
    if value is None:
        return None
    match role:
        case "breast":
            return _BREASTS.get(value.casefold())
        case "view":
            return value.upper()
        case "split":
            return split_of(value)
        case "mask":
            file = value.replace("\\", "/")
            return None if file.startswith("/") or ".." in file.split("/") else file
    return value
