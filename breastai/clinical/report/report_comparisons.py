"""The comparisons of a report: the run's model beside another on the same images, as they were kept."""

from collections.abc import Iterator

from breastai.clinical.report.report_blocks import Block, Heading, Inlines, Paragraph, Table
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_texts import translate_sentence
from breastai.domain.comparison_record import NonInferiority
from breastai.texts.renderer import write_value


def comparisons(page: ReportPage) -> Iterator[Block]:
    """Yield each comparison in which the run took part; nothing where there is none."""
    t = page.t
    if not page.document.comparisons:
        return
    yield Heading(t["comparisons"])
    for number, record in enumerate(page.document.comparisons):
        place = ("comparisons", number)
        named = {"first": record.first, "second": record.second, "data": record.data}
        time = write_value(record.created, page.language, "datetime")
        yield page.say("comparisons.of", **named, time=time, n=page.count(*place, "n"))
        yield _table(page, t["comparisons.figures"], *place, "figures")
        if record.decisions is not None:
            thresholds = {name: page.at(*place, "decisions", f"{name}_threshold") for name in ("first", "second")}
            yield page.say("comparisons.points", name=page.class_label(record.decisions.class_name), **thresholds)
            yield _table(page, t["comparisons.decisions"], *place, "decisions", "figures")
            exchange = page.at(*place, "decisions", "exchange")
            yield Paragraph(page.fill("comparisons.net_benefit", exchange=exchange), "caption")
            yield _mcnemar(page, *place, "decisions", "mcnemar")
        for at, judged in enumerate(record.non_inferiority):
            verdict = "undefined" if judged.shown is None else "shown" if judged.shown else "not_shown"
            own = (*place, "non_inferiority", at)
            yield page.say(
                f"comparisons.margin.{verdict}",
                figure=_compared(page, judged.figure),
                margin=page.at(*own, "margin"),
                bound=page.at(*own, "bound"),
            )
            yield Paragraph(_when_stated(page, judged, *own), "caption" if not judged.others else "warning")
        for note in record.notes:
            yield Paragraph((translate_sentence(note, page.language),), "caption")


def _when_stated(page: ReportPage, judged: NonInferiority, *path: str | int) -> Inlines:
    """Return when a margin was stated, and that others were for the same figure: then a reader can't know which was meant."""

    def day(stated: str) -> str:
        return write_value(stated, page.language, "datetime")

    when = page.fill(f"comparisons.{'beforehand' if judged.beforehand else 'at_once'}", time=day(judged.stated))
    for number, each in enumerate(judged.others):
        margin = page.at(*path, "others", number, "margin")
        when = (*when, " ", *page.fill("comparisons.other_margin", margin=margin, time=day(each.stated)))
    return when


def _compared(page: ReportPage, name: str) -> str:
    """Return a compared figure in words: net_benefit.screening is the net benefit at that prevalence."""
    base, _, pool = name.partition("@")
    figure, _, where = base.partition(".")
    words = page.figure_name(base)
    if figure == "net_benefit":
        words = page.t["chart.net_benefit"]
        words += f" ({page.t.get(f'prevalence.{where}', where)})" if where else ""
    return f"{words}, {page.t['comparisons.by_patient']}" if pool else words


def _table(page: ReportPage, caption: str, *path: str | int) -> Table:
    t = page.t
    rows: list[tuple[Inlines, ...]] = []
    for name in page.at(*path).value or {}:  # type: ignore[union-attr]
        own = (*path, name)
        values: list[Inlines] = [(page.at(*own, side),) for side in ("first", "second")]
        p = page.p_value(*own, "adjusted_p") if page.at(*own, "p_value").value is not None else ("",)
        rows.append(((_compared(page, str(name)),), *values, page.with_interval(*own, "difference"), p))
    head = (
        t["figures.figure"],
        t["comparisons.first"],
        t["comparisons.second"],
        t["comparisons.difference"],
        t["p.adjusted"],
    )
    return Table(head, tuple(rows), caption, widths=(0.3, 0.12, 0.12, 0.34, 0.12))


def _mcnemar(page: ReportPage, *path: str | int) -> Table:
    t = page.t
    rows: list[tuple[Inlines, ...]] = []
    for name in page.at(*path).value or {}:  # type: ignore[union-attr]
        own = (*path, name)
        counts: list[Inlines] = [(page.count(*own, side),) for side in ("first_only", "second_only")]
        rows.append(
            ((_compared(page, str(name)),), *counts, page.p_value(*own, "p_value"), page.p_value(*own, "adjusted_p"))
        )
    head = (t["figures.figure"], t["comparisons.first_only"], t["comparisons.second_only"], t["p"], t["p.adjusted"])
    return Table(head, tuple(rows), t["comparisons.mcnemar"], widths=(0.4, 0.18, 0.18, 0.12, 0.12))
