"""Checkpoints on disk: weights with a manifest that says what they are and proves they are whole. No torch."""

import contextlib
import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.config import of_a_model
from breastai.domain.dataset_description import DatasetDescription
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.errors import CheckpointDamaged, CheckpointInUse, CheckpointNotFound, FormatTooNew, RunLocked
from breastai.domain.events import CheckpointEntry
from breastai.domain.site_records import Adaptation
from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.stored_config import StoredConfig
from breastai.domain.text import Text
from breastai.domain.unit_rule import UnitRule
from breastai.domain.weights_record import WeightsRecord
from breastai.storage.private_files import file_sha256, read_own
from breastai.storage.studies import take_whole_run
from breastai.storage.workspace import Workspace, safe_name, sync_folder

# best, last, or a good epoch that is no longer the best: epoch-0007.
Kind = Annotated[str, Field(pattern=r"^(best|last|epoch-[0-9]{4,5})$")]
# What all checkpoints of a run keep of its images.
FINGERPRINTS = "fingerprints.npz"
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})/(best|last|epoch-[0-9]{4,5})")


class SplitRecord(Stored):
    """Which images trained, validated, calibrated and were held out: names relative to their folder, classes and content hashes.

    `train_labels`, `val_labels`: the class of each; empty in checkpoints written before this was kept, where the first
    folder of a name tells it.
    """

    train: list[str]
    val: list[str]
    test: list[str] = []
    train_sha256: list[str]
    val_sha256: list[str]
    train_labels: list[str] = []
    val_labels: list[str] = []
    calibration_sha256: list[str] = []
    description: Text | str = ""
    dataset: DatasetDescription | None = Field(
        None, description="By which the images were read: what is kept of it may change, the run goes by this."
    )

    def differences(self, other: "SplitRecord") -> Text:
        """Return how the images of `other` differ from these."""
        before, after = set(self.train_sha256 + self.val_sha256), set(other.train_sha256 + other.val_sha256)
        if before == after:
            return Text("reason.split_differently")
        return Text("reason.images_missing_new", {"missing": len(before - after), "new": len(after - before)})


class MemoryRecord(Stored):
    """What was measured of memory before a run: sizes in GiB. `held_gb`: what the process had before the first step."""

    batch_size_asked: int
    batch_size: int = Field(description="The largest that fits: what the run learns from at once.")
    asked_needed_gb: float
    needed_gb: float = Field(description="At most, above held_gb.")
    held_gb: float
    available_gb: float
    features_bytes: int = Field(description="Bound of the features a first epoch of fine_tune keeps.")


