"""A loss that is no finite number: the step is left out, then the run goes back to its last good state, then it stops."""

from collections.abc import Iterator
from typing import Any

import torch

from breastai.domain.errors import LossNotFinite
from breastai.domain.events import Event, Log
from breastai.engine.training.checkpointing import save_with_retry
from breastai.engine.training.run_state import Run, restore
from breastai.storage.atomic_checkpoint import fallback_log, load_newest_valid

MOST_SKIPPED = 3  # steps of an epoch
MOST_ROLLBACKS = 3  # of a run
RATE_AFTER = 0.5  # of the rate before


def may_skip(run: Run) -> bool:
    """Count a step that was left out; return whether the epoch can go on without it.

    Not when there were too many, and not when the network itself is no longer sound: a forward pass in which numbers
    overflow also spoils the running statistics of batch norm, which no later step mends.
    """
    run.position.skipped += 1
    return run.position.skipped <= MOST_SKIPPED and is_sound(run)


def is_sound(run: Run) -> bool:
    """Return whether every number of the network is finite."""
    networks = [run.learner.model] + ([run.learner.average] if run.learner.average is not None else [])
    values = [value for network in networks for value in network.state_dict().values() if value.is_floating_point()]
    return all(bool(torch.isfinite(value).all()) for value in values)


def step_skipped(run: Run) -> Log:
    """Return the event that tells of a step left out."""
    position = run.position
    return Log(
        level="warning",
        code="training.step_skipped",
        message=f"Epoch {position.epoch}, batch {position.batch}: the loss or its gradient was no finite number. "
        "The step was left out.",
        params={"epoch": position.epoch, "batch": position.batch, "skipped": position.skipped},
    )


def roll_back(run: Run) -> Iterator[Event]:
    """Go back to the last good state with a lower learning rate; raise LossNotFinite after too many times."""
    epoch, before = run.position.epoch, run.position
    with run.world.main_process_first():
        found = load_newest_valid(run.files("last"))
        restore(run, found.manifest)  # before the first yield: a stop there saves what the run is
    run.world.sync_stop()  # nobody writes a new one before all have read this
    run.position.rollbacks = before.rollbacks + 1
    if (note := fallback_log(found, run.files("last"))) is not None:
        yield note
    if before.rollbacks >= MOST_ROLLBACKS:
        yield from save_with_retry(run, "last")
        raise LossNotFinite(epoch, before.rollbacks, round(100 * before.rate_share, 2))
    run.position.rate_share = before.rate_share * RATE_AFTER
    yield Log(
        level="warning",
        code="training.rolled_back",
        message=f"Epoch {epoch}: the loss was no finite number too often. Back to the last good state, at the beginning "
        f"of epoch {run.position.epoch} or where the run was last saved in it, with {run.position.rate_share:.4g} of the "
        "planned learning rate.",
        params={"epoch": epoch, "back_to": run.position.epoch, "rate_percent": round(100 * run.position.rate_share, 2)},
    )
    yield from save_with_retry(run, "last")  # a kill from here on repeats nothing of this


def request_again(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state a resume goes on from: after a stop for a loss gone wrong, with fresh tries at half the rate."""
    position = state["position"]
    if position.get("rollbacks", 0) <= MOST_ROLLBACKS:
        return state
    halved = {"rollbacks": 0, "rate_share": position["rate_share"] * RATE_AFTER}
    return {**state, "position": {**position, **halved}}
