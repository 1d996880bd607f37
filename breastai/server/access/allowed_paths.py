"""Which folders and which shared storage the server may have images read from, and which clusters it may use: those its owner allowed."""

import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from breastai.domain.config import Config, parse_config
from breastai.domain.data_locations import checked_place, is_remote, lies_below, without_secrets
from breastai.domain.errors import (
    BreastAIError,
    ClusterNotAllowed,
    DataOutsideRoots,
    StoreNotAllowed,
    TrackerNotAllowed,
)
from breastai.domain.jobs import Job
from breastai.domain.patient_settings import PatientTable
from breastai.domain.tracking_settings import is_address
from breastai.domain.v3_settings import whole_of
from breastai.storage.checkpoints import Manifest
from breastai.storage.datasets import root_described
from breastai.storage.run_config import configs_of, find_job_config
from breastai.storage.workspace import Workspace

_LOG = re.compile(r"\.log(\.\d+)?$|^queue\.json$|^events\.jsonl$|^test_sets\.jsonl$")


@dataclass(frozen=True)
class DataRoots:
    """`roots` are absolute, their links followed; the workspace is the first. `stores` are addresses of storage.

    `wholes`: addresses that may be read themselves, though not whatever else a request names below them. `trackers`:
    the MLflow servers that runs may be told to, with what the server's environment holds for them.
    """

    workspace: Workspace
    roots: tuple[Path, ...]
    clusters: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    wholes: tuple[str, ...] = ()
    trackers: tuple[str, ...] = ()

    @classmethod
    def of(cls, workspace: Workspace, places: list[str], clusters: list[str] | None = None) -> "DataRoots":
        """Return the workspace and `places`: folders, relative to the workspace when they are relative, and addresses.

        Raises ConfigInvalid for an address that can't be one.
        """
        parse_config({"server": {"data_roots": places}})
        roots = (workspace.root, *(workspace.resolve(place) for place in places if not is_remote(place)))
        stores = tuple(checked_place(place) for place in places if is_remote(place))
        return cls(workspace, roots, tuple(clusters or ()), stores)

    def with_configured(self, config: Config) -> "DataRoots":
        """Return the same with the addresses that the owner's own configuration reads images from, or tells of runs.

        With all of X/train, X/val and X/test it is X that is read: what the page has audited before a run.
        """
        data = config.data
        own = [place for place in (data.train_dir, data.val_dir, data.test_dir) if place and is_remote(place)]
        whole = _whole(config)
        told = tuple(filter(None, (_tracker(config), os.environ.get("MLFLOW_TRACKING_URI"))))
        wholes = (whole,) if whole is not None and is_remote(whole) else ()
        return replace(self, stores=(*self.stores, *own), wholes=wholes, trackers=told)

    @property
    def beyond(self) -> list[str]:
        """Return the addresses that runs may read from or tell of themselves, without their secrets: for the log."""
        return [without_secrets(place) for place in (*self.stores, *self.trackers)]

    def check(self, path: str) -> None:
        """Raise DataOutsideRoots unless `path`, its links followed, lies in a root; it need not exist.

        Of an address, StoreNotAllowed unless it is that of a root or below one.
        """
        if is_remote(path):
            self._check_address(path)
            return
        try:
            resolved = self.workspace.resolve(path)
        except (OSError, ValueError, RuntimeError):  # a loop of links, a null byte, an unknown ~user
            raise DataOutsideRoots(path[:300]) from None
        if not any(resolved.is_relative_to(root) for root in self.roots) or self._is_kept(resolved):
            raise DataOutsideRoots(path[:300])
        root = root_described(resolved)
        if root is not None:
            self._check_root(root)

    def _check_root(self, root: str) -> None:
        """Check where the images of a description lie, which itself leads no further."""
        if is_remote(root):
            self._check_address(root)
        elif not any(Path(os.path.realpath(root)).is_relative_to(allowed) for allowed in self.roots):
            raise DataOutsideRoots(root[:300])

    def check_manifest(self, manifest: Manifest) -> None:
        """Check every path that the run of a checkpoint used: its configuration's, and its data set's."""
        for config in configs_of(manifest):
            self.check_config(config)

    def _is_kept(self, resolved: Path) -> bool:
        """Return whether a file is the workspace's own and none to ask about: its salt, its logs, what waits in its queue.

        An error that says what is wrong with a table says what stands in it.
        """
        with contextlib.suppress(ValueError):
            parts = resolved.relative_to(self.workspace.root).parts
            return bool(parts) and (parts[0].startswith(".") or (parts[0] == "logs" and bool(_LOG.search(parts[-1]))))
        return False

    def _check_address(self, address: str) -> None:
        try:
            checked = checked_place(address)
        except ValueError:
            raise StoreNotAllowed(without_secrets(address)[:300]) from None
        if checked not in self.wholes and not any(lies_below(checked, store) for store in self.stores):
            raise StoreNotAllowed(checked[:300])

    def check_config(self, config: Config) -> None:
        """Check every path a configuration has a run use, and the cluster it would run on; raise ClusterNotAllowed."""
        for setting, path in _paths(config):
            try:
                self.check(path)
            except BreastAIError as error:
                error.about = setting
                raise
        if config.system.cluster is not None and config.system.cluster not in self.clusters:
            raise ClusterNotAllowed(config.system.cluster)

    def check_run(self, config: Config) -> None:
        """Check all that a run by this configuration would use, and whom it would tell; raise TrackerNotAllowed too."""
        self.check_config(config)
        self._check_tracker(config)

    def check_beyond(self, config: Config) -> None:
        """Check what a recorded configuration would reach beyond this machine; folders are as its user may read them."""
        for _, path in _paths(config):
            if is_remote(path):
                self.check(path)
        if config.system.cluster not in (None, "local", *self.clusters):
            raise ClusterNotAllowed(str(config.system.cluster))
        self._check_tracker(config)

    def check_saved(self, config: Config, before: Sequence[Config]) -> None:
        """Check what a configuration that is to be kept says beyond those `before` it, as that of a run.

        What stands in it may be used after the next start, with nobody connected; what was there already is the owner's.
        """
        known = {path for each in before for _, path in _paths(each)}
        for _, path in _paths(config):
            if path not in known:
                self.check(path)
        if config.system.cluster not in (None, *self.clusters, *(each.system.cluster for each in before)):
            raise ClusterNotAllowed(str(config.system.cluster))
        if _tracker(config) not in {_tracker(each) for each in before}:
            self._check_tracker(config)

    def _check_tracker(self, config: Config) -> None:
        address = _tracker(config)
        if address is not None and address not in self.trackers:
            raise TrackerNotAllowed(without_secrets(address)[:300])

    def check_job(self, job: Job) -> None:
        """Check every path in a job that was made some time ago: roots may be fewer since the server was restarted."""
        config = find_job_config(self.workspace, job)
        if config is not None:
            self.check_run(config)
        for path in job.paths_read:
            self.check(path)

    def check_patients(self, config: Config) -> None:
        """Check the one path that a checkpoint's configuration has an evaluation of other images read."""
        table = _patient_table(config)
        if table is not None:
            self.check(table)


def _paths(config: Config) -> Iterator[tuple[str, str]]:
    """Yield what a run of `config` reads or writes, each place after the setting that names it."""
    data = config.data
    tracked = config.tracking.mlflow if _tracker(config) is None else None
    whole = _whole(config)
    if whole is not None and not is_remote(whole):  # a layout that is known is read from the folder above
        yield "data.train_dir", whole
    named = {
        "data.train_dir": data.train_dir,
        "data.val_dir": data.val_dir,
        "data.test_dir": data.test_dir,
        "model.weights_file": config.model.weights_file,
        "data.split_file": data.split_file,
        "evaluation.patient_id": _patient_table(config),
        "tracking.mlflow": tracked,
    }
    for setting, path in named.items():
        if path is not None:
            yield setting, path


def _whole(config: Config) -> str | None:
    data = config.data
    return whole_of((data.train_dir, data.val_dir, data.test_dir))


def _tracker(config: Config) -> str | None:
    """Return the address of the MLflow server that a configuration names, None where it is a folder."""
    named = config.tracking.mlflow
    return named if named is not None and is_address(named) else None


def _patient_table(config: Config) -> str | None:
    rule = config.evaluation.patient_id
    return rule.csv if isinstance(rule, PatientTable) else None
