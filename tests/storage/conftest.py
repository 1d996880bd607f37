"""What tests of stored files share."""

import pytest

from breastai.storage import lease


@pytest.fixture(autouse=True)
def no_wait_for_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what is held refused at once; the one test that waits says so."""
    monkeypatch.setattr(lease, "WAIT_S", 0.0)
