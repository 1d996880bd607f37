"""A run in progress: all its parts, how they are put together, kept in checkpoints and found again."""

import copy
from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from breastai.clinical.out_of_distribution import OutOfDistribution
from breastai.data.cases.cases import Cases
from breastai.domain.config import Config
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.early_stopping import EarlyStopping
from breastai.domain.errors import CheckpointDamaged, DataChanged
from breastai.domain.events import CheckpointSaved, Log, ModelLoaded, TrainingUpdate
from breastai.domain.run_history import final_metrics
from breastai.domain.text import Text
from breastai.domain.unit_rule import UnitRule
from breastai.domain.weights_record import WeightsRecord
from breastai.engine.acceleration import gradient_checkpointing
from breastai.engine.acceleration.tuning_plan import Plan
from breastai.engine.network.attention_pooling import AttentionPooling
from breastai.engine.network.checkpoint_io import (
    laid_out_as,
    load_tensors,
    load_weights,
    pack_attention,
    pack_novelty,
    pack_optimizer,
    save_tensors,
    unpack_optimizer,
    versions,
)
from breastai.engine.network.models import Built, Classifier, build_model
from breastai.engine.network.process_group import SINGLE_PROCESS, ProcessGroup
from breastai.engine.network.runtime import Runtime, seed_torch
from breastai.engine.stages import check_stages
from breastai.engine.training.optim import Loss, layer_rates, make_optimizer
from breastai.engine.training.prepare import measured_plan, prepare_network, prepare_training
from breastai.engine.training.step import Learner
from breastai.storage.atomic_checkpoint import save_checkpoint
from breastai.storage.checkpoints import (
    CheckpointFiles,
    Kind,
    Manifest,
    MemoryRecord,
    SplitRecord,
    checkpoint_files,
)
from breastai.storage.journal import read_events
from breastai.storage.workspace import Workspace


@dataclass
class Position:
    """Where a run is, in plain values: with the tensors, enough to go on bit for bit.

    `batch`: batches of `epoch` already learnt from; the sums and times are those of this epoch so far.
    """

    epoch: int = 1
    batch: int = 0
    loss_sum: float = 0.0
    correct: int = 0
    seen: int = 0
    training_s: float = 0.0
    plateau_best: float | None = None
    plateau_waited: int = 0
    plateau_cuts: int = 0
    skipped: int = 0  # steps of this epoch left out, their loss or gradient not being finite
    rollbacks: int = 0  # returns to a good state
    rate_share: float = 1.0  # of the planned learning rate; less after a return

    def next_epoch(self) -> None:
        self.epoch += 1
        self.batch = self.correct = self.seen = self.skipped = 0
        self.loss_sum = self.training_s = 0.0


@dataclass
class Run:
    """A training in progress."""

    run_id: str
    workspace: Workspace
    config: Config
    cases: Cases
    built: Built
    runtime: Runtime
    learner: Learner
    stopping: EarlyStopping
    position: Position = field(default_factory=Position)
    updates: list[TrainingUpdate] = field(default_factory=list)
    pretrained: str = ""  # what the weights began as, for the manifest
    plan: Plan | None = None  # how a step is computed on this machine
    memory: MemoryRecord | None = None  # what was measured of it before the start
    weights: WeightsRecord | None = None  # of a file of weights: what it is, for the manifest
    world: ProcessGroup = SINGLE_PROCESS  # who trains it
    training_statistics: np.ndarray | None = None  # of the training images, once a decision rule has asked for them

    @property
    def judged(self) -> Classifier:
        """The weights that are evaluated and kept as the best: the moving average where there is one."""
        return self.learner.average if self.learner.average is not None else self.learner.model

    @property
    def pretrained_weights(self) -> bool:
        """Whether the run began with weights that somebody had trained."""
        return not self.pretrained.startswith("none:")

    def files(self, kind: Kind) -> CheckpointFiles:
        return checkpoint_files(self.workspace, self.run_id, kind)


# Yields as setting_up.py does: how many measurements are done, of how many.
Assembling = Generator[tuple[int, int], None, Run]


