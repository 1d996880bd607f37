"""Running a worker's job in this process: its events, its exit status."""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path

from breastai.commands.output import Output
from breastai.commands.stop_signals import STOPPED, stop_on_signals
from breastai.domain.config import parse_config
from breastai.domain.errors import MissingExtra, all_errors
from breastai.domain.events import Error, Event, JobStopped, StudyStopped, TrainingStopped
from breastai.domain.jobs import AnyJob, Need
from breastai.domain.text import Text
from breastai.server.access.allowed_paths import DataRoots
from breastai.storage.held_back import own_settings
from breastai.storage.run_config import recorded_configs
from breastai.storage.workspace import Workspace

# What a job with torch needs and the base install lacks.
_TRAINING_PACKAGES = ("torch", "torchvision", "timm", "sklearn", "scipy", "safetensors")
# What is needed beyond the base install.
_PACKAGES: Mapping[Need, tuple[str, ...]] = {
    "torch": _TRAINING_PACKAGES,
    "statistics": ("sklearn", "scipy"),
    "documents": ("jinja2", "matplotlib", "reportlab", "docx"),
}
# By the name of a package, that of what installs it, where it is another.
_DISTRIBUTIONS = {"sklearn": "scikit-learn", "docx": "python-docx"}


def run_job(job: AnyJob, output: Output) -> int:
    """Run `job` to its end, telling of each event; return the exit status.

    A run that fails says why and then that it stopped; here the reason comes last, as for every other command.
    """
    output.wait_for(Text("progress.starting"))
    check_job(job)
    from breastai.commands.data_note import read_as
    from breastai.worker import perform

    output.work_in(Path(job.workspace))
    for line in read_as(job):
        output.event(line)
    failure: Error | None = None
    last: Event | None = None
    with stop_on_signals() as stop_requested:
        for event in perform(job, stop_requested):
            last = event
            if isinstance(event, Error):
                failure = event
            else:
                output.event(event)
    if failure is not None:
        output.event(failure)
        return exit_status(failure)
    stopped = isinstance(last, JobStopped | StudyStopped) or (
        isinstance(last, TrainingStopped) and last.reason != "error"
    )
    return STOPPED if stopped else int(isinstance(last, TrainingStopped))


def check_job(job: AnyJob) -> None:
    """Raise where a job can't be begun here: for a record that reaches too far, or a package that is not there."""
    check_records(job)
    require_packages(_needed(job))


def check_records(job: AnyJob) -> None:
    """Raise where a record that the job goes by, perhaps of a backup from elsewhere, reaches beyond this machine.

    What it may reach is what the workspace's config.json and the environment say, or --cluster.
    """
    workspace = Workspace.open(job.workspace)
    configs = list(recorded_configs(workspace, job))
    if not configs:
        return
    own = parse_config(own_settings(workspace.config_file))
    allowed = DataRoots.of(workspace, own.server.data_roots, [*own.server.clusters, own.system.cluster or "local"])
    allowed = allowed.with_configured(own)
    chosen = getattr(job, "cluster", None) is not None
    for config in configs:
        if chosen:  # --cluster, in place of the recorded one
            config = config.model_copy(update={"system": config.system.model_copy(update={"cluster": None})})
        allowed.check_beyond(config)


def exit_status(failure: Error) -> int:
    """Return the exit status that belongs to an error's code."""
    kind = all_errors().get(failure.code)
    return 1 if kind is None else kind.exit_status


def _needed(job: AnyJob) -> tuple[str, ...]:
    """Return the packages of the extra `train` that a job uses."""
    return tuple(package for need, packages in _PACKAGES.items() if need in job.needs for package in packages)


def require_training_packages() -> None:
    """Raise MissingExtra unless the packages of the extra `train` are there."""
    require_packages(_TRAINING_PACKAGES)


def require_packages(packages: Iterable[str], extra: str = "train") -> None:
    """Raise MissingExtra for a package that is not there. Imports none of them."""
    for package in packages:
        if find_spec(package) is None:
            raise MissingExtra(_DISTRIBUTIONS.get(package, package), extra)
