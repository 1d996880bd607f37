"""The settings of the machine, and of the cluster beyond it."""

from typing import Literal

from pydantic import Field, model_validator

from breastai.domain.settings import Settings

# What system.cluster may say: the names, or a host and a port (IPv6 in brackets).
CLUSTER_ADDRESS = r"^(local|auto|(ray://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5})$"


class SystemSettings(Settings):
    """The machine."""

    num_threads: int = Field(
        8, ge=1, le=1024, description="Threads for computing; more than the machine has means all it has."
    )
    seed: int = Field(42, ge=0, le=2**31 - 1, description="Seed of everything random.")
    autotune: bool = Field(
        True,
        description="Measure once, for some seconds, how this machine trains this model fastest, and keep the result.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto", description="Where to compute; auto takes CUDA, else MPS, else the CPU."
    )
    cache_gb: float = Field(
        20,
        ge=0.1,
        le=100_000,
        description="Preprocessed images kept in your cache folder, at most so many GiB; beyond that, what was unused the longest goes.",
    )
    remote_cache_gb: float = Field(
        100,
        ge=0.1,
        le=1_000_000,
        description="Images copied from shared storage (s3://bucket/folder) kept in your cache folder, at most so many GiB; beyond that, what was unused the longest goes.",
    )
    download_weights: bool = Field(
        True,
        description="Whether pretrained weights may be fetched from the model hub; nothing else leaves the machine, unless tracking.mlflow names a server; images come from shared storage only where data names it.",
    )
    processes: int = Field(
        1,
        ge=1,
        le=1024,
        description="Processes that train one run together on system.cluster, each with a part of every batch.",
    )
    cluster: str | None = Field(
        None,
        pattern=CLUSTER_ADDRESS,
        max_length=300,
        description="Ray cluster on which the folds of a cross-validation, or the trials of a search for settings, run side by side: local (this machine), auto (the one this machine belongs to), or an address such as ray://host:10001 or host:6379; null runs them here, one after the other.",
    )

    @model_validator(mode="after")
    def _processes_somewhere(self) -> "SystemSettings":
        if self.processes > 1 and self.cluster is None:
            raise ValueError("expected a cluster for processes above 1; on one machine torchrun starts them")
        return self
