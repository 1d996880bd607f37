"""What is known of a file of pretrained weights: name, hash, licence, and the sets it was made from."""

import re

from pydantic import Field

from breastai.domain.stored import Stored, StoredDocument

_NO_DERIVATIVES = re.compile(r"(?<![a-z])nd(?![a-z])|no.?deriv", re.IGNORECASE)


class WeightsRecord(Stored):
    """As a manifest, a report and exports say it. `licence` and `seen`: as whoever added the file wrote them."""

    name: str
    architecture: str
    sha256: str
    licence: str | None = None
    seen: list[str] = Field([], description="Data sets the weights were made from.")

    @property
    def forbids_derivatives(self) -> bool:
        """Whether the licence says that what is made from the weights may not be passed on."""
        return self.licence is not None and _NO_DERIVATIVES.search(self.licence) is not None


class WeightsDescription(WeightsRecord, StoredDocument):
    """What lies beside weights/NAME.safetensors."""

    source_file: str = Field(description="The file they were taken from.")
    source_sha256: str
    tensors: int
    prefix: str = Field("", description="What stood before the names of tensors in that file.")
    unused: int = Field(0, description="Tensors of that file that the network has no place for.")
    size_bytes: int

    def record(self) -> WeightsRecord:
        """Return what a manifest says of them."""
        return WeightsRecord.model_validate(self.model_dump(include=set(WeightsRecord.model_fields)))
