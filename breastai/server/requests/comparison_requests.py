"""The handlers of requests about comparisons that are kept, of models and of readers, and about plans of studies."""

import asyncio

from breastai.domain import jobs
from breastai.domain.events import ComparisonShown, ComparisonsList, Event
from breastai.domain.list_entries import ComparisonEntry
from breastai.domain.reader_records import ReaderStudyRecord
from breastai.domain.requests import ListComparisons, PlanStudy, ShowComparison
from breastai.server.connections.broadcast import Client
from breastai.server.requests.job_requests import make_job
from breastai.server.requests.request_registry import handles
from breastai.server.services import Services
from breastai.storage.comparisons import AnyComparison, find_comparison, read_comparisons

_MOST_LISTED = 100


@handles(ListComparisons)
async def list_comparisons(services: Services, client: Client, request: ListComparisons) -> Event:
    return await asyncio.to_thread(_listed, services)


def _listed(services: Services) -> ComparisonsList:
    found = [_entry(record) for _, record in read_comparisons(services.workspace)]
    return ComparisonsList(comparisons=sorted(found, key=lambda entry: entry.created, reverse=True)[:_MOST_LISTED])


def _entry(record: AnyComparison) -> ComparisonEntry:
    if isinstance(record, ReaderStudyRecord):
        kind, first, second, n = "readers", record.table, record.model, record.cases
    else:
        kind, first, second, n = "models", record.first, record.second, record.n
    return ComparisonEntry(
        comparison_id=record.comparison_id,
        kind=kind,
        created=record.created,
        first=first,
        second=second,
        n=n,
        patients=record.patients,
    )


@handles(ShowComparison)
async def show_comparison(services: Services, client: Client, request: ShowComparison) -> Event:
    _, record = await asyncio.to_thread(find_comparison, services.workspace, request.comparison_id)
    return ComparisonShown(readers=record) if isinstance(record, ReaderStudyRecord) else ComparisonShown(models=record)


@handles(PlanStudy)
async def plan_study(services: Services, client: Client, request: PlanStudy) -> Event:
    return await services.light.ask(make_job(services, request, jobs.PlanStudy))
