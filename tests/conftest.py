"""Fixtures shared by all tests."""

import base64
import gc
import hashlib
import os
import re
import subprocess
import sys
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest
from hypothesis import HealthCheck, settings

from breastai.texts.page_script import write_page_script

if TYPE_CHECKING:
    from breastai.domain.config import Config
    from breastai.storage.workspace import Workspace

PROJECT_ROOT = Path(__file__).resolve().parent.parent
SHARED_DATA = PROJECT_ROOT.parent / "shared" / "data"

# The page's texts are made from the catalogue, and no file of the checkout.
write_page_script(PROJECT_ROOT / "frontend")

# Commands speak English in tests, whatever the language of whoever runs them.
os.environ["LC_ALL"] = "C.UTF-8"

# One computing thread: tests share the machine with others, and results must not depend on it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Which tier a file's tests belong to, by file or else by folder; `standard` where neither is listed. A mark gives a test
# another tier than its file's: @pytest.mark.standard, @pytest.mark.full; of most scenes of the page, those that go through
# the most of it are standard. Of a test marked @pytest.mark.one_variant, and of one of the page that is run in several
# languages or ways, one variant is standard and the rest are full.
TIERS = {
    "quick": (
        "clinical",
        "data",
        "domain",
        "predictor",
        "server",
        "storage",
        "test_architecture.py",
        "test_names.py",
        "frontend/test_address.py",
        "frontend/test_json_places.py",
        "frontend/test_script_order.py",
        "frontend/test_series.py",
        "frontend/test_settings.py",
        "frontend/test_store.py",
        "frontend/test_style.py",
        "frontend/test_texts.py",
    ),
    "full": (
        "frontend/test_adaptation_page.py",
        "frontend/test_asking_page.py",
        "frontend/test_browser_example.py",
        "frontend/test_charts.py",
        "frontend/test_crossval_page.py",
        "frontend/test_data_and_runs_page.py",
        "frontend/test_editor.py",
        "frontend/test_evidence_page.py",
        "frontend/test_files_page.py",
        "frontend/test_form_page.py",
        "frontend/test_intake_page.py",
        "frontend/test_judging_page.py",
        "frontend/test_lesion_box_page.py",
        "frontend/test_lost_network.py",
        "frontend/test_project_page.py",
        "frontend/test_proxy_page.py",
        "frontend/test_queue_page.py",
        "frontend/test_reading_results.py",
        "frontend/test_reconnecting.py",
        "frontend/test_rest_page.py",
        "frontend/test_run_pages.py",
        "frontend/test_settings_page.py",
        "frontend/test_tuning_page.py",
        "frontend/test_units_page.py",
        "frontend/test_ways_page.py",
        "scale/test_ray_cluster.py",
        "test_bundle.py",
        "test_published_layouts.py",
        "test_kills.py",
        "test_packaging.py",
        "test_wheel.py",
    ),
}
# The tiers that `pytest --tier` runs, and with it `make quick`, `make test` and `make test-all`.
RUN_BY = {"quick": {"quick"}, "test": {"quick", "standard"}, "all": {"quick", "standard", "full"}}

