"""What the server does unasked: go on with interrupted runs and studies when it starts, and back up on schedule."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import psutil

from breastai.domain.errors import BreastAIError
from breastai.domain.events import BackupCreated
from breastai.domain.jobs import CreateBackup, Job
from breastai.server.jobs.job_queue import Interrupted
from breastai.server.logs.server_log import LOG
from breastai.server.requests.job_requests import resume_job
from breastai.server.requests.study_requests import resume_study_job
from breastai.server.services import Services, workspace_config
from breastai.storage.backup_archive import backup_is_due
from breastai.storage.interrupted_runs import (
    interrupted_runs,
    interrupted_study,
    is_any_unfinished_run_held,
    may_auto_resume,
)

LOOK_EVERY_S = 60.0
SAVING_LOOK_S = 1.0
_SAVING_LOOKS = 120
SESSION = "default"
_WARM_LOOK_S = 1.0
_WARM_KEPT_S = 120.0  # after the last client has left
_WARM_NEEDS_BYTES = 4 * 2**30  # of free memory: a training needs most of it


async def go_on_with_interrupted(services: Services) -> None:
    """Have the runs go on that may, the earliest first, and then the latest study, if storage.resume_interrupted says so.

    They come before the jobs that wait, and those begin only when this is known.
    """
    found: list[Interrupted] = []
    try:
        config = await asyncio.to_thread(workspace_config, services.workspace)
        if config.storage.resume_interrupted:
            # The worker of a server that was killed saves before it ends.
            for _ in range(_SAVING_LOOKS):
                if not await asyncio.to_thread(is_any_unfinished_run_held, services.workspace):
                    break
                await asyncio.sleep(SAVING_LOOK_S)
            found = await asyncio.to_thread(_going_on, services)
    except (BreastAIError, OSError) as error:
        LOG.warning("interrupted runs are not gone on with: %s", error)
    finally:
        services.queue.go_on_with(found)


def _going_on(services: Services) -> list[Interrupted]:
    """Return what goes on by itself: runs, the one interrupted first first, then the latest study."""
    found: list[Interrupted] = []
    for run in reversed(interrupted_runs(services.workspace)):
        if may_auto_resume(services.workspace, run):
            found.append(Interrupted(run.run_id, "resume", SESSION, _resuming(services, run.run_id)))
        else:
            LOG.warning("run %s was interrupted (%s) and is left to its user", run.run_id, run.reason or run.cause)
    try:
        study_id = interrupted_study(services.workspace)
    except (BreastAIError, OSError) as error:
        LOG.warning("the interrupted study is not gone on with: %s", error)
        return found
    if study_id is not None:
        found.append(Interrupted(study_id, "resume_study", SESSION, _resuming_study(services, study_id)))
    return found


def _resuming(services: Services, run_id: str) -> Callable[[], Awaitable[Job]]:
    async def job() -> Job:
        return await asyncio.to_thread(resume_job, services, run_id, SESSION)

    return job


def _resuming_study(services: Services, study_id: str) -> Callable[[], Awaitable[Job]]:
    async def job() -> Job:
        return await asyncio.to_thread(resume_study_job, services, study_id, SESSION)

    return job


async def back_up_on_schedule(services: Services) -> None:
    """Back up the project whenever its newest backup is older than storage.backup_every_hours."""
    while True:
        try:
            await _back_up_if_due(services)
        except (BreastAIError, OSError) as error:
            LOG.warning("the scheduled backup failed: %s", error)
        await asyncio.sleep(LOOK_EVERY_S)


async def _back_up_if_due(services: Services) -> None:
    storage = (await asyncio.to_thread(workspace_config, services.workspace)).storage
    if not storage.backup_every_hours:
        return
    if await asyncio.to_thread(backup_is_due, services.workspace, storage.backup_every_hours):
        job = CreateBackup(workspace=str(services.workspace.root), keep=storage.backups_kept)
        made = await services.archivist.ask(job)
        if not isinstance(made, BackupCreated):
            LOG.warning("the scheduled backup failed: %s", getattr(made, "message", made.type))
            return
        services.hub.broadcast(made.model_copy(update={"session_id": SESSION}))
        LOG.info("backed up to %s", made.path)


async def keep_worker_warm(services: Services) -> None:
    """Keep a worker ready for the next job while anybody is connected, none runs and there is memory to spare."""
    connected = float("-inf")
    while True:
        await asyncio.sleep(_WARM_LOOK_S)
        now = time.monotonic()
        connected = now if len(services.hub) else connected
        try:
            if now - connected > _WARM_KEPT_S or psutil.virtual_memory().available < _WARM_NEEDS_BYTES:
                await services.supervisor.warm.end()
            elif services.supervisor.slot is None:
                await services.supervisor.warm.prepare(services.workspace.logs_dir / "worker.log")
        except OSError as error:
            LOG.warning("no worker is kept ready: %s", error)
