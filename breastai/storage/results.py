"""What was made of a run and is kept: its evaluations, reports and exports, each with where a server shows it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from breastai.domain.events import ResultsList
from breastai.domain.list_entries import ResultEntry, ResultFile
from breastai.domain.records import EvaluationRecord, Evidence
from breastai.storage.downloads import PREFIX
from breastai.storage.evaluations import read_evaluations, read_sites, sites_files, unread_evaluations
from breastai.storage.exports import list_exports
from breastai.storage.reports import report_files
from breastai.storage.workspace import Workspace
from breastai.texts.catalogue import languages


def list_results(workspace: Workspace, run_id: str) -> ResultsList:
    """Return what was made of a run, the latest first; raise RunNotFound."""
    workspace.existing_model(run_id)
    found = [*_evaluations(workspace, run_id), *_sites(workspace, run_id)]
    found += [*_reports(workspace, run_id), *_exports(workspace, run_id)]
    found.sort(key=lambda entry: entry.created, reverse=True)
    unread = [path.name for path in unread_evaluations(workspace, run_id)]
    return ResultsList(results_of=run_id, results=found, unread=unread)


def _evaluations(workspace: Workspace, run_id: str) -> Iterator[ResultEntry]:
    for path, record in read_evaluations(workspace, run_id):
        yield _evaluation(workspace, path, record)


def _evaluation(workspace: Workspace, path: Path, record: EvaluationRecord) -> ResultEntry:
    found = record.evidence
    point = found.operating_point
    figures = {} if point is None else point.figures
    return ResultEntry(
        kind="evaluation",
        name=path.stem,
        created=record.created,
        checkpoint=record.checkpoint,
        data=record.data,
        dataset=record.dataset,
        split=record.split,
        n=found.n,
        target_class=None if point is None else point.class_name,
        auc=_auc(found, None if point is None else point.class_name),
        sensitivity=figures["sensitivity"].value if "sensitivity" in figures else None,
        specificity=figures["specificity"].value if "specificity" in figures else None,
        files=[ResultFile(format="json", url=PREFIX + workspace.relative(path))],
    )


def _auc(found: Evidence, target: str | None) -> float | None:
    names = (f"auc_roc.{target}", "auc_roc")
    figure = next((found.figures[name] for name in names if name in found.figures), None)
    return None if figure is None else figure.value


def _sites(workspace: Workspace, run_id: str) -> Iterator[ResultEntry]:
    for path in sites_files(workspace, run_id):
        record = read_sites(path)
        if record is not None:
            yield ResultEntry(
                kind="sites",
                name=path.stem,
                created=record.created,
                checkpoint=record.checkpoint,
                data=", ".join(site.data for site in record.sites)[:1000],
                n=len(record.sites),
                files=[ResultFile(format="json", url=PREFIX + workspace.relative(path))],
            )


def _reports(workspace: Workspace, run_id: str) -> Iterator[ResultEntry]:
    for language in languages():
        files = report_files(workspace, run_id, language)
        there = [path for path in (files.html, files.pdf, files.docx, files.markdown, files.json) if path.is_file()]
        if there:
            folder = files.url.rpartition("/")[0]
            beside = {"model_card": files.model_card, "data_sheet": files.data_sheet}
            told = [(path.suffix[1:], path) for path in there]
            told += [(format_name, path) for format_name, path in beside.items() if path.is_file()]
            yield ResultEntry(
                kind="report",
                name=language,
                created=_time_of(there[0]),
                files=[ResultFile(format=name, url=f"{folder}/{path.name}") for name, path in told],
            )


def _exports(workspace: Workspace, run_id: str) -> Iterator[ResultEntry]:
    for entry in list_exports(workspace):
        if entry.checkpoint is not None and entry.checkpoint.partition("/")[0] == run_id:
            yield ResultEntry(
                kind="export",
                name=entry.path,
                created=entry.created,
                checkpoint=entry.checkpoint,
                size_bytes=entry.size,
                files=[ResultFile(format=entry.format, url=PREFIX + entry.path)],
            )


def _time_of(path: Path) -> str:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