def assemble(
    run_id: str,
    config: Config,
    workspace: Workspace,
    cases: Cases,
    resumed: Manifest | None = None,
    world: ProcessGroup = SINGLE_PROCESS,
    begin_with_guess: bool = False,
) -> Assembling:
    """Build everything a run needs; with a manifest, as it was when that was written. Yields as it measures.

    `begin_with_guess`: begin with a plan that `replanned` has yet to measure, or to find.
    Raises what building a model does; on a resume CheckpointDamaged, or DataChanged when the images are not the same.
    """
    seed_torch(config.system.seed)
    weights_file = workspace.resolve(config.model.weights_file) if config.model.weights_file else None
    settings = config.model.model_copy(update={"pretrained": "none"}) if resumed else config.model
    built = build_model(
        settings,
        len(cases.class_names),
        config.preprocessing,
        weights_file,
        config.system.download_weights,
        config.data.image_size,
    )
    if not resumed:
        check_stages(built.model, built.model.backbone, config)
    average = copy.deepcopy(built.model).requires_grad_(False) if config.training.use_ema else None
    kept = Plan.model_validate(resumed.plan) if resumed and resumed.plan else None
    # A probe takes no step: there is nothing to measure.
    fresh = resumed is None and config.training.recipe != "probe"
    prepared = yield from prepare_training(built.model, config, kept, fresh, world, begin_with_guess)
    model, runtime, config = prepared.model, prepared.runtime, prepared.config
    if average is not None:
        average.to(runtime.device).to(memory_format=runtime.memory_format)
    learner = Learner(
        model=model,
        optimizer=make_optimizer(model, config.training, layer_rates(model, config.training)),
        loss=Loss(config.training, list(cases.train.counts().values())).to(runtime.device),
        settings=config.training,
        runtime=runtime,
        mean=built.mean,
        std=built.std,
        average=average,
        world=world,
    )
    stopping = EarlyStopping.from_settings(config.training.early_stopping)
    run = Run(run_id, workspace, config, cases, built, runtime, learner, stopping, plan=prepared.plan)
    run.memory, run.world = prepared.memory, world
    run.pretrained, run.weights = f"{built.pretrained.source}: {built.pretrained.detail}", built.pretrained.record
    if resumed:
        run.pretrained, run.weights = resumed.pretrained, resumed.weights
        record = _split_record(run.cases)
        if (record.train_sha256, record.val_sha256) != (resumed.split.train_sha256, resumed.split.val_sha256):
            raise DataChanged(run.run_id, resumed.split.differences(record))
        run.updates = [
            event for event in read_events(workspace.journal_file(run_id)) if isinstance(event, TrainingUpdate)
        ]
        restore(run, resumed)
    world.synchronize_layers(model)
    return run


def retune(run: Run) -> Assembling:
    """Measure the plan that the run has only guessed so far, and go by it from here on. Yields as it measures."""
    gradient_checkpointing.uninstall(run.learner.model.backbone)
    plan = yield from measured_plan(run.learner.model, run.config, run.runtime)
    run.plan, run.runtime = plan, prepare_network(run.learner.model, run.config, run.runtime, plan)
    run.learner.runtime = run.runtime
    return run


def model_loaded(
    run: Run, resumed: Manifest | None, expected_s: float | None = None, again: bool = False
) -> ModelLoaded:
    """Return the event that tells what was built, and what the run will take; `again`: now that it is measured."""
    pretrained = run.built.pretrained
    return ModelLoaded(
        architecture=run.config.model.architecture,
        weights="checkpoint" if resumed else pretrained.source,
        weights_detail=f"{run.run_id}/last" if resumed else pretrained.detail,
        parameters=sum(parameter.numel() for parameter in run.learner.model.parameters()),
        device=str(run.runtime.device),
        dtype=run.runtime.describe_dtype(),
        threads=run.runtime.threads,
        plan=run.plan.explanation() if run.plan else None,
        plan_reasons=list(run.plan.reasons) if run.plan else [],
        expected_s=expected_s,
        peak_memory_gb=_expected_peak_gb(run),
        again=again,
    )


def _expected_peak_gb(run: Run) -> float | None:
    """Return the memory a run will take at most: what a run by the same plan took, or else a bound by a trial step."""
    if run.memory is None:
        return None
    bound = run.memory.held_gb + run.memory.needed_gb
    taken = run.plan.peak_gb if run.plan and not run.config.training.gradient_checkpointing else None
    return round(bound if taken is None else min(bound, taken), 1)


