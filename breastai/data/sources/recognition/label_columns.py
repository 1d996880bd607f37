"""Columns that say the class: what their values mean, marks in several, and others that say otherwise."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import floor

from breastai.data.sources.recognition.column_guess import MOST_CLASSES, ColumnGuess, is_birads, says_of_disease
from breastai.data.sources.recognition.recogniser import BIRADS_CLASSES, CLASS_LETTERS
from breastai.data.sources.recognition.surveyed_table import SurveyedTable
from breastai.domain.class_words import canonical_class, is_marked, meaning_of, yes_or_no
from breastai.domain.text import Text

_NEARLY_ALL, _MOST_MARKS = 0.9, 8
_MEASURED = re.compile(r"-?\d+(?:[.,]\d+)?")
# A measurement is read in so many bands of about as many rows each.
_BANDS = 3


@dataclass(frozen=True)
class LabelColumns:
    """How a table says the class: the columns, the rule that reads them, what their values mean, what is doubtful."""

    columns: tuple[str, ...]
    rule: Mapping[str, object]
    class_map: Mapping[str, str | None]
    doubts: tuple[Text, ...] = ()

    @property
    def are_marks(self) -> bool:
        return "marked" in self.rule


def label_columns(table: SurveyedTable, guess: ColumnGuess, is_named: bool = False) -> LabelColumns | None:
    """Return how a table says the class, None where no column does; `is_named`: a person said which column it is."""
    marked = () if is_named else _marked_columns(table, guess)
    if marked:
        rule = {"marked": {column: canonical_class(column) for column in marked}}
        without = sum(count == 0 for count in _marks(table, marked))
        doubts = (Text("doubt.rows_without_mark", {"count": without}),) if without else ()
        return LabelColumns(marked, rule, {}, doubts)
    if guess.label is None:
        return None
    class_map, found = class_map_of(table, guess.label)
    others = _one_of_columns(table, guess.label) or _other_labels(table, guess)
    return LabelColumns((guess.label,), {"column": guess.label}, class_map, (*found, *others))


def class_map_of(table: SurveyedTable, column: str) -> tuple[dict[str, str | None], list[Text]]:
    """Return which class each value of a column means, and what is doubtful of that; empty where values are classes."""
    values = list(table.values[column])
    plain = {value.strip().casefold() for value in values}
    if says_of_disease(column, values):
        found = {value: "malignant" if yes_or_no(value) else "benign" for value in values}
        return dict(found), [Text("doubt.no_cancer_is_benign")]
    if plain <= CLASS_LETTERS.keys():
        return {value: CLASS_LETTERS[value.strip().casefold()] for value in values}, [Text("doubt.letters_as_classes")]
    if is_birads(column, values):
        return dict(BIRADS_CLASSES), [Text("doubt.birads_as_classes")]
    if is_measured(table, column):
        bands = _bands(table, column)
        options = " ".join(f"--map {band}=CLASS" for band in bands)
        told = {"column": column, "count": len(values), "bands": list(bands.values()), "options": options}
        return dict(bands), [Text("doubt.column_in_bands" if bands else "doubt.column_is_measured", told)]
    if all(re.fullmatch(r"\d+(?:\.0)?", value) for value in plain):
        return {}, [Text("doubt.classes_are_numbers")]
    if all(meaning_of(value) == "silent" for value in plain):
        return {}, [Text("doubt.classes_say_nothing", {"classes": sorted(map(canonical_class, plain))[:10]})]
    return {}, []


def is_measured(table: SurveyedTable, column: str) -> bool:
    """Return whether a column holds more different numbers than there are classes, as sizes and ages do."""
    values = table.values[column]
    return len(values) > MOST_CLASSES and all(_MEASURED.fullmatch(value.strip()) for value in values)


def bands_in_order(table: SurveyedTable, column: str, class_map: Mapping[str, str | None]) -> tuple[str, ...]:
    """Return the bands of a measurement from the lowest on, which the alphabet does not; none of a column of classes."""
    return tuple(filter(None, class_map.values())) if is_measured(table, column) else ()


def _bands(table: SurveyedTable, column: str) -> dict[str, str]:
    """Return ranges of whole numbers with about as many rows each, and what they are called; none of too small numbers."""
    counted = table.values[column]
    numbers = sorted(floor(float(value.replace(",", "."))) for value in counted.elements())
    starts = list(dict.fromkeys(numbers[place * len(numbers) // _BANDS] for place in range(_BANDS)))
    if len(starts) < _BANDS or numbers[0] < 0:
        return {}
    ends = [*(start - 1 for start in starts[1:]), numbers[-1]]
    return {f"{start}-{end}": f"{start}\u2013{end}" for start, end in zip(starts, ends, strict=True)}


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
        and len(table.values[column]) <= _MOST_MARKS
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


def _marks(table: SurveyedTable, columns: tuple[str, ...] | list[str]) -> Iterator[int]:
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
        and 1 < len(table.values[column]) <= MOST_CLASSES
        and all(meaning_of(value) in ("disease", "absence") for value in table.values[column])
        and {canonical_class(value) for value in table.values[column]} <= said
        and any(
            canonical_class(row.cell(places[column.lower()])) != canonical_class(row.cell(places[label.lower()]))
            for row in table.table.rows
        )
    ]
    return [Text("doubt.other_label_columns", {"column": label, "others": others})] if others else []
