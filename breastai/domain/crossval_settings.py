"""The settings of cross-validation."""

from pydantic import Field

from breastai.domain.settings import Settings


class CrossvalSettings(Settings):
    """How cross-validation deals the training and validation images into parts."""

    folds: int = Field(5, ge=2, le=20)
    repeats: int = Field(1, ge=1, le=100)
    grouped: bool = True
    tune: bool = False
    ensemble: bool = True
