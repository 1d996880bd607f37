"""An ensemble as one ONNX file: the mean of the calibrated probabilities of a cross-validation's folds, or of runs."""

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic_core import to_jsonable_python
from torch import Tensor, nn

from breastai.domain.catalog import EXPORT_FORMATS
from breastai.domain.decision_rule import DecisionRule, NoveltyLimit
from breastai.domain.errors import ExportFailed
from breastai.domain.study import Study
from breastai.domain.text import Text
from breastai.engine.export.exported_graph import (
    ExportedGraph,
    as_input,
    checkpoint_answer,
    compare,
    data_sha256,
    exported_graph,
    metadata,
)
from breastai.engine.export.exporters import EXPORTED_NOVELTY, REPLAYED_NOVELTY, source_of
from breastai.engine.export.onnx_file import answer_of, describe, write_float32
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.predictor.model_output import Answer
from breastai.predictor.onnx_model import NOVELTY_NAME, OUTPUT_NAME, OnnxModel
from breastai.predictor.reference_answers import references_for
from breastai.storage.checkpoints import checkpoint_files
from breastai.storage.private_files import private_folder
from breastai.storage.workspace import Workspace, replace_durably, sync_file

_DIFFERENCE = 1e-4


class EnsembleGraph(nn.Module):
    """RGB images 0..255, float32 (N, 3, S, S), to the mean of several models' calibrated probabilities (N, C).

    With `limits`, one for each model, the second output is the mean novelty (N,), each in units of its model's limit.
    """

    def __init__(self, graphs: list[ExportedGraph], limits: list[float] | None) -> None:
        super().__init__()
        self.graphs = nn.ModuleList(graphs)
        self.limits = limits

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        if self.limits is None:
            return torch.stack([graph(images) for graph in self.graphs]).mean(0)
        answers = [graph(images) for graph in self.graphs]
        novelty = [said[1] / limit for said, limit in zip(answers, self.limits, strict=True)]
        return torch.stack([said[0] for said in answers]).mean(0), torch.stack(novelty).mean(0)


@dataclass(frozen=True)
class ExportedEnsemble:
    """The file, how far its probabilities are from the mean of the checkpoints', and on what they were compared."""

    path: Path
    difference: float
    compared: Text | str


def export_ensemble(study: Study, rule: DecisionRule, workspace: Workspace) -> ExportedEnsemble:
    """Write the ensemble of a study's complete runs, proved to give the mean of its checkpoints' answers.

    Raises ExportFailed, or ExportMismatch and leaves nothing behind.
    """
    members = [load_checkpoint(checkpoint_files(workspace, member.run_id, "best")) for member in study.members]
    return write_ensemble(
        study.study_id,
        members,
        rule,
        workspace,
        decision_fitted_on="held-out predictions of single folds: the ensemble itself has been judged on no image",
        split=f"the folds of {study.study_id}: every image trained or chose some of the members",
    )


def write_ensemble(
    name: str, members: list[Loaded], rule: DecisionRule, workspace: Workspace, *, decision_fitted_on: str, split: str
) -> ExportedEnsemble:
    """Write an ensemble called `name`, proved to give the mean of its members' answers; raise as export_ensemble does.

    `rule` has no calibration: that of each member is part of the graph. The last two stand in the file's description.
    """
    seen = {(loaded.manifest.config.data.image_size, loaded.manifest.config.preprocessing) for loaded in members}
    if len(seen) > 1:  # the file takes one image, prepared in one way
        raise ExportFailed("onnx", Text("reason.members_differ_image"))
    source = source_of(members[0], workspace, EXPORT_FORMATS["onnx"])
    limits = _novelty_limits(members)
    if limits is not None:
        first = members[0].manifest.decision.novelty
        assert first is not None
        cases = sum(each.manifest.decision.novelty.n for each in members if each.manifest.decision.novelty)
        rule = rule.model_copy(update={"novelty": first.model_copy(update={"limit": 1.0, "n": cases})})
    expected = mean_answer(members, source.images, limits)
    graph = EnsembleGraph(
        [exported_graph(loaded, novelty=limits is not None, units=False) for loaded in members], limits
    ).eval()
    outputs = (OUTPUT_NAME,) if limits is None else (OUTPUT_NAME, NOVELTY_NAME)
    target = workspace.exports_dir / source.form.folder / f"{name}_ensemble{source.form.suffix}"
    private_folder(target.parent)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".") as folder:
        path = Path(folder) / target.name
        write_float32(graph, as_input(source.images[:2]), path, outputs)
        said = expected.last(len(source.phantoms))
        references = references_for(source.phantoms, said, _DIFFERENCE, REPLAYED_NOVELTY)
        described = metadata(members[0], source.form.name, references, rule.novelty)
        own = {"decision_fitted_on": decision_fitted_on, "split": split}
        describe(path, described | _of_ensemble(name, members, rule) | own)
        exported = OnnxModel.open(path)
        difference = compare(
            expected, answer_of(exported, source.images), _DIFFERENCE, None if limits is None else EXPORTED_NOVELTY
        )
        exported.verify()
        sync_file(path)
        replace_durably(path, target)
    return ExportedEnsemble(target, difference, source.compared)


def mean_answer(members: list[Loaded], images: np.ndarray, limits: list[float] | None = None) -> Answer:
    """Return the mean of the checkpoints' own answers, float32; novelty in units of the `limits`."""
    answers = [checkpoint_answer(loaded, images) for loaded in members]
    probabilities = np.stack([said.probabilities for said in answers]).mean(0, dtype=np.float64).astype(np.float32)
    if limits is None:
        return Answer(probabilities)
    novelty = [said.novelty / limit for said, limit in zip(answers, limits, strict=True) if said.novelty is not None]
    return Answer(probabilities, np.stack(novelty).mean(0, dtype=np.float64).astype(np.float32))


def _novelty_limits(members: list[Loaded]) -> list[float] | None:
    """Return each model's limit; None unless all can tell which images are unlike those they were judged on."""
    limits = [_limit_of(loaded) for loaded in members]
    return [limit.limit for limit in limits if limit is not None] if all(limits) else None


def _limit_of(loaded: Loaded) -> NoveltyLimit | None:
    return None if loaded.novelty is None else loaded.manifest.decision.novelty


def _of_ensemble(name: str, members: list[Loaded], rule: DecisionRule) -> dict[str, object]:
    """Return what the description of an ensemble says otherwise than that of one checkpoint."""
    hashes = [loaded.manifest.sha256 for loaded in members]
    data = [data_sha256(loaded) for loaded in members]
    return {
        "checkpoint": name,
        "checkpoint_sha256": hashlib.sha256("\n".join(hashes).encode()).hexdigest(),
        "data_sha256": hashlib.sha256("\n".join(sorted(data)).encode()).hexdigest(),
        "members": [
            {"checkpoint": loaded.files.name, "sha256": loaded.manifest.sha256, "epoch": loaded.manifest.epoch}
            for loaded in members
        ],
        "output": "mean of the members' calibrated probabilities, float32, (N, classes)",
        "decision": to_jsonable_python(rule),
        "epoch": None,
        "metrics": {},
    }
