"""How fast networks learnt on this machine before: from the journals of its runs, and from what was measured."""

from breastai.domain.events import BenchMeasured, TrainingStarted, TrainingUpdate
from breastai.storage.estimates import read_estimates
from breastai.storage.journal import latest_events
from breastai.storage.workspace import Workspace

_LOOKED_AT = 20
_KINDS = ("training_started", "training_update")


def past_speeds(workspace: Workspace, architecture: str, image_size: int) -> list[float]:
    """Return training images a second of a network, as far as known, each as it would be at this image size.

    An image of twice the side takes four times as long.
    """
    found = [
        estimate.train_images_per_second * (estimate.image_size / image_size) ** 2
        for estimate in read_estimates(workspace)
        if estimate.architecture == architecture
    ]
    for run_id in workspace.runs()[-_LOOKED_AT:]:
        _, events = latest_events(workspace.journal_file(run_id), _KINDS)
        started = next((event for event in events if isinstance(event, TrainingStarted)), None)
        update = next((event for event in events if isinstance(event, TrainingUpdate)), None)
        if started is None or update is None or not update.images_per_second or started.architecture != architecture:
            continue
        size = (started.config.get("data") or {}).get("image_size")
        if isinstance(size, int):
            found.append(update.images_per_second * (size / image_size) ** 2)
    return found


def past_memory_gb(workspace: Workspace, architecture: str, image_size: int, batch_size: int) -> float | None:
    """Return the memory that such a configuration took when it was measured, GiB; None where it was not."""
    asked = (architecture, image_size, batch_size)
    return next((each.peak_memory_gb for each in read_estimates(workspace) if _measured(each) == asked), None)


def _measured(estimate: BenchMeasured) -> tuple[str, int, int]:
    return estimate.architecture, estimate.image_size, estimate.batch_size
