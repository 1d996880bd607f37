"""Training as a generator of events: what happens, in the order it happens, once the images are there.

Closing the generator is the stop, and leaves the run resumable.
"""

import time
from collections.abc import Generator, Iterator
from dataclasses import replace

import numpy as np

from breastai.clinical.fit_decision_rule import describe_referral, fit_decision_rule
from breastai.clinical.fit_unit_rule import UnitCases, fit_unit_rule
from breastai.clinical.metrics.epoch_metrics import measure_epoch
from breastai.clinical.out_of_distribution import fit_novelty
from breastai.data.cases.cases import Cases
from breastai.data.cases.image_set import ImageSet
from breastai.data.cases.part_units import PartUnits
from breastai.domain.config import Config
from breastai.domain.decision_rule import DecisionRule, target_class
from breastai.domain.errors import (
    ImageGone,
    ImageUnreadable,
)
from breastai.domain.events import (
    BatchProgress,
    Event,
    ProgressUpdate,
    TrainingComplete,
    TrainingUpdate,
)
from breastai.domain.records import RulePart
from breastai.domain.run_history import columns, final_metrics
from breastai.domain.text import Text
from breastai.engine.acceleration.memory_estimate import ran_out, with_smaller_batch
from breastai.engine.export.exporters import export_at_end
from breastai.engine.network.attention_pooling import AttentionPooling, fit_attention
from breastai.engine.network.evaluation import Predictions, predict_batches, statistics_of_set
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.network.runtime import seed_torch
from breastai.engine.training.checkpointing import (
    budget_warning,
    disk_warning,
    save_good_epochs,
    save_silently,
    save_with_retry,
)
from breastai.engine.training.divergence import is_sound, may_skip, request_again, roll_back, step_skipped
from breastai.engine.training.out_of_memory import batch_cut_in_run, lighter
from breastai.engine.training.prepare import progress_of, remember_costs
from breastai.engine.training.probe_head import answers_from_store, fit_head
from breastai.engine.training.run_progress import epoch_of, share_done, time_left_s
from breastai.engine.training.run_state import Fitted, Run, assemble, model_loaded, retune, save, warnings_of
from breastai.engine.training.schedule import (
    batches,
    batches_in_epoch,
    expected_s,
    freeze,
    freeze_batch_norm,
    image_size_in,
    is_head_epoch,
    learning_rate_at,
)
from breastai.storage.checkpoints import Manifest, read_manifest
from breastai.storage.span_trace import each_in_span, span
from breastai.storage.workspace import Workspace

_BUILDING = Text("progress.building")


def training_loop(
    run_id: str,
    config: Config,
    workspace: Workspace,
    cases: Cases,
    resumed: Manifest | None = None,
    world: ProcessGroup = SINGLE_PROCESS,
) -> Iterator[Event]:
    """Learn from `cases`, from the beginning or from where `resumed` was written; raise RunError."""
    if resumed is not None and resumed.state is not None:
        resumed = resumed.model_copy(update={"state": request_again(resumed.state)})
    yield ProgressUpdate(stage="tuning", text=_BUILDING)
    # Features are computed once, without a gradient, and any plan is good for that: the first figures need not wait.
    guess = resumed is None and is_head_epoch(config.training, 1)
    with span("build the network"):
        run = yield from progress_of(assemble(run_id, config, workspace, cases, resumed, world, guess), _BUILDING)
    yield model_loaded(run, resumed, expected_s(run))
    yield from warnings_of(run, resumed)
    yield from disk_warning(run)
    yield from budget_warning(run)
    try:
        if resumed is None:
            yield from save_silently(run)  # what a loss gone wrong in the first epoch, or a crash, goes back to
        while run.position.epoch <= config.training.epochs and not run.stopping.should_stop:
            try:
                yield from _replanned(run)
                yield from _epoch(run)
                continue
            except (MemoryError, RuntimeError) as error:
                # With others at work each has its own step in hand: nobody can go back alone.
                if not ran_out(error) or with_smaller_batch(run.config) is None or world.size > 1:
                    raise
            # Outside of the except clause, which holds on to the failed step's tensors.
            run = yield from progress_of(lighter(run), _BUILDING)
            yield batch_cut_in_run(run)
    except GeneratorExit:
        # The stop: nothing may be told any more, but the place is kept.
        if is_sound(run):
            save(run, "last")
        raise
    except ImageUnreadable as error:
        save(run, "last")
        raise ImageGone(error.file, error.reason) from error
    rule = read_manifest(run.files("best")).decision if world.is_main else DecisionRule()
    yield from describe_referral(rule, run.config)
    if run.config.training.export_onnx and world.is_main:
        yield from export_at_end(f"{run_id}/best", workspace)
    yield _complete(run, rule)