# A busy machine is no fault of a property: no deadlines, and in CI the same examples each time.
settings.register_profile(
    "shared machine",
    deadline=None,
    derandomize="CI" in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("shared machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--tier", choices=RUN_BY, default="all", help="which tests to run, by their time (default: all)")


def pytest_configure(config: pytest.Config) -> None:
    missing = [name for names in TIERS.values() for name in names if not (Path(__file__).parent / name).exists()]
    if missing:
        raise pytest.UsageError(f"tests/conftest.py puts {missing} in a tier: there is no such file or folder")
    config.pluginmanager.register(Tier(config.getoption("--tier")))


def pytest_collection_finish() -> None:
    """Spare each later collection of garbage the half million objects of the tests and of Torch, which stay to the end.

    A training collects garbage to measure its memory: with them, that takes longer than its epochs.
    """
    gc.collect()
    gc.freeze()


def tier_of_file(path: Path) -> str:
    """Return the tier that the table gives a file of tests."""
    name = path.relative_to(Path(__file__).parent).as_posix()
    listed = {row: tier for tier, rows in TIERS.items() for row in rows}
    return listed.get(name) or listed.get(name.partition("/")[0]) or "standard"


def tier_of(item: pytest.Item) -> str:
    """Return a test's tier: a mark of its own, or else its file's."""
    marks = [name for name in ("standard", "full") if item.get_closest_marker(name)]
    return marks[-1] if marks else tier_of_file(item.path)


def further_variants(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return, of standard tests of which one variant is enough, the others. Which one that is follows from the name."""
    variants: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        if tier_of(item) == "standard" and _one_is_enough(item):
            variants[item.nodeid.partition("[")[0]].append(item)
    chosen = {found[zlib.crc32(name.encode()) % len(found)] for name, found in variants.items()}
    return {item for found in variants.values() for item in found} - chosen


def _one_is_enough(item: pytest.Item) -> bool:
    params = getattr(getattr(item, "callspec", None), "params", {})
    of_the_page = "browser" in getattr(item, "fixturenames", ()) and not {"how", "language", "locale"}.isdisjoint(
        params
    )
    return of_the_page or item.get_closest_marker("one_variant") is not None


class Tier:
    """Runs the tests of a tier and says at the end what it left out."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._left_out: dict[str, int] = {}

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """Spare the quick tests what others import: Torch alone takes seconds."""
        if self._name != "quick" or not collection_path.name.startswith("test_"):
            return None
        return tier_of_file(collection_path) != "quick" or None

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        further = further_variants(items)
        tiers = {item: "full" if item in further else tier_of(item) for item in items}
        left_out = [item for item in items if tiers[item] not in RUN_BY[self._name]]
        items[:] = [item for item in items if tiers[item] in RUN_BY[self._name]]
        self._left_out = dict(Counter(tiers[item] for item in left_out))
        config.hook.pytest_deselected(items=left_out)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if hasattr(session.config, "workeroutput"):
            session.config.workeroutput["left_out"] = self._left_out

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from a process of pytest-xdist what it left out; each collects all tests."""
        self._left_out = getattr(node, "workeroutput", {}).get("left_out", self._left_out)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self._name == "quick":
            terminalreporter.write_line("The quick tests alone. `make test` runs those of other files too.")
        for tier, count in self._left_out.items():
            command = {"standard": "test", "full": "test-all"}[tier]
            terminalreporter.write_line(f"{count} tests were left to `make {command}`.")


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


@pytest.fixture(scope="session", autouse=True)
def own_cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the tests' images out of the user's cache folder, and what the user has in there out of the tests.

    Each training would look through it all for what may go: with years of images, that takes longer than the training.
    Compiled kernels stay where they are: they go by the hash of their source.
    """
    folder = tmp_path_factory.mktemp("cache")
    kernels = platformdirs.user_cache_path("breastai") / "kernels"
    kernels.mkdir(parents=True, exist_ok=True)
    (folder / "breastai").mkdir()
    (folder / "breastai" / "kernels").symlink_to(kernels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_for_the_disk() -> Iterator[None]:
    """Leave what is written to the system's cache: no test pulls the plug. Processes that tests start wait as ever."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        yield


def _token_of_this_run() -> str:
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return base64.urlsafe_b64encode(hashlib.sha256(run.encode()).digest()).decode().rstrip("=")


SMALL: dict[str, Any] = {
    "data": {"image_size": 32, "batch_size": 8, "num_workers": 2, "test_dir": None},
    "model": {"architecture": "tiny_cnn", "pretrained": "none", "dropout_rate": 0.2},
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
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout without network."""
    if not (PROJECT_ROOT / "frontend" / "node_modules").is_dir():
        if os.environ.get("CI"):
            pytest.fail("the page's libraries are needed when CI is set")
        pytest.skip("no frontend/node_modules here; npm ci --prefix frontend makes it")
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-build-isolation", "-w", str(folder), str(PROJECT_ROOT)], check=True, timeout=120)
    [built] = folder.glob("breastai-*-py3-none-any.whl")
    return built


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real images, which lie beside the project and are not part of it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real images at {SHARED_DATA}")
    return SHARED_DATA
