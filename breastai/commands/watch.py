"""`watch`: a folder whose images are answered as they arrive, each once; `drift`: how its weeks differ, without labels."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from breastai.commands.language import say
from breastai.commands.options import CURRENT_FOLDER, JsonOption, WorkspaceOption
from breastai.commands.output import Output, open_output
from breastai.domain.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from breastai.clinical.ledger_drift import DriftSummary
    from breastai.domain.watch_records import LedgerLine


def register(app: typer.Typer) -> None:
    app.command()(watch)
    app.command()(drift)


def watch(
    inbox: Annotated[Path, typer.Argument(metavar="IN", help="Folder where images arrive; it is only read.")],
    outbox: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for answers/ and ledger.jsonl; not below IN.")],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            metavar="MODEL",
            help="latest, RUN, RUN/best, the path of a checkpoint, or an exported .onnx file.",
        ),
    ] = "latest",
    once: Annotated[bool, typer.Option("--once", help="Answer what is there, and end.")] = False,
    settle_s: Annotated[
        float, typer.Option("--settle", metavar="S", min=0, help="Seconds for which a file must not have changed.")
    ] = 2.0,
    every_s: Annotated[float, typer.Option("--every", metavar="S", min=0.1, help="Seconds between two looks.")] = 2.0,
    dicom: Annotated[
        Path | None,
        typer.Option(
            "--dicom",
            metavar="DIR",
            help="Write each DICOM image's answer as DICOM objects of its study, too, into DIR; not below IN.",
        ),
    ] = None,
    workspace: WorkspaceOption = CURRENT_FOLDER,
    as_json: JsonOption = False,
) -> int:
    """Answer the images that arrive in a folder, each once, also when it is ended and begun again. Ctrl+C ends it.

    Every answer is a file in OUT/answers and a line in OUT/ledger.jsonl. Research use: nobody is told of an answer.
    """
    from breastai.commands.answering_model import open_model
    from breastai.commands.dicom_output import AnswersWritten
    from breastai.commands.stop_signals import STOPPED, stop_on_signals
    from breastai.domain.errors import CommandInvalid, PathNotFound
    from breastai.predictor.watched_folder import Watch, answer_arrivals, tell_nobody
    from breastai.storage.watch_ledger import WatchLedger
    from breastai.storage.workspace import Workspace

    source, target = inbox.expanduser().resolve(), outbox.expanduser().resolve()
    if not source.is_dir():
        raise PathNotFound(str(inbox))
    objects = None if dicom is None else dicom.expanduser().resolve()
    if target.is_relative_to(source) or source.is_relative_to(target) or (objects and objects.is_relative_to(source)):
        raise CommandInvalid(Text("command.watch_folders"), "breastai watch --help")
    answering = open_model(Workspace.open(workspace), model)
    with open_output(as_json) as output, WatchLedger.hold(target) as ledger, stop_on_signals() as stop_requested:
        before = len(ledger.lines)
        output.result(
            {"type": "watching", "folder": str(source), "known": before, "unread": ledger.unread},
            say("cli.watch.begins", folder=source.as_posix(), out=target.as_posix(), known=before),
        )
        if ledger.unread:
            output.result(
                {"type": "unread_lines", "count": ledger.unread}, say("cli.watch.unread", count=ledger.unread)
            )
        written = tell_nobody if objects is None else AnswersWritten(output, objects, model)
        settings = Watch(source, model, settle_s=settle_s, every_s=every_s, once=once, on_answer=written)
        for event in answer_arrivals(answering, settings, ledger, stop_requested):
            output.event(event)
        _tell_end(output, ledger.lines[before:])
        return STOPPED if stop_requested() else 0


def _tell_end(output: Output, lines: "Sequence[LedgerLine]") -> None:
    answered = sum(line.decision is not None for line in lines)
    skipped = sum(line.is_skipped for line in lines)
    counts = {"answered": answered, "left_out": skipped, "unreadable": len(lines) - answered - skipped}
    output.result({"type": "watched", **counts}, say("cli.watch.ended", **counts))


def drift(
    outbox: Annotated[Path, typer.Argument(metavar="OUT", help="The folder that `watch` writes its ledger to.")],
    first_weeks: Annotated[
        int, typer.Option("--first-weeks", metavar="N", min=1, help="Weeks that later ones are compared with.")
    ] = 4,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write a page with charts of all weeks, too: one file, no links."),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Compare inputs, scores and referrals of each week of a watched folder with its first weeks. No labels are needed.

    A difference says that something changed, not that the model became worse; and without one it may have.
    """
    from breastai.commands.drift_text import drift_text
    from breastai.commands.language import current_language
    from breastai.commands.run_job import require_packages
    from breastai.domain.errors import PathNotFound
    from breastai.storage.watch_ledger import LEDGER, read_ledger

    require_packages(("scipy", *(() if html is None else ("jinja2", "matplotlib"))))
    from breastai.clinical.ledger_drift import summarise_weeks

    if not (outbox / LEDGER).is_file():
        raise PathNotFound(str(outbox / LEDGER))
    lines, _ = read_ledger(outbox)
    found = summarise_weeks(lines, first_weeks)
    with open_output(as_json) as output:
        output.result({"type": "drift", **found.model_dump(mode="json")}, drift_text(found))
        if html is not None:
            _write_page(found, html, current_language())
            output.result({"type": "drift_page", "path": str(html)}, say("cli.drift.page", file=html.as_posix()))
    return 0


def _write_page(found: "DriftSummary", file: Path, language: str) -> None:
    from breastai.clinical.report.report_drift import drift_blocks
    from breastai.clinical.report.report_html import to_html
    from breastai.storage.workspace import atomic_write

    atomic_write(file.expanduser().resolve(), to_html(drift_blocks(found, language), language).encode())
