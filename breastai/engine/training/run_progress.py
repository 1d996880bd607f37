"""How far a run is, by the work its epochs take, and how long it still needs, once two like epochs have told."""

from breastai.data.cases.image_set import ImageSet
from breastai.data.cases.pre_flight import FORWARD_SHARE
from breastai.domain.config import Config
from breastai.domain.events import TrainingUpdate
from breastai.engine.training.run_state import Run
from breastai.engine.training.schedule import HEAD_PASSES, epoch_s, is_head_epoch

_LIKE_EPOCHS = 2
# A pass forward is a third of a step; features take one, and the head's passes over them little more.
_HEAD_PASSES = HEAD_PASSES / 60


def epoch_work(config: Config, epoch: int, training: int, validation: int) -> float:
    """Return the work of an epoch, in training steps of one image at full size."""
    return epoch_s(config, epoch, training, validation, 1.0, 1 / FORWARD_SHARE)


def share_done(run: Run, trained: float, features: float = 1.0, judged: float = 0.0) -> float:
    """Return the share of a run's work that is done, 0 to 1; it never falls.

    Of the epoch in hand `features` are computed where it has such, `trained` of its batches learnt from, and `judged`
    of the validation images asked about: each a share of 1.
    """
    config, position = run.config, run.position
    if position.epoch > config.training.epochs:
        return 1.0
    images, validation = len(run.cases.train), len(run.cases.val)
    works = [epoch_work(config, epoch, images, validation) for epoch in range(1, config.training.epochs + 1)]
    judging = validation * FORWARD_SHARE
    if is_head_epoch(config.training, position.epoch):
        within = images * (FORWARD_SHARE * features + _HEAD_PASSES * trained)
    else:
        within = (works[position.epoch - 1] - judging) * trained
    return min(1.0, (sum(works[: position.epoch - 1]) + within + judging * judged) / max(sum(works), 1e-9))


def time_left_s(run: Run, done: float, latest: TrainingUpdate | None = None) -> float | None:
    """Return how many seconds a run still needs; None before two epochs have told that are like those to come.

    `latest`: an epoch just over, not among the run's yet.
    """
    updates = [*run.updates, *([latest] if latest is not None else [])]
    like = [update for update in updates if not is_head_epoch(run.config.training, update.epoch)][-_LIKE_EPOCHS:]
    if len(like) < _LIKE_EPOCHS:
        return None
    images, validation = len(run.cases.train), len(run.cases.val)

    def work(epoch: int) -> float:
        return epoch_work(run.config, epoch, images, validation)

    took = sum(update.epoch_s for update in like) / max(sum(work(update.epoch) for update in like), 1e-9)
    whole = sum(work(epoch) for epoch in range(1, run.config.training.epochs + 1))
    return round((1 - done) * whole * took, 1)


def epoch_of(run: Run, images: ImageSet) -> int:
    """Return the epoch in which images are looked at; calibration images are judged when the position has gone on."""
    after = images is not run.cases.train and images is not run.cases.val
    return run.updates[-1].epoch if after and run.updates else run.position.epoch
