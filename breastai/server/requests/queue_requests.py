"""The handlers of requests about the jobs that wait."""

from breastai.domain.events import Event
from breastai.domain.requests import CancelJob, GetQueue, HoldQueue, MoveJob
from breastai.server.connections.broadcast import Client
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services


@handles(GetQueue)
async def get_queue(services: Services, client: Client, request: GetQueue) -> Event:
    return services.queue.entries()


@handles(MoveJob)
async def move_job(services: Services, client: Client, request: MoveJob) -> Event:
    await services.queue.move(request.entry, request.place)
    return services.queue.entries()


@handles(CancelJob)
async def cancel_job(services: Services, client: Client, request: CancelJob) -> Event:
    await services.queue.cancel(request.entry)
    return services.queue.entries()


@handles(HoldQueue)
async def hold_queue(services: Services, client: Client, request: HoldQueue) -> Event:
    await services.queue.hold(request.held)
    return services.queue.entries()
