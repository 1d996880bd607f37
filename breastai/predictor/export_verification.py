"""The job that asks an exported model again what it was asked at its export."""

from collections.abc import Iterator

from breastai.domain.events import Event, ExportVerified
from breastai.domain.jobs import VerifyExport
from breastai.predictor.onnx_model import OnnxModel
from breastai.storage.exports import find_export
from breastai.storage.workspace import Workspace


def verify_export(job: VerifyExport, workspace: Workspace) -> Iterator[Event]:
    """Verify an ONNX file; raise ExportNotFound, ModelUnreadable or ReferencesDiffer."""
    found = OnnxModel.open(find_export(workspace, job.path)).verify()
    yield ExportVerified(
        path=job.path, references=found.count, max_difference=float(found.difference), allowed_difference=found.allowed
    )
