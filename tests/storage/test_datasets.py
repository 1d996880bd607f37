"""Descriptions of data sets in a workspace are listed, read, written whole and deleted."""

from pathlib import Path

import pytest

from breastai.domain.dataset_description import parse_description
from breastai.domain.errors import DatasetInvalid, DatasetNotFound, NameInvalid
from breastai.storage.datasets import (
    dataset_file,
    dataset_names,
    delete_dataset,
    is_dataset,
    read_dataset,
    save_dataset,
)
from breastai.storage.workspace import Workspace

DESCRIPTION = parse_description({"name": "busi", "root": "data/busi", "fields": {"label": {"folder": 1}}})


def test_a_description_is_written_read_listed_and_deleted(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    assert dataset_names(workspace) == []
    path = save_dataset(workspace, DESCRIPTION)
    assert path == tmp_path / "datasets" / "busi.json"
    assert read_dataset(workspace, "busi") == DESCRIPTION
    assert dataset_names(workspace) == ["busi"] and is_dataset(workspace, "busi")
    delete_dataset(workspace, "busi")
    with pytest.raises(DatasetNotFound, match=r"No dataset is called busi. Known: -"):
        read_dataset(workspace, "busi")


def test_only_what_was_decided_is_written(tmp_path: Path) -> None:
    text = save_dataset(Workspace.open(tmp_path), DESCRIPTION).read_text()
    assert '"format": 1' in text and "citation" not in text and len(text.splitlines()) < 15


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    with pytest.raises(NameInvalid):
        dataset_file(workspace, "../config")
    assert not is_dataset(workspace, "../config")


def test_a_description_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    save_dataset(workspace, DESCRIPTION)
    dataset_file(workspace, "busi").write_text('{"name": "busi"}')
    with pytest.raises(DatasetInvalid, match="root"):
        read_dataset(workspace, "busi")
