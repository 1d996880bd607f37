"""The settings of the server: where it listens, who may come in, which doors it has."""

from pydantic import Field, field_validator

from breastai.domain.data_locations import checked_place
from breastai.domain.settings import Settings


class ServerSettings(Settings):
    """The WebSocket server."""

    host: str = Field(
        "localhost",
        min_length=1,
        description="Address to listen on; localhost means this machine only (IPv4 and IPv6).",
    )
    port: int = Field(8765, ge=0, le=65535, description="Port; 0 lets the system choose.")
    rest_port: int | None = Field(
        None, ge=0, le=65535, description="Port of the REST door; null: no such door, 0 lets the system choose."
    )
    data_roots: list[str] = Field(
        [],
        description="Folders outside the workspace, and addresses of shared storage (s3://bucket/folder), from which images may be read.",
    )
    clusters: list[str] = Field(
        ["local"],
        description="Ray clusters that requests may name in system.cluster: whoever runs one can run code here.",
    )
    require_token: bool = Field(
        False, description="Ask scripts and the served page on this machine for the installation's token too."
    )
    tls_certificate: str | None = Field(
        None,
        description="Certificate (PEM) to speak TLS with, relative to the workspace; null: one is made where TLS is needed.",
    )
    tls_key: str | None = Field(None, description="Key (PEM) of tls_certificate; null when the same file holds both.")
    allow_unprotected: bool = Field(
        False,
        description="Listen on other addresses than this machine's own without TLS, and without a token unless require_token is set.",
    )

    @field_validator("data_roots")
    @classmethod
    def _folders_or_addresses(cls, value: list[str]) -> list[str]:
        return [checked_place(place) for place in value]
