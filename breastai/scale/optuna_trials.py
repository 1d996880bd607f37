"""The trials of a tuning as Optuna keeps them in SQLite: drawn, told how they go, ended early, and what they teach.

What a trial is given depends on the seed, its number and the trials before it, and on nothing that a kill could lose:
a tuning that was interrupted tries the same settings as one that was not.
"""

import contextlib
import math
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from optuna.pruners import BasePruner, NopPruner
from optuna.samplers import RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import DatabaseError
from sqlalchemy.pool import NullPool

from breastai.domain.config import Config
from breastai.domain.errors import ConfigInvalid, DiskFull, StudyDamaged
from breastai.domain.faults import UnusableSetting, describe_fault, describe_mismatch
from breastai.domain.search_space import Dimension, TuningSettings, Value
from breastai.domain.study import SettingImportance
from breastai.domain.text import Text
from breastai.storage.private_files import private_folder

# Fewer say nothing about what mattered.
FEWEST_FOR_IMPORTANCE = 8
_RUN = "run_id"
Ending = Literal["complete", "pruned", "failed"]
_STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


class Trials:
    """The trials of one study, in the SQLite file at `path`; used by one process at a time."""

    def __init__(self, path: Path, config: Config) -> None:
        """Open or create the file; raises ConfigInvalid, StudyDamaged or DiskFull."""
        self._path, self._settings, self._seed = path, config.tuning, config.system.seed
        self._defaults = defaults(config)
        self._distributions = distributions(config.tuning.space, self._defaults)
        self._live: tuple[str, optuna.Trial] | None = None
        _silence()
        private_folder(path.parent)
        with self._faults():
            # By a connection of our own, not by an address, in which a path's % and ? would mean something else.
            self._storage = RDBStorage(
                "sqlite://",
                engine_kwargs={"poolclass": NullPool, "creator": lambda: sqlite3.connect(path, timeout=60)},
            )
            self._study = optuna.create_study(
                storage=self._storage,
                study_name=path.parent.name,
                direction="maximize",
                load_if_exists=True,
                pruner=make_pruner(config),
            )

    def close(self) -> None:
        self._storage.remove_session()
        self._storage.engine.dispose()

    def begin(self, run_id: str, number: int) -> dict[str, Value]:
        """Return what trial `number` tries, from 0, the settings as they are; of a run that had begun, what it began with.

        A trial that was being drawn when its process was killed is marked failed, and drawn again.
        """
        with self._faults():
            if (begun := self._find(run_id)) is not None:
                return dict(begun.params)
            waiting = False
            for told in self._study.get_trials(deepcopy=False):
                waiting = waiting or told.state == TrialState.WAITING
                if told.state == TrialState.RUNNING and _RUN not in told.user_attrs:
                    self._study.tell(told.number, state=TrialState.FAIL)
            if number == 0 and not waiting:
                self._study.enqueue_trial(dict(self._defaults))
            self._study.sampler = make_sampler(self._settings, self._seed, number)
            trial = self._study.ask(self._distributions)
            trial.set_user_attr(_RUN, run_id)
            self._live = run_id, trial
            return dict(trial.params)

    def lags_behind(self, run_id: str, aucs: Mapping[int, float | None]) -> bool:
        """Take in a run's validation AUC by epoch; return whether it is to be ended early."""
        with self._faults():
            trial, known = self._running(run_id)
            for epoch, auc in aucs.items():
                if auc is not None and epoch not in known:
                    trial.report(auc, epoch)
            return bool(trial.should_prune())

    def end(self, run_id: str, ending: Ending, auc: float | None) -> None:
        """Take in how a trial ended; nothing when that is known. `auc`: its best, of one that is complete."""
        with self._faults():
            found = self._find(run_id)
            if found is None or found.state.is_finished():
                return
            if ending == "complete" and auc is not None:
                self._study.tell(found.number, auc)
            else:
                self._study.tell(found.number, state=TrialState.FAIL if auc is None else _STATES[ending])

    def importance(self) -> list[SettingImportance]:
        """Return how much each setting mattered (fANOVA), the most important first; empty with too few trials.

        A trial that was ended early counts with the best it had reached: without those, little is left to learn from.
        """
        with self._faults():
            trials = [
                create_trial(params=trial.params, distributions=trial.distributions, value=_best_of(trial))
                for trial in self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))
                if trial.intermediate_values
            ]
        values = [trial.value for trial in trials]
        if len(trials) < FEWEST_FOR_IMPORTANCE or len(set(values)) < 2:
            return []
        study = optuna.create_study(direction="maximize")
        study.add_trials(trials)
        found = get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=self._seed))
        return [SettingImportance(setting=name, share=round(float(share), 4)) for name, share in found.items()]

    def _find(self, run_id: str) -> FrozenTrial | None:
        trials = self._study.get_trials(deepcopy=False)
        return next((trial for trial in trials if trial.user_attrs.get(_RUN) == run_id), None)

    def _running(self, run_id: str) -> tuple[optuna.Trial, Mapping[int, float]]:
        """Return a run's trial, and its figures by epoch as far as they were told."""
        found = self._find(run_id)
        if found is None:
            raise StudyDamaged(
                self._path.parent.name, Text("reason.knows_no_trial_run", {"file": self._path.name, "run_id": run_id})
            )
        if self._live is None or self._live[0] != run_id:
            self._study.sampler = RandomSampler(seed=self._seed)  # draws nothing for a trial that has its settings
            self._live = run_id, optuna.Trial(self._study, found._trial_id)
        return self._live[1], found.intermediate_values

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Turn what SQLite says into what a user can act on."""
        try:
            yield
        except (DatabaseError, optuna.exceptions.StorageInternalError, sqlite3.Error) as error:
            text = str(error.__cause__ or error)
            if "full" in text:
                raise DiskFull(self._path.name) from error
            raise StudyDamaged(self._path.parent.name, f"{self._path.name}: {text.splitlines()[0][:200]}") from error


def defaults(config: Config) -> dict[str, Value]:
    """Return the settings of the search space as the configuration has them; raise ConfigInvalid for one that is null."""
    found: dict[str, Value] = {}
    for dimension in config.tuning.space:
        value: Any = config
        for key in dimension.setting.split("."):
            value = getattr(value, key)
        if not isinstance(value, bool | int | float | str):
            raise ConfigInvalid([describe_mismatch(dimension.setting, Text("expected.value_to_begin"), repr(value))])
        found[dimension.setting] = value
    return found


def distributions(space: Sequence[Dimension], begin: Mapping[str, Value]) -> dict[str, BaseDistribution]:
    """Return the search space as Optuna knows it, wide enough to hold what the configuration has."""
    found: dict[str, BaseDistribution] = {}
    for dimension in space:
        value = begin[dimension.setting]
        try:
            wide = dimension.with_value(value)
        except UnusableSetting as error:
            fault = Text("fault.not_searched_from", {"setting": dimension.setting, "reason": error.text})
            raise ConfigInvalid([describe_fault("tuning.space", fault)]) from None
        if wide.choices is not None:
            found[dimension.setting] = CategoricalDistribution(wide.choices)
            continue
        assert wide.low is not None and wide.high is not None
        if isinstance(value, int):
            found[dimension.setting] = IntDistribution(int(wide.low), int(wide.high), log=wide.log)
        else:
            found[dimension.setting] = FloatDistribution(float(wide.low), float(wide.high), log=wide.log)
    return found


def make_sampler(settings: TuningSettings, seed: int, number: int) -> TPESampler:
    """Return what draws trial `number`, with a seed of its own: where a sampler stands in its numbers is kept nowhere."""
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    return TPESampler(n_startup_trials=settings.random_trials, seed=own)


def make_pruner(config: Config) -> BasePruner:
    """Return what ends trials early."""
    settings = config.tuning
    return BestThird(settings, settings.epochs or config.training.epochs) if settings.pruning else NopPruner()


class BestThird(BasePruner):
    """At a third and at two thirds of its epochs a trial goes on only if it is in the best third of those that came as far.

    That is successive halving by three, of the best AUC so far: a single epoch jumps about, and training a network as a
    whole begins with a fall. What it decides follows from the figures alone; Optuna's own notes in its file what it
    decided, and a kill right then would have the trial go on.
    """

    def __init__(self, settings: TuningSettings, epochs: int) -> None:
        self._whole_trials = settings.whole_trials
        rungs = {max(settings.warmup_epochs, math.ceil(epochs * share / 3)) for share in (1, 2)}
        self.rungs = sorted(rung for rung in rungs if rung < epochs)

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        rung = trial.last_step
        if rung is None or rung not in self.rungs:
            return False
        others = [told for told in study.get_trials(deepcopy=False) if told.number != trial.number]
        if sum(told.state == TrialState.COMPLETE for told in others) < self._whole_trials:
            return False
        over = (TrialState.COMPLETE, TrialState.PRUNED)
        rivals = [
            _best_of(told, rung) for told in others if told.state in over and max(told.intermediate_values) >= rung
        ]
        better = sum(rival > _best_of(trial, rung) for rival in rivals)
        return better >= max(1, (len(rivals) + 1) // 3)


def _best_of(trial: FrozenTrial, until: int | None = None) -> float:
    return max(value for epoch, value in trial.intermediate_values.items() if until is None or epoch <= until)


def _silence() -> None:
    """What it has to say is told by our events."""
    optuna.logging.disable_default_handler()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
