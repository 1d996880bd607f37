"""Settings of patients: where the patient of an image is found, and of whom a decision is."""

from typing import Literal

from pydantic import Field

from breastai.domain.settings import Settings

DecisionUnit = Literal["breast", "exam", "patient"]
# What a setting may ask for; `auto`: what the data suggest.
UnitSetting = Literal["auto", "image", "breast", "exam", "patient"]
PoolingRule = Literal["mean", "largest", "noisy_or", "learnt", "attention"]


class FilenamePattern(Settings):
    """The patient id is what the first group matches in the file's name."""

    pattern: str = Field(min_length=1, max_length=500)


class FolderLevel(Settings):
    """The patient id is a folder below the class folder: 1 is the first one."""

    folder: int = Field(ge=1, le=10)


class PatientTable(Settings):
    """The patient id stands in a CSV file with the columns file and patient_id."""

    csv: str = Field(min_length=1)


class DicomHeader(Settings):
    """The patient id stands in the DICOM files themselves; it is hashed with the project's salt before it is used.

    With a pattern it is what the pattern's first group finds in the header's value, such as P_00001 in P_00001_LEFT_CC.
    """

    dicom: Literal["patient_id"]
    pattern: str | None = Field(None, min_length=1, max_length=500)


PatientIdRule = FilenamePattern | FolderLevel | PatientTable | DicomHeader
