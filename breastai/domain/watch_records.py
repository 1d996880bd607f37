"""What a watched folder leaves behind: a line of its ledger for each file, and each answer in whole."""

from breastai.domain.catalog import RESEARCH_USE
from breastai.domain.events import Prediction
from breastai.domain.records import Number
from breastai.domain.stored import StoredDocument
from breastai.domain.text import Text


class LedgerLine(StoredDocument):
    """A file that was answered, or left out; in files of several frames, perhaps each. No pixels, and no labels.

    `file`: its name below the watched folder. `changed_ns`, `size_bytes`: of the file, as they were when it was read.
    `brightness`, `contrast`: mean and standard deviation of its grey values, from 0 to 255.
    """

    file: str
    sha256: str
    size_bytes: int
    changed_ns: int
    time: str
    model: str
    is_skipped: bool = False
    error: Text | str | None = None
    answer: str | None = None
    decision: str | None = None
    probabilities: dict[str, float] | None = None
    target_class: str | None = None
    threshold: Number = None
    called: bool | None = None
    refer: bool | None = None
    refer_reason: str | None = None
    novelty: Number = None
    novelty_limit: Number = None
    width: int | None = None
    height: int | None = None
    brightness: Number = None
    contrast: Number = None
    modality: str | None = None

    @property
    def score(self) -> float | None:
        """The probability of the target class; without one, of the decision."""
        return (self.probabilities or {}).get(self.target_class or self.decision or "")


class WatchedAnswer(StoredDocument):
    """The whole answer for one file."""

    notice: str = RESEARCH_USE
    model: str
    sha256: str
    prediction: Prediction


class Attempt(StoredDocument):
    """Which file is being read, and how often that was begun without an end: one may crash whatever reads it."""

    file: str
    sha256: str
    times: int = 1