def warnings_of(run: Run, resumed: Manifest | None) -> Iterator[Log]:
    """Yield what the user must know before the first epoch."""
    if run.memory is not None and run.memory.batch_size < run.memory.batch_size_asked and not resumed:
        yield batch_cut(run.config, run.memory)
    if run.weights is not None and run.weights.forbids_derivatives and not resumed:
        yield no_derivatives(run.weights)
    if run.config.training.batch_norm == "pretrained" and not run.pretrained_weights:
        yield Log(
            level="warning",
            code="training.no_statistics",
            message="training.batch_norm is pretrained, but the network begins without pretrained weights: batch "
            "normalisation takes the statistics of each batch.",
        )
    if run.cases.skipped:
        first = run.cases.skipped[0]
        yield Log(
            level="warning",
            code="data.skipped",
            message=f"{len(run.cases.skipped)} files could not be used, the first: {first.file} ({first.reason}).",
            params={"count": len(run.cases.skipped), "file": first.file, "reason": first.reason},
        )
    if run.cases.masks:
        yield Log(
            level="info",
            code="data.masks",
            message=f"{run.cases.masks} mask files were recognised and left out.",
            params={"count": run.cases.masks},
        )
    prepared = {id(part.prepared): part.prepared for part in (run.cases.train, run.cases.val)}
    for images in prepared.values():
        yield from images.logs()
    if run.cases.cache_note:
        yield Log(
            level="warning", code="data.cache", message=str(run.cases.cache_note), params={"note": run.cases.cache_note}
        )


def no_derivatives(weights: WeightsRecord) -> Log:
    """Return the line that tells of weights whose licence forbids what is made from them to be passed on."""
    return Log(
        level="warning",
        code="weights.no_derivatives",
        message=f"The licence of the weights {weights.name} ({weights.licence}) forbids sharing what is derived from "
        "them: a model trained from them may be used here, but not passed on.",
        params={"name": weights.name, "licence": weights.licence or ""},
    )


def batch_cut(config: Config, memory: MemoryRecord) -> Log:
    """Return the line that tells of a batch too large for this machine's memory."""
    steps = config.training.gradient_accumulation_steps
    return Log(
        level="warning",
        code="training.batch_cut",
        message=f"A step with {memory.batch_size_asked} images would need about {memory.asked_needed_gb} GiB more, and "
        f"{memory.available_gb} GiB are free: {memory.batch_size} images at a time, summed up over {steps} batches, so "
        "that each update still learns from as many. training.gradient_checkpointing would need less memory.",
        params={
            "asked": memory.batch_size_asked,
            "needed": memory.asked_needed_gb,
            "available": memory.available_gb,
            "batch_size": memory.batch_size,
            "steps": steps,
        },
    )


# --- kept and found again ----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Fitted:
    """What was fitted for the weights of an epoch: how they decide, on images and on units, and what is unlike the known."""

    decision: DecisionRule = field(default_factory=DecisionRule)
    novelty: OutOfDistribution | None = None
    unit_rule: UnitRule | None = None
    attention: AttentionPooling | None = None


NOTHING_FITTED = Fitted()


def save(run: Run, kind: Kind, fitted: Fitted = NOTHING_FITTED) -> CheckpointSaved:
    """Write a checkpoint of the run as it is now; raise DiskFull. `last` holds all a resume needs, `best` does not.

    `fitted`: for these weights; `last` keeps nothing of it. Of several processes the first writes.
    """
    files = run.files(kind)
    update = run.updates[-1] if run.updates else None
    if not run.world.is_main:
        return _saved_elsewhere(run, files, kind)
    model = run.learner.model if kind == "last" else run.judged
    tensors, plain = _state(run) if kind == "last" else ({}, None)
    manifest = save_checkpoint(
        files,
        Manifest(
            run_id=run.run_id,
            kind=kind,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            config=run.config,
            architecture=run.config.model.architecture,
            class_names=list(run.cases.class_names),
            image_size=run.config.data.image_size,
            mean=list(run.built.mean),
            std=list(run.built.std),
            epoch=update.epoch if update else 0,
            metrics=final_metrics(update) if update else {},
            split=_split_record(run.cases),
            pretrained=run.pretrained,
            weights=run.weights,
            versions=versions(),
            plan=run.plan.model_dump(mode="json") if run.plan else None,
            memory=run.memory,
            state=plain,
            decision=fitted.decision,
            unit_rule=fitted.unit_rule,
        ),
        write_weights=lambda path: save_tensors(
            model.state_dict() | pack_novelty(fitted.novelty) | pack_attention(fitted.attention), path
        ),
        write_state=(lambda path: save_tensors(tensors, path)) if kind == "last" else None,
        keep=run.config.storage.keep_last if kind == "last" else 1,
    )
    return CheckpointSaved(
        checkpoint=files.name,
        filename=f"{run.run_id}_{kind}.safetensors",
        path=run.workspace.relative(files.weights),
        epoch=manifest.epoch,
        accuracy=manifest.metrics.get("accuracy"),
        size_mb=round(manifest.size_bytes / 1e6, 2),
    )


