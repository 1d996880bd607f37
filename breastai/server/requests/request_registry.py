"""The dispatch table: exactly one function for each request; those that need only files are here."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from breastai.domain import jobs
from breastai.domain.errors import BreastAIError, CheckpointInUse
from breastai.domain.events import (
    BackupDeleted,
    BackupsList,
    CheckpointDeleted,
    CheckpointLoaded,
    CheckpointsList,
    ConfigShown,
    DisconnectAck,
    Event,
    History,
    InterruptedRuns,
    Pong,
    QueueShown,
    Status,
)
from breastai.domain.requests import (
    CreateBackup,
    DeleteBackup,
    DeleteCheckpoint,
    Disconnect,
    DismissRun,
    GetConfig,
    GetHistory,
    GetStatus,
    GetSystemDiagnostics,
    ListBackups,
    ListCheckpoints,
    ListInterrupted,
    LoadCheckpoint,
    Ping,
    Request,
    RestoreBackup,
    VerifyBackup,
)
from breastai.domain.run_history import MOST_EPOCHS
from breastai.domain.settings_schema import config_schema
from breastai.server import diagnostics
from breastai.server.connections.broadcast import Client
from breastai.server.jobs.job_runner import status
from breastai.server.jobs.replay import replay
from breastai.server.services import Services, workspace_config
from breastai.storage import backup_archive, checkpoints, interrupted_runs
from breastai.storage.journal import read_epochs
from breastai.storage.workspace import Workspace

# A handler returns the answer, or None when it is sent otherwise: by a job's events, or by itself.
Handler = Callable[[Services, Client, Any], Awaitable[Event | None]]
AHandler = TypeVar("AHandler", bound=Callable[..., Awaitable[Event | None]])
HANDLERS: dict[type[Request], Handler] = {}


def handles(*requests: type[Request]) -> Callable[[AHandler], AHandler]:
    """Register a function as the handler of some requests."""

    def register(function: AHandler) -> AHandler:
        for request in requests:
            if request in HANDLERS:
                raise RuntimeError(f"{request.__name__} has two handlers")
            HANDLERS[request] = cast(Handler, function)
        return function

    return register


@handles(Ping)
async def ping(services: Services, client: Client, request: Ping) -> Event:
    return Pong(timestamp=request.timestamp)


@handles(Disconnect)
async def disconnect(services: Services, client: Client, request: Disconnect) -> Event:
    return DisconnectAck()


@handles(GetStatus)
async def get_status(services: Services, client: Client, request: GetStatus) -> Event | None:
    session = services.sessions.get(request.session_id)
    same_run = session.run_id is not None and request.run_id in (None, session.run_id)
    if request.last_seq is None or not same_run:
        return status(session, services.hub)
    journal = services.workspace.journal_file(cast(str, session.run_id))
    await replay(services.hub, client, session, journal, request.last_seq, request.request_id, request.most)
    return None


def as_of_now(services: Services, answer: Event) -> Event:
    """Return an answer that had to wait for its turn as it is now.

    Meanwhile a job may have ended, and been told of: a page believes what it hears last.
    """
    if isinstance(answer, Status):
        return status(services.sessions.get(answer.session_id or "default"), services.hub)
    if isinstance(answer, QueueShown):
        return services.queue.entries().model_copy(update={"session_id": answer.session_id})
    return answer


@handles(GetHistory)
async def get_history(services: Services, client: Client, request: GetHistory) -> Event:
    run_id = request.run_id or services.sessions.get(request.session_id).run_id
    if run_id is None:
        return History(epochs=[], first=None, last=None, total=0)
    return await asyncio.to_thread(_history, services.workspace, run_id, request.first, request.last)


def _history(workspace: Workspace, run_id: str, first: int, last: int | None) -> History:
    journal = workspace.journal_file(workspace.existing_run(run_id))
    updates = read_epochs(journal)
    wanted = [epoch for epoch in updates if epoch >= first and (last is None or epoch <= last)][:MOST_EPOCHS]
    return History(
        run_id=run_id,
        epochs=[updates[epoch] for epoch in wanted],
        first=wanted[0] if wanted else None,
        last=wanted[-1] if wanted else None,
        total=len(updates),
    )


@handles(ListCheckpoints)
async def list_checkpoints(services: Services, client: Client, request: ListCheckpoints) -> Event:
    return CheckpointsList(checkpoints=await asyncio.to_thread(checkpoints.list_checkpoints, services.workspace))


@handles(LoadCheckpoint)
async def load_checkpoint(services: Services, client: Client, request: LoadCheckpoint) -> Event:
    session = services.sessions.get(request.session_id)
    loaded = await asyncio.to_thread(_verified, services.workspace, request.checkpoint)
    session.apply(loaded)
    return loaded


def _verified(workspace: Workspace, name: str) -> CheckpointLoaded:
    files = checkpoints.find_checkpoint(workspace, name)
    manifest = checkpoints.verify_checkpoint(files)
    return CheckpointLoaded(
        checkpoint=files.name,
        start_epoch=manifest.epoch + 1,
        architecture=manifest.architecture,
        class_names=manifest.class_names,
        metrics=manifest.metrics,
    )


@handles(DeleteCheckpoint)
async def delete_checkpoint(services: Services, client: Client, request: DeleteCheckpoint) -> Event:
    session = services.sessions.get(request.session_id)
    running = services.runner.running_run
    deleted = await asyncio.to_thread(_deleted, services.workspace, request.checkpoint, running)
    session.apply(deleted)
    return deleted


def _deleted(workspace: Workspace, name: str, running: str | None) -> CheckpointDeleted:
    files = checkpoints.find_checkpoint(workspace, name)
    if running is not None and files.name.partition("/")[0] == running:
        raise CheckpointInUse(files.name)
    checkpoints.delete_checkpoint(workspace, files.name)
    return CheckpointDeleted(checkpoint=files.name, filename=checkpoints.list_name(files))


@handles(GetSystemDiagnostics)
async def system_diagnostics(services: Services, client: Client, request: GetSystemDiagnostics) -> Event:
    pid = services.supervisor.worker_pid
    try:
        budget_gb = (await asyncio.to_thread(workspace_config, services.workspace)).storage.disk_budget_gb
    except BreastAIError:  # a config.json that can't be read is told of elsewhere
        budget_gb = None
    return await asyncio.to_thread(
        diagnostics.measure_with_workspace, services.workspace, services.runs, budget_gb, services.started, pid
    )


@handles(CreateBackup)
async def create_backup(services: Services, client: Client, request: CreateBackup) -> Event:
    keep = (await asyncio.to_thread(workspace_config, services.workspace)).storage.backups_kept
    return await _ask_archivist(services, jobs.CreateBackup(workspace=str(services.workspace.root), keep=keep))


@handles(ListBackups)
async def list_backups(services: Services, client: Client, request: ListBackups) -> Event:
    return BackupsList(backups=await asyncio.to_thread(backup_archive.list_entries, services.workspace))


@handles(VerifyBackup)
async def verify_backup(services: Services, client: Client, request: VerifyBackup) -> Event:
    await asyncio.to_thread(backup_archive.find_backup, services.workspace, request.name)
    return await _ask_archivist(services, jobs.VerifyBackup(workspace=str(services.workspace.root), name=request.name))


@handles(DeleteBackup)
async def delete_backup(services: Services, client: Client, request: DeleteBackup) -> Event:
    return BackupDeleted(name=await asyncio.to_thread(backup_archive.delete_backup, services.workspace, request.name))


@handles(RestoreBackup)
async def restore_backup(services: Services, client: Client, request: RestoreBackup) -> Event:
    await asyncio.to_thread(backup_archive.find_backup, services.workspace, request.name)
    return await _ask_archivist(services, jobs.RestoreBackup(workspace=str(services.workspace.root), name=request.name))


async def _ask_archivist(services: Services, job: jobs.BackupJob) -> Event:
    """Return the answer of a worker beside: a backup of many GiB, or one made to last, holds up nobody else."""
    return await services.archivist.ask(job)


@handles(ListInterrupted)
async def list_interrupted(services: Services, client: Client, request: ListInterrupted) -> Event:
    return InterruptedRuns(runs=await asyncio.to_thread(interrupted_runs.interrupted_runs, services.workspace))


@handles(DismissRun)
async def dismiss_run(services: Services, client: Client, request: DismissRun) -> Event:
    await asyncio.to_thread(interrupted_runs.dismiss, services.workspace, request.run_id)
    services.queue.forget(request.run_id)
    return InterruptedRuns(runs=await asyncio.to_thread(interrupted_runs.interrupted_runs, services.workspace))


@handles(GetConfig)
async def get_config(services: Services, client: Client, request: GetConfig) -> Event:
    config = await asyncio.to_thread(workspace_config, services.workspace)
    return ConfigShown(config=config.model_dump(mode="json"), config_schema=config_schema())
