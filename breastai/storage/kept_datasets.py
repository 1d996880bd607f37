"""Data sets as a workspace lists them, and keeping what an inspection found under a name."""

from breastai.domain.dataset_inspection import DatasetInspection
from breastai.domain.errors import BreastAIError, DatasetInvalid
from breastai.domain.list_entries import DatasetEntry
from breastai.storage.datasets import dataset_names, read_dataset, save_dataset
from breastai.storage.workspace import Workspace, safe_name


def list_datasets(workspace: Workspace) -> list[DatasetEntry]:
    """Return the data sets of a workspace, by name; of one that can't be read, why."""
    return [_entry(workspace, name) for name in dataset_names(workspace)]


def keep_dataset(workspace: Workspace, name: str, inspection: DatasetInspection) -> DatasetInspection:
    """Keep what was inspected under a name; return it so. Raises DatasetInvalid where nothing says the classes."""
    if inspection.description is None:
        raise DatasetInvalid(safe_name(name), inspection.doubts)
    root = workspace.relative(workspace.root / inspection.description.root)
    description = inspection.description.model_copy(update={"name": safe_name(name), "root": root})
    save_dataset(workspace, description)
    return inspection.model_copy(update={"description": description})


def _entry(workspace: Workspace, name: str) -> DatasetEntry:
    try:
        description = read_dataset(workspace, name)
    except BreastAIError as fault:
        return DatasetEntry(name=name, problem=fault.text)
    return DatasetEntry(
        name=name,
        layout=description.layout,
        root=description.root,
        class_names=list(description.class_names),
        images=None if description.fingerprint is None else description.fingerprint.files,
    )
