"""Having the images that a job reads here: which addresses of shared storage it names, and copying what lies there."""

from collections.abc import Generator, Iterator, Mapping

from breastai.data.background import run_with_progress
from breastai.data.remote.remote_copy import Mirrored, forget, mirror
from breastai.domain.config import Config, parse_config, read_config_file
from breastai.domain.data_locations import checked_place, is_remote
from breastai.domain.errors import BreastAIError, StoreNotFound
from breastai.domain.events import BatchProgress, Event, Log, ProgressUpdate
from breastai.domain.jobs import Job
from breastai.domain.text import Text
from breastai.domain.v3_settings import nest_settings
from breastai.storage.datasets import root_described
from breastai.storage.run_config import find_job_config
from breastai.storage.workspace import Workspace


def copy_inputs(job: Job, workspace: Workspace) -> Iterator[Event]:
    """Copy what a job reads from shared storage, telling how far it is; nothing where it names no address.

    Raises what reading a storage can: StoreNotFound, StoreRefused and their like.
    """
    config = find_job_config(workspace, job)
    places = _addresses(job, config, workspace)
    if not places:
        return
    limit_gb = (config or _configured(workspace)).system.remote_cache_gb
    for address, must_exist in places.items():
        try:
            done = yield from _copying(address, limit_gb)
        except StoreNotFound:
            if must_exist:
                raise
            forget(address)  # a folder for validation or for the test that there no longer is
            continue
        yield _told(done)


def copy_config_inputs(config: Config, workspace: Workspace) -> Iterator[Event]:
    """Copy what the runs of a configuration read, on a machine that did not begin their job."""
    for address, must_exist in _of_config(config, workspace).items():
        try:
            done = yield from _copying(address, config.system.remote_cache_gb)
        except StoreNotFound:
            if must_exist:
                raise
            continue
        yield _told(done)


def _copying(address: str, limit_gb: float) -> Generator[Event, None, Mirrored]:
    """Copy what lies at an address; a step is told each half second, so that a stop is heard."""

    def say(done: int, total: int) -> Event:
        if total == 0:
            return ProgressUpdate(stage="copying", text=Text("progress.listing", {"address": address}))
        return ProgressUpdate(
            stage="copying",
            text=Text("progress.copying", {"address": address, "done": done, "total": total}),
            batch_progress=BatchProgress(batch=done, total_batches=total),
        )

    return run_with_progress(lambda report: mirror(address, limit_gb, report), say)


def _told(done: Mirrored) -> Log:
    """Return what was copied, as a warning when something could not be."""
    message = f"Images copied from {done.address}: {done.copied}; here already: {done.here_already}"
    params = {"address": done.address, "copied": done.copied, "here": done.here_already}
    first = done.first_problem
    if first is None:
        return Log(level="info", code="data.copied", message=f"{message}.", params=params)
    return Log(
        level="warning",
        code="data.copied_in_part",
        message=f"{message}; {done.not_copied} files were left out, the first: {first.name} ({first.problem}).",
        params={**params, "count": done.not_copied, "file": first.name, "reason": first.problem or ""},
    )


def _addresses(job: Job, config: Config | None, workspace: Workspace) -> Mapping[str, bool]:
    """Return the addresses a job reads images from, and whether there must be something at each."""
    found = {} if config is None else dict(_of_config(config, workspace))
    named = [_address_of(place, workspace) for place in job.images_read]
    return found | {checked_place(address): True for address in named if address is not None}


def _of_config(config: Config, workspace: Workspace) -> Mapping[str, bool]:
    data = config.data
    places = {data.test_dir: False, data.val_dir: False, data.train_dir: True}
    named = [(_address_of(place, workspace), must) for place, must in places.items() if place is not None]
    return {address: must for address, must in named if address is not None}


def _address_of(place: str, workspace: Workspace) -> str | None:
    """Return the address that a place is, or at which the images of the data set lie that it names; None of a folder."""
    if is_remote(place):
        return place
    root = root_described(workspace.resolve(place))
    return root if root is not None and is_remote(root) else None


def _configured(workspace: Workspace) -> Config:
    """Return the workspace's configuration, or the defaults where it has none that can be read."""
    path = workspace.config_file
    try:
        return parse_config(nest_settings(read_config_file(path))) if path.exists() else Config()
    except BreastAIError:
        return Config()
