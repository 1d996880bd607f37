"""The handlers of requests about where images come from: folders looked through, and uploads that stay."""

import asyncio

from breastai.domain.events import Event, UploadCancelled
from breastai.domain.requests import AddUploadParts, BeginUpload, BrowseFolder, CancelUpload, FinishUpload
from breastai.server.access.folder_listing import list_folder
from breastai.server.connections.broadcast import Client
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services


@handles(BrowseFolder)
async def browse_folder(services: Services, client: Client, request: BrowseFolder) -> Event:
    return await asyncio.to_thread(list_folder, services.data_roots, request.path)


@handles(BeginUpload)
async def begin_upload(services: Services, client: Client, request: BeginUpload) -> Event:
    return await asyncio.to_thread(services.dataset_uploads.begin, request)


@handles(AddUploadParts)
async def add_upload_parts(services: Services, client: Client, request: AddUploadParts) -> Event:
    return await asyncio.to_thread(services.dataset_uploads.add, request.upload, request.parts)


@handles(FinishUpload)
async def finish_upload(services: Services, client: Client, request: FinishUpload) -> Event:
    return await asyncio.to_thread(services.dataset_uploads.finish, request.upload)


@handles(CancelUpload)
async def cancel_upload(services: Services, client: Client, request: CancelUpload) -> Event:
    await asyncio.to_thread(services.dataset_uploads.cancel, request.upload)
    return UploadCancelled(upload=request.upload)
