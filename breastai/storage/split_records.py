"""Splits on disk: where each image of a run went, saved beside its journal and used again."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from breastai.domain.config import Config
from breastai.domain.croissant import croissant_document
from breastai.domain.errors import SplitInvalid
from breastai.domain.records import SplitFile
from breastai.domain.text import Text
from breastai.storage.workspace import Workspace, atomic_write


def split_path(workspace: Workspace, run_id: str) -> Path:
    return workspace.run_dir(run_id) / "split.json"


def save_split(workspace: Workspace, run_id: str, split: SplitFile) -> Path:
    """Write the split of a run, and its metadata as croissant.json beside it; raise DiskFull."""
    path = split_path(workspace, run_id)
    content = (split.model_dump_json(indent=1, exclude_none=True) + "\n").encode()
    atomic_write(path, content)
    today = datetime.now(UTC).date().isoformat()
    metadata = croissant_document(split, hashlib.sha256(content).hexdigest(), today)
    atomic_write(path.with_name("croissant.json"), (json.dumps(metadata, indent=1, ensure_ascii=False) + "\n").encode())
    return path


def read_split(path: Path, name: str) -> SplitFile:
    """Return a saved split; raise SplitInvalid or FormatTooNew under `name`."""
    try:
        return SplitFile.model_validate_json(path.read_bytes()).check_format(name)
    except OSError as error:
        raise SplitInvalid(name, error.strerror or str(error)) from None
    except (ValidationError, ValueError):
        raise SplitInvalid(name, Text("reason.not_split_breastai_saved")) from None


def saved_split(config: Config, workspace: Workspace, run_id: str | None) -> SplitFile | None:
    """Return the split a run is to use: its own when it is resumed, or else that of data.split_file; None: a new one."""
    if run_id is not None and split_path(workspace, run_id).is_file():
        return read_split(split_path(workspace, run_id), "split.json")
    if config.data.split_file is None:
        return None
    return read_split(workspace.resolve(config.data.split_file), config.data.split_file)
