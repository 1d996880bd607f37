"""The settings of cross-validation."""

from pydantic import Field

from breastai.domain.settings import Settings


class CrossvalSettings(Settings):
    """How cross-validation deals the training and validation images into parts."""

    folds: int = Field(5, ge=2, le=20, description="Parts; each is held out once while a model learns from the others.")
    repeats: int = Field(1, ge=1, le=20, description="How often the images are dealt anew.")
    grouped: bool = Field(
        True,
        description="Keep patients and duplicates whole within a part; off shows what figures would be without that care.",
    )
    tune: bool = Field(
        False,
        description="Search for settings anew inside each fold, on the images it learns from, so that the figures judge the search too; tuning says where and how long it looks.",
    )
    ensemble: bool = Field(True, description="Export the models of all folds as one ONNX file at the end.")
