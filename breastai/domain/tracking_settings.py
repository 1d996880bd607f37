"""The settings of experiment trackers."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from breastai.domain.faults import UnusableSetting
from breastai.domain.settings import Settings


class TrackingSettings(Settings):
    """Other programs that a run's settings and figures are told to; never an image, a file's name or a patient."""

    tensorboard: bool = False
    mlflow: str | None = Field(None, max_length=1000)

    @field_validator("mlflow")
    @classmethod
    def _a_folder_or_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.strip():
            raise UnusableSetting("expected.tracking_place")
        if not is_address(value):
            if "://" in value or value.startswith("sqlite:"):
                raise UnusableSetting("expected.tracking_folder")
            return value
        parts = urlsplit(value)
        if not parts.hostname:
            raise UnusableSetting("fault.no_server")
        if parts.username is not None or parts.password is not None:
            raise UnusableSetting(
                "fault.password", user="MLFLOW_TRACKING_USERNAME", password="MLFLOW_TRACKING_PASSWORD"
            )
        return value


def is_address(place: str) -> bool:
    """Return whether a place to track to is a server's address; else it is a folder."""
    return place.lower().startswith(("http://", "https://"))
