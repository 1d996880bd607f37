"""What a storage's faults mean, and what of them is told."""

import pytest

from breastai.data.remote.remote_store import error_text, fault_of
from breastai.domain.errors import StoreNotFound, StoreRefused, StoreUnreachable


class Forbidden(Exception):
    pass


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (FileNotFoundError("x"), StoreNotFound),
        (PermissionError("x"), StoreRefused),
        (Forbidden("x"), StoreRefused),
        (OSError("AccessDenied: no"), StoreRefused),
        (OSError("The request signature we calculated"), StoreRefused),
        (OSError("Unable to locate credentials"), StoreRefused),
        (OSError("timed out"), StoreUnreachable),
        (ValueError(), StoreUnreachable),
    ],
)
def test_an_answer_of_a_storage_is_told_by_what_it_means(fault: Exception, kind: type[Exception]) -> None:
    assert type(fault_of("s3://bucket/a", fault)) is kind


@pytest.mark.parametrize(("value", "shown"), [("abcd", False), ("abc", True)])
def test_a_secret_of_the_environment_is_left_out_of_a_fault(
    monkeypatch: pytest.MonkeyPatch, value: str, shown: bool
) -> None:
    monkeypatch.setenv("SOME_SECRET_KEY", value)
    text = error_text(OSError(f"with {value} at\nthe second line"))
    assert (value in text) is shown and ("***" in text) is not shown
    assert "second" not in text and text.startswith("OSError: with ")
    monkeypatch.setenv("SOME_SECRET_KEY", "nothing")
    assert len(error_text(OSError("y" * 400))) == 300 and error_text(OSError()) == "OSError"
