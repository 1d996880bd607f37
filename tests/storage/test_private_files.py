"""Private files: whatever the umask, nobody but the owner reads what is made; what was open to others is closed."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from breastai.data.preprocessing.image_cache import prepare
from breastai.data.sources.class_folders import scan
from breastai.domain.config import PreprocessingSettings
from breastai.domain.events import Log
from breastai.storage.backup_archive import create_backup, restore_backup
from breastai.storage.evaluations import count_opening
from breastai.storage.journal import Journal
from breastai.storage.lease import Lease
from breastai.storage.private_files import make_tree_private, open_private, private_folder
from breastai.storage.remote_mirror import Copy, write_index
from breastai.storage.salt import project_salt
from breastai.storage.workspace import Workspace, atomic_write

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such bits")


def open_to_others(root: Path) -> list[str]:
    """Return what below `root`, and whether it itself, has a bit for the group or others."""
    found = [path for path in (root, *root.rglob("*")) if not path.is_symlink()]
    return [path.relative_to(root).as_posix() for path in found if path.stat().st_mode & 0o077]


@pytest.fixture
def no_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("no_umask")
def test_all_that_a_workspace_comes_to_hold_is_its_owners_alone(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "a" / "w")
    journal = Journal(workspace.journal_file("run-1"), "run-1", "default")
    journal.stamp(Log(level="info", message="a"))
    journal.close()
    with Lease(workspace).take("run-1"):
        count_opening(workspace, "f", "c")
    project_salt(workspace)
    atomic_write(workspace.config_file, b"{}\n")
    atomic_write(workspace.configs_dir / "a.json", b"{}\n")
    made = create_backup(workspace)
    workspace.journal_file("run-1").unlink()
    restore_backup(workspace, made.path.name)
    assert workspace.journal_file("run-1").is_file()
    assert open_to_others(tmp_path / "a") == []


@pytest.mark.usefixtures("no_umask")
def test_cached_images_and_the_index_of_copies_are_their_owners_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("benign", "malignant"):
        (tmp_path / "data" / name).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (40, 40), dtype=np.uint8)).save(tmp_path / "data" / name / "x.png")
    prepare(scan(tmp_path / "data"), PreprocessingSettings(), 32, 1, tmp_path / "cache" / "images")
    private_folder(tmp_path / "cache" / "remote")
    write_index(tmp_path / "cache" / "remote", [Copy("x.png")])
    assert list((tmp_path / "cache").rglob("*.pixels"))
    assert open_to_others(tmp_path / "cache") == []


def test_a_workspace_that_others_could_read_is_closed_when_it_is_opened(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path)
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    run = workspace.logs_dir / "run-1" / "evaluations"
    run.mkdir(parents=True)
    (run / "val-1.json").write_text("{}")
    (run / "link.json").symlink_to(outside)
    workspace.config_file.write_text("{}")
    for path in (workspace.config_file, run / "val-1.json", outside):
        path.chmod(0o664)
    for folder in (run, run.parent, workspace.logs_dir, workspace.exports_dir):
        folder.chmod(0o775)
    Workspace.open(tmp_path)
    for folder in (workspace.logs_dir, workspace.exports_dir, workspace.checkpoints_dir, workspace.backups_dir):
        assert open_to_others(folder) == []
    assert not workspace.config_file.stat().st_mode & 0o077
    assert stat.S_IMODE(outside.stat().st_mode) == 0o664  # a link leads to what is none of ours
    assert (run / "val-1.json").read_text() == "{}"


def test_a_folder_of_the_user_stays_as_open_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "public"
    folder.mkdir()
    folder.chmod(0o755)
    private_folder(folder)
    atomic_write(folder / "new" / "x.csv", b"")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755 and open_to_others(folder / "new") == []


def test_a_file_in_the_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises((FileExistsError, NotADirectoryError)):
        private_folder(tmp_path / "x" / "y")
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "x")


def test_a_private_folder_is_not_looked_through_again(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir(mode=0o700)
    (folder / "mine.txt").touch(0o644)
    make_tree_private(folder)
    assert stat.S_IMODE((folder / "mine.txt").stat().st_mode) == 0o644
    with open_private(folder / "mine.txt", "a") as file:
        file.write("a")


def test_the_command_line_makes_nothing_that_others_can_read(tmp_path: Path) -> None:
    """Also where another library writes: the process's own umask is the most open there is."""
    program = "import os, sys; os.umask(0); sys.argv[1:] = ['sample-data', 'data', '--per-class', '3']; "
    program += "from breastai.cli import main; main()"
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True, capture_output=True)
    assert list((tmp_path / "data").rglob("*.png")) and open_to_others(tmp_path / "data") == []
