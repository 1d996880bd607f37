"""The epochs of a run as columns."""

import json

from breastai.domain.event_messages import decode_event, encode_event, event_values
from breastai.domain.events import EVENTS, TrainingUpdate
from breastai.domain.metric_catalog import MONITORS
from breastai.domain.run_history import MOST_EPOCHS, columns, final_metrics


def update(epoch: int) -> TrainingUpdate:
    figures = {"sensitivity": None, "specificity": 0.5, "precision": 0.5, "f1": 0.5, "auc_roc": None, "support": 4}
    rest = dict.fromkeys(("learning_rate", "images_per_second", "epoch_s", "eta_s"), 1 / 3)
    return TrainingUpdate(
        **rest, metrics=dict.fromkeys(MONITORS, 1 / 3), epoch=epoch, epochs=1000, val_confusion_matrix=[[1, 2], [3, 4]], val_per_class={"benign": figures}, is_best=False
    )  # fmt: skip


def test_a_long_run_is_bounded_to_its_last_epochs() -> None:
    history = columns([update(epoch) for epoch in range(1, 1001)])
    assert history["epoch"] == list(range(1001 - MOST_EPOCHS, 1001))
    assert {len(column) for column in history.values()} == {MOST_EPOCHS}


def test_the_longest_history_stays_far_below_a_clients_limit() -> None:
    history = columns([update(epoch) for epoch in range(1, 1001)])
    assert len(json.dumps(history)) < 2**20 / 4


def test_every_number_of_an_epoch_is_a_column() -> None:
    history = columns([update(1)])
    for name in ("epoch", "train_loss", "val_loss", "val_accuracy", "val_f1_weighted", "learning_rate", "val_auc_roc"):
        assert len(history[name]) == 1
    assert "val_confusion_matrix" not in history


def test_the_final_figures_drop_their_prefix() -> None:
    metrics = final_metrics(update(1))
    assert metrics["confusion_matrix"] == [[1, 2], [3, 4]]
    assert metrics["per_class"]["benign"]["sensitivity"] is None
    assert "train_loss" not in metrics and not any(name.startswith("val_") for name in metrics)
    assert "training_update" in EVENTS


def test_an_epoch_with_version_3s_names_is_read_as_one_with_metrics() -> None:
    told = update(1)
    values = event_values(told)
    assert values["val_accuracy"] == values["metrics"]["val_accuracy"] == 1 / 3
    assert decode_event(encode_event(told)) == told
    assert told.val_accuracy == 1 / 3 and not hasattr(told, "val_nothing")  # as version 3's scripts in Python read it
    before = {name: value for name, value in values.items() if name != "metrics"}
    assert decode_event(json.dumps(before)) == told
    assert set(event_values(told)) - set(before) == {"metrics"}


def test_a_metric_that_only_later_epochs_have_is_a_column_with_a_gap() -> None:
    later = update(2).model_copy(update={"metrics": update(2).metrics | {"val_of_tomorrow": 0.5}})
    history = columns([update(1), later])
    assert (history["val_of_tomorrow"], history["val_loss"]) == ([None, 0.5], [1 / 3, 1 / 3])
    assert final_metrics(later)["of_tomorrow"] == 0.5
