"""The report as a job: gathered, laid out and written to logs/RUN/report/, JSON, Markdown and the cards beside the HTML."""

import json
from collections.abc import Iterator

from breastai.clinical.report.report_cards import data_sheet, model_card
from breastai.clinical.report.report_checklists import fill_checklists
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_html import to_html
from breastai.clinical.report.report_layout import lay_out, report_title
from breastai.clinical.report.report_markdown import to_markdown
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_sources import gather, latest_predictions, without_folders
from breastai.clinical.report.report_texts import texts
from breastai.clinical.worst_errors import files_of
from breastai.data.preprocessing.thumbnails import thumbnail_uri
from breastai.domain.config import DataSettings
from breastai.domain.events import Event, ProgressUpdate, ReportCreated
from breastai.domain.jobs import Report
from breastai.domain.records import EvaluationRecord
from breastai.domain.text import Text
from breastai.storage.evaluations import PREDICTIONS
from breastai.storage.reports import report_files
from breastai.storage.workspace import Workspace, atomic_write

_PICTURE_SIDE = 200


def report(job: Report, workspace: Workspace) -> Iterator[Event]:
    """Write the report of a run or of predictions; raise RunNotFound, NoEvaluation or EvaluationNotFound."""
    yield ProgressUpdate(stage="reporting", text=Text("progress.records"))
    evaluation = job.evaluation
    if evaluation is None and job.run_id == PREDICTIONS:
        evaluation = latest_predictions(workspace)
    document, record = gather(workspace, job.run_id, job.language, evaluation)
    words = texts(job.language)
    pictures = _pictures(document, record, workspace) if job.pictures else {}
    document = document.model_copy(update={"settings": without_folders(document.settings, workspace)})
    document = document.model_copy(update={"checklists": fill_checklists(document, words)})
    yield ProgressUpdate(stage="reporting", text=Text("progress.writing_report"))
    blocks = lay_out(document, pictures)
    files = report_files(workspace, job.run_id, job.language, evaluation)
    page = ReportPage(document)
    content = json.dumps(page.values, indent=1, ensure_ascii=False, allow_nan=False)
    atomic_write(files.json, (content + "\n").encode())
    atomic_write(files.markdown, to_markdown(blocks, job.language).encode())
    written = [files.html, files.json, files.markdown]
    if document.flow is not None:
        atomic_write(files.model_card, to_markdown(list(model_card(page)), job.language).encode())
        atomic_write(files.data_sheet, to_markdown(list(data_sheet(page)), job.language).encode())
        written += [files.model_card, files.data_sheet]
    if job.pdf:
        from breastai.clinical.report.report_pdf import to_pdf

        atomic_write(files.pdf, to_pdf(blocks, job.language, report_title(page)))
        written.append(files.pdf)
    if job.docx:
        from breastai.clinical.report.report_docx import to_docx

        atomic_write(files.docx, to_docx(blocks, job.language, report_title(page)))
        written.append(files.docx)
    atomic_write(files.html, to_html(blocks, job.language).encode())
    yield ReportCreated(
        report_of=job.run_id,
        language=job.language,
        files=[workspace.relative(path) for path in written],
        url=files.url,
    )


def _pictures(document: ReportDocument, record: EvaluationRecord | None, workspace: Workspace) -> dict[int, str]:
    """Return small pictures of the worst cases by their number, as far as the images are at hand."""
    if record is None or not document.worst or document.flow is None:
        return {}
    wanted = {case.name_sha256: case.number for case in document.worst}
    found = files_of(record, wanted, workspace, DataSettings.model_validate(document.settings["data"]))
    drawn = {wanted[name]: thumbnail_uri(path, _PICTURE_SIDE) for name, (path, _) in found.items()}
    return {number: uri for number, uri in drawn.items() if uri is not None}
