"""The appendices of a report: every figure, the other curves, the model card, the checklists, the settings."""

from collections.abc import Iterator

from breastai.clinical.report import report_charts as charts
from breastai.clinical.report.report_adaptation import adapted_text
from breastai.clinical.report.report_blocks import Block, Heading, Inline, Inlines, Paragraph, Table
from breastai.clinical.report.report_caveats import image_uses
from breastai.clinical.report.report_page import FIGURE_WIDTHS, ReportPage, flat
from breastai.clinical.report.report_readers import reader_details
from breastai.clinical.report.report_texts import initial_weights, translate_sentence

# Sections of the settings that shaped nothing of this run; they stand in the JSON.
_OF_OTHER_JOBS = frozenset({"tuning", "crossval", "storage", "tracking"})


def appendices(page: ReportPage) -> Iterator[Block]:
    """Yield the appendices."""
    yield Heading(page.t["appendices"], 1)
    of_run = page.document.flow is not None
    if of_run:
        yield from card(page)
    yield from all_figures(page)
    yield Heading(page.t["curves"])
    yield charts.other_charts(page.document, page.t)
    yield from reader_details(page)
    yield from checklists(page)
    if of_run:
        yield from settings(page)
        yield from fingerprints(page)


def card(page: ReportPage) -> Iterator[Block]:
    """Yield the model card."""
    document, t = page.document, page.t
    yield Heading(t["card"])
    model = document.model
    classes = page.class_list(model["class_names"])
    described = t["answer.and"].join(
        (model["architecture"], initial_weights(model["pretrained"], t), classes, model["checkpoint"])
    )
    rows: list[tuple[Inlines, Inlines]] = [
        ((t["card.purpose"],), (t["card.purpose_text"].format(notice=document.notice),)),
        ((t["card.not"],), (t["card.not_text"],)),
        ((t["card.model"],), (described,)),
        ((t["split"],), (translate_sentence(document.split["description"], page.language),)),
    ]
    if document.adapted is not None:
        rows.insert(3, ((t["adapted.card"],), adapted_text(page)))
    if document.evidence is not None:
        parts: list[Inline] = []
        for name in document.evidence.class_names:
            parts += [f"{page.figure_name(f'auc_roc.{name}')} ", *page.figure_text(f"auc_roc.{name}"), t["answer.and"]]
        rows.append(((t["figures"],), tuple(parts[:-1])))
    rows.append(((t["card.limits"],), (page.known_limits,)))
    yield Table((t["card.field"], t["card.text"]), tuple(rows), t["card"], widths=(0.25, 0.75))


def all_figures(page: ReportPage) -> Iterator[Block]:
    """Yield every figure with its interval, and the confusion matrix."""
    document, t = page.document, page.t
    evidence = document.evidence
    if evidence is None:
        return
    yield Heading(t["figures.all"])
    for key, names in page.figures_by_kind().items():
        if key == "figures.subgroups":
            yield Paragraph((t["figures.subgroups_in_json"],), "caption")
            continue
        caption = f"{t[key]}. {t['figures.caption_patients']}" if key else t["figures.caption"]
        rows = tuple(page.row(page.figure_name(name), "evidence", "figures", name) for name in names)
        counted = "patient" if key == "figures.patients" else "images"
        yield Table(page.head_of(counted), rows, caption, widths=FIGURE_WIDTHS)
    yield Paragraph((t["figures.undefined"],), "caption")
    if evidence.operating_point is not None:
        yield Paragraph((t["figures.argmax"],), "caption")
    yield from image_uses(page.values, t, "training", "epoch")
    yield Heading(t["confusion"], 3)
    head: tuple[str, ...] = (t["confusion.corner"], *(page.class_label(name) for name in evidence.class_names))
    matrix: tuple[tuple[Inlines, ...], ...] = tuple(
        (
            (page.class_label(name),),
            *((page.count("evidence", "confusion_matrix", row, column),) for column in range(len(counts))),
        )
        for row, (name, counts) in enumerate(zip(evidence.class_names, evidence.confusion_matrix, strict=True))
    )
    yield Table(head, matrix, t["confusion.caption"])


def checklists(page: ReportPage) -> Iterator[Block]:
    """Yield of each checklist the items that the records answer, and the numbers of those that are for the authors."""
    t = page.t
    yield Heading(t["checklists"])
    yield Paragraph((t["checklists.text"],))
    for name, items in page.document.checklists.items():
        answered = [item for item in items if item["answer"] is not None]
        rows = tuple(
            (
                (item["item"] or "",),
                (t.get(f"checklist.{item['question']}", item["question"] or ""),),
                (item["answer"] or "",),
            )
            for item in answered
        )
        head = (t["checklists.item"], t["checklists.what"], t["checklists.answer"])
        yield Table(head, rows, name, widths=(0.08, 0.27, 0.65))
        left = list(dict.fromkeys(item["item"] or "" for item in items if item["answer"] is None))
        yield Paragraph((t["checklists.left"].format(items=", ".join(left)),), "caption")


def settings(page: ReportPage) -> Iterator[Block]:
    """Yield every setting and the versions of the libraries."""
    t = page.t
    yield Heading(t["settings"])
    used = {name: values for name, values in page.document.settings.items() if name not in _OF_OTHER_JOBS}
    rows: tuple[tuple[Inlines, ...], ...] = tuple(
        ((name,), (t.get(f"value.{value}", value),)) for name, value in flat(used)
    )
    yield Table((t["settings.setting"], t["figures.value"]), rows, t["settings"], widths=(0.5, 0.5))
    versions = tuple(((name,), (version,)) for name, version in page.document.versions.items())
    yield Table((t["versions.package"], t["versions.version"]), versions, t["versions"], widths=(0.5, 0.5))


def fingerprints(page: ReportPage) -> Iterator[Block]:
    """Yield the hashes of the images and of the weights."""
    t = page.t
    rows = tuple(((t[f"fingerprint.{name}"],), (value,)) for name, value in page.document.fingerprints.items())
    yield Table((t["fingerprints"], "SHA-256"), rows, t["fingerprints.caption"], widths=(0.3, 0.7))
