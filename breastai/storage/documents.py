"""The texts of a workspace that a person may read: found by kind and name, of a long one its end."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from breastai.domain.config import overlay, parse_config
from breastai.domain.errors import ConfigInvalid, ConfigNotWritable, DocumentNotFound
from breastai.domain.events import DocumentEntry, DocumentKind
from breastai.domain.faults import describe_fault
from breastai.domain.text import Text
from breastai.storage.private_files import open_own
from breastai.storage.workspace import Workspace, atomic_write, safe_name

MOST_LISTED = 500
MOST_BYTES = 2**18
CONFIG_NAME = "config.json"


@dataclass(frozen=True)
class Tail:
    """The end of a file. `size_bytes`: of the whole file; `cut`: whether something comes before `text`."""

    text: str
    size_bytes: int
    cut: bool


def _config(workspace: Workspace) -> dict[str, Path]:
    return {CONFIG_NAME: workspace.config_file}


def _named_configs(workspace: Workspace) -> dict[str, Path]:
    return {path.stem: path for path in workspace.configs_dir.glob("*.json")}


def _server_logs(workspace: Workspace) -> dict[str, Path]:
    # Not audit.log: who asked for what is for the owner of the machine.
    return {name: workspace.logs_dir / name for name in ("server.log", "faults.log")}


def _journals(workspace: Workspace) -> dict[str, Path]:
    return {run_id: workspace.journal_file(run_id) for run_id in workspace.runs()}


def _worker_logs(workspace: Workspace) -> dict[str, Path]:
    return {name: workspace.run_dir(name) / "worker.log" for name in workspace.run_folders_with("worker.log")}


def _evaluations(workspace: Workspace) -> dict[str, Path]:
    return {f"{path.parts[-3]}/{path.stem}": path for path in workspace.logs_dir.glob("*/evaluations/*.json")}


def _reports(workspace: Workspace) -> dict[str, Path]:
    return {f"{path.parts[-3]}/{path.stem}": path for path in workspace.logs_dir.glob("*/report/*.json")}


def _manifests(workspace: Workspace) -> dict[str, Path]:
    return {f"{path.parent.name}/{path.stem}": path for path in workspace.checkpoints_dir.glob("*/*.json")}


KINDS: Mapping[DocumentKind, Callable[[Workspace], dict[str, Path]]] = {
    "config": _config,
    "named_config": _named_configs,
    "server_log": _server_logs,
    "worker_log": _worker_logs,
    "journal": _journals,
    "evaluation": _evaluations,
    "report": _reports,
    "manifest": _manifests,
}
EDITABLE: tuple[DocumentKind, ...] = ("config", "named_config")


def list_documents(workspace: Workspace) -> list[DocumentEntry]:
    """Return what may be read: configurations first, then the latest of everything else."""
    found: list[DocumentEntry] = []
    for kind in KINDS:
        for name, path in _inside(workspace, kind):
            with contextlib.suppress(OSError):
                facts = path.stat()
                modified = datetime.fromtimestamp(facts.st_mtime, UTC).isoformat(timespec="seconds")
                found.append(DocumentEntry(kind=kind, name=name, size=facts.st_size, modified=modified))
    found.sort(key=lambda entry: (entry.kind in EDITABLE, entry.modified), reverse=True)
    return found[:MOST_LISTED]


def read_document(workspace: Workspace, kind: DocumentKind, name: str) -> Tail:
    """Return the end of a text, looked up among those there are; raise DocumentNotFound."""
    path = dict(_inside(workspace, kind)).get(name)
    if path is None:
        raise DocumentNotFound(kind, name[:200])
    try:
        with open_own(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - MOST_BYTES))
            content = file.read(MOST_BYTES)
    except OSError:
        raise DocumentNotFound(kind, name[:200]) from None
    cut = size > len(content)
    if cut:  # begin with a whole line, where there is one
        content = content[content.find(b"\n") + 1 :]
    return Tail(content.decode("utf-8", "replace"), size, cut)


def save_named_config(workspace: Workspace, name: str, values: Mapping[str, Any]) -> Path:
    """Check `values` and write them as the configuration NAME, as they are; raise ConfigInvalid or NameInvalid."""
    if "server" in values:
        # Else any page that may connect could open any folder, or the network.
        raise ConfigInvalid([describe_fault("server", Text("fault.server_section"))])
    parse_config(overlay({}, values))
    path = workspace.configs_dir / f"{safe_name(name)}.json"
    try:
        atomic_write(path, (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise ConfigNotWritable(workspace.relative(path), error.strerror or str(error)) from None
    return path


def delete_named_config(workspace: Workspace, name: str) -> None:
    """Delete the configuration NAME; raise DocumentNotFound."""
    path = dict(_inside(workspace, "named_config")).get(name)
    if path is None:
        raise DocumentNotFound("named_config", name[:200])
    path.unlink(missing_ok=True)


def _inside(workspace: Workspace, kind: DocumentKind) -> Iterator[tuple[str, Path]]:
    """Yield the texts of a kind, without those that a link leads out of the workspace."""
    for name, path in KINDS[kind](workspace).items():
        if path.is_file() and not path.is_symlink() and path.resolve().is_relative_to(workspace.root):
            yield name, path
