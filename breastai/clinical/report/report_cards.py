"""The model card and the data sheet of a run: two pages to hand on with the weights and with the images.

What they ask follows Mitchell et al. (Model cards for model reporting, FAT* 2019) and Gebru et al. (Datasheets for
datasets, CACM 2021;64(12):86-92); what no record can answer is left to the authors, by name.
"""

from collections.abc import Iterator

from breastai.clinical.report.report_adaptation import adapted_text
from breastai.clinical.report.report_blocks import Block, Heading, Inlines, Paragraph, Table
from breastai.clinical.report.report_caveats import image_uses, unused_images
from breastai.clinical.report.report_checklists import model_output
from breastai.clinical.report.report_methods import audit_found, flow_and_split, training, used_for
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_results import validation_figures
from breastai.clinical.report.report_subgroups import subgroup_note, subgroup_tables
from breastai.clinical.report.report_summary import limits, main_figures, plain_words
from breastai.clinical.report.report_texts import initial_weights

# What a data sheet asks and only people know.
_OF_AUTHORS = ("motivation", "collection", "consent", "annotation", "distribution", "maintenance")


def model_card(page: ReportPage) -> Iterator[Block]:
    """Yield the model card: for research only, what it is, what it was judged on, where it fails."""
    document, t = page.document, page.t
    yield Heading(t["model_card.title"].format(run=document.run_id), 1)
    yield Paragraph((document.notice,), "notice")
    yield Table((t["card.field"], t["card.text"]), tuple(_facts(page)), t["card"], widths=(0.25, 0.75))
    yield Heading(t["results"])
    if document.evidence is None:
        yield Paragraph((page.not_judged,), "warning")
        yield from validation_figures(page)
    else:
        yield main_figures(page)
        yield from plain_words(page)
        yield from unused_images(page.values, t)
        yield from image_uses(page.values, t, "training", "epoch", "temperature", "threshold")
        yield from subgroup_tables(page)
        yield from subgroup_note(page)
    yield from limits(page)
    yield from training(page)
    yield from used_for(page)


def _facts(page: ReportPage) -> Iterator[tuple[Inlines, Inlines]]:
    document, t = page.document, page.t
    model = document.model
    yield (t["card.purpose"],), (t["card.purpose_text"].format(notice=document.notice),)
    yield (t["card.not"],), (t["card.not_text"],)
    yield (
        (t["card.model"],),
        (t["answer.and"].join((model["architecture"], model["checkpoint"], page.class_list(model["class_names"]))),),
    )
    if document.adapted is not None:
        yield (t["adapted.card"],), adapted_text(page)
    yield (t["checklist.initialization"],), (initial_weights(model["pretrained"], t),)
    yield (t["fingerprint.weights"],), (f"SHA-256 {model['sha256']}",)
    yield (t["checklist.output"],), (model_output(document, page.values, t),)
    yield (t["checklist.software"],), (t["answer.code"].format(version=document.breastai),)
    yield (t["card.limits"],), (page.known_limits,)


def data_sheet(page: ReportPage) -> Iterator[Block]:
    """Yield the data sheet: which images trained and judged the model, what the audit found, what only people know."""
    document, t = page.document, page.t
    yield Heading(t["data_sheet.title"].format(run=document.run_id), 1)
    yield Paragraph((document.notice,), "notice")
    yield from flow_and_split(page)
    yield from audit_found(page)
    yield Heading(t["checklist.deidentification"], 3)
    yield Paragraph((t["answer.deidentification"],))
    rows = tuple(((t[f"fingerprint.{name}"],), (value,)) for name, value in document.fingerprints.items())
    yield Table((t["fingerprints"], "SHA-256"), rows, t["fingerprints.caption"], widths=(0.3, 0.7))
    asked: tuple[tuple[Inlines, ...], ...] = tuple(
        ((t[f"data_sheet.{name}"],), (t["data_sheet.authors"],)) for name in _OF_AUTHORS
    )
    yield Table((t["checklists.what"], t["checklists.answer"]), asked, t["data_sheet.open"], widths=(0.6, 0.4))
