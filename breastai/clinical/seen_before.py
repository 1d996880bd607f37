"""What a model has seen before of the images it is judged on."""

from collections.abc import Iterator

from breastai.domain.records import Overlap
from breastai.domain.text import Text

NO_FINGERPRINTS = Text("note.no_fingerprints")
_UNCHECKED = ("near_duplicates", "many", "salt")


def seen_before(overlap: Overlap) -> Iterator[Text]:
    """Yield what makes results look better than they are, and what could not be looked for."""
    for name, part in (("train", overlap.train), ("val", overlap.val)):
        if part.of_patients:
            params = {"count": part.of_patients, "patients": part.patients}
            yield Text(f"log.evaluation.patients_{name}", params)
        if part.near_duplicates:
            yield Text(f"log.evaluation.near_duplicates_{name}", {"count": part.near_duplicates})
    for code in overlap.unchecked:
        if code in _UNCHECKED:
            yield Text(f"log.evaluation.unchecked_{code}")
