"""The handlers of requests about exported models, but for making one, and about a checkpoint's integrity."""

import asyncio

from breastai.domain import jobs
from breastai.domain.events import CheckpointVerified, Event, ExportDeleted, ExportsList
from breastai.domain.requests import DeleteExport, ListExports, VerifyCheckpoint, VerifyExport
from breastai.server.connections.broadcast import Client
from breastai.server.requests.job_requests import make_job
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services
from breastai.storage import checkpoints, exports


@handles(VerifyCheckpoint)
async def verify_checkpoint(services: Services, client: Client, request: VerifyCheckpoint) -> Event:
    files = await asyncio.to_thread(checkpoints.find_checkpoint, services.workspace, request.checkpoint)
    manifest = await asyncio.to_thread(checkpoints.verify_checkpoint, files)
    return CheckpointVerified(checkpoint=files.name, sha256=manifest.sha256)


@handles(ListExports)
async def list_exports(services: Services, client: Client, request: ListExports) -> Event:
    return ExportsList(exports=await asyncio.to_thread(exports.list_exports, services.workspace))


@handles(DeleteExport)
async def delete_export(services: Services, client: Client, request: DeleteExport) -> Event:
    await asyncio.to_thread(exports.delete_export, services.workspace, request.path)
    return ExportDeleted(path=request.path)


@handles(VerifyExport)
async def verify_export(services: Services, client: Client, request: VerifyExport) -> Event:
    return await services.light.ask(make_job(services, request, jobs.VerifyExport))