def _replanned(run: Run) -> Iterator[Event]:
    """Measure the plan before the first epoch in which the whole network learns, unless it is measured already."""
    if run.plan is None or not run.plan.guessed or is_head_epoch(run.config.training, run.position.epoch):
        return
    with span("tune"):
        yield from progress_of(retune(run), Text("progress.tuning"))
    yield model_loaded(run, None, expected_s(run), again=True)


# --- one epoch ---------------------------------------------------------------------------------


def _epoch(run: Run) -> Iterator[Event]:
    """One pass over the training images, then its figures, then the checkpoints.

    The figures are told before `last` is written: a kill between the two repeats the epoch, and never hides it.
    `best` is written before them: a stop right after the figures must not lose the weights they speak of.
    """
    position = run.position
    freeze(run)
    if position.batch == 0:
        seed_torch(run.config.system.seed * 100_003 + position.epoch)  # dropout; a resume in mid-epoch restores instead
    if run.config.training.recipe == "probe":
        with span("fit the head"):
            yield from fit_head(run)
    elif not (yield from _learn(run)):
        return
    answers, validation_s = yield from _validate(run)
    if not position.seen or not np.isfinite(answers.logits).all():
        yield from roll_back(run)
        return
    before = (replace(position), replace(run.stopping))
    update = _epoch_update(run, answers, validation_s)
    run.updates.append(update)
    if run.plan is not None and update.images_per_second and run.world.size == 1:
        speed = update.images_per_second
        remember_costs(run.learner.model, run.config, run.runtime, run.plan, speed, run.memory)
    _advance(run, update)
    told = []
    try:
        if update.is_best and run.world.is_main:
            with span("fit the decision rule", epoch=update.epoch):
                fitted = yield from _fit_rules(run, answers)
            told.append((yield from save_with_retry(run, "best", fitted)))
    except GeneratorExit:
        # Its figures were not told and its weights not kept: where the run is resumed, it judges this epoch again.
        run.updates.pop()
        for kept, now in zip(before, (position, run.stopping), strict=True):
            vars(now).update(vars(kept))
        raise
    told += yield from save_good_epochs(run, update)
    run.world.sync_stop()
    yield update
    yield from told
    yield (yield from save_with_retry(run, "last"))


def _learn(run: Run) -> Generator[Event, None, bool]:
    """Learn from every batch of the epoch; return False where a loss gone wrong sent the run back."""
    position = run.position
    run.learner.model.train()
    freeze_batch_norm(run)
    total = batches_in_epoch(run, position.epoch)
    mark = time.perf_counter()
    for lesson in each_in_span("wait for a batch", batches(run)):
        if isinstance(lesson, int):
            position.training_s += time.perf_counter() - mark
            yield _features_done(run, lesson)
            mark = time.perf_counter()
            continue
        with span("step", epoch=position.epoch):
            loss, correct = run.learner.learn(lesson, *_step_arguments(run, position.batch, total))
        position.training_s += time.perf_counter() - mark
        position.batch += 1
        run.world.sync_stop()
        if not np.isfinite(loss):
            if not may_skip(run):
                yield from roll_back(run)
                return False
            yield step_skipped(run)
            mark = time.perf_counter()
            continue
        position.loss_sum += loss * lesson.of
        position.correct += correct
        position.seen += lesson.of
        yield _batch_done(run, total, loss)
        mark = time.perf_counter()
    return True


def _step_arguments(run: Run, batch: int, total: int) -> tuple[float, bool, int, np.random.Generator]:
    """Return the learning rate, whether to update, how many batches the update sums up, and mixup's generator."""
    steps = run.config.training.gradient_accumulation_steps
    whole = total - total % steps
    summed = steps if batch < whole else total - whole
    update = (batch + 1) % steps == 0 or batch + 1 == total
    rate = learning_rate_at(run.config.training, run.position.epoch, batch / total, run.position.plateau_cuts)
    rate *= run.position.rate_share
    return rate, update, summed, np.random.default_rng([run.config.system.seed, run.position.epoch, batch, 1])


