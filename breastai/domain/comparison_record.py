"""A comparison of two models as it is kept: figures, decisions at the operating points, a margin stated beforehand."""

from typing import Literal

from pydantic import Field

from breastai.domain.records import Number, PairedFigure
from breastai.domain.stored import Stored, StoredDocument
from breastai.domain.text import Text

# Where the thresholds come from: each model's own, the user, or a part of the cases set apart for it.
ThresholdSource = Literal["model", "option", "part"]


class McNemarTest(Stored):
    """A test of the cases that one of two models alone decides rightly.

    `exact`: the binomial one of McNemar, of cases that stand alone. `clustered`: that of Durkalski et al. (Stat Med
    2003;22:2417-2428), of several images of a patient.
    """

    method: Literal["exact", "clustered"]
    first_only: int = Field(description="Cases that the first alone decides rightly.")
    second_only: int
    statistic: Number = None
    p_value: Number = None
    adjusted_p: Number = None


class DecisionComparison(Stored):
    """Two models' decisions about one class. Figures with @patient count a patient once, by any image that is called."""

    class_name: str
    first_threshold: float
    second_threshold: float
    source: ThresholdSource
    chosen_on: str | None = Field(None, description="The part, COLUMN=VALUE, that thresholds were chosen on.")
    exchange: float = Field(description="The threshold probability by which net benefit weighs a false alarm.")
    prevalences: dict[str, float] = Field({}, description="By NAME of net_benefit.NAME: how common the class is there.")
    figures: dict[str, PairedFigure]
    mcnemar: dict[str, McNemarTest]


class StatedMargin(Stored):
    """A margin of a figure, with the time at which it was first stated in the workspace."""

    margin: float
    stated: str


class NonInferiority(Stored):
    """Whether the first model is worse than the second by less than `margin`, by the bound of the difference's interval."""

    figure: str
    margin: float
    stated: str = Field(description="When this margin was first stated in this workspace.")
    beforehand: bool = Field(description="Whether that was before this comparison was asked for.")
    others: list[StatedMargin] = Field(
        [], description="Other margins of the figure that were stated in this workspace before: which one was meant?"
    )
    bound: Number = Field(description="The end of the 95 % interval on the side of the margin.")
    shown: bool | None = Field(description="Null where there is no such bound.")


class ComparisonRecord(StoredDocument):
    """A comparison as it is kept: no name of a case or a patient."""

    notice: str
    created: str
    breastai: str
    comparison_id: str
    first: str
    second: str
    data: str
    n: int
    patients: int | None = None
    class_names: list[str]
    figures: dict[str, PairedFigure]
    decisions: DecisionComparison | None = None
    non_inferiority: list[NonInferiority] = []
    notes: list[Text | str] = []
