"""Leaks of pretraining: an encoder that has seen the data it is to be judged on, as far as either is known by name."""

import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path

from breastai.domain.text import Text


def pretraining_notes(encoder: str, sets: Sequence[str], names: Collection[str]) -> list[Text]:
    """Return a note for each of the public `sets` an encoder was pretrained on that one of the data's `names` means."""
    known = {_plain(name) for name in names}
    return [
        Text("note.pretrained_on_data", {"encoder": encoder, "set": each}) for each in sets if _plain(each) in known
    ]


def names_of_data(folder: Path, description_names: Collection[str] = ()) -> set[str]:
    """Return the names a place may be known by: of its description and layout, of its folder and that folder's."""
    return {*description_names, folder.name, folder.parent.name} - {""}


def _plain(name: str) -> str:
    """Return a name without case, accents and separators: BUS-BRA, bus_bra and BUSBRA are one set."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(sign for sign in decomposed if sign.isalnum())