def _features_done(run: Run, done: int) -> ProgressUpdate:
    return ProgressUpdate(
        stage="training",
        text=Text("progress.features", {"done": done, "total": len(run.cases.train)}),
        epoch=run.position.epoch,
        epochs=run.config.training.epochs,
        progress=share_done(run, 0.0, features=min(1.0, done / max(1, len(run.cases.train)))),
        batch_progress=BatchProgress(batch=done, total_batches=len(run.cases.train)),
    )


def _batch_done(run: Run, total: int, loss: float) -> ProgressUpdate:
    position, epochs = run.position, run.config.training.epochs
    done = share_done(run, position.batch / total)
    return ProgressUpdate(
        stage="training",
        text=Text(
            "progress.epoch", {"epoch": position.epoch, "epochs": epochs, "batch": position.batch, "batches": total}
        ),
        epoch=position.epoch,
        epochs=epochs,
        progress=done,
        eta_s=time_left_s(run, done),
        batch_progress=BatchProgress(
            batch=position.batch,
            total_batches=total,
            current_loss=loss,
            current_accuracy=position.correct / position.seen,
        ),
    )


def _validate(run: Run) -> Generator[Event, None, tuple[Predictions, float]]:
    """Judge the validation images; return the answers and the seconds it took."""
    mark = time.perf_counter()
    with span("validate", epoch=run.position.epoch):
        answers = yield from _ask(run, run.cases.val, run.world)
    return answers, time.perf_counter() - mark


def _ask(run: Run, images: ImageSet, world: ProcessGroup = SINGLE_PROCESS) -> Generator[Event, None, Predictions]:
    """Return what the weights that are judged say of some images."""
    data = run.config.data
    if run.config.training.recipe == "probe" and not run.config.evaluation.tta:
        return (yield from answers_from_store(run, images, world))
    cut = run.memory is not None and run.memory.batch_size < run.memory.batch_size_asked
    batch_size = max(data.batch_size, 16) if data.image_size <= 256 and not cut else data.batch_size
    steps = predict_batches(
        run.judged,
        images,
        run.runtime,
        run.built.mean,
        run.built.std,
        batch_size,
        data.num_workers,
        run.config.evaluation.tta,
        world,
    )
    for step in steps:
        if isinstance(step, Predictions):
            return step
        yield ProgressUpdate(
            stage="validating",
            text=Text("progress.validating", {"done": step, "total": len(images)}),
            epoch=epoch_of(run, images),
            epochs=run.config.training.epochs,
            progress=_share_judged(run, images, step),
            batch_progress=BatchProgress(batch=step, total_batches=len(images)),
        )
    raise AssertionError("answer() ends with its Answers")


def _share_judged(run: Run, images: ImageSet, step: int) -> float:
    """Return the share of a run done while images are judged; calibration images once the epoch is over."""
    if images is not run.cases.val:
        return share_done(run, 0.0, features=0.0)
    return share_done(run, 1.0, judged=step / max(1, len(images)))


def _epoch_update(run: Run, answers: Predictions, validation_s: float) -> TrainingUpdate:
    """Return the metrics of the epoch that has just been trained and validated."""
    position, training = run.position, run.config.training
    measured = measure_epoch(answers.labels, answers.probabilities, run.cases.class_names)
    metrics: dict[str, float | None] = {
        "train_loss": position.loss_sum / position.seen,
        "train_accuracy": position.correct / position.seen,
    }
    metrics |= {f"val_{name}": value for name, value in measured.metrics.items()} | {"val_loss": answers.loss}
    is_best = run.stopping.update(position.epoch, metrics[training.early_stopping.monitor])
    epoch_s = position.training_s + validation_s
    update = TrainingUpdate(
        epoch=position.epoch,
        epochs=training.epochs,
        metrics=metrics,
        val_confusion_matrix=measured.confusion_matrix,
        val_per_class=measured.per_class,
        learning_rate=learning_rate_at(training, position.epoch, 0.0, position.plateau_cuts) * position.rate_share,
        images_per_second=_images_per_second(run),
        epoch_s=round(epoch_s, 3),
        eta_s=None,
        is_best=is_best,
    )
    return update.model_copy(update={"eta_s": time_left_s(run, share_done(run, 1.0, judged=1.0), update)})


