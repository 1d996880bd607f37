"""Reports on disk: where those of a run lie, and the path a server shows them under."""

import re
from dataclasses import dataclass
from pathlib import Path

from breastai.storage.evaluations import PREDICTIONS
from breastai.storage.workspace import Workspace, safe_name

_URL = re.compile(
    r"/reports/([A-Za-z0-9][A-Za-z0-9._-]{0,99})/((?:[A-Za-z0-9][A-Za-z0-9._-]{0,99}/)?(?:report\.[a-z]{2,3}\.(?:html|json|pdf|docx|md)|(?:model_card|data_sheet)\.[a-z]{2,3}\.md))"
)


@dataclass(frozen=True)
class ReportFiles:
    """The files of a report; `url` is that of the HTML."""

    html: Path
    json: Path
    pdf: Path
    docx: Path
    markdown: Path
    model_card: Path
    data_sheet: Path
    url: str


def report_files(workspace: Workspace, run_id: str, language: str, evaluation: str | None = None) -> ReportFiles:
    """Return where the report of a run lies, in a folder of its own for a named evaluation; raise NameInvalid."""
    folder, url = workspace.run_dir(run_id) / "report", f"/reports/{run_id}"
    if evaluation is not None:
        folder, url = folder / safe_name(evaluation), f"{url}/{evaluation}"
    stem = f"report.{safe_name(language)}"
    html, json, pdf, docx, markdown = (folder / f"{stem}.{ending}" for ending in ("html", "json", "pdf", "docx", "md"))
    card, sheet = (folder / f"{name}.{safe_name(language)}.md" for name in ("model_card", "data_sheet"))
    return ReportFiles(html, json, pdf, docx, markdown, card, sheet, url=f"{url}/{stem}.html")


def report_at(workspace: Workspace, url_path: str) -> Path | None:
    """Return the file a request's path means, looked up by the run and never joined from what came; None: no such."""
    found = _URL.fullmatch(url_path)
    if found is None or (found[1] != PREDICTIONS and not workspace.has_model(found[1])):
        return None
    path = workspace.logs_dir / found[1] / "report" / found[2]
    return path if path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(workspace.root) else None
