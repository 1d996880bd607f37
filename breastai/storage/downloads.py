"""Files a user may download, by the path a server shows them under: checkpoints, exports and backups that exist, records of evaluations and tables of labels in doubt."""

from pathlib import Path

from breastai.storage.backup_archive import list_backups
from breastai.storage.checkpoints import checkpoint_weights
from breastai.storage.evaluations import evaluation_files, sites_files
from breastai.storage.exports import list_exports
from breastai.storage.kept_doubts import doubt_tables
from breastai.storage.workspace import Workspace

PREFIX = "/files/"


def download_at(workspace: Workspace, url_path: str) -> Path | None:
    """Return the file a request's path means, looked up among those listed and never joined from what came."""
    wanted = url_path.removeprefix(PREFIX)
    known = [*checkpoint_weights(workspace), *(workspace.root / entry.path for entry in list_exports(workspace))]
    known += list_backups(workspace)
    run_id = wanted.removeprefix(f"{workspace.relative(workspace.logs_dir)}/").partition("/")[0]
    if workspace.has_model(run_id):
        known += [*evaluation_files(workspace, run_id), *sites_files(workspace, run_id)]
    known += doubt_tables(workspace)
    return next((path for path in known if workspace.relative(path) == wanted and path.is_file()), None)
