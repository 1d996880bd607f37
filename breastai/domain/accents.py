"""Accents: words compared without them, in any case."""

import unicodedata


def without_accents(text: str) -> str:
    """Return a text in lower case and without accents; letters of Korean stay whole."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))
