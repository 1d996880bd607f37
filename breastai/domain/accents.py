"""Accents: words compared without them, in any case."""

import unicodedata


def without_accents(text: str) -> str:
    """Return a text in lower case and without accents; letters of Korean stay whole."""
    folded = text.casefold()
    if folded.isascii():
        return folded
    apart = unicodedata.normalize("NFKD", folded)
    return unicodedata.normalize("NFC", "".join(sign for sign in apart if not unicodedata.combining(sign)))
