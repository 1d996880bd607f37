"""Fixtures shared by all tests."""

import base64
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from breastai.domain.config import Config
    from breastai.storage.workspace import Workspace

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = PROJECT_ROOT.parent / "shared" / "data"

# One computing thread: tests share the machine with others, and results must not depend on it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A busy machine is no fault of a property: no deadlines, and in CI the same examples each time.
settings.register_profile(
    "shared machine",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("shared machine")


@pytest.fixture(scope="session", autouse=True)
def own_configuration_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests' token out of the user's configuration folder.

    It begins as the token that the checkout's page already has, so that servers the tests start leave the page as it
    is; else as one that all processes of this run of the tests have in common, since they share that page.
    """
    folder = tmp_path_factory.mktemp("configuration")
    script = PROJECT_ROOT / "frontend" / "session.js"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        found = re.search(r'"(.{43})"', script.read_text(encoding="utf-8")) if script.is_file() else None
        (folder / "breastai").mkdir()
        (folder / "breastai" / "token").touch(mode=0o600)
        (folder / "breastai" / "token").write_text(found[1] if found else _token_of_this_run(), encoding="ascii")
        yield folder


def _token_of_this_run() -> str:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return base64.urlsafe_b64encode(hashlib.sha256(run.encode()).digest()).decode().rstrip("=")


SMALL: dict[str, Any] = {
    "data": {"image_size": 32, "batch_size": 8, "num_workers": 2, "test_dir": None},
    "model": {"architecture": "tf_efficientnet_lite0", "pretrained": "none", "dropout_rate": 0.2},
    "training": {"epochs": 2, "use_amp": False},
    "system": {"num_threads": 1, "autotune": False},
}


@pytest.fixture(scope="session")
def small_config_on() -> Callable[[Path], Callable[..., "Config"]]:
    """For a folder with train/ and val/: what makes the smallest sensible configuration, with changes laid over it."""
    from breastai.domain.config import overlay, parse_config

    def on(folder: Path) -> Callable[..., "Config"]:
        folders = {"data": {"train_dir": str(folder / "train"), "val_dir": str(folder / "val")}}
        return lambda *changes: parse_config(overlay(SMALL, folders, *changes))

    return on


@pytest.fixture
def workspace(tmp_path: Path) -> "Workspace":
    from breastai.storage.workspace import Workspace

    return Workspace.open(tmp_path / "workspace")


@pytest.fixture(scope="session")
def project_root() -> Path:
    return PROJECT_ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real images, which lie beside the project and are not part of it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real images at {SHARED_DATA}")
    return SHARED_DATA