def _saved_elsewhere(run: Run, files: CheckpointFiles, kind: Kind) -> CheckpointSaved:
    return CheckpointSaved(
        checkpoint=files.name,
        filename=f"{run.run_id}_{kind}.safetensors",
        path=run.workspace.relative(files.weights),
        epoch=run.updates[-1].epoch if run.updates else 0,
        accuracy=None,
        size_mb=0.0,
    )


def _state(run: Run) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    tensors, optimizer = pack_optimizer(run.learner.optimizer)
    tensors["rng.cpu"] = torch.get_rng_state()
    if run.runtime.device.type == "cuda":
        tensors["rng.cuda"] = torch.cuda.get_rng_state(run.runtime.device)
    for name, gradient in _summed_gradients(run).items():
        tensors[f"gradient.{name}"] = gradient
    if run.learner.average is not None:
        tensors |= {f"average.{name}": value for name, value in run.learner.average.state_dict().items()}
    plain = {
        "position": asdict(run.position),
        "stopping": run.stopping.state(),
        "optimizer": optimizer,
        "scaler": run.learner.scaler.state_dict(),
        "update": run.updates[-1].model_dump(mode="json") if run.updates else None,
    }
    return tensors, plain


def _summed_gradients(run: Run) -> dict[str, torch.Tensor]:
    """Return the gradients that wait for the rest of their accumulation; none right after a step."""
    named = run.learner.model.named_parameters()
    return {name: parameter.grad for name, parameter in named if parameter.grad is not None}


def restore(run: Run, manifest: Manifest) -> None:
    """Put a run back where it was when the manifest of its verified `last` was written; raise CheckpointDamaged."""
    files = run.files("last")
    if manifest.state is None or manifest.state_file is None:
        raise CheckpointDamaged(files.name, Text("reason.holds_no_state_resume"))
    run.learner.optimizer.zero_grad(set_to_none=True)
    load_weights(run.learner.model, files)
    tensors = load_tensors(files.weights.parent / manifest.state_file)
    unpack_optimizer(run.learner.optimizer, tensors, manifest.state["optimizer"])
    run.learner.scaler.load_state_dict(manifest.state["scaler"])
    if run.learner.average is not None:
        run.learner.average.load_state_dict(_below("average.", tensors))
    gradients = _below("gradient.", tensors)
    for name, parameter in run.learner.model.named_parameters():
        if name in gradients:
            parameter.grad = laid_out_as(parameter, gradients[name])
    torch.set_rng_state(tensors["rng.cpu"])
    if "rng.cuda" in tensors and run.runtime.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["rng.cuda"], run.runtime.device)
    run.position = Position(**manifest.state["position"])
    run.stopping = EarlyStopping.from_state(manifest.state["stopping"])
    run.memory = manifest.memory
    told = {update.epoch: update for update in run.updates if update.epoch < run.position.epoch}
    if kept := manifest.state.get("update"):  # a full disk may have kept it from the journal
        told.setdefault(kept["epoch"], TrainingUpdate.model_validate(kept))
    run.updates = [told[epoch] for epoch in sorted(told)]


def _below(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _split_record(cases: Cases) -> SplitRecord:
    return SplitRecord(
        train=cases.train.files,
        val=cases.val.files,
        train_sha256=cases.train.hashes,
        val_sha256=cases.val.hashes,
        train_labels=cases.train.class_of_each,
        val_labels=cases.val.class_of_each,
        calibration_sha256=cases.calibration.hashes if cases.calibration else [],
        description=cases.split_description,
        dataset=cases.split_file.dataset,
    )
