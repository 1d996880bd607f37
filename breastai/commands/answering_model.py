"""A model opened by the name a user gives it: an exported file, which needs no torch, or a checkpoint."""

from pathlib import Path

from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.predictions import Answering
from breastai.storage.workspace import Workspace

EXPORTED = ".onnx"


def is_exported(name: str) -> bool:
    """Return whether a name is that of an exported file."""
    return name.lower().endswith(EXPORTED)


def open_exported(workspace: Workspace, name: str) -> OnnxModel:
    """Return the exported model in a file; raise ModelUnreadable. Results name exports relative to the workspace."""
    path = Path(name).expanduser()
    return OnnxModel.open(path if path.exists() else workspace.resolve(name))


def open_model(workspace: Workspace, name: str) -> Answering:
    """Return the model of an .onnx file, or of a checkpoint: latest, RUN, RUN/best or a path.

    Raises ModelUnreadable, CheckpointNotFound, and MissingExtra where a checkpoint is asked for without torch.
    """
    if is_exported(name):
        return open_exported(workspace, name)
    from breastai.commands.checkpoint_name import checkpoint_name
    from breastai.commands.run_job import require_training_packages

    found = checkpoint_name(workspace, name)
    require_training_packages()
    from breastai.engine.inference.evaluation_job import AnsweringCheckpoint, checkpoint_of
    from breastai.engine.network.checkpoint_io import load_checkpoint
    from breastai.engine.network.runtime import choose_runtime

    loaded = load_checkpoint(checkpoint_of(workspace, found))
    return AnsweringCheckpoint(loaded, choose_runtime(loaded.manifest.config.system, use_amp=False))
