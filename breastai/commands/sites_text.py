"""External validation as text: a row a site, all together, what changed of the inputs, what a local sample would change."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from rich.table import Table
from rich.text import Text

from breastai.commands.evaluation_text import plain_table
from breastai.commands.format_text import count_text, counts_by_name, decimals, general, interval, number
from breastai.commands.language import say
from breastai.domain.events import Figure, SitesEvaluated
from breastai.domain.site_records import LocalSample, SiteResult

_OF_TARGET = ("auc_roc", "sensitivity_at_operating_point", "specificity_at_operating_point")


def sites_lines(event: SitesEvaluated) -> Iterator[Text | Table]:
    """Yield what a terminal shows of an external validation."""
    event = event.model_copy(update={"sites": _with_short_names(event.sites)})
    names = [f"{name}.{event.target_class}" for name in _OF_TARGET] if event.target_class else ["balanced_accuracy"]
    sites = count_text(len(event.sites), "site")
    yield Text(say("sites.head", checkpoint=event.checkpoint, sites=sites))
    if event.target_class is not None:
        target = general(event.target_sensitivity or 0.0)
        yield Text(say("sites.frozen_point", name=event.target_class, threshold=number(event.threshold), target=target))
    yield _figures(event, names)
    if any(site.differences for site in event.sites):
        yield _differences(event, names)
    yield _drift(event)
    for site in event.sites:
        if site.local_sample is not None:
            yield from _local_sample(site.data, site.local_sample)
    for site in event.sites:
        for note in site.told_notes:
            yield Text(say("sites.note", site=site.data, text=note))
    for note in event.notes:
        yield Text(say("cli.note", text=note))


def _with_short_names(sites: Sequence[SiteResult]) -> list[SiteResult]:
    """Return the sites by the last part of their path, where that tells them apart."""
    short = [PurePosixPath(site.data).name for site in sites]
    if len(set(short)) < len(sites):
        return list(sites)
    return [site.model_copy(update={"data": name}) for site, name in zip(sites, short, strict=True)]


def _table(title: str, names: Sequence[str], *more: str) -> Table:
    table = plain_table(say(f"sites.{title}"))
    table.add_column(say("sites.site"))
    for heading in (*more, *map(_heading, names)):
        table.add_column(heading, justify="right")
    return table


def _heading(name: str) -> str:
    return say(f"sites.{name.partition('.')[0]}")


def _cell(figures: Mapping[str, Figure], name: str) -> str:
    figure = figures.get(name)
    return "" if figure is None else f"{number(figure.value)} {interval(figure)}"


def _figures(event: SitesEvaluated, names: Sequence[str]) -> Table:
    table = _table("figures", names, say("cli.images"), say("sites.patients"))
    for site in event.sites:
        patients = "" if site.patients is None else str(site.patients)
        table.add_row(site.data, str(site.n), patients, *(_cell(site.figures, name) for name in names))
    for row, low, high in (("pooled", "low", "high"), ("new_site", "prediction_low", "prediction_high")):
        cells = []
        for name in names:
            pooled = event.pooled.get(name)
            bounds = None if pooled is None else (getattr(pooled, low), getattr(pooled, high))
            if pooled is None or bounds is None or None in bounds:
                cells.append("")
                continue
            value = f"{number(pooled.value)} " if row == "pooled" else ""
            cells.append(value + say("cli.interval", low=decimals(bounds[0], 3), high=decimals(bounds[1], 3)))
        if any(cells):
            table.add_row(say(f"sites.{row}"), "", "", *cells)
    spread = [event.pooled.get(name) for name in names]
    if any(pooled is not None and pooled.tau2 is not None for pooled in spread):
        cells = ["" if pooled is None else f"{number(pooled.lowest)} – {number(pooled.highest)}" for pooled in spread]
        table.add_row(say("sites.range"), "", "", *cells)
        cells = ["" if pooled is None else number(pooled.tau2) for pooled in spread]
        table.add_row(say("sites.tau2"), "", "", *cells)
    return table


def _differences(event: SitesEvaluated, names: Sequence[str]) -> Table:
    table = _table(f"differences_{event.internal_set}", names)
    for site in event.sites:
        table.add_row(site.data, *(_cell(site.differences, name) for name in names))
    return table


def _drift(event: SitesEvaluated) -> Table:
    kinds = [row.name for row in max((site.drift for site in event.sites), key=len)]
    table = plain_table(say("sites.drift"))
    table.add_column(say("sites.site"))
    for name in (*kinds, "modality"):
        table.add_column(say(f"sites.drift.{name}"), justify="right")
    for site in event.sites:
        rows = {row.name: row for row in site.drift}
        cells = []
        for name in kinds:
            row = rows.get(name)
            digits = 0 if name == "size" else 3
            if row is None or row.site is None:
                cells.append("")
            elif row.difference is None or row.difference.value is None:
                cells.append(decimals(row.site, digits))
            else:
                change = decimals(row.difference.value, digits)
                told = "" if row.difference.low is None else " " + _change_interval(row.difference, digits)
                cells.append(f"{decimals(row.site, digits)} ({'' if change.startswith('-') else '+'}{change}{told})")
        table.add_row(site.data, *cells, _modalities(site))
    return table


def _change_interval(change: Figure, digits: int) -> str:
    return say("cli.interval", low=decimals(change.low or 0.0, digits), high=decimals(change.high or 0.0, digits))


def _modalities(site: SiteResult) -> str:
    told = counts_by_name(site.modalities)
    new = [name for name in site.modalities if site.modalities_learnt and name not in site.modalities_learnt]
    return say("sites.modality_new", told=told) if new else told


def _local_sample(site: str, sample: LocalSample) -> Iterator[Text | Table]:
    units = count_text(sample.units, sample.unit)
    positives, needed = sample.positive_units, sample.positives_needed
    if sample.fault is not None:
        yield Text(say("sites.sample_fault", site=site, units=units, text=sample.fault))
        return
    yield Text(
        say("sites.sample", site=site, units=units, positives=positives, rest=count_text(sample.rest_images, "image"))
    )
    if positives < needed:
        yield Text(say("sites.sample_few", positives=positives, needed=needed))
    table = plain_table("")
    for heading in ("point", "threshold", "sensitivity", "specificity", "brier", "slope", "intercept"):
        table.add_column(say(f"sites.{heading}"), justify="left" if heading == "point" else "right")
    for point in sample.points:
        found = point.calibration
        table.add_row(
            say(f"sites.point.{point.kind}"),
            number(point.threshold),
            f"{number(point.sensitivity.value)} {interval(point.sensitivity)}",
            f"{number(point.specificity.value)} {interval(point.specificity)}",
            number(point.brier),
            "" if found is None else decimals(found.slope, 2),
            "" if found is None else decimals(found.intercept, 2),
        )
    yield table
