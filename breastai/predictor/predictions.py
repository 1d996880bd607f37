"""Predictions: an answer for each image file, or the reason why there is none."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np

from breastai.clinical.apply_decision_rule import decide
from breastai.data.decoders.decoder import NO_HEADER, Decoded, Header
from breastai.data.decoders.decoder_table import header_of
from breastai.data.decoders.file_content import file_at
from breastai.data.preprocessing.lesion_boxes import Box, check_mark, marked_box, wants_box
from breastai.data.preprocessing.model_images import read_for, reading_notes
from breastai.data.preprocessing.preprocess import Pixels, preprocess_image
from breastai.domain.config import PreprocessingSettings
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.errors import BreastAIError, ImageUnreadable
from breastai.domain.events import Event, Log, Prediction, PredictionsComplete, Processing, ProgressUpdate
from breastai.domain.text import Text
from breastai.domain.unit_rule import UnitRule
from breastai.predictor.model_output import Answer
from breastai.predictor.unit_answers import UnitCollector, decided_fields
from breastai.storage.control_groups import usable_cores

BATCH_SIZE = 8
# Activations of a batch take memory in proportion to its pixels: larger images come in smaller batches.
_BATCH_PIXELS = 8 * 224 * 224
_MOST_READERS = 4


class Answering(Protocol):
    """A model as predictions need it: an ONNX file's, or a checkpoint's."""

    @property
    def class_names(self) -> list[str]: ...
    @property
    def image_size(self) -> int: ...
    @property
    def preprocessing(self) -> PreprocessingSettings: ...
    @property
    def decision(self) -> DecisionRule: ...
    @property
    def unit_rule(self) -> UnitRule | None: ...

    def answer(self, images: Pixels) -> Answer:
        """Return the answers for preprocessed images, (N, S, S, 3)."""
        ...


@dataclass(frozen=True)
class _Read:
    """An image file ready for the network, or the reason why not."""

    pixels: Pixels | None
    processing: Processing | None
    reason: Text | str | None
    header: Header = NO_HEADER
    notes: Sequence[Text | str] = ()


def predictions(
    model: Answering,
    files: Sequence[Path],
    name_of: Callable[[Path], str],
    boxes: Mapping[Path, Box] | None = None,
    units: UnitCollector | None = None,
) -> Iterator[Prediction]:
    """Yield one prediction for each file, in order; `name_of` says how a file is called in it.

    `boxes`: where a lesion is marked, for a model that looks at its surroundings; other files are looked up beside them.
    Files are read by several threads while the network computes. `units` takes what each says of its breast or patient.
    """
    given = boxes or {}
    size = max(1, min(BATCH_SIZE, _BATCH_PIXELS // model.image_size**2))
    readers = min(usable_cores(), _MOST_READERS)
    with ThreadPoolExecutor(readers, "reader") as pool:
        waiting: deque[Future[_Read]] = deque()
        coming = iter(files)
        try:
            for start in range(0, len(files), size):
                # While the network computes a batch the whole next one is read: squares of its own size, little memory.
                ahead = size + max(size, readers) - len(waiting)
                waiting.extend(
                    pool.submit(_read, file, model, given.get(file_at(file))) for file in islice(coming, ahead)
                )
                batch = files[start : start + size]
                yield from _answered(model, batch, [waiting.popleft().result() for _ in batch], name_of, units)
        finally:
            for future in waiting:
                future.cancel()


def unit_collector(model: Answering, files: Sequence[Path], one_patient: bool = False) -> UnitCollector | None:
    """Return what gathers the answers by breast, exam or patient; None for a model that decides of images alone."""
    rule = model.unit_rule
    return None if rule is None else UnitCollector(rule, model.class_names, files, one_patient)


def predict_files(
    model: Answering,
    files: Sequence[Path],
    name_of: Callable[[Path], str],
    boxes: Mapping[Path, Box] | None = None,
    one_patient: bool = False,
) -> Iterator[Event]:
    """Yield a prediction for each file, how far they are where there are many, those of units, and that all are complete.

    `one_patient`: all files are of one, whatever their names say.
    """
    units = unit_collector(model, files, one_patient)
    if one_patient and units is None:
        yield Log.of("warning", Text("log.predict.by_image"))
    failed, count = 0, len(files)
    for number, answer in enumerate(predictions(model, files, name_of, boxes, units), 1):
        failed += answer.error is not None
        yield answer
        if count > BATCH_SIZE:
            text = Text("progress.images", {"done": number, "total": count})
            yield ProgressUpdate(stage="predicting", text=text, progress=number / count)
    if units is not None:
        yield from units.answers()
        note = unknown_units(units, count)
        if note is not None:
            yield Log.of("info", note)
    yield PredictionsComplete(count=count, failed=failed)


def unknown_units(units: UnitCollector, count: int) -> Text | None:
    """Return a word on images whose breast, exam or patient neither name nor header tells; None where all do."""
    missing = units.unknown
    if not missing:
        return None
    params = {"count": len(missing), "total": count, "file": missing[0], "unit": Text(f"unit.{units.unit}")}
    return Text("log.predict.unit_unknown", params)


def prediction(
    model: Answering,
    decoded: Decoded,
    name: str,
    header: Header = NO_HEADER,
    box: Box | None = None,
    units: UnitCollector | None = None,
    file: Path | None = None,
) -> Prediction:
    """Return the prediction for an image decoded by the model's settings; `box`: where a lesion is marked in it.

    `units` takes what it says of the breast or patient of `file`.
    """
    try:
        ready = _ready(decoded, name, model, header, box)
    except ImageUnreadable as error:
        return unreadable(error, name)
    (found,) = _answered(model, [file or Path(name)], [ready], lambda _: name, units)
    return found


def unreadable(error: BreastAIError, name: str) -> Prediction:
    """Return what is said of an image that can't be read."""
    return Prediction(file=name, label=None, probabilities=None, error=str(_reason(error)), error_text=_reason(error))


