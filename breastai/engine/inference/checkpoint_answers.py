"""Images handed over, and what checkpoints say of each, with heat maps where they are wanted."""

import base64
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from breastai.data.decoders.decoder import Decoded, Header
from breastai.data.preprocessing.breast_region import Region
from breastai.data.preprocessing.lesion_boxes import Box
from breastai.domain.events import Event, ModelAnswer, ProgressUpdate
from breastai.domain.jobs import AskCheckpoints
from breastai.domain.text import Text
from breastai.engine.inference.evaluation_job import AnsweringCheckpoint, checkpoint_of
from breastai.engine.inference.heat_maps import Heat, explain_image
from breastai.engine.network.checkpoint_io import load_checkpoint
from breastai.engine.network.runtime import choose_runtime
from breastai.predictor.predictions import prediction
from breastai.predictor.uploaded_images import Asked, answer_export, answer_upload, handed_units
from breastai.storage.workspace import Workspace

# A map has some seven places a side: the page draws it larger.
_MAP_SIDE = 256


def ask_checkpoints(job: AskCheckpoints, workspace: Workspace) -> Iterator[Event]:
    """Ask checkpoints, and exported models beside them; raise what opening one of them raises."""
    yield ProgressUpdate(stage="predicting", text=Text("progress.loading_model"))
    models = {
        name: answer_export(workspace, name, job.images, job.one_patient)
        if name.endswith(".onnx")
        else _asked_checkpoint(workspace, name, job)
        for name in job.models
    }
    done = 0
    for event in answer_upload(job.images, models, None if job.keep is None else workspace.root / job.keep, job.keep):
        yield event
        if done < len(job.images):
            done += 1
            text = Text("progress.images", {"done": done, "total": len(job.images)})
            yield ProgressUpdate(stage="predicting", text=text, progress=done / len(job.images))


def _asked_checkpoint(workspace: Workspace, name: str, job: AskCheckpoints) -> Asked:
    loaded = load_checkpoint(checkpoint_of(workspace, name))
    runtime = choose_runtime(loaded.manifest.config.system, use_amp=False)
    model = AnsweringCheckpoint(loaded, runtime)
    units = handed_units(model, job.images, job.one_patient)

    def ask(decoded: Decoded, called: str, header: Header, box: Box | None, place: Path) -> ModelAnswer:
        image = decoded.pixels
        said = prediction(model, decoded, called, header, box, units, place)
        heat_map = None
        if job.heat_maps and said.error is None:
            heat, region, _, _ = explain_image(loaded, image, runtime, said.decision or said.label, box)
            heat_map = drawn_map(heat, region, (image.shape[0], image.shape[1]))
        return ModelAnswer(model=name, prediction=said, heat_map=heat_map)

    return Asked(ask, loaded.manifest.config.preprocessing, units)


def drawn_map(heat: Heat, region: Region, shape: tuple[int, int]) -> str:
    """Return a map over its region of an image of `shape`, (H, W), as a PNG data URI: clear where it is cold."""
    whole: Heat = np.zeros(shape, np.float32)
    whole[region.top : region.top + region.height, region.left : region.left + region.width] = heat
    scale = min(1.0, _MAP_SIDE / max(shape))
    size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
    small = np.rint(cv2.resize(whole, size, interpolation=cv2.INTER_AREA) * 255).astype(np.uint8)
    colours = cv2.applyColorMap(small, cv2.COLORMAP_INFERNO)
    content = cv2.imencode(".png", np.dstack([colours, small]))[1].tobytes()
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"
