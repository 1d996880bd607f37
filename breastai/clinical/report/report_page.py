"""What every part of a report is laid out from: the document, its JSON, the texts, and how figures are written."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from breastai.clinical.report.report_blocks import NO_NUMBER, Inline, Inlines, Paragraph, Quantity, at, fill, interval
from breastai.clinical.report.report_document import Flow, ReportDocument
from breastai.clinical.report.report_texts import class_label, texts
from breastai.texts.number_format import LEAST_P

_NAME = re.compile(r"(?P<figure>.+?)(?:@(?P<pool>patient)|@(?P<column>[^=@]+)=(?P<value>.*))?")

# Shares of the width that the columns of a table of figures have: words, value, interval, number of cases.
FIGURE_WIDTHS = (0.52, 0.14, 0.22, 0.12)


class ReportPage:
    """A document with its JSON, made once, so that each number knows where it lies, and the texts of its language."""

    def __init__(self, document: ReportDocument) -> None:
        self.document = document
        self.values: dict[str, Any] = document.model_dump(mode="json")
        self.language = document.language
        self.t = texts(document.language)

    @property
    def flow(self) -> Flow:
        """The images in and out of a run; the predictions of another model have none, and no section that asks."""
        assert self.document.flow is not None
        return self.document.flow

    def at(self, *path: str | int, kind: Any = "figure") -> Quantity:
        return at(self.values, *path, kind=kind)

    def count(self, *path: str | int) -> Quantity:
        return at(self.values, *path, kind="integer")

    def fill(self, key: str, **values: Any) -> Inlines:
        return fill(self.t[key], self.language, **values)

    def say(self, key: str, **values: Any) -> Paragraph:
        return Paragraph(self.fill(key, **values))

    def class_label(self, name: str) -> str:
        return class_label(name, self.t)

    def class_list(self, names: Iterable[str]) -> str:
        return ", ".join(self.class_label(name) for name in names)

    def counts(self, *path: str) -> Inlines:
        """Return the numbers of a mapping by class: benign 20, malignant 10."""
        parts: list[Inline] = []
        for name in at(self.values, *path).value or {}:  # type: ignore[union-attr]
            parts += [f"{self.class_label(name)} ", self.count(*path, name), ", "]
        return tuple(parts[:-1])

    def patients_of(self, part: str) -> Inlines:
        patients = self.count("flow", f"{part}_patients")
        return () if patients.value is None else self.fill("flow.patients", patients=patients)

    def interval(self, *path: str | int) -> Inlines:
        return interval(self.values, self.t, *path)

    def with_interval(self, *path: str | int) -> Inlines:
        if self.at(*path, "value").value is None and self.at(*path, "flag").value is None:
            return (NO_NUMBER,)
        return (self.at(*path, "value"), " (", *self.interval(*path), ")")

    def figure_text(self, name: str) -> Inlines:
        return self.with_interval("evidence", "figures", name)

    def p_value(self, *path: str | int) -> Inlines:
        """Return a p-value as it is read: below a thousandth it says no more than that."""
        found = self.at(*path)
        if found.value is None:
            return (NO_NUMBER,)
        return (self.t["p.least"],) if found.value < LEAST_P else (found,)

    def row(self, words: str, *path: str | int) -> tuple[Inlines, ...]:
        """Return a row of a table of figures: words, value, interval, number of cases."""
        return ((words,), (self.at(*path, "value"),), self.interval(*path), (self.count(*path, "n"),))

    @property
    def known_limits(self) -> str:
        """What a card says of limits: of figures, or that there are none beyond validation."""
        if self.document.evidence is not None:
            return self.t["card.limits_text"]
        return self.t["card.limits_not_judged"] if self.document.adapted is None else self.not_judged

    @property
    def not_judged(self) -> str:
        """That no images but validation's were judged, and what these chose; an adapted model has not even those."""
        if self.document.adapted is not None:
            return self.t["adapted.not_judged"]
        fitted = "_calibration" if self.document.flow and self.document.flow.calibration_total else ""
        return self.t[f"summary.not_judged.probe{fitted}" if self.is_probe else "summary.not_judged"]

    @property
    def is_probe(self) -> bool:
        """Whether the run fitted a classifier once on features of the frozen network: it has no epochs to tell of."""
        return bool(self.document.settings) and self.document.settings["training"].get("recipe") == "probe"

    @property
    def figure_head(self) -> tuple[str, ...]:
        return self.head_of("images")

    def head_of(self, counted: str) -> tuple[str, ...]:
        """Return the head of a table of figures; `counted`: what their numbers count, images, patients, breasts or cases."""
        return (*(self.t[f"figures.{name}"] for name in ("figure", "value", "interval")), self.t[f"counted.{counted}"])

    def figure_name(self, name: str) -> str:
        """Return a figure's name in words: auc_roc.malignant@patient is AUC, malignant, by patient."""
        found = _NAME.fullmatch(name)
        base = found["figure"] if found else name
        known = max(
            (key for key in self.t if key.startswith("metric.") and _begins(base, key[7:])), key=len, default=""
        )
        words = [self.t[known] if known else base]
        rest = base[len(known) - 7 :].lstrip(".") if known else ""
        words += [self.class_label(rest)] if rest else []
        if found and found["column"]:
            words.append(f"{found['column']} {found['value']}")
        return ", ".join(words)

    def figures_by_kind(self) -> Mapping[str, list[str]]:
        """Return the names of all figures, by the text that heads them: those of images, patients, subgroups."""
        parts: dict[str, list[str]] = {}
        for name in self.document.evidence.figures if self.document.evidence else ():
            found = _NAME.fullmatch(name)
            pool, column = (found["pool"], found["column"]) if found else (None, None)
            parts.setdefault("figures.patients" if pool else "figures.subgroups" if column else "", []).append(name)
        return parts


def flat(values: Mapping[str, Any], place: str = "") -> Iterator[tuple[str, str]]:
    """Yield each setting of nested ones that is set by its path, as text."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{place}{key}.")
        elif value is not None:
            yield f"{place}{key}", ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _begins(name: str, known: str) -> bool:
    return name == known or name.startswith(f"{known}.")
