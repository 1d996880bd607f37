"""The jobs of the light worker for backups: made, verified, put back; none of it keeps the server from answering."""

from collections.abc import Iterator

from breastai.domain.events import Event
from breastai.domain.jobs import CreateBackup, RestoreBackup, VerifyBackup
from breastai.storage import backup_archive
from breastai.storage.workspace import Workspace


def create_backup(job: CreateBackup, workspace: Workspace) -> Iterator[Event]:
    """Back up the project; raise DiskFull."""
    yield backup_archive.backup_event(backup_archive.create_backup(workspace, job.keep), workspace)


def verify_backup(job: VerifyBackup, workspace: Workspace) -> Iterator[Event]:
    """Verify a backup; raise BackupNotFound or BackupDamaged."""
    yield backup_archive.verified_event(backup_archive.verify_backup(workspace, job.name))


def restore_backup(job: RestoreBackup, workspace: Workspace) -> Iterator[Event]:
    """Put a backup back; raise BackupNotFound, BackupDamaged, RunLocked, DiskFull or WorkspaceUnusable."""
    yield backup_archive.restored_event(job.name, backup_archive.restore_backup(workspace, job.name))
