"""Which folders the server may have images read from: the workspace, and the roots its owner allowed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from breastai.domain.config import Config, PatientTable
from breastai.domain.errors import DataOutsideRoots
from breastai.storage.workspace import Workspace


@dataclass(frozen=True)
class DataRoots:
    """`roots` are absolute, their links followed; the workspace is the first."""

    workspace: Workspace
    roots: tuple[Path, ...]

    @classmethod
    def of(cls, workspace: Workspace, folders: list[str]) -> "DataRoots":
        """Return the workspace and `folders`, which are relative to the workspace when they are relative."""
        return cls(workspace, (workspace.root, *(workspace.resolve(folder) for folder in folders)))

    def check(self, path: str) -> None:
        """Raise DataOutsideRoots unless `path`, its links followed, lies in a root. It need not exist."""
        try:
            resolved = self.workspace.resolve(path)
        except (OSError, ValueError, RuntimeError):  # a loop of links, a null byte, an unknown ~user
            raise DataOutsideRoots(path[:300]) from None
        if not any(resolved.is_relative_to(root) for root in self.roots):
            raise DataOutsideRoots(path[:300])

    def check_config(self, config: Config) -> None:
        """Check every path a configuration has a run read."""
        for path in _paths(config):
            self.check(path)


def _paths(config: Config) -> Iterator[str]:
    rule = config.evaluation.patient_id
    table = rule.csv if isinstance(rule, PatientTable) else None
    data = config.data
    for path in (data.train_dir, data.val_dir, data.test_dir, config.model.weights_file, data.split_file, table):
        if path is not None:
            yield path