class Manifest(StoredDocument):
    """What stands beside a checkpoint's weights. `metrics`: the epoch's validation figures, without val_."""

    notice: str = RESEARCH_USE
    run_id: str
    kind: Kind
    created: str
    weights_file: str = ""
    sha256: str = ""
    size_bytes: int = 0
    state_file: str | None = Field(
        None, description="File beside, with the tensors a resume needs besides the weights."
    )
    state_sha256: str | None = None
    state: dict[str, Any] | None = Field(None, description="The rest of what a resume needs.")
    config: StoredConfig
    architecture: str
    class_names: list[str]
    image_size: int
    mean: list[float]
    std: list[float]
    epoch: int
    metrics: dict[str, Any]
    split: SplitRecord
    pretrained: str
    weights: WeightsRecord | None = Field(None, description="Of a file of weights it began with: what is known of it.")
    plan: dict[str, Any] | None = None
    memory: MemoryRecord | None = None
    decision: DecisionRule = DecisionRule()
    unit_rule: UnitRule | None = Field(
        None, description="Of breasts, exams or patients, where decisions are of these; else of images alone."
    )
    adapted_from: Adaptation | None = Field(None, description="Of a checkpoint that was adapted to a site.")
    versions: dict[str, str]

    @field_validator("config", mode="before")
    @classmethod
    def _as_it_was_prepared(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {**value, "preprocessing": of_a_model(value.get("preprocessing", {}))}
        return value


@dataclass(frozen=True)
class CheckpointFiles:
    """Where a checkpoint lies. `name` is RUN/best or RUN/last; for a file given by path, that path."""

    name: str
    weights: Path
    manifest: Path


def checkpoint_files(workspace: Workspace, run_id: str, kind: Kind) -> CheckpointFiles:
    folder = workspace.checkpoint_dir(run_id)
    return CheckpointFiles(f"{run_id}/{kind}", folder / f"{kind}.safetensors", folder / f"{kind}.json")


def adapted_run_id(workspace: Workspace) -> str:
    """Return a name for the run of an adapted checkpoint, which sorts by time and says what it is."""
    return f"{workspace.new_run_id()}-adapted"


def checkpoint_kinds(workspace: Workspace, run_id: str) -> list[Kind]:
    """Return the checkpoints a run has: best, last, epoch-0007; not those kept behind `last`."""
    names = [path.stem for path in workspace.checkpoint_dir(run_id).glob("*.json")]
    return sorted(name for name in names if _NAME.fullmatch(f"{run_id}/{name}"))


def find_checkpoint(workspace: Workspace, name: str) -> CheckpointFiles:
    """Return the checkpoint called `name`: RUN/best, RUN (its best), latest, or a name the list of checkpoints gave.

    `latest` is that of the newest run that completed an epoch: what a run saves before is its resume point alone, of a
    network that has learnt nothing, and only RUN/last names it. A name is looked up among those that exist, never
    joined to a path. Raise CheckpointNotFound.
    """
    known = {files.name: files for files in _all_files(workspace)}
    wanted = name.replace("\\", "/")
    for files in known.values():
        listed = (files.name, workspace.relative(files.weights), workspace.relative(files.manifest), list_name(files))
        if wanted in listed:
            return files
    runs = {files.name.partition("/")[0] for files in known.values()}
    # Run names sort by time.
    for run_id in sorted(runs, reverse=True) if wanted == "latest" else [wanted]:
        found = [known[f"{run_id}/{kind}"] for kind in ("best", "last") if f"{run_id}/{kind}" in known]
        for files in found:
            if _has_learnt(files):
                return files
    raise CheckpointNotFound(name[:200], sorted(known)[-10:])


def _has_learnt(files: CheckpointFiles) -> bool:
    """Return whether a checkpoint's network completed an epoch. A damaged one is believed to: loading tells of it."""
    if files.manifest.stem != "last":
        return True
    try:
        return read_manifest(files).epoch > 0
    except (CheckpointDamaged, FormatTooNew):
        return True


def open_checkpoint_path(path: Path) -> CheckpointFiles:
    """Return the checkpoint in a file given by path: its weights, with the manifest beside; raise CheckpointNotFound."""
    weights = path.with_suffix(".safetensors")
    manifest = path.with_suffix(".json")
    if not weights.is_file() or not manifest.is_file():
        raise CheckpointNotFound(str(path), [])
    return CheckpointFiles(path.with_suffix("").as_posix(), weights, manifest)


def list_name(files: CheckpointFiles) -> str:
    """Return the file name that tells runs apart, RUN_best.safetensors."""
    return files.name.replace("/", "_") + ".safetensors"


def read_manifest(files: CheckpointFiles) -> Manifest:
    """Return the manifest of a checkpoint; raise CheckpointDamaged or FormatTooNew."""
    return parse_manifest(files, files.manifest)


def verify_checkpoint(files: CheckpointFiles) -> Manifest:
    """Return the manifest once weights and state have been proved to be those it speaks of; raise CheckpointDamaged.

    A process killed between the two renames of a save leaves new weights under the old manifest; the new one then
    lies beside, and is the true one.
    """
    manifest = read_manifest(files)
    if not files.weights.is_file():
        raise CheckpointDamaged(files.name, Text("reason.file_missing", {"file": files.weights.name}))
    found = file_sha256(files.weights)
    if found != manifest.sha256:
        coming = next_manifest(files)
        if not coming.is_file() or (manifest := parse_manifest(files, coming)).sha256 != found:
            reason = Text("reason.changed_since_written_sha256", {"file": files.weights.name, "sha256": found[:12]})
            raise CheckpointDamaged(files.name, reason)
    if manifest.state_file is not None:
        state = files.weights.parent / safe_name(manifest.state_file)
        if not state.is_file() or file_sha256(state) != manifest.state_sha256:
            raise CheckpointDamaged(files.name, Text("reason.missing_or_changed_since", {"file": state.name}))
    return manifest


def _present_manifest(files: CheckpointFiles) -> Manifest:
    """Return the manifest of the weights that are there: the coming one where a kill kept it from its place."""
    coming = next_manifest(files)
    if coming.is_file():
        with contextlib.suppress(CheckpointDamaged, FormatTooNew, OSError):
            found = parse_manifest(files, coming)
            if found.size_bytes == files.weights.stat().st_size and found.sha256 == file_sha256(files.weights):
                return found
    return read_manifest(files)


def next_manifest(files: CheckpointFiles) -> Path:
    """Return where a save lays the new manifest until it takes the old one's place."""
    return files.manifest.with_name(files.manifest.name + ".next")


def parse_manifest(files: CheckpointFiles, path: Path) -> Manifest:
    """Return the manifest in `path`; raise CheckpointDamaged or FormatTooNew."""
    try:
        return Manifest.model_validate_json(read_own(path)).check_format(f"{files.name}.json")
    except FileNotFoundError:
        raise CheckpointDamaged(files.name, Text("reason.manifest_missing")) from None
    except (OSError, ValidationError, ValueError) as error:
        reason = Text("reason.manifest_cannot_read", {"error": type(error).__name__})
        raise CheckpointDamaged(files.name, reason) from None


def list_checkpoints(workspace: Workspace) -> list[CheckpointEntry]:
    """Return all checkpoints, newest first. Damage is told where it shows at once; hashes are checked on loading."""
    entries = [_entry(workspace, files) for files in _all_files(workspace)]
    return sorted(entries, key=lambda entry: entry.created, reverse=True)


def delete_checkpoint(workspace: Workspace, name: str) -> CheckpointFiles:
    """Delete a checkpoint; raise CheckpointNotFound, or CheckpointInUse while any process trains its run, or its run's study."""
    files = find_checkpoint(workspace, name)
    run_id = files.name.partition("/")[0]
    had_folder = workspace.run_dir(run_id).is_dir()
    try:
        with take_whole_run(workspace, run_id):
            remove_checkpoint(files)
    except RunLocked:
        raise CheckpointInUse(files.name) from None
    if not had_folder:  # a checkpoint brought from elsewhere has no journal: nothing to leave behind
        shutil.rmtree(workspace.run_dir(run_id), ignore_errors=True)
    return files


def remove_checkpoint(files: CheckpointFiles) -> None:
    """Delete a checkpoint of a run that this process holds, manifest first, so that what is left is never listed."""
    kind = files.name.rpartition("/")[2]
    folder = files.weights.parent
    files.manifest.unlink(missing_ok=True)
    for path in [
        files.weights,
        next_manifest(files),
        *folder.glob(f"{kind}.*.json"),
        *folder.glob(f"{kind}.*.safetensors"),
    ]:
        path.unlink(missing_ok=True)
    if not any(folder.glob("*.safetensors")):  # what is kept with checkpoints goes with the last of them
        (folder / FINGERPRINTS).unlink(missing_ok=True)
    sync_folder(folder)
    if not any(folder.iterdir()):
        folder.rmdir()


def checkpoint_weights(workspace: Workspace) -> list[Path]:
    """Return the weights of all checkpoints."""
    return [files.weights for files in _all_files(workspace)]


def _all_files(workspace: Workspace) -> Iterator[CheckpointFiles]:
    for manifest in workspace.checkpoints_dir.glob("*/*.json"):
        # What a link leads to is not ours to delete.
        if (
            manifest.is_symlink()
            or manifest.with_suffix(".safetensors").is_symlink()
            or manifest.parent.is_symlink()
            or not _NAME.fullmatch(f"{manifest.parent.name}/{manifest.stem}")
        ):
            continue
        yield CheckpointFiles(f"{manifest.parent.name}/{manifest.stem}", manifest.with_suffix(".safetensors"), manifest)


def _entry(workspace: Workspace, files: CheckpointFiles) -> CheckpointEntry:
    common: dict[str, Any] = {
        "checkpoint": files.name,
        "filename": list_name(files),
        "path": workspace.relative(files.weights),
        "run_id": files.name.partition("/")[0],
    }
    try:
        manifest = _present_manifest(files)
        size = files.weights.stat().st_size if files.weights.is_file() else 0
        problem = (
            None if size == manifest.size_bytes else f"expected {manifest.size_bytes} bytes of weights, found {size}"
        )
    except (CheckpointDamaged, FormatTooNew) as error:
        reason = error.reason if isinstance(error, CheckpointDamaged) else str(error)
        modified = datetime.fromtimestamp(files.manifest.stat().st_mtime, UTC).isoformat(timespec="seconds")
        return CheckpointEntry(
            **common, size=0, created=modified, epoch=None, accuracy=None, architecture=None, problem=reason
        )
    return CheckpointEntry(
        **common,
        size=size,
        created=manifest.created,
        epoch=manifest.epoch,
        accuracy=manifest.metrics.get("accuracy"),
        architecture=manifest.architecture,
        class_names=manifest.class_names,
        metrics={
            name: value for name, value in manifest.metrics.items() if isinstance(value, int | float) or value is None
        },
        resumable=manifest.kind == "last",
        sha256=manifest.sha256,
        image_input=_sha256_of(f"{manifest.config.data.image_size} {manifest.config.preprocessing.model_dump_json()}"),
        validated_on=_sha256_of(*sorted(set(manifest.split.val_sha256))) if manifest.split.val_sha256 else None,
        problem=problem,
    )


def _sha256_of(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()
