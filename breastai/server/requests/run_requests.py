"""The handlers of requests about the workspace's runs, past ones too."""

import asyncio

from breastai.domain import jobs
from breastai.domain.errors import RunInUse
from breastai.domain.events import EstimatesList, Event, RunAnnotated, RunDeleted, RunsList
from breastai.domain.requests import (
    AnnotateRun,
    CompareRuns,
    DeleteRun,
    ListEstimates,
    ListResults,
    ListRuns,
    ShowEvaluation,
    ShowRun,
)
from breastai.server.connections.broadcast import Client
from breastai.server.requests.job_requests import make_job
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services
from breastai.storage import runs
from breastai.storage.estimates import read_estimates
from breastai.storage.results import list_results
from breastai.storage.run_story import run_story


@handles(ListRuns)
async def list_runs(services: Services, client: Client, request: ListRuns) -> Event:
    entries = await asyncio.to_thread(services.runs.list, request.search, services.runner.running_run)
    if request.state is not None:
        entries = [entry for entry in entries if entry.state == request.state]
    entries = runs.sort_runs(entries, request.sort, request.descending)
    page = entries[request.first : request.first + request.limit]
    return RunsList(
        runs=page,
        total=len(entries),
        first=request.first,
        search=request.search,
        sort=request.sort,
        descending=request.descending,
        state=request.state,
    )


@handles(ShowRun)
async def show_run(services: Services, client: Client, request: ShowRun) -> Event:
    return await asyncio.to_thread(
        run_story, services.workspace, services.runs, request.run_id, services.runner.running_run
    )


@handles(ListResults)
async def list_kept_results(services: Services, client: Client, request: ListResults) -> Event:
    return await asyncio.to_thread(list_results, services.workspace, request.run_id)


@handles(ShowEvaluation)
async def show_evaluation(services: Services, client: Client, request: ShowEvaluation) -> Event:
    return await services.light.ask(make_job(services, request, jobs.ShowEvaluation))


@handles(ListEstimates)
async def list_estimates(services: Services, client: Client, request: ListEstimates) -> Event:
    return EstimatesList(estimates=await asyncio.to_thread(read_estimates, services.workspace))


@handles(AnnotateRun)
async def annotate_run(services: Services, client: Client, request: AnnotateRun) -> Event:
    return await asyncio.to_thread(_annotated, services, request, services.runner.running_run)


def _annotated(services: Services, request: AnnotateRun, running: str | None) -> RunAnnotated:
    before = runs.read_notes(services.workspace, services.workspace.existing_run(request.run_id))
    tags = (
        before.tags if request.tags is None else list(dict.fromkeys(tag.strip() for tag in request.tags if tag.strip()))
    )
    note = before.note if request.note is None else request.note.strip()
    runs.write_notes(services.workspace, request.run_id, before.model_copy(update={"tags": tags, "note": note}))
    return RunAnnotated(run=services.runs.entry(request.run_id, running))


@handles(DeleteRun)
async def delete_run(services: Services, client: Client, request: DeleteRun) -> Event:
    if request.run_id == services.runner.running_run:
        raise RunInUse(request.run_id)
    gone = await asyncio.to_thread(runs.delete_run, services.workspace, request.run_id)
    services.runs.forget(request.run_id)
    services.queue.forget(request.run_id)
    deleted = RunDeleted(deleted=request.run_id, checkpoints=gone)
    for session in services.sessions:
        session.apply(deleted)
    return deleted


@handles(CompareRuns)
async def compare_runs(services: Services, client: Client, request: CompareRuns) -> Event:
    return await asyncio.to_thread(runs.compare_runs, services.workspace, services.runs, request.run_ids)
