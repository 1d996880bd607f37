"""The report: the document of a run laid out as blocks: a page of summary, methods, results, limits, appendices."""

from collections.abc import Iterator, Mapping

from breastai.clinical.report.report_appendix import appendices
from breastai.clinical.report.report_blocks import Block, Heading, PageBreak, Paragraph
from breastai.clinical.report.report_comparisons import comparisons
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_methods import methods
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_readers import readers
from breastai.clinical.report.report_results import results
from breastai.clinical.report.report_sites import site_blocks
from breastai.clinical.report.report_summary import summary
from breastai.texts.renderer import write_value


def lay_out(document: ReportDocument, pictures: Mapping[int, str]) -> list[Block]:
    """Return the blocks of a report. `pictures`: of worst cases by their number, as data URIs."""
    page = ReportPage(document)
    return [
        *_beginning(page),
        *summary(page),
        PageBreak(),
        *methods(page),
        *results(page, pictures),
        *site_blocks(document),
        *comparisons(page),
        *readers(page),
        PageBreak(),
        *appendices(page),
    ]


def _beginning(page: ReportPage) -> Iterator[Block]:
    document, t = page.document, page.t
    yield Heading(report_title(page), 1)
    yield Paragraph((document.notice,), "notice")
    created = write_value(document.created, document.language, "datetime")
    key = "made" if document.flow else "made_elsewhere"
    if document.adapted is not None:
        key = "made_adapted" if document.is_recorded else "made_adapted_alone"
    yield Paragraph((t[key].format(created=created, version=document.breastai),), "caption")


def report_title(page: ReportPage) -> str:
    """Return what the report is of: a run, or the predictions of another model."""
    if page.document.flow is None:
        return page.t["title_elsewhere"].format(table=page.document.model["checkpoint"])
    return page.t["title" if page.document.adapted is None else "title_adapted"].format(run=page.document.run_id)
