"""The settings of the server: where it listens, who may come in, which doors it has."""

from pydantic import Field, field_validator

from breastai.domain.data_locations import checked_place
from breastai.domain.settings import Settings


class ServerSettings(Settings):
    """The WebSocket server."""

    host: str = Field("localhost", min_length=1)
    port: int = Field(8765, ge=0, le=65535)
    rest_port: int | None = Field(None, ge=0, le=65535)
    data_roots: list[str] = Field([])
    clusters: list[str] = Field(["local"])
    upload_gb: float = Field(50, ge=0.001, le=100_000)
    upload_files: int = Field(300_000, ge=1, le=10_000_000)
    upload_keep_free_gb: float = Field(2, ge=0, le=100_000)
    warm_worker: bool = True
    require_token: bool = False
    tls_certificate: str | None = None
    tls_key: str | None = None
    allow_unprotected: bool = False

    @field_validator("data_roots")
    @classmethod
    def _folders_or_addresses(cls, value: list[str]) -> list[str]:
        return [checked_place(place) for place in value]
