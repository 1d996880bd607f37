"""What the server does unasked: go on with interrupted runs and studies when it starts, and back up on schedule."""

import asyncio

from breastai.domain.errors import BreastAIError, SessionBusy
from breastai.domain.events import InterruptedRun
from breastai.domain.jobs import Job
from breastai.server.job_handlers import resume_job
from breastai.server.server_log import LOG
from breastai.server.services import Services, workspace_config
from breastai.server.study_handlers import resume_study_job
from breastai.storage.backup import backup_event, backup_is_due, create_backup
from breastai.storage.interrupted import (
    goes_on_by_itself,
    interrupted_runs,
    interrupted_study,
    is_any_unfinished_run_held,
)

LOOK_EVERY_S = 60.0
SAVING_LOOK_S = 1.0
_SAVING_LOOKS = 120
SESSION = "default"


async def go_on_with_interrupted(services: Services) -> None:
    """Resume, one after another and the earliest first, the runs that may be, if storage.resume_interrupted says so."""
    try:
        config = await asyncio.to_thread(workspace_config, services.workspace)
        if not config.storage.resume_interrupted:
            return
        # The worker of a server that was killed saves before it ends.
        for _ in range(_SAVING_LOOKS):
            if not await asyncio.to_thread(is_any_unfinished_run_held, services.workspace):
                break
            await asyncio.sleep(SAVING_LOOK_S)
        runs = await asyncio.to_thread(interrupted_runs, services.workspace)
    except (BreastAIError, OSError) as error:
        LOG.warning("interrupted runs are not gone on with: %s", error)
        return
    for run in reversed(runs):
        if not await asyncio.to_thread(goes_on_by_itself, services.workspace, run):
            LOG.warning("run %s was interrupted (%s) and is left to its user", run.run_id, run.reason or run.cause)
            continue
        try:
            LOG.info("going on with the interrupted run %s", run.run_id)
            await _resumed(services, run)
        except SessionBusy:  # the user was quicker, and decides what runs
            LOG.info("another job runs: the interrupted run %s waits for its user", run.run_id)
            return
    await _go_on_with_study(services)


async def _go_on_with_study(services: Services) -> None:
    """Resume the latest study, when it was interrupted."""
    try:
        study_id = await asyncio.to_thread(interrupted_study, services.workspace)
        if study_id is None:
            return
        LOG.info("going on with the interrupted study %s", study_id)

        async def job() -> Job:
            return await asyncio.to_thread(resume_study_job, services, study_id, SESSION)

        session = services.sessions.get(SESSION)
        task = services.runner.start(session, "resume_study", job, None, ("study_started",))
        await asyncio.wait([task])
    except SessionBusy:
        LOG.info("another job runs: the interrupted study waits for its user")
    except (BreastAIError, OSError) as error:
        LOG.warning("the interrupted study is not gone on with: %s", error)


async def _resumed(services: Services, run: InterruptedRun) -> None:
    async def job() -> Job:
        return await asyncio.to_thread(resume_job, services, run.run_id, SESSION)

    task = services.runner.start(services.sessions.get(SESSION), "resume", job, None, ("training_started",))
    await asyncio.wait([task])


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
        made = await asyncio.to_thread(create_backup, services.workspace, storage.backups_kept)
        services.hub.broadcast(backup_event(made, services.workspace, SESSION))
        LOG.info("backed up to %s", made.path.name)
