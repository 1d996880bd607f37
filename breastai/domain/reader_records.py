"""A study of readers as it is kept: what was read, the figures, how they compare, how far readers agree."""

from typing import Literal

from pydantic import Field

from breastai.domain.records import Figure, Number
from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.text import Text

# What a figure of merit is of; each from 0 to 1.
Merit = Literal["auc", "sensitivity", "specificity"]
CovarianceMethod = Literal["delong", "jackknife"]
# What is random, and so what the result speaks of beyond the study: other readers, other cases, or both.
AnalysisKind = Literal["readers_and_cases", "cases", "readers"]
# Stands for the only test of a table without a column for it; whoever shows it says readers.one_test.
ONE_TEST = "reading"


class ReaderComponents(Stored):
    """The error's average variance and covariances, and the mean squares, of Obuchowski and Rockette's model."""

    variance: float
    same_reader: Number = Field(None, description="Cov1: the same reader with two tests.")
    same_test: Number = Field(None, description="Cov2: two readers with the same test.")
    neither: Number = Field(None, description="Cov3: two readers, each with another test.")
    ms_test: Number = None
    ms_reader: Number = None
    ms_test_reader: Number = None


class ReaderFigure(Stored):
    """One reader's figure with one test."""

    reader: str
    test: str
    figure: Figure


class ReaderEffect(Stored):
    """A mean over readers, or a difference: first minus second. `degrees`: null for infinite."""

    analysis: AnalysisKind
    figure: Figure
    error: float
    degrees: Number = None
    statistic: Number = None
    p_value: Number = None
    adjusted_p: Number = Field(None, description="By Holm's method over the differences of one figure and analysis.")


class ReaderMean(ReaderEffect):
    """The mean of a test over its readers."""

    test: str


class ReaderDifference(ReaderEffect):
    """The difference of two tests; of all readers, or of `reader` alone."""

    first: str
    second: str
    reader: str | None = None


class ModelDifference(ReaderEffect):
    """How much better than the model's the mean of the readers with `test` is."""

    test: str


class OverallTest(Stored):
    """The test that all tests have one mean. `second_degrees`: null for infinite, which is a chi-squared test."""

    analysis: AnalysisKind
    statistic: float
    first_degrees: int
    second_degrees: Number = None
    p_value: float


class MeritAnalysis(Stored):
    """All that a study shows of one figure of merit."""

    merit: Merit
    figures: list[ReaderFigure]
    components: ReaderComponents
    means: list[ReaderMean]
    overall: list[OverallTest] = []
    differences: list[ReaderDifference] = []
    by_reader: list[ReaderDifference] = []
    model: Figure | None = None
    against_model: list[ModelDifference] = []


class Agreement(Stored):
    """How far readers agree with a test, beyond chance: of two `readers` Cohen's kappa, of all Fleiss'."""

    measure: Literal["cohen", "cohen_linear", "cohen_quadratic", "fleiss"]
    of: Literal["calls", "scores"]
    test: str
    readers: list[str]
    figure: Figure


class ReaderStudyRecord(StoredDocument):
    """A study of readers as it is kept: no name of a case or a patient."""

    notice: str
    created: str
    breastai: str
    comparison_id: str
    table: str = Field(description="The name of the file that was read.")
    target_class: str
    readers: list[str]
    tests: list[str]
    cases: int
    positives: int
    patients: int | None = None
    covariance: CovarianceMethod = "delong"
    call_from: Number = Field(
        None, description="The score from which a reading counts as a call, where none was written."
    )
    model: str | None = Field(
        None, description="The checkpoint or the table of predictions that readers are compared with."
    )
    model_threshold: Number = None
    analyses: list[MeritAnalysis]
    agreement: list[Agreement] = []
    notes: list[Text | str] = []
