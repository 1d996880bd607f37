"""Exported models on disk, and what may be downloaded."""

from pathlib import Path

import pytest

from breastai.domain.errors import ExportNotFound
from breastai.storage.downloads import download_at
from breastai.storage.exports import delete_export, list_exports
from breastai.storage.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path)
    for name in ("onnx/r_best.onnx", "onnx/r_best.int8.onnx", "onnx/.half.onnx", "onnx/note.txt", "pytorch/odd.pt2"):
        path = workspace.exports_dir / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(name)
    return workspace


def test_exports_are_listed_with_their_format_and_checkpoint(workspace: Workspace) -> None:
    found = {entry.path: (entry.format, entry.checkpoint) for entry in list_exports(workspace)}
    assert found == {
        "exports/onnx/r_best.onnx": ("onnx", "r/best"),
        "exports/onnx/r_best.int8.onnx": ("onnx-int8", "r/best"),
        "exports/pytorch/odd.pt2": ("torch-export", None),
    }


def test_only_what_is_listed_is_deleted(workspace: Workspace) -> None:
    delete_export(workspace, "exports/onnx/r_best.onnx")
    assert not (workspace.exports_dir / "onnx/r_best.onnx").exists()
    for name in ("exports/onnx/r_best.onnx", "exports/onnx/note.txt", "exports/../config.json", "/etc/passwd"):
        with pytest.raises(ExportNotFound):
            delete_export(workspace, name)
    assert (workspace.exports_dir / "onnx/note.txt").exists()


def test_a_deleted_model_takes_its_description_along_and_leaves_those_of_others(workspace: Workspace) -> None:
    folder = workspace.exports_dir / "pytorch"
    for name in ("r_best.safetensors", "r_best.json", "r_best.pt2", "r_last.safetensors", "r_last.json"):
        (folder / name).write_text(name)
    delete_export(workspace, "exports/pytorch/r_last.safetensors")
    delete_export(workspace, "exports/pytorch/r_best.pt2")
    assert sorted(path.name for path in folder.iterdir()) == ["odd.pt2", "r_best.json", "r_best.safetensors"]
    delete_export(workspace, "exports/pytorch/r_best.safetensors")
    assert [path.name for path in folder.iterdir()] == ["odd.pt2"]


@pytest.mark.parametrize(
    "path", ["/files/config.json", "/files/exports/onnx/note.txt", "/files/../x", "/files/", "/files//etc/passwd"]
)
def test_only_checkpoints_exports_and_backups_are_downloaded(workspace: Workspace, path: str) -> None:
    (workspace.root / "config.json").write_text("{}")
    assert download_at(workspace, path) is None


def test_a_listed_file_is_found_by_its_path(workspace: Workspace) -> None:
    assert download_at(workspace, "/files/exports/onnx/r_best.onnx") == workspace.exports_dir / "onnx" / "r_best.onnx"


def test_a_link_out_of_the_workspace_is_no_export(
    workspace: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.onnx"
    outside.write_text("secret")
    (workspace.exports_dir / "onnx" / "link_best.onnx").symlink_to(outside)
    assert "exports/onnx/link_best.onnx" not in {entry.path for entry in list_exports(workspace)}
