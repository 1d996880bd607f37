"""Early stopping and the choice of the best epoch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.domain.config import EarlyStoppingSettings
from breastai.domain.early_stopping import EarlyStopping


def watch(values: list[float | None], monitor: str = "val_accuracy", patience: int = 2, min_delta: float = 0.01):
    """Return the watcher and the epoch after which it said stop, None if never."""
    stopping = EarlyStopping(monitor, patience, min_delta)
    for epoch, value in enumerate(values, start=1):
        stopping.update(epoch, value)
        if stopping.should_stop:
            return stopping, epoch
    return stopping, None


def test_it_stops_after_the_patience_without_improvement() -> None:
    stopping, stopped = watch([0.5, 0.6, 0.6, 0.59, 0.9])
    assert (stopped, stopping.best_epoch) == (4, 2)


def test_a_loss_is_better_when_lower() -> None:
    stopping, stopped = watch([1.0, 0.5, 0.7, 0.4, 0.3], monitor="val_loss")
    assert (stopped, stopping.best_epoch) == (None, 5)


def test_a_gain_below_min_delta_is_the_best_epoch_but_resets_no_patience() -> None:
    stopping, stopped = watch([0.5, 0.505, 0.509])
    assert (stopped, stopping.best_epoch, stopping.best) == (3, 3, 0.509)


def test_an_undefined_figure_never_improves() -> None:
    stopping, stopped = watch([None, None])
    assert (stopped, stopping.best_epoch, stopping.best) == (2, 1, None)


def test_the_first_defined_figure_beats_undefined_ones() -> None:
    stopping, _ = watch([None, 0.1], patience=5)
    assert (stopping.best_epoch, stopping.best) == (2, 0.1)


def test_switched_off_it_still_knows_the_best_epoch() -> None:
    settings = EarlyStoppingSettings(enabled=False, patience=1, monitor="val_auc_roc")
    stopping = EarlyStopping.from_settings(settings)
    assert [stopping.update(epoch, value) for epoch, value in enumerate([0.5, 0.7, 0.6, 0.6], start=1)] == [
        True,
        True,
        False,
        False,
    ]
    assert (stopping.best_epoch, stopping.should_stop) == (2, False)


figures = st.lists(st.none() | st.floats(0, 1), min_size=1, max_size=20)


@given(figures, st.sampled_from(["val_accuracy", "val_loss"]))
def test_the_best_epoch_is_the_first_with_the_best_figure(values: list[float | None], monitor: str) -> None:
    stopping, _ = watch(values, monitor, patience=1000)
    defined = [value for value in values if value is not None]
    best = (min if monitor == "val_loss" else max)(defined, default=None)
    assert stopping.best == best
    assert stopping.best_epoch == (1 if best is None else values.index(best) + 1)


@given(figures, st.integers(0, 20))
def test_a_restored_state_goes_on_as_if_never_interrupted(values: list[float | None], cut: int) -> None:
    whole = EarlyStopping("val_accuracy", 3, 0.01)
    first = EarlyStopping("val_accuracy", 3, 0.01)
    for epoch, value in enumerate(values, start=1):
        whole.update(epoch, value)
        if epoch == cut:
            first = EarlyStopping.from_state(first.state())
        first.update(epoch, value)
    assert first == whole


def test_an_unknown_figure_can_not_be_watched() -> None:
    with pytest.raises(KeyError):
        watch([0.5], monitor="val_beauty")
