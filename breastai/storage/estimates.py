"""What was measured on this machine: the latest estimates of what a run would take, in logs/estimates.json."""

from pydantic import Field, ValidationError

from breastai.domain.events import BenchMeasured
from breastai.domain.stored import StoredDocument
from breastai.storage.private_files import read_own
from breastai.storage.workspace import Workspace, atomic_write

_MOST_KEPT = 20


class Estimates(StoredDocument):
    """Estimates, the latest first."""

    estimates: list[BenchMeasured] = Field([], description="At most 20.")


def read_estimates(workspace: Workspace) -> list[BenchMeasured]:
    """Return the estimates kept, the latest first; none where they can't be read."""
    try:
        found = Estimates.model_validate_json(read_own(workspace.logs_dir / "estimates.json"))
    except (OSError, ValidationError, ValueError):
        return []
    return [] if found.is_of_later_version else found.estimates


def keep_estimate(workspace: Workspace, estimate: BenchMeasured) -> None:
    """Keep an estimate with those before it; raise DiskFull."""
    kept = Estimates(estimates=[estimate, *read_estimates(workspace)][:_MOST_KEPT])
    atomic_write(workspace.logs_dir / "estimates.json", (kept.model_dump_json(indent=1) + "\n").encode())
