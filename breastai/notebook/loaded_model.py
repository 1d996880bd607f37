"""A model loaded once and asked as often as one likes: an exported file, which needs no torch, or a checkpoint."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from breastai.commands.answering_model import open_model
from breastai.commands.effective_config import with_datasets
from breastai.commands.language import follow_system_language, say
from breastai.data.preprocessing.lesion_boxes import Box, wants_box
from breastai.data.sources.frames import files_of
from breastai.domain.decision_rule import DecisionRule
from breastai.domain.errors import CheckpointNotFound, CommandInvalid
from breastai.domain.text import Text
from breastai.notebook.prediction_list import Predictions
from breastai.notebook.study_results import ExportResult, TrainingResult
from breastai.predictor.image_files import listed_images, marked_in
from breastai.predictor.predictions import Answering, predictions, unit_collector
from breastai.storage.workspace import Workspace, removing_unused_folders

ModelName = str | Path | TrainingResult | ExportResult
Images = str | Path | Sequence[str | Path]


@removing_unused_folders()
def load(model: ModelName, *, workspace: str | Path | None = None) -> "Model":
    """Return a model: of an .onnx file, a run or one of its checkpoints, `latest`, or what training and export gave back.

    Raises ModelUnreadable, CheckpointNotFound, and MissingExtra where a checkpoint is asked for without torch.
    """
    follow_system_language()
    place, name = workspace_of(model, workspace), name_of(model)
    return Model(name, open_model(place, name), place)


def workspace_of(model: ModelName, wished: str | Path | None) -> Workspace:
    """Return the workspace that is wished; by default that of a result, or else the current folder."""
    own = model.workspace if isinstance(model, TrainingResult | ExportResult) else Path()
    return Workspace.open(own if wished is None else wished)


def name_of(model: ModelName) -> str:
    """Return the name by which the command line knows a model; raise CheckpointNotFound for a run that saved none."""
    if isinstance(model, ExportResult):
        return str(model.path)
    if isinstance(model, TrainingResult):
        if model.checkpoint is None:
            raise CheckpointNotFound(model.run_id, [])
        return model.checkpoint
    return str(model)


class Model:
    """A loaded model. `decision`: its calibration, operating point, plausible classes and limit of novelty."""

    def __init__(self, name: str, answering: Answering, workspace: Workspace) -> None:
        self.name = name
        self._answering, self._workspace = answering, workspace

    @property
    def class_names(self) -> list[str]:
        return list(self._answering.class_names)

    @property
    def image_size(self) -> int:
        """Side of the square the network sees, in pixels."""
        return self._answering.image_size

    @property
    def decision(self) -> DecisionRule:
        return self._answering.decision

    def predict(
        self, images: Images, *, box: Box | None = None, pictures: bool = True, one_patient: bool = False
    ) -> Predictions:
        """Return an answer for each image that files, folders and patterns mean; a file that can't be read has an error.

        `box`: for a model of lesion crops and one image, where the lesion is: x, y, width and height in pixels.
        `one_patient`: all images are of one patient, for a model that decides by breast, exam or patient: `units` of the
        answer has what it says of these.
        `pictures`: whether a notebook shows the images beside their answers, and keeps them when it is saved.
        Raises ImageUnreadable for a name without a file, and NoImages for a folder or pattern without images.
        """
        wanted = [str(images)] if isinstance(images, str | Path) else [str(each) for each in images]
        named = with_datasets(wanted, self._workspace)
        listed = listed_images(named, Path.cwd())
        if box is not None and len(listed.files) != 1:
            raise CommandInvalid(Text("command.box", {"box": str(box)}), "breastai predict --help")
        files = files_of(listed.files, self._answering.preprocessing.frames)
        boxes = {} if box is None else {listed.files[0]: box}
        if wants_box(self._answering.preprocessing):
            boxes = marked_in(named, Path.cwd()) | boxes
        units = unit_collector(self._answering, files, one_patient)
        found = list(predictions(self._answering, files, self._workspace.relative, boxes, units))
        left_out = {**listed.masks, **listed.others}
        return Predictions(found, self.class_names, files, pictures, left_out, [] if units is None else units.answers())

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {self.class_names})"

    def _repr_html_(self) -> str:
        point = self.decision.operating_point
        lines = [say("notebook.model", name=self.name, classes=", ".join(self.class_names), side=self.image_size)]
        if point is not None:
            lines.append(say("notebook.threshold", name=point.class_name, threshold=f"{point.threshold:.3f}"))
        return "".join(f"<div>{escape(line)}</div>" for line in [*lines, say("page.research_use")])
