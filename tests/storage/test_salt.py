"""The project's salt."""

from concurrent.futures import ThreadPoolExecutor

from breastai.storage.salt import project_salt, salted_hash
from breastai.storage.workspace import Workspace


def test_those_that_begin_at_once_share_one_whole_salt(tmp_path):
    for turn in range(20):
        workspace = Workspace.open(tmp_path / str(turn))
        with ThreadPoolExecutor(16) as pool:
            (salt,) = set(pool.map(lambda _, place=workspace: project_salt(place), range(32)))
        assert len(salt) == 32
        assert (workspace.root / ".salt").stat().st_mode & 0o077 == 0


def test_a_hash_needs_the_salt(tmp_path):
    salts = [project_salt(Workspace.open(tmp_path / name)) for name in ("one", "two")]
    assert len({salted_hash(salt, "patient") for salt in salts}) == 2
