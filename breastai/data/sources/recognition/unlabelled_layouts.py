"""Images of which nothing says the class: a CD or PACS export, masks alone, pictures in a folder."""

from pathlib import PurePosixPath

from breastai.data.sources.recognition.recogniser import Reading, Recogniser
from breastai.data.sources.recognition.survey import Survey, is_dicom_name
from breastai.domain.text import Text


def _dicom_export(survey: Survey) -> Reading | None:
    if not survey.images:
        return None
    dicom = sum(is_dicom_name(file) for file in survey.images) / len(survey.images)
    bare = sum(not PurePosixPath(file).suffix for file in survey.images) / len(survey.images)
    listed = (survey.place / "DICOMDIR").is_file() or any(
        (survey.place / folder / "DICOMDIR").is_file() for folder in survey.folders[:50]
    )
    if dicom < 0.8 or not (listed or bare > 0.5 or any(header.patient_id for header in survey.headers)):
        return None
    return Reading(0.3 if listed or bare > 0.5 else 0.2, None, (Text("doubt.no_labels"),))


DICOM_EXPORT = Recogniser("dicom_export", _dicom_export)
