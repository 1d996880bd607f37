"""A step that ran out of memory: the run as it last was on disk, with a smaller batch, and its place in the epoch."""

import gc
from dataclasses import replace

from breastai.domain.events import Log
from breastai.engine.acceleration.memory_estimate import with_smaller_batch
from breastai.engine.training.run_state import Assembling, Run, assemble
from breastai.engine.training.schedule import batches_in_pass
from breastai.storage.checkpoints import verify_checkpoint


def lighter(run: Run) -> Assembling:
    """Return the run as it last was on disk, or as it began, with a smaller batch, for one whose step ran out of memory.

    Raises ValueError at a batch of one.
    """
    config = with_smaller_batch(run.config)
    if config is None:
        raise ValueError("a batch of one image cannot be made smaller")
    gc.collect()
    files = run.files("last")
    kept = verify_checkpoint(files) if files.manifest.is_file() else None
    again = yield from assemble(run.run_id, config, run.workspace, run.cases, kept, run.world)
    if kept is not None:
        again.position.batch = place_in_smaller_batches(
            again.position.batch,
            # The place was counted in the batches it was saved with, which may be those before an earlier cut.
            kept.config.data.batch_size // config.data.batch_size,
            batches_in_pass(replace(again, config=kept.config), again.position.epoch),
            batches_in_pass(again, again.position.epoch),
        )
    again.updates = [update for update in run.updates if update.epoch < again.position.epoch]
    if run.memory is not None:
        again.memory = run.memory.model_copy(update={"batch_size": again.config.data.batch_size})
    return again


def place_in_smaller_batches(place: int, parts: int, before: int, after: int) -> int:
    """Return how many smaller batches hold what `place` batches held.

    Each batch was cut into `parts`; `before` and `after`: batches of one pass over the images, whose last may be smaller.
    """
    passes, rest = divmod(place, before)
    return passes * after + min(rest * parts, after)


def batch_cut_in_run(run: Run) -> Log:
    """Return the line that tells of a step that ran out of memory, once the run has gone back and made it smaller."""
    size, steps = run.config.data.batch_size, run.config.training.gradient_accumulation_steps
    return Log(
        level="warning",
        code="training.batch_cut_in_run",
        message=f"Memory ran out in epoch {run.position.epoch}. The epoch is repeated with {size} images at a time, "
        f"summed up over {steps} batches, so that each update still learns from as many.",
        params={"epoch": run.position.epoch, "batch_size": size, "steps": steps},
    )
