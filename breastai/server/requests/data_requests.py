"""The handlers of requests about images, which the light worker answers, also while a run goes on."""

import asyncio
from collections.abc import Mapping

from breastai.domain import jobs
from breastai.domain.events import Event
from breastai.domain.requests import DescribeData, ListImages, PreviewImage, Request
from breastai.server.connections.broadcast import Client
from breastai.server.requests.job_requests import make_job, training_config
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services

JOBS: Mapping[type[Request], type[jobs.LightJob]] = {
    DescribeData: jobs.DescribeImages,
    ListImages: jobs.ListImages,
    PreviewImage: jobs.PreviewImage,
}


@handles(DescribeData, ListImages, PreviewImage)
async def look_at_images(
    services: Services, client: Client, request: DescribeData | ListImages | PreviewImage
) -> Event:
    config = await asyncio.to_thread(training_config, services, request)
    return await services.light.ask(make_job(services, request, JOBS[type(request)], config=config))
