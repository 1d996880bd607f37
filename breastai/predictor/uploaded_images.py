"""Images handed over, and what models say of each: the picture as it is, and every model's answer beside it."""

import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from breastai.data.decoders.bit_depth import BitDepth
from breastai.data.decoders.decoder import Decoded, Header
from breastai.data.decoders.decoder_table import header_of
from breastai.data.preprocessing.lesion_boxes import Box
from breastai.data.preprocessing.model_images import read_for
from breastai.data.preprocessing.thumbnails import data_uri
from breastai.data.sources.frames import Frames, frames_of
from breastai.domain.config import PreprocessingSettings
from breastai.domain.errors import BreastAIError
from breastai.domain.events import Event, ImageAnswer, ImagesAnswered, ModelAnswer
from breastai.domain.jobs import AskExports, HandedImage
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.predictions import Answering, prediction, unknown_units, unreadable
from breastai.predictor.unit_answers import UnitCollector
from breastai.storage.private_files import make_private, private_folder
from breastai.storage.workspace import Workspace

_PICTURE_SIDE = 720
_OPEN_MODELS = 2
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Asked:
    """A model that can be asked: `ask` says what it thinks of an image of some name, decoded by its `preprocessing`, the box of its lesion, and where it lies.

    `units` gathers what it says of breasts, exams or patients.
    """

    ask: Callable[[Decoded, str, Header, Box | None, Path], ModelAnswer]
    preprocessing: PreprocessingSettings
    units: UnitCollector | None = None


def ask_exports(job: AskExports, workspace: Workspace) -> Iterator[Event]:
    """Ask exported models; raise ModelUnreadable."""
    models = {name: answer_export(workspace, name, job.images, job.one_patient) for name in job.models}
    yield from answer_upload(job.images, models, None if job.keep is None else workspace.root / job.keep, job.keep)


def answer_export(workspace: Workspace, name: str, images: Sequence[HandedImage], one_patient: bool) -> Asked:
    """Return what asks the exported model at a path in the workspace about `images`; raise ModelUnreadable."""
    path = workspace.resolve(name)
    model = _opened(path, path.stat().st_mtime_ns if path.is_file() else 0)
    units = handed_units(model, images, one_patient)
    return Asked(
        lambda image, called, header, box, place: ModelAnswer(
            model=name, prediction=prediction(model, image, called, header, box, units, place)
        ),
        model.preprocessing,
        units,
    )


def handed_units(model: Answering, images: Sequence[HandedImage], one_patient: bool) -> UnitCollector | None:
    """Return what gathers a model's answers by breast, exam or patient, of images known by the names their owner gives them."""
    rule = model.unit_rule
    if rule is None:
        return None
    # Of several models one may take every frame: each is asked about what any of them takes.
    frames = {
        frame: Path(image.name)
        for image in images
        for frame in (Path(image.path), *frames_of(Path(image.path), "each"))
    }
    return UnitCollector(rule, model.class_names, list(frames), one_patient, frames)


def answer_upload(
    images: Sequence[HandedImage], models: dict[str, Asked], keep: Path | None, kept: str | None
) -> Iterator[Event]:
    """Yield what the models say of each image, a copy of which goes to `keep`; and at the end that it is the end.

    Every frame of a DICOM file is an image where one of the models takes them so.
    """
    failed, count = 0, 0
    frames: Frames = "each" if any(model.preprocessing.frames == "each" for model in models.values()) else "middle"
    for handed in images:
        path = Path(handed.path)
        if keep is not None:
            private_folder(keep)
            copy = keep / f"{handed.image}_{_ODD.sub('_', Path(handed.name).name)[-100:]}"
            shutil.copyfile(path, copy)
            make_private(copy)
        for frame in frames_of(path, frames):
            count += 1
            name = f"{handed.name}{frame.name.removeprefix(path.name)}"
            try:
                seen = _seen_by(models.values(), frame)
            except BreastAIError as error:
                failed += 1
                for model in models.values():
                    if model.units is not None:
                        model.units.fail(frame)
                said = [ModelAnswer(model=each, prediction=unreadable(error, name)) for each in models]
                yield ImageAnswer(image=handed.image, name=name, picture=None, answers=said)
                continue
            header = header_of(frame)
            answers = [
                model.ask(image, name, header, handed.box, frame)
                for model, image in zip(models.values(), seen, strict=True)
            ]
            picture = data_uri(seen[0].pixels, _PICTURE_SIDE)
            height, width = seen[0].pixels.shape[:2]
            yield ImageAnswer(
                image=handed.image, name=name, picture=picture, width=width, height=height, answers=answers
            )
    units = [
        answer for name, model in models.items() if model.units is not None for answer in model.units.answers(name)
    ]
    notes = [unknown_units(model.units, count) for model in models.values() if model.units is not None]
    told = [note for note in notes if note is not None]
    yield ImagesAnswered(count=count, failed=failed, kept=kept, units=units, notes=told[:1])


def _seen_by(models: Iterable[Asked], path: Path) -> list[Decoded]:
    """Return the image at `path` as each model has it decoded; raise ImageUnreadable."""
    decoded: dict[BitDepth, Decoded] = {}
    seen: list[Decoded] = []
    for model in models:
        depth = model.preprocessing.bit_depth
        if depth not in decoded:
            decoded[depth] = read_for(path, model.preprocessing)
        seen.append(decoded[depth])
    return seen


@lru_cache(maxsize=_OPEN_MODELS)  # the light worker is asked image by image
def _opened(path: Path, changed_ns: int) -> OnnxModel:
    return OnnxModel.open(path)
