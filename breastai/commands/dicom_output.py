"""What `explain --dicom` and `watch --dicom` write: objects of the study each image belongs to, and lines that tell of them."""

from pathlib import Path

from breastai.commands.format_text import decision
from breastai.commands.language import current_language
from breastai.commands.output import ForwardedOutput, Output
from breastai.commands.run_job import require_packages
from breastai.data.decoders.decoder import Decoded
from breastai.domain.errors import ImageUnreadable
from breastai.domain.events import Event, ExplanationsComplete, HeatMap, Log, Prediction
from breastai.domain.text import Text
from breastai.predictor.dicom_objects import Answered, DicomWriter, Explained
from breastai.storage.workspace import Workspace


class DicomWritten(ForwardedOutput):
    """An output that writes what it hears of as DICOM, too; raises MissingExtra where that can't be."""

    def __init__(self, output: Output, folder: Path, workspace: Workspace, model: str) -> None:
        require_packages(("highdicom",), "dicom")
        super().__init__(output)
        self._writer = DicomWriter(folder.expanduser().resolve(), current_language())
        self._workspace, self._model = workspace, model
        self._written = 0

    def event(self, event: Event) -> None:
        if isinstance(event, HeatMap):
            super().event(event)
            self._write(event)
            return
        if isinstance(event, ExplanationsComplete):
            folder = self._writer.folder.as_posix()
            super().event(Log.of("info", Text("log.dicom.written", {"count": self._written, "folder": folder})))
        super().event(event)

    def _write(self, event: HeatMap) -> None:
        if event.path is None or event.explained_class is None or event.probabilities is None:
            return
        source, overlay = self._workspace.resolve(event.file), self._workspace.resolve(event.path)
        try:
            explained = Explained(source, overlay, event.explained_class, event.probabilities, self._model)
            self._written += len(self._writer.write(explained))
        except ImageUnreadable as error:
            super().event(_not_written(event.file, error))


class AnswersWritten:
    """Writes each answer of a watched folder as DICOM before it is in the ledger; raises MissingExtra where that can't be."""

    def __init__(self, output: Output, folder: Path, model: str) -> None:
        require_packages(("highdicom",), "dicom")
        self._writer = DicomWriter(folder, current_language())
        self._output, self._model = output, model

    def __call__(self, path: Path, said: Prediction, decoded: Decoded | None) -> None:
        """Write what a model said of the image at `path`; one that is no DICOM file, or of no study, is told of."""
        if decoded is None or said.probabilities is None:
            return
        try:
            self._writer.write_answer(Answered(path, decoded.pixels, said.probabilities, decision(said), self._model))
        except ImageUnreadable as error:
            self._output.event(_not_written(said.file, error))


def _not_written(file: str, error: ImageUnreadable) -> Log:
    return Log.of("warning", Text("log.dicom.not_written", {"file": file, "reason": error.reason}))
