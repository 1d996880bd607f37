"""External validation in a report: a row a site, all together, what changed of the inputs, what a local sample changes."""

from collections.abc import Iterator
from typing import Any

from breastai.clinical.report.report_blocks import Block, Heading, Inline, Inlines, Paragraph, Table, at, fill, interval
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_texts import class_label, texts, translate_sentence
from breastai.domain.site_records import SitesRecord
from breastai.texts.catalogue import texts_below

_OF_TARGET = ("auc_roc", "sensitivity_at_operating_point", "specificity_at_operating_point")


def site_blocks(document: ReportDocument) -> list[Block]:
    """Return the blocks of a run's latest external validation; none where there was none."""
    return [] if document.sites is None else list(_SiteTables(document, document.sites).blocks())


class _SiteTables:
    def __init__(self, document: ReportDocument, sites: SitesRecord) -> None:
        self._sites = sites
        self._language = document.language
        self._values: dict[str, Any] = document.model_dump(mode="json")
        self._words = texts(document.language)
        self._t = texts_below("sites", document.language)
        target = sites.target_class
        self._names = [f"{name}.{target}" for name in _OF_TARGET] if target else ["balanced_accuracy"]

    def blocks(self) -> Iterator[Block]:
        sites, t = self._sites, self._t
        yield Heading(t["title"])
        if sites.target_class is not None:
            values = (at(self._values, "sites", name) for name in ("threshold", "target_sensitivity"))
            threshold, target = values
            yield Paragraph(
                fill(
                    t["frozen_point"],
                    self._language,
                    name=class_label(sites.target_class, self._words),
                    threshold=threshold,
                    target=target,
                )
            )
        yield self._table("figures", "figures", pooled=True)
        if sites.internal_set is not None:
            yield self._table(f"differences_{sites.internal_set}", "differences", pooled=False)
        yield self._drift()
        for place, site in enumerate(sites.sites):
            if site.local_sample is not None and site.local_sample.points:
                yield from self._local_sample(place)
        for site in sites.sites:
            for note in site.told_notes:
                told = fill(
                    self._t["note"], self._language, site=site.data, text=translate_sentence(note, self._language)
                )
                yield Paragraph(told, "caption")
        for note in sites.notes:
            yield Paragraph((translate_sentence(note, self._language),), "caption")

    def _table(self, caption: str, part: str, *, pooled: bool) -> Table:
        rows: list[tuple[Inlines, ...]] = []
        for place, site in enumerate(self._sites.sites):
            found = getattr(site, part)
            cells = [self._figure(place, part, name) if name in found else ("",) for name in self._names]
            rows.append(((site.data,), (at(self._values, "sites", "sites", place, "n", kind="integer"),), *cells))
        if pooled and self._sites.pooled:
            rows.append(
                ((self._t["pooled"],), ("",), *(self._pooled(name, "value", "low", "high") for name in self._names))
            )
            ahead = (self._pooled(name, None, "prediction_low", "prediction_high") for name in self._names)
            cells = list(ahead)
            rows += [((self._t["new_site"],), ("",), *cells)] if any(cell != ("",) for cell in cells) else []
        head = (self._t["site"], self._words["figures.n"], *(self._t[name.partition(".")[0]] for name in self._names))
        return Table(head, tuple(rows), self._t[caption])

    def _figure(self, place: int, part: str, name: str) -> Inlines:
        path = ("sites", "sites", place, part, name)
        return (at(self._values, *path, "value"), " (", *interval(self._values, self._words, *path), ")")

    def _pooled(self, name: str, value: str | None, low: str, high: str) -> Inlines:
        found = self._sites.pooled.get(name)
        if found is None or getattr(found, low) is None:
            return ("",)
        path = ("sites", "pooled", name)
        bounds = fill(
            self._words["interval"],
            self._language,
            low=at(self._values, *path, low),
            high=at(self._values, *path, high),
        )
        return bounds if value is None else (at(self._values, *path, value), " (", *bounds, ")")

    def _drift(self) -> Table:
        kinds = [row.name for row in max((site.drift for site in self._sites.sites), key=len)]
        rows: list[tuple[Inlines, ...]] = []
        for place, site in enumerate(self._sites.sites):
            numbers = {row.name: number for number, row in enumerate(site.drift)}
            cells: list[Inlines] = []
            for name in kinds:
                if name not in numbers:
                    cells.append(("",))
                    continue
                path = ("sites", "sites", place, "drift", numbers[name])
                cell: Inlines = (at(self._values, *path, "site", kind="plain" if name == "size" else "figure"),)
                if site.drift[numbers[name]].difference is not None:
                    change = at(self._values, *path, "difference", "value")
                    bounds = interval(self._values, self._words, *path, "difference")
                    cell = fill(self._t["drift_change"], self._language, site=cell, change=change, interval=bounds)
                cells.append(cell)
            modalities: list[Inline] = []
            for modality in site.modalities:
                counted = at(self._values, "sites", "sites", place, "modalities", modality, kind="integer")
                modalities += [f"{', ' if modalities else ''}{modality} ", counted]
            rows.append(((site.data,), *cells, tuple(modalities)))
        head = (self._t["site"], *(self._t[f"drift.{name}"] for name in (*kinds, "modality")))
        return Table(head, tuple(rows), self._t["drift"])

    def _local_sample(self, place: int) -> Iterator[Block]:
        site = self._sites.sites[place]
        sample = site.local_sample
        assert sample is not None
        path = ("sites", "sites", place, "local_sample")
        counted = {
            name: at(self._values, *path, field, kind="integer")
            for name, field in (("units", "units"), ("positives", "positive_units"), ("rest", "rest_images"))
        }
        unit = self._t[f"sample_unit.{sample.unit}"]
        yield Paragraph(fill(self._t["sample_report"], self._language, site=site.data, unit=unit, **counted))
        rows: list[tuple[Inlines, ...]] = []
        for number, point in enumerate(sample.points):
            own = (*path, "points", number)
            shares: list[Inlines] = [
                (at(self._values, *own, name, "value"), " (", *interval(self._values, self._words, *own, name), ")")
                for name in ("sensitivity", "specificity")
            ]
            fit: list[Inlines] = [("",), ("",)]
            if point.calibration is not None:
                fit = [(at(self._values, *own, "calibration", name),) for name in ("slope", "intercept")]
            threshold, brier = (at(self._values, *own, name) for name in ("threshold", "brier"))
            rows.append(((self._t[f"point.{point.kind}"],), (threshold,), *shares, (brier,), *fit))
        names = ("point", "threshold", "sensitivity", "specificity", "brier", "slope", "intercept")
        yield Table(tuple(self._t[name] for name in names), tuple(rows), self._t["sample_caption"])
