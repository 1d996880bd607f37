"""Where links in image folders may lead: what the owner allowed, beside the folder that is read."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from breastai.domain.data_locations import is_remote
from breastai.storage.held_back import own_settings
from breastai.storage.workspace import Workspace

_roots: list[Path] = []


def follow_links_into(roots: Iterable[Path]) -> None:
    """Follow links that end in one of these folders from now on, in this process."""
    _roots[:] = [Path(os.path.realpath(root)) for root in roots]


def follow_links_of(workspace: Workspace) -> None:
    """Follow links that end in the workspace or in a data root of its configuration."""
    named = own_settings(workspace.config_file).get("server", {}).get("data_roots", [])
    roots = [root for root in named if isinstance(root, str) and not is_remote(root)]
    follow_links_into([workspace.root, *map(workspace.resolve, roots)])


def link_roots() -> Sequence[Path]:
    """Return the folders, their links followed, in which links may end."""
    return _roots
