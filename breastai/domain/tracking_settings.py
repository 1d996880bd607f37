"""The settings of experiment trackers."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

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
            raise ValueError("expected null, a folder or an http(s) address")
        if not is_address(value):
            if "://" in value or value.startswith("sqlite:"):
                raise ValueError("expected a folder such as mlflow, or an address that begins with http:// or https://")
            return value
        parts = urlsplit(value)
        if not parts.hostname:
            raise ValueError("this address names no server")
        if parts.username is not None or parts.password is not None:
            raise ValueError(
                "a password does not belong here, where every record of the run would keep it; "
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the server's environment"
            )
        return value


def is_address(place: str) -> bool:
    """Return whether a place to track to is a server's address; else it is a folder."""
    return place.lower().startswith(("http://", "https://"))
