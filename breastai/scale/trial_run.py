"""One trial of a search for settings: what it trains with, and its run, ended early when it lags behind."""

from collections.abc import Callable, Generator
from typing import Any

from breastai.domain.config import Config, overlay
from breastai.domain.events import Event
from breastai.domain.search_space import layer
from breastai.domain.stored_config import stored_config
from breastai.domain.study import Study, StudyMember
from breastai.domain.text import Text
from breastai.scale.study_runner import StudyInProgress, progress_of_member, run_member, with_epochs

OBJECTIVE = "val_auc_roc"
# What a configuration that is shared should not say: who may connect, and how it was found.
_OWN = {"server", "tuning"}


def trial_config(config: Config, values: dict[str, Any]) -> Config:
    """Return what a trial trains with: no test images, the AUC to choose its best epoch by, nothing kept twice."""
    changes: dict[str, Any] = {
        "data": {"test_dir": None},
        "training": {"export_onnx": False},
        "system": {"cluster": None, "processes": 1},
        "storage": {"keep_best": 1, "keep_last": 1},
    }
    return stored_config(overlay(config.model_dump(mode="json"), _judged(config), changes, layer(values)))


def tuned_values(config: Config, values: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration to train from: as the best trial had it, with the user's own test folder."""
    whole = config.model_dump(mode="json", exclude=_OWN)
    return overlay(whole, _judged(config), layer(values))


def _judged(config: Config) -> dict[str, Any]:
    epochs = config.tuning.epochs or config.training.epochs
    return {"training": {"epochs": epochs, "early_stopping": {"monitor": OBJECTIVE}}}


def run_trial(
    progress: StudyInProgress, member: StudyMember, config: Config, lags_behind: Callable[[StudyMember], bool]
) -> Generator[Event, None, StudyMember]:
    """Train a trial, from where it stopped if it had begun, to its end or until `lags_behind` ends it; return it with its AUC.

    `lags_behind` is asked after each epoch, when that has been told. Raises what `run_member` raises.
    """

    def is_to_end(now: StudyMember) -> bool:
        return lags_behind(now) and now.epoch < now.epochs

    begun, finished = progress_of_member(progress.workspace, member.run_id)
    member = with_epochs(member, begun)
    if begun and finished is None:  # the kill may have come before the decision
        member = member.model_copy(update={"state": "running"})
        yield progress.change(member)
    if begun and finished is None and is_to_end(member):
        member = member.model_copy(update={"state": "pruned"})
    else:
        settings = trial_config(config, member.values)
        member = yield from run_member(progress, member, settings, _title(progress.study, member), is_to_end)
    state = "pruned" if member.state == "pruned" else "complete"
    updates = progress_of_member(progress.workspace, member.run_id)[0] or []
    aucs = [auc for update in updates if (auc := update.metrics.get(OBJECTIVE)) is not None]
    return member.model_copy(update={"state": state, "figures": {"auc_roc": max(aucs, default=None)}})


def _title(study: Study, member: StudyMember) -> Text:
    assert study.tuning is not None and member.trial is not None
    return Text("title.trial", {"trial": member.trial + 1, "trials": study.tuning.trials})
