"""Which folders the server may have images read from, and which clusters it may use: those its owner allowed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from breastai.domain.config import Config, PatientTable
from breastai.domain.errors import ClusterNotAllowed, DataOutsideRoots
from breastai.domain.jobs import ComparePredictions, Job
from breastai.domain.tracking_settings import is_address
from breastai.storage.workspace import Workspace

# The fields of jobs that name what is to be read.
PATH_FIELDS = ("data", "subgroups", "images", "predictions")


@dataclass(frozen=True)
class DataRoots:
    """`roots` are absolute, their links followed; the workspace is the first."""

    workspace: Workspace
    roots: tuple[Path, ...]
    clusters: tuple[str, ...] = ()

    @classmethod
    def of(cls, workspace: Workspace, folders: list[str], clusters: list[str] | None = None) -> "DataRoots":
        """Return the workspace and `folders`, which are relative to the workspace when they are relative."""
        roots = (workspace.root, *(workspace.resolve(folder) for folder in folders))
        return cls(workspace, roots, tuple(clusters or ()))

    def check(self, path: str) -> None:
        """Raise DataOutsideRoots unless `path`, its links followed, lies in a root. It need not exist."""
        try:
            resolved = self.workspace.resolve(path)
        except (OSError, ValueError, RuntimeError):  # a loop of links, a null byte, an unknown ~user
            raise DataOutsideRoots(path[:300]) from None
        if not any(resolved.is_relative_to(root) for root in self.roots):
            raise DataOutsideRoots(path[:300])

    def check_config(self, config: Config) -> None:
        """Check every path a configuration has a run use, and the cluster it would run on; raise ClusterNotAllowed."""
        for path in _paths(config):
            self.check(path)
        if config.system.cluster is not None and config.system.cluster not in self.clusters:
            raise ClusterNotAllowed(config.system.cluster)

    def check_job(self, job: Job) -> None:
        """Check every path in a job that was made some time ago: roots may be fewer since the server was restarted."""
        values = dict(job)
        if isinstance(config := values.get("config"), Config):
            self.check_config(config)
        for name in PATH_FIELDS if not isinstance(job, ComparePredictions) else ("first", "second"):
            found = values.get(name)
            for path in [found] if isinstance(found, str) else found or []:
                self.check(path)

    def check_patients(self, config: Config) -> None:
        """Check the one path that a checkpoint's configuration has an evaluation of other images read."""
        table = _patient_table(config)
        if table is not None:
            self.check(table)


def _paths(config: Config) -> Iterator[str]:
    data = config.data
    table = _patient_table(config)
    weights, tracked = config.model.weights_file, config.tracking.mlflow
    if tracked is not None and is_address(tracked):
        tracked = None
    for path in (data.train_dir, data.val_dir, data.test_dir, weights, data.split_file, table, tracked):
        if path is not None:
            yield path


def _patient_table(config: Config) -> str | None:
    rule = config.evaluation.patient_id
    return rule.csv if isinstance(rule, PatientTable) else None
