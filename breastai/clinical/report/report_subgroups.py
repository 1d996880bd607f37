"""The subgroups of a report: a forest plot of each figure, and the differences from the rest with the tests counted."""

from collections.abc import Iterator

from breastai.clinical.report.report_blocks import Block, Chart, Charts, Heading, Inlines, Paragraph, Table
from breastai.clinical.report.report_charts import forest, png
from breastai.clinical.report.report_page import ReportPage


def subgroups(page: ReportPage) -> Iterator[Block]:
    """Yield the model in each subgroup; nothing where the images have none."""
    evidence, t = page.document.evidence, page.t
    if evidence is None or not evidence.subgroups:
        return
    yield Heading(t["subgroups"], 3)
    yield page.say("subgroups.text", tests=page.count("subgroup_tests"))
    names = list(dict.fromkeys(name for each in evidence.subgroups for name in each.figures))
    charts = [
        Chart(png(forest(evidence.subgroups, name, evidence.figures.get(name), t)), page.figure_name(name))
        for name in names
    ]
    yield Charts(tuple(charts))
    yield from subgroup_tables(page)


def subgroup_tables(page: ReportPage) -> Iterator[Block]:
    """Yield a table of the subgroups for each figure; nothing where the images have none."""
    groups = page.document.evidence.subgroups if page.document.evidence else []
    for name in dict.fromkeys(name for each in groups for name in each.figures):
        yield _table(page, name)


def _table(page: ReportPage, name: str) -> Table:
    evidence, t = page.document.evidence, page.t
    assert evidence is not None
    rows: list[tuple[Inlines, ...]] = []
    for number, each in enumerate(evidence.subgroups):
        if name not in each.figures:
            continue
        place = ("evidence", "subgroups", number)
        own = (*place, "figures", name)
        cells: list[Inlines] = [
            (f"{each.column}{t['finding.colon']}{each.value}",),
            (page.count(*own, "n"),),
            page.with_interval(*own),
        ]
        if name in each.differences:
            difference = (*place, "differences", name)
            cells += [page.with_interval(*difference, "difference"), page.p_value(*difference, "adjusted_p")]
        else:
            cells += [("",), ("",)]
        rows.append(tuple(cells))
    head = (t["subgroups.group"], t["figures.n"], t["figures.value"], t["subgroups.difference"], t["p.adjusted"])
    return Table(head, tuple(rows), page.figure_name(name), widths=(0.2, 0.1, 0.28, 0.3, 0.12))


def subgroup_note(page: ReportPage) -> Iterator[Block]:
    """Yield that fairness has not been looked at, where there are no subgroups."""
    evidence = page.document.evidence
    if evidence is not None and not evidence.subgroups:
        yield Paragraph((page.t["subgroups.none"],), "caption")
