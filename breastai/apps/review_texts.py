"""What the page for reviewing says, from the catalogue."""

from breastai.domain.text import Text
from breastai.texts.catalogue import ENGLISH, languages, texts_below
from breastai.texts.number_format import percent_text
from breastai.texts.renderer import render


def texts(language: str) -> dict[str, str]:
    """Return every text of the page by its key without "review."."""
    return texts_below("review", language) | {"notice": render(Text("page.research_use"), language)}


def language_of(accepted: str | None) -> str:
    """Return the language of a browser by its header Accept-Language: the first of ours that it names, else English."""
    for part in (accepted or "").lower().split(","):
        name = part.partition(";")[0].strip().partition("-")[0]
        if name in languages():
            return name
    return ENGLISH


def share(value: float, language: str) -> str:
    """Return a fraction of 1 in per cent, as the language writes it."""
    return percent_text(value, 1, language)
