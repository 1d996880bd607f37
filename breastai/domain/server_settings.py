"""The settings of the server: where it listens, who may come in, which doors it has."""

from urllib.parse import urlsplit

from pydantic import Field, field_validator

from breastai.domain.data_locations import checked_place
from breastai.domain.faults import UnusableSetting
from breastai.domain.settings import Settings

_USUAL_PORTS = {"http": 80, "https": 443}


class ServerSettings(Settings):
    """The WebSocket server."""

    host: str = Field("localhost", min_length=1)
    port: int = Field(8765, ge=0, le=65535)
    rest_port: int | None = Field(None, ge=0, le=65535)
    public_url: str | None = Field(None, max_length=1000)
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

    @field_validator("public_url")
    @classmethod
    def _address_of_the_page(cls, value: str | None) -> str | None:
        """Return the address in its one way of writing: lower case, no port that goes without saying, a slash at its end."""
        if value is None:
            return None
        parts = urlsplit(value.strip())
        try:
            port = parts.port
        except ValueError:
            raise UnusableSetting("expected.page_address") from None
        if (
            parts.scheme not in _USUAL_PORTS
            or not parts.hostname
            or parts.query
            or parts.fragment
            or "@" in parts.netloc
        ):
            raise UnusableSetting("expected.page_address")
        name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        host = name if port in (None, _USUAL_PORTS[parts.scheme]) else f"{name}:{port}"
        return f"{parts.scheme}://{host}{parts.path.rstrip('/')}/"
