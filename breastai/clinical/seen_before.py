"""What a model has seen before of the images it is judged on, in words."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from breastai.domain.records import Overlap

NO_FINGERPRINTS = (
    "This checkpoint keeps no fingerprints of its images: near-duplicates of them, and other images of their patients, "
    "could not be looked for."
)
_UNCHECKED = {
    "near_duplicates": "Near-duplicates of the model's own images could not be looked for: its fingerprints are of another kind.",
    "salt": "Patients could not be compared with those of the model: it comes from a project with another salt.",
}
_DID = {"train": "trained the model", "val": "chose its best epoch"}


class Seen(NamedTuple):
    """A sentence, and the code and params by which a page says the same."""

    code: str
    params: dict[str, Any]
    text: str


def seen_before(overlap: Overlap) -> Iterator[Seen]:
    """Yield what makes results look better than they are, and what could not be looked for."""
    for name, part in (("train", overlap.train), ("val", overlap.val)):
        if part.of_patients:
            text = f"{part.of_patients} of these images show patients ({part.patients}) whose other images {_DID[name]}"
            params = {"count": part.of_patients, "patients": part.patients}
            yield Seen(f"evaluation.patients_{name}", params, f"{text}: results on them look better than they are.")
        if part.near_duplicates:
            text = f"{part.near_duplicates} of these images are near-duplicates of images that {_DID[name]}"
            params = {"count": part.near_duplicates}
            yield Seen(
                f"evaluation.near_duplicates_{name}", params, f"{text}: results on them look better than they are."
            )
    for code in overlap.unchecked:
        if code in _UNCHECKED:
            yield Seen(f"evaluation.unchecked_{code}", {}, _UNCHECKED[code])
