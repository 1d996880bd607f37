"""The document of a report: every number and fact it will show, fit for JSON."""

from typing import Any

from pydantic import Field

from breastai.domain.comparison_record import ComparisonRecord
from breastai.domain.dataset_description import CorrectionCounts
from breastai.domain.reader_records import ReaderStudyRecord
from breastai.domain.records import Evidence, Finding, UnitEvidence
from breastai.domain.site_records import Adaptation, SitesRecord
from breastai.domain.stored import Stored, StoredDocument


class Flow(Stored):
    """Images in and out, and patients where known. `found`: image files of the training and validation folders; the parts add up to it."""

    found: int
    skipped: int
    left_out: dict[str, int]
    train: dict[str, int]
    val: dict[str, int]
    train_total: int
    val_total: int
    calibration: dict[str, int] = {}
    calibration_total: int = 0
    calibration_patients: int | None = None
    masks: int
    train_patients: int | None = None
    val_patients: int | None = None
    test_patients: int | None = None
    test_total: int | None = None
    test_skipped: int | None = None
    corrections: CorrectionCounts = CorrectionCounts()


class AdaptedModel(Stored):
    """A model adapted to a site. `origin`: the run whose records tell of its training; null where they aren't at hand.

    `adaptation` is without its lists of hashes; `earlier_images` counts those of earlier samples.
    """

    adaptation: Adaptation
    earlier_images: int = 0
    origin: str | None = None
    judges_rest: bool = Field(
        False, description="Whether the judged images are those of the site that the sample left."
    )


class AuditSummary(Stored):
    images: int
    groups: int
    contradicting: int
    across: int
    findings: list[Finding]


class PerHundred(Stored):
    """The operating point in plain words: of 100 images of the class so many are missed, of 100 others so many flagged."""

    missed: int
    missed_low: int | None
    missed_high: int | None
    called: int
    called_low: int | None
    called_high: int | None


class Crosstab(Stored):
    """The judged images at the operating point: called or not, by what is true."""

    hits: int
    alarms: int
    missed: int
    cleared: int


class WorstCase(Stored):
    """A case whose true class got a low probability. `number` is its place in the evaluation's record."""

    number: int
    name_sha256: str
    label: str
    predicted: str
    probability: float
    given_to_truth: float


class ReportDocument(StoredDocument):
    """All of a report, fit for JSON. Of another model's predictions nothing is known of flow, split and training."""

    notice: str
    created: str
    breastai: str
    language: str
    run_id: str
    model: dict[str, Any]
    adapted: AdaptedModel | None = Field(
        None, description="Of a model adapted to a site; flow, audit and training are of the run it began as."
    )
    flow: Flow | None = Field(None, description="Null where the predictions are another model's.")
    patients: int | None
    split: dict[str, Any] = {}
    fingerprints: dict[str, str] = {}
    audit: AuditSummary | None = None
    training: dict[str, Any] | None = None
    validation: dict[str, Any] = {}
    decision: dict[str, Any] = {}
    evaluation: dict[str, Any] | None
    evidence: Evidence | None
    by_unit: UnitEvidence | None = None
    openings: list[dict[str, Any]] = []
    per_hundred: PerHundred | None
    crosstab: Crosstab | None = None
    subgroup_tests: int = Field(
        0, description="Differences of subgroups that were tested, by which p-values are adjusted."
    )
    worst: list[WorstCase]
    settings: dict[str, Any] = {}
    versions: dict[str, str] = {}
    sites: SitesRecord | None = None
    comparisons: list[ComparisonRecord] = []
    readers: list[ReaderStudyRecord] = []
    checklists: dict[str, list[dict[str, str | None]]] = {}

    @property
    def is_recorded(self) -> bool:
        """Whether the records of the training are at hand; of an adapted model they may have stayed elsewhere."""
        return self.adapted is None or self.adapted.origin is not None
