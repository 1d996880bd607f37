"""A checkpoint as a user writes it, RUN, RUN/best or a path, as the worker knows it."""

from pathlib import Path

from breastai.storage.checkpoints import find_checkpoint, open_checkpoint_path
from breastai.storage.workspace import Workspace

_SUFFIXES = (".safetensors", ".json")


def checkpoint_name(workspace: Workspace, text: str) -> str:
    """Return the name RUN/best, or the absolute path of a checkpoint that lies elsewhere; raise CheckpointNotFound.

    A path is relative to the current folder.
    """
    path = Path(text).expanduser().resolve()
    if path.suffix in _SUFFIXES and path.is_file():
        if path.is_relative_to(workspace.checkpoints_dir):
            return find_checkpoint(workspace, workspace.relative(path)).name
        return str(open_checkpoint_path(path).weights)
    return find_checkpoint(workspace, text).name
