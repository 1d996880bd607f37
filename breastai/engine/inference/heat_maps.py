"""Heat maps: where in an image a network found what speaks for a class, laid over the original pixels.

Grad-CAM (Selvaraju et al., ICCV 2017) on the backbone's last feature map tells which region counts, in few and coarse
places; behind CBAM and with attention pooling the maps met lesions less, for a channel's mean gradient forgets which places
count. So it is multiplied by HiResCAM (Draelos & Carin, 2020) of the map of twice the resolution before it, which tells
where within the region, as Grad-CAM's authors multiplied theirs by guided backpropagation. Chosen on training images with
masks. A heat map shows where the network looked, not whether it was right; `benchmarks/heat_maps.py` measures how far such
maps can be believed.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from breastai.clinical.apply_decision_rule import calibrate
from breastai.data.decoders.file_content import file_at
from breastai.data.pixels import Pixels
from breastai.data.preprocessing.breast_region import Region
from breastai.data.preprocessing.lesion_boxes import Box, check_mark, marked_box, wants_box
from breastai.data.preprocessing.model_images import read_for, reading_notes
from breastai.data.preprocessing.preprocess import on_original, preprocess_image
from breastai.data.sources.frames import files_of
from breastai.domain.errors import BreastAIError, ImageUnreadable, TargetClassUnknown
from breastai.domain.events import Event, ExplanationsComplete, HeatMap
from breastai.domain.jobs import Explain
from breastai.engine.inference.evaluation_job import boxes_given, checkpoint_of, image_files
from breastai.engine.network.checkpoint_io import Loaded, load_checkpoint
from breastai.engine.network.models import Classifier, finer_stage, normalize
from breastai.engine.network.runtime import Runtime, choose_runtime
from breastai.predictor.image_files import marked_in, masks_told
from breastai.storage.workspace import Workspace, atomic_write

Heat = npt.NDArray[np.float32]

_LONGEST_SIDE = 1600
_OPACITY = 0.45


def heat_maps(model: Classifier, inputs: Tensor, classes: Tensor) -> tuple[Heat, Tensor]:
    """Return maps, (N, S, S) from 0 to 1, of `classes` (N,) for normalised inputs, and the logits (N, C).

    A map that speaks nowhere for its class is 0 throughout. The model's own gradients stay as they were.
    """
    size = (int(inputs.shape[2]), int(inputs.shape[3]))
    with _set_aside(model), _tapped(model) as taken, torch.enable_grad():
        last = model.backbone(inputs)
        if not taken:
            last = last.detach().requires_grad_(True)
        logits = model.classify(last)
        chosen = logits.gather(1, classes[:, None]).sum()
        maps = [last, *taken]
        slopes = torch.autograd.grad(chosen, maps)
    weights = slopes[0].mean(dim=(2, 3), keepdim=True)
    heat = _enlarged(weights * last.detach(), size)
    if taken:
        sharper = heat * _enlarged(slopes[1] * taken[0].detach(), size)
        # Where the two have no place in common the coarse one still says what it says.
        heat = torch.where(sharper.amax(dim=(1, 2), keepdim=True) > 0, sharper, heat)
    return _to_one(heat, (1, 2)).cpu().numpy(), logits.detach()


@contextmanager
def _set_aside(model: Classifier) -> Iterator[None]:
    """Have the model judge, and none of its weights take part in a gradient; afterwards it is as it was."""
    was_training = model.training
    learnt = [parameter for parameter in model.parameters() if parameter.requires_grad]
    model.eval().requires_grad_(False)
    try:
        yield
    finally:
        model.train(was_training)
        for parameter in learnt:
            parameter.requires_grad_(True)


@contextmanager
def _tapped(model: Classifier) -> Iterator[list[Tensor]]:
    """Yield a list that a forward pass puts the finer map into, (N, channels, 2h, 2w); gradients begin there."""
    taken: list[Tensor] = []

    def take(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        taken[:] = [output.detach().requires_grad_(True)]
        return taken[0]

    name = finer_stage(model.backbone)
    hook = model.backbone.get_submodule(name).register_forward_hook(take) if name is not None else None
    try:
        yield taken
    finally:
        if hook is not None:
            hook.remove()


def _enlarged(contributions: Tensor, size: tuple[int, int]) -> Tensor:
    """Return what the channels (N, channels, h, w) say for the class together, at most 1, as (N, S, S)."""
    maps = torch.relu(contributions.sum(1, keepdim=True)).float()  # -> (N, 1, h, w)
    scaled = _to_one(maps, (2, 3))
    return torch.nn.functional.interpolate(scaled, size=size, mode="bilinear", align_corners=False)[:, 0]


def _to_one(maps: Tensor, places: tuple[int, int]) -> Tensor:
    return maps / maps.amax(dim=places, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny)


def explain(job: Explain, workspace: Workspace) -> Iterator[Event]:
    """Draw a heat map for each image; a file that can't be read is an answer with its reason."""
    loaded = load_checkpoint(checkpoint_of(workspace, job.checkpoint))
    names = loaded.manifest.class_names
    if job.target_class is not None and job.target_class not in names:
        raise TargetClassUnknown(job.target_class, names)
    runtime = choose_runtime(loaded.manifest.config.system, use_amp=False)
    folder = workspace.exports_dir / "heat_maps" / f"{loaded.manifest.run_id}_{loaded.manifest.kind}"
    named = image_files([workspace.resolve(name) for name in job.images])
    yield from masks_told(named, workspace.relative)
    files = files_of(named.files, loaded.manifest.config.preprocessing.frames)
    boxes = boxes_given(job, workspace)
    if wants_box(loaded.manifest.config.preprocessing):
        boxes = marked_in(job.images, workspace.root) | boxes
    failed = 0
    for path in files:
        name = workspace.relative(path)
        try:
            decoded = read_for(path, loaded.manifest.config.preprocessing)
            image = decoded.pixels
            settings = loaded.manifest.config.preprocessing
            box = boxes.get(file_at(path)) or marked_box(path) if wants_box(settings) else None
            check_mark(box, settings, path.name, image.shape)
            heat, region, probabilities, number = explain_image(loaded, image, runtime, job.target_class, box)
        except BreastAIError as error:
            failed += 1
            reason = error.reason if isinstance(error, ImageUnreadable) else str(error)
            yield HeatMap(file=name, explained_class=None, probabilities=None, path=None, error=reason)
            continue
        written = folder / overlay_name(name)
        atomic_write(written, overlay(image, heat, region))
        yield HeatMap(
            file=name,
            explained_class=names[number],
            probabilities=dict(zip(names, probabilities, strict=True)),
            path=workspace.relative(written),
            notes=reading_notes(decoded, path.name, loaded.manifest.config.preprocessing),
        )
    yield ExplanationsComplete(count=len(files), failed=failed, folder=workspace.relative(folder))


