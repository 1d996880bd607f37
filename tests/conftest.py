"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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


@pytest.fixture(scope="session")
def project_root() -> Path:
    return PROJECT_ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The real images, which lie beside the project and are not part of it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real images at {SHARED_DATA}")
    return SHARED_DATA