def _reason(error: BreastAIError) -> Text | str:
    return error.reason if isinstance(error, ImageUnreadable) else str(error)


def _read(file: Path, model: Answering, box: Box | None) -> _Read:
    try:
        box = marked_box(file) if box is None and wants_box(model.preprocessing) else box
        return _ready(read_for(file, model.preprocessing), file.name, model, header_of(file), box)
    except BreastAIError as error:
        return _Read(None, None, _reason(error))


def _ready(decoded: Decoded, name: str, model: Answering, header: Header, mark: Box | None) -> _Read:
    image = decoded.pixels
    check_mark(mark, model.preprocessing, name, image.shape)
    pixels, region = preprocess_image(image, model.preprocessing, model.image_size, mark)
    height, width = image.shape[:2]
    box = (region.left, region.top, region.width, region.height)
    processing = Processing(
        width=width,
        height=height,
        colour=image.shape[2] == 3,
        crop=None if box == (0, 0, width, height) else box,
        flipped=region.flipped,
        resize=model.preprocessing.resize,
        clahe=model.preprocessing.clahe,
        image_size=model.image_size,
    )
    notes = reading_notes(decoded, name, model.preprocessing)
    if mark is None and wants_box(model.preprocessing):
        notes.append(Text("note.no_mark"))
    return _Read(pixels, processing, None, header, notes)


def _answered(
    model: Answering,
    files: Sequence[Path],
    read: Sequence[_Read],
    name_of: Callable[[Path], str],
    units: UnitCollector | None = None,
) -> Iterator[Prediction]:
    images = [each.pixels for each in read if each.pixels is not None]
    found = model.answer(np.stack(images)) if images else Answer(np.empty((0, len(model.class_names))), None)
    modalities = [each.header.modality for each in read if each.pixels is not None]
    decisions = decide(model.decision, found.probabilities, model.class_names, found.novelty, modalities)
    novelty = [None] * len(images) if found.novelty is None else found.novelty.tolist()
    answers = iter(zip(found.probabilities.tolist(), novelty, decisions, found.rows(), strict=True))
    for file, each in zip(files, read, strict=True):
        if each.reason is not None:
            if units is not None:
                units.fail(file)
            yield Prediction(
                file=name_of(file), label=None, probabilities=None, error=str(each.reason), error_text=each.reason
            )
            continue
        row, strangeness, decision, own = next(answers)
        if units is not None:
            units.add(file, name_of(file), own, each.header.modality)
        named = dict(zip(model.class_names, row, strict=True))
        yield Prediction(
            file=name_of(file),
            processing=each.processing,
            laterality=each.header.laterality,
            view=each.header.view,
            modality=each.header.modality,
            notes=list(each.notes),
            **decided_fields(model.decision, decision, named, strangeness),
        )
