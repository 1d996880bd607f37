"""The settings of the machine, and of the cluster beyond it."""

from typing import Literal

from pydantic import Field, model_validator

from breastai.domain.faults import UnusableSetting
from breastai.domain.settings import Settings

# What system.cluster may say: the names, or a host and a port (IPv6 in brackets).
CLUSTER_ADDRESS = r"^(local|auto|(ray://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})$"


class SystemSettings(Settings):
    """The machine."""

    num_threads: int = Field(8, ge=1, le=1024)
    seed: int = Field(42, ge=0, le=2**31 - 1)
    autotune: bool = True
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    cache_gb: float = Field(20, ge=0.1, le=100_000)
    remote_cache_gb: float = Field(100, ge=0.1, le=1_000_000)
    download_weights: bool = True
    processes: int = Field(1, ge=1, le=1024)
    cluster: str | None = Field(None, pattern=CLUSTER_ADDRESS, max_length=300)

    @model_validator(mode="after")
    def _processes_somewhere(self) -> "SystemSettings":
        if self.processes > 1 and self.cluster is None:
            raise UnusableSetting("expected.cluster")
        return self