def explain_image(
    loaded: Loaded, image: Pixels, runtime: Runtime, target_class: str | None = None, box: Box | None = None
) -> tuple[Heat, Region, list[float], int]:
    """Return the map over the region of the original, that region, the calibrated probabilities and the class's number.

    The class is `target_class`, or else the most probable one; `box`: where a lesion is marked. Raises nothing of its own.
    """
    manifest = loaded.manifest
    settings = manifest.config.preprocessing
    square, region = preprocess_image(image, settings, manifest.image_size, box)
    model = loaded.model.to(runtime.device)
    inputs = normalize(torch.from_numpy(square[None]).to(runtime.device), tuple(manifest.mean), tuple(manifest.std))
    with torch.no_grad():
        raw = model(inputs).double().softmax(1).cpu().numpy()
    probabilities = calibrate(manifest.decision.calibration, raw)[0].tolist()
    number = manifest.class_names.index(target_class) if target_class else int(np.argmax(probabilities))
    maps, _ = heat_maps(model, inputs, torch.tensor([number], device=inputs.device))
    return on_original(maps[0], region, settings), region, probabilities, number


def overlay(image: Pixels, heat: Heat, region: Region) -> bytes:
    """Return the original image, (H, W, 1) or (H, W, 3), with the map over its region, as a PNG of at most 1600 pixels a side."""
    grey = image if image.shape[2] == 3 else np.repeat(image, 3, axis=2)
    whole: Heat = np.zeros(grey.shape[:2], np.float32)
    whole[region.top : region.top + region.height, region.left : region.left + region.width] = heat
    height, width = image.shape[:2]
    scale = min(1.0, _LONGEST_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
        whole = cv2.resize(whole, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    colours = cv2.applyColorMap(np.rint(whole * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)  # BGR
    share = (_OPACITY * whole)[:, :, None]
    mixed = np.rint(grey[:, :, ::-1] * (1 - share) + colours * share).astype(np.uint8)
    return bytes(cv2.imencode(".png", mixed)[1])


def overlay_name(name: str) -> str:
    """Return a file name for the map of the image called `name`: readable, and its own even among equal stems."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(name).stem)[:60].strip("._") or "image"
    return f"{stem}_{sha256(name.encode()).hexdigest()[:8]}.png"