def _fit_rules(run: Run, answers: Predictions) -> Generator[Event, None, Fitted]:
    """Fit what the best weights decide by, on the calibration images where there are any, else on validation `answers`.

    Patients and twins among the images widen its intervals.
    """
    cases, config = run.cases, run.config
    part: RulePart = "val" if cases.calibration is None else "calibration"
    clusters = cases.val_units
    if cases.calibration is not None:
        answers, clusters = (yield from _ask(run, cases.calibration)), cases.calibration_units
    if run.training_statistics is None:
        run.training_statistics = statistics_of_set(cases.train)
    known = cases.patients is not None
    rule = fit_decision_rule(answers.labels, answers.probabilities, cases.class_names, config, clusters, patients=known)
    told = fit_novelty(answers.features, clusters, answers.statistics, run.training_statistics)
    novelty, own = (None, None) if told is None else told
    limit = None if novelty is None else novelty.limit
    common = {"modalities": cases.modalities, "fitted_on": part}
    rule = rule.model_copy(update={"novelty": limit, **common})
    if cases.units is None:
        return Fitted(rule, novelty)
    attention = (yield from _fit_attention(run, cases.units)) if config.evaluation.pooling == "attention" else None
    on_val = cases.calibration is None
    judged = UnitCases(
        labels=answers.labels,
        probabilities=answers.probabilities,
        units=cases.units.val if on_val else cases.units.calibration or [],
        patients=cases.val_patients if on_val else cases.calibration_patients,
        attention=None if attention is None else attention.evidence(answers.features),
        novelty=own,
        limit=limit,
    )
    found = fit_unit_rule(judged, cases.units.unit, cases.class_names, config)
    if found is None:
        return Fitted(rule, novelty)
    decision = found.decision.model_copy(update=common)
    whose = {"fields": cases.units.fields, "patient_id": config.evaluation.patient_id}
    return Fitted(rule, novelty, found.model_copy(update={"decision": decision, **whose}), attention)


def _fit_attention(run: Run, units: PartUnits) -> Generator[Event, None, AttentionPooling]:
    """Fit what weighs the images of a unit, on the features of the training images as the best weights see them."""
    images = run.cases.train
    answers = yield from _ask(run, images)
    target = list(run.cases.class_names).index(target_class(run.config, run.cases.class_names))
    patients, seed = run.cases.train_patients, run.config.system.seed
    return fit_attention(answers.features, images.labels, units.train, run.judged.head, target, patients, seed)


def _images_per_second(run: Run) -> float | None:
    """Return the training images at full size by the second; None for an epoch over features or smaller images."""
    position, config = run.position, run.config
    whole = image_size_in(config, position.epoch) == config.data.image_size
    if is_head_epoch(config.training, position.epoch) or not whole or not position.training_s:
        return None
    return position.seen / position.training_s


def _advance(run: Run, update: TrainingUpdate) -> None:
    """Move to the next epoch; plateau cuts the rate when the validation loss has not fallen for long enough."""
    position, training = run.position, run.config.training
    position.next_epoch()
    loss = update.metrics["val_loss"]
    if training.scheduler != "plateau" or loss is None:
        return
    if position.plateau_best is None or loss < position.plateau_best:
        position.plateau_best, position.plateau_waited = loss, 0
        return
    position.plateau_waited += 1
    if position.plateau_waited > training.plateau_patience:
        position.plateau_cuts, position.plateau_waited = position.plateau_cuts + 1, 0


def _complete(run: Run, rule: DecisionRule) -> TrainingComplete:
    best = next(update for update in run.updates if update.epoch == run.stopping.best_epoch)
    return TrainingComplete(
        final_metrics=final_metrics(best),
        history=columns(run.updates),
        checkpoint=run.files("best").name,
        best_epoch=best.epoch,
        epochs_run=len(run.updates),
        stopped_early=run.position.epoch <= run.config.training.epochs,
        duration_s=round(sum(update.epoch_s for update in run.updates), 1),
        referral=list(rule.trade_off),
    )
