"""Whether a training could begin on some images: what they are read as, how many of each class, and what is left out."""

from collections.abc import Iterator
from pathlib import Path

from breastai.commands.effective_config import require_images, training_config
from breastai.commands.format_text import counts
from breastai.data.cases.run_folders import list_folders
from breastai.domain.config import Config
from breastai.domain.data_locations import is_remote
from breastai.domain.decision_rule import asked_target_class
from breastai.domain.errors import BreastAIError
from breastai.domain.text import Text
from breastai.environment_check import Finding
from breastai.storage.workspace import Workspace

# With fewer of a class no figure says much: an interval of a sensitivity is wider than 0.2 either way.
_FEW = 20


def examine_data(workspace: Path, data: str) -> list[Finding]:
    """Return what would stand in the way of a training on `data`; reads names and tables, and no image."""
    place = Workspace(workspace.expanduser().resolve())
    try:
        settings = training_config(place, data=data)
        if is_remote(settings.data.train_dir):
            return [_finding("warning", Text("doctor.data.remote", {"place": data}))]
        require_images(place, settings.data.train_dir)
        return list(_look(settings, place.root))
    except BreastAIError as error:
        return [_finding("error", Text("doctor.data.problem", {"problem": str(error)}))]


def _look(settings: Config, root: Path) -> Iterator[Finding]:
    folders = list_folders(settings, root)
    parts = {"train": folders.train, "val": folders.val, "test": folders.test}
    for part, table in parts.items():
        if table is not None:
            yield _finding("ok", Text("doctor.data.counts", {"part": part, "counts": counts(table.counts())}))
    named = settings.evaluation.patient_id is not None or "patient" in folders.train.columns
    if not named:
        yield _finding("warning", Text("doctor.data.patients"), Text("doctor.data.patients.advice"))
    few = {name: count for name, count in folders.train.counts().items() if count < _FEW}
    if few:
        yield _finding("warning", Text("doctor.data.few", {"counts": counts(few)}), Text("doctor.data.few.advice"))
    skipped = [each for table in parts.values() if table is not None for each in table.skipped]
    for each in skipped[:1]:
        params = {"count": len(skipped), "file": each.file, "reason": each.reason}
        yield _finding("warning", Text("doctor.data.skipped", params))
    yield _finding("ok", Text("doctor.data.target", {"name": asked_target_class(settings, folders.train.class_names)}))


def _finding(status: str, finding: Text, advice: Text | None = None) -> Finding:
    return Finding.model_validate({"check": "data", "status": status, "finding": finding, "advice": advice})
