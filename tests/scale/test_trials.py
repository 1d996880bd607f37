"""The trials of a tuning: the same for the same seed, whole or interrupted, and ended early by the figures alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
import pytest

from breastai.domain.config import Config, parse_config
from breastai.domain.errors import ConfigInvalid, StudyDamaged
from breastai.scale.optuna_trials import FEWEST_FOR_IMPORTANCE, BestThird, Trials, defaults

SPACE = [
    {"setting": "training.learning_rate", "low": 1e-5, "high": 1e-2, "log": True},
    {"setting": "model.dropout_rate", "low": 0.0, "high": 0.6},
    {"setting": "training.optimizer", "choices": ["adamw", "sgd"]},
    {"setting": "data.image_size", "low": 32, "high": 96},
]
EPOCHS = 4


def config_with(seed: int = 1, **tuning: Any) -> Config:
    settings = {"epochs": EPOCHS, "random_trials": 4, "whole_trials": 2, "warmup_epochs": 1, "space": SPACE, **tuning}
    return parse_config({"system": {"seed": seed}, "tuning": settings})


@contextmanager
def opened(folder: Path, config: Config) -> Iterator[Trials]:
    trials = Trials(folder / "trials.db", config)
    try:
        yield trials
    finally:
        trials.close()


def auc_of(values: dict[str, Any], epoch: int) -> float:
    """A landscape with one good learning rate, and curves that rise."""
    return float(0.9 - 0.1 * abs(values["training.learning_rate"] / 1e-3 - 1) ** 0.5 - 0.2 / epoch)


def run_one(trials: Trials, number: int, until: int = EPOCHS, told: int = 0) -> tuple[dict[str, Any], int]:
    """Run trial `number`; return what it tried and after how many epochs it ended. Left open when `until` comes first.

    `told`: its epochs that were told before a kill; the decision after the last of them is taken again.
    """
    run_id = f"s-t{number:02d}"
    values = trials.begin(run_id, number)
    for epoch in range(max(1, told), until + 1):
        aucs = {past: auc_of(values, past) for past in range(1, epoch + 1)}
        if trials.lags_behind(run_id, aucs) and epoch < EPOCHS:
            trials.end(run_id, "pruned", max(aucs.values()))
            return values, epoch
    if until == EPOCHS:
        trials.end(run_id, "complete", auc_of(values, EPOCHS))
    return values, until


def test_the_first_trial_is_the_configuration_as_it_is(tmp_path: Path) -> None:
    config = config_with()
    with opened(tmp_path, config) as trials:
        assert trials.begin("s-t00", 0) == defaults(config)
        assert trials.begin("s-t00", 0) == defaults(config)


def test_the_same_seed_tries_the_same_and_another_seed_something_else(tmp_path: Path) -> None:
    tried = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        with opened(tmp_path / name, config_with(seed)) as trials:
            tried.append([run_one(trials, number) for number in range(6)])
    assert tried[0] == tried[1]
    assert tried[0][0] == tried[2][0]
    assert all(one != other for one, other in zip(tried[0][1:], tried[2][1:], strict=True))


@pytest.mark.full
def test_a_search_opened_anew_after_every_kill_tries_the_same_as_an_uninterrupted_one(tmp_path: Path) -> None:
    config = config_with()
    with opened(tmp_path / "whole", config) as trials:
        whole = [run_one(trials, number) for number in range(7)]
    parted = []
    for number in range(7):
        with opened(tmp_path / "parted", config) as trials:
            run_one(trials, number, until=number % 3)
        with opened(tmp_path / "parted", config) as trials:
            parted.append(run_one(trials, number, told=number % 3))
    assert parted == whole
    with opened(tmp_path / "parted", config) as trials:
        states = [trial.state.name for trial in trials._study.get_trials()]
    assert len(states) == 7 and set(states) == {"COMPLETE", "PRUNED"}


def test_a_trial_that_was_being_drawn_when_the_kill_came_is_drawn_again_and_not_counted(tmp_path: Path) -> None:
    config = config_with()
    with opened(tmp_path / "whole", config) as trials:
        whole = [run_one(trials, number)[0] for number in range(6)]
    with opened(tmp_path / "killed", config) as trials:
        for number in range(5):
            run_one(trials, number)
        trials._study.ask()  # it has no run yet, nor its settings
    with opened(tmp_path / "killed", config) as trials:
        assert run_one(trials, 5)[0] == whole[5]
        states = [trial.state.name for trial in trials._study.get_trials()]
    assert states.count("FAIL") == 1 and states.count("RUNNING") == 0 and len(states) == 7


@pytest.mark.parametrize(
    ("epochs", "warmup", "rungs"),
    [
        (12, 2, [4, 8]),
        (8, 2, [3, 6]),
        (6, 2, [2, 4]),
        (4, 2, [2, 3]),
        (2, 1, [1]),
        (12, 6, [6, 8]),
        (3, 9, []),
        (1, 1, []),
    ],
)
def test_trials_are_compared_after_a_third_and_two_thirds_of_their_epochs(
    epochs: int, warmup: int, rungs: list[int]
) -> None:
    settings = config_with(warmup_epochs=warmup).tuning
    assert BestThird(settings, epochs).rungs == rungs


def test_only_the_best_third_by_then_goes_on_by_its_best_epoch_so_far(tmp_path: Path) -> None:
    with opened(tmp_path, config_with(epochs=6, whole_trials=2)) as trials:
        for number, level in enumerate((0.7, 0.8)):
            run_id = f"r{number}"
            trials.begin(run_id, number)
            for epoch in range(1, 7):
                assert not trials.lags_behind(run_id, dict.fromkeys(range(1, epoch + 1), level))
            trials.end(run_id, "complete", level)
        trials.begin("weak", 2)
        assert not trials.lags_behind("weak", {1: 0.6})
        assert trials.lags_behind("weak", {1: 0.6, 2: 0.79})
        trials.end("weak", "pruned", 0.79)
        trials.begin("fallen", 3)
        assert not trials.lags_behind("fallen", {1: 0.85, 2: 0.6})
        assert not trials.lags_behind("fallen", {1: 0.85, 2: 0.6, 3: 0.5})
        assert not trials.lags_behind("fallen", {1: 0.85, 2: 0.6, 3: 0.5, 4: 0.5})  # first of three that came as far
        trials.end("fallen", "complete", 0.85)
        trials.begin("second", 4)  # of five that came as far, the best third is one
        assert trials.lags_behind("second", {1: 0.84, 2: 0.84})
        trials.end("second", "pruned", 0.84)
        trials.begin("third", 5)  # and of six, two
        assert not trials.lags_behind("third", {1: 0.845, 2: 0.845})


def test_no_trial_is_ended_early_before_enough_were_whole_nor_with_pruning_off(tmp_path: Path) -> None:
    for name, settings in (("few", {"whole_trials": 3}), ("off", {"pruning": False})):
        with opened(tmp_path / name, config_with(**settings)) as trials:
            for number in range(2):
                trials.begin(f"r{number}", number)
                trials.lags_behind(f"r{number}", dict.fromkeys(range(1, 5), 0.9))
                trials.end(f"r{number}", "complete", 0.9)
            trials.begin("weak", 2)
            assert not trials.lags_behind("weak", dict.fromkeys(range(1, 5), 0.5))


def test_an_ending_told_twice_counts_once_and_one_without_a_figure_as_failed(tmp_path: Path) -> None:
    with opened(tmp_path, config_with()) as trials:
        trials.begin("a", 0)
        trials.lags_behind("a", {1: None, 2: 0.5})
        trials.end("a", "complete", 0.5)
        trials.end("a", "failed", None)
        trials.begin("b", 1)
        trials.end("b", "complete", None)
        assert [trial.state.name for trial in trials._study.get_trials()] == ["COMPLETE", "FAIL"]


def test_what_mattered_is_found_from_trials_ended_early_too_and_adds_up_to_one(tmp_path: Path) -> None:
    with opened(tmp_path, config_with()) as trials:
        for number in range(16):
            if number < FEWEST_FOR_IMPORTANCE:
                assert trials.importance() == []
            run_one(trials, number)
        found = trials.importance()
        states = [trial.state.name for trial in trials._study.get_trials()]
        assert trials.importance() == found
    assert "PRUNED" in states
    assert sorted(item.setting for item in found) == sorted(dimension["setting"] for dimension in SPACE)
    assert sum(item.share or 0 for item in found) == pytest.approx(1, abs=1e-3)
    assert found[0].setting == "training.learning_rate"


def test_each_setting_keeps_its_kind_and_its_bounds(tmp_path: Path) -> None:
    config = config_with()
    with opened(tmp_path, config) as trials:
        drawn = [trials.begin(f"r{number}", number) for number in range(6)]
    assert all(isinstance(values["data.image_size"], int) for values in drawn)
    # 512, the configuration's own, lies outside of the range given and widens it.
    assert all(32 <= values["data.image_size"] <= 512 for values in drawn)
    assert all(values["training.optimizer"] in ("adamw", "sgd") for values in drawn)
    assert all(isinstance(values["model.dropout_rate"], float) for values in drawn)


def test_a_setting_that_is_null_or_has_no_place_in_the_range_can_not_be_begun_from(tmp_path: Path) -> None:
    space = [{"setting": "training.weight_decay", "low": 1e-5, "high": 0.1, "log": True}]
    config = parse_config({"training": {"weight_decay": 0}, "tuning": {"space": space}})
    with pytest.raises(ConfigInvalid, match="weight_decay"):
        Trials(tmp_path / "none" / "trials.db", config)
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_database_is_told_as_a_damaged_study(tmp_path: Path) -> None:
    path = tmp_path / "study" / "trials.db"
    path.parent.mkdir()
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(StudyDamaged, match="record of the study"):
        Trials(path, config_with())


def test_a_folder_with_any_name_holds_the_trials(tmp_path: Path) -> None:
    with opened(tmp_path / "50% of it? #1 è", config_with()) as trials:
        trials.begin("a", 0)
    assert (tmp_path / "50% of it? #1 è" / "trials.db").stat().st_size > 0


def test_optuna_says_nothing_by_itself(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with opened(tmp_path, config_with()) as trials:
        run_one(trials, 0)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() >= optuna.logging.ERROR
