"""A classifier in an exported .onnx file: what it says of itself, and its probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnxruntime
from pydantic import Field, ValidationError, field_validator

from breastai.clinical.apply_decision_rule import decide
from breastai.data.patients.decision_units import check_rule
from breastai.data.preprocessing.preprocess import preprocess
from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.config import PreprocessingSettings, of_a_model
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.errors import FormatTooNew, ModelUnreadable, ReferencesDiffer
from breastai.domain.settings import STORED
from breastai.domain.stored import Stored
from breastai.domain.text import Text
from breastai.domain.unit_rule import UnitRule
from breastai.predictor.model_output import Answer, join_outputs
from breastai.predictor.reference_answers import References, Replayed, compare_references, reference_images
from breastai.predictor.unit_answers import decide_units
from breastai.storage.control_groups import usable_cores

METADATA_KEY = "breastai"
INPUT_NAME = "images"
OUTPUT_NAME = "probabilities"
NOVELTY_NAME = "novelty"
# Of a model that decides by breast, exam or patient: what pooling needs of each image, and the answer for all images of
# a batch taken as one unit, with the share of each in it.
EVIDENCE_NAME = "unit_evidence"
UNIT_NAME = "unit_probabilities"
WEIGHTS_NAME = "unit_weights"

# What is said in a file from anywhere: no export of ours comes near.
_MOST_METADATA_CHARACTERS = 4 * 2**20
_LARGEST_SIDE = 4096
_SLACK = 1e-3
_MOST_CLASSES = 1000

Pixels = npt.NDArray[np.uint8]
Probabilities = npt.NDArray[np.float32]


class EnsembleMember(Stored):
    """One of the checkpoints whose answers a model takes the mean of."""

    checkpoint: str


class ModelMetadata(Stored):
    """What an exported file says of itself, as JSON under METADATA_KEY. `format`: which of EXPORT_FORMATS it is.

    `metadata_format`: of what is said here, raised where an earlier reader would answer otherwise than it should.
    """

    FORMAT: ClassVar[int] = 1

    metadata_format: int = Field(1, ge=1)

    notice: str = RESEARCH_USE
    architecture: str
    class_names: list[Annotated[str, Field(max_length=200)]] = Field(min_length=2, max_length=_MOST_CLASSES)
    image_size: int = Field(ge=1, le=_LARGEST_SIDE)
    preprocessing: PreprocessingSettings
    format: str = "onnx"
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    data_sha256: str | None = None
    decision: DecisionRule = DecisionRule()
    unit_rule: UnitRule | None = None
    decision_fitted_on: str | None = None
    members: list[EnsembleMember] = Field([], max_length=_MOST_CLASSES)
    references: References | None = None

    @field_validator("preprocessing", mode="before")
    @classmethod
    def _as_it_was_prepared(cls, value: Any) -> Any:
        prepared = of_a_model(value)
        return (
            PreprocessingSettings.model_validate(prepared, context=STORED)
            if isinstance(prepared, Mapping)
            else prepared
        )


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """An open model. Its graph takes RGB values from 0 to 255 and does the normalisation itself."""

    path: Path
    metadata: ModelMetadata
    session: Any

    @classmethod
    def open(cls, path: Path, num_threads: int | None = None) -> "OnnxModel":
        """Return the model in the file at `path`; raise ModelUnreadable or FormatTooNew."""
        if not path.is_file():
            raise ModelUnreadable(path.as_posix(), Text("reason.no_such_file"))
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = num_threads or usable_cores()
        try:
            # Bytes, not the name: a path with accents is Python's to open.
            content = path.read_bytes()
            session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            reason = str(error).strip().partition("\n")[0][:200]
            raise ModelUnreadable(
                path.as_posix(), Text("reason.onnx_runtime_cannot_load", {"reason": reason})
            ) from None
        model = cls(path, _read_metadata(path, session), session)
        model._try_decision()
        return model

    def _try_decision(self) -> None:
        """Raise ModelUnreadable where the decision rule is of other classes than the model."""
        classes = len(self.class_names)
        try:
            even = np.full((1, classes), 1 / classes)
            decide(self.decision, even, self.class_names, np.zeros(1), [None])
            if self.unit_rule is not None:
                check_rule(self.unit_rule)
                attention = np.zeros((1, 1 + classes)) if self.unit_rule.pooling.rule == "attention" else even
                decide_units(
                    self.unit_rule, Answer(even, np.zeros(1), attention), np.zeros(1, np.int64), self.class_names
                )
        except Exception as error:  # whatever numbers that do not belong together lead to
            raise self._faulty(f"decision: {type(error).__name__}") from None

    def _faulty(self, fault: str) -> ModelUnreadable:
        return ModelUnreadable(self.path.as_posix(), Text("reason.model_cannot_answer", {"fault": fault}))

    @property
    def class_names(self) -> list[str]:
        return self.metadata.class_names

    @property
    def image_size(self) -> int:
        return self.metadata.image_size

    @property
    def preprocessing(self) -> PreprocessingSettings:
        return self.metadata.preprocessing

    @property
    def decision(self) -> DecisionRule:
        return self.metadata.decision

    @property
    def unit_rule(self) -> UnitRule | None:
        """The rule of breasts, exams or patients; None where the graph tells nothing of these."""
        named = [node.name for node in self.session.get_outputs()]
        return self.metadata.unit_rule if EVIDENCE_NAME in named else None

    def preprocess(self, image: Pixels) -> Pixels:
        """Return a decoded image, (H, W, 1) or (H, W, 3), as (S, S, 3), prepared as in training."""
        return preprocess(image, self.metadata.preprocessing, self.metadata.image_size)

    def predict(self, images: Pixels) -> Probabilities:
        """Return the probabilities, (N, C), of preprocessed images, (N, S, S, 3)."""
        probabilities: Probabilities = self.answer(images).probabilities
        return probabilities

    @property
    def tells_novelty(self) -> bool:
        """Whether the graph says how unlike the validation images an image is, and its metadata from where on it is."""
        named = [node.name for node in self.session.get_outputs()]
        return NOVELTY_NAME in named and self.decision.novelty is not None

    def answer(self, images: Pixels) -> Answer:
        """Return probabilities, float32 (N, C), and novelty (N,) where it is told, of preprocessed images, (N, S, S, 3)."""
        side = self.metadata.image_size
        if images.ndim != 4 or images.shape[1:] != (side, side, 3):
            raise ValueError(f"expected images of shape (N, {side}, {side}, 3), got {images.shape}")
        if len(images) == 0:
            return Answer(np.empty((0, len(self.class_names)), np.float32), None)
        # (N, S, S, 3) -> (N, 3, S, S)
        batch = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
        wanted = [OUTPUT_NAME]
        wanted += [NOVELTY_NAME] if self.tells_novelty else []
        wanted += [EVIDENCE_NAME] if self.unit_rule is not None else []
        try:
            said = dict(zip(wanted, map(np.asarray, self.session.run(wanted, {INPUT_NAME: batch})), strict=True))
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            raise self._faulty(str(error).strip().partition("\n")[0][:200]) from None
        probabilities, novelty, evidence = (said.get(name) for name in (OUTPUT_NAME, NOVELTY_NAME, EVIDENCE_NAME))
        assert probabilities is not None
        expected = (len(images), len(self.class_names))
        if probabilities.shape != expected or not np.issubdtype(probabilities.dtype, np.floating):
            raise self._faulty(f"{probabilities.dtype} {list(probabilities.shape)}, expected {list(expected)}")
        if not ((probabilities >= -_SLACK) & (probabilities <= 1 + _SLACK)).all():  # a NaN is neither
            raise self._faulty("no probabilities between 0 and 1")
        if novelty is not None and novelty.shape != (len(images),):
            raise self._faulty(f"novelty {list(novelty.shape)}")
        if evidence is not None and not np.issubdtype(evidence.dtype, np.floating):
            raise self._faulty(f"{EVIDENCE_NAME} {evidence.dtype}")
        if evidence is not None and (
            evidence.shape != self._evidence_shape(len(images)) or not np.isfinite(evidence).all()
        ):
            raise self._faulty(f"{EVIDENCE_NAME} {list(evidence.shape)}")
        return Answer(probabilities, novelty, evidence)

    def answer_unit(self, images: Pixels) -> tuple[Probabilities, Probabilities]:
        """Return the calibrated probabilities (C,) of preprocessed images (N, S, S, 3) as one breast, exam or patient.

        And the share of each image in them, (N,). Raises ValueError of a model that decides of images alone.
        """
        if self.unit_rule is None or not len(images):
            raise ValueError("no images, or a model that decides of images alone")
        batch = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
        try:
            probabilities, weights = self.session.run([UNIT_NAME, WEIGHTS_NAME], {INPUT_NAME: batch})
        except Exception as error:  # ONNX Runtime's own exceptions share no base class
            raise self._faulty(str(error).strip().partition("\n")[0][:200]) from None
        return probabilities[0], weights

    def _evidence_shape(self, count: int) -> tuple[int, int]:
        attends = self.unit_rule is not None and self.unit_rule.pooling.rule == "attention"
        return count, len(self.class_names) + attends

    def replay(self) -> Replayed:
        """Ask the model again what it was asked at its export; raise ModelUnreadable when it carries no references."""
        references = self.metadata.references
        if references is None:
            raise ModelUnreadable(self.path.as_posix(), Text("reason.carries_no_reference_answers"))
        images = reference_images(
            self.metadata.preprocessing,
            self.metadata.image_size,
            len(references.probabilities),
            references.seed,
            references.side,
        )
        if any(len(row) != len(self.class_names) for row in references.probabilities):
            raise ModelUnreadable(self.path.as_posix(), Text("reason.reference_answers_other_classes"))
        found = join_outputs([self.answer(images[number : number + 1]) for number in range(len(images))])
        return compare_references(references, images, found)

    def verify(self) -> Replayed:
        """Replay the references; raise ReferencesDiffer when this copy answers otherwise than the exported model."""
        found = self.replay()
        if not found.agrees:
            raise ReferencesDiffer(
                self.path.as_posix(), float(f"{found.difference:.2g}"), found.allowed, found.changed, _drawn(found)
            )
        return found


def _drawn(found: Replayed) -> str:
    same = "the phantoms are the same to the bit"
    return same if found.same_images else "the phantoms drawn here differ from those of the export, too"


def _read_metadata(path: Path, session: Any) -> ModelMetadata:
    text = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None:
        raise ModelUnreadable(path.as_posix(), Text("reason.not_exported_breastai"))
    if len(text) > _MOST_METADATA_CHARACTERS:
        damage = {"place": METADATA_KEY, "fault": f"{len(text)} > {_MOST_METADATA_CHARACTERS}"}
        raise ModelUnreadable(path.as_posix(), Text("reason.metadata_damaged", damage))
    try:
        metadata = ModelMetadata.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))
        raise ModelUnreadable(
            path.as_posix(), Text("reason.metadata_damaged", {"place": place, "fault": fault["msg"]})
        ) from None
    if metadata.metadata_format > metadata.FORMAT:
        raise FormatTooNew(path.as_posix(), metadata.metadata_format, metadata.FORMAT)
    inputs = [node.name for node in session.get_inputs()]
    outputs = {node.name: node.shape for node in session.get_outputs()}
    if inputs != [INPUT_NAME] or OUTPUT_NAME not in outputs:
        raise ModelUnreadable(
            path.as_posix(),
            Text("reason.graph_other_inputs_outputs", {"inputs": str(inputs), "outputs": str(list(outputs))}),
        )
    classes = outputs[OUTPUT_NAME][-1]
    if isinstance(classes, int) and classes != len(metadata.class_names):
        reason = f"it gives {classes} probabilities for {len(metadata.class_names)} classes"
        raise ModelUnreadable(path.as_posix(), reason)
    return metadata
