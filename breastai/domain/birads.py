"""BI-RADS categories as people write them: 4, 4a, IVa, BI-RADS 4A, ACR 3, cat. 4b; and what is not one: stages, density."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from breastai.domain.accents import without_accents

# A category and words that explain it take no more characters.
_LONGEST = 200
_ROMAN = {"i": 1, "ii": 2, "iii": 3, "iv": 4, "v": 5, "vi": 6}
# A category alone, or behind a word that says it is one; what follows in words or brackets explains it.
_CATEGORY = re.compile(
    r"(?P<word>bi\W*rads?|birads?|acr|cat(?:\.|egory|egorie|egoria)?|kategorie|kat\.?)?[\W_]*(?:category|categorie|cat\.?)?"
    r"[\W_]*(?P<number>[0-6](?:\.0)?|iv|vi|v|i{1,3})(?:[\W_]?(?P<letter>[abc]))?(?:\W*[(\[=:–-]\s*(?!\d).*)?",
)
# In a longer name, behind a word: figures anywhere; roman ones that are no density and no stage, a 4a or a 5.
_WITHIN = re.compile(
    r"(?:bi\W*rads?|birads?|acr|category|categorie|kategorie|categoria|(?<![^\W_])cat\.?)[\W_]*([0-6])[\W_]*([abc])?"
)
_ROMAN_ALONE = re.compile(
    r"bi\W*rads?|birads?|(?:acr|category|categorie|kategorie|categoria|cat\.?)[\W_]*(?:iv[\W_]?[abc]|vi?)$"
)
_BARE = re.compile(r"(?:4|iv)[abc]")
# Columns that are of something else, whatever of I to IV stands in them.
_OF_SOMETHING_ELSE = re.compile(
    r"stage|stadi|stade|grad|tnm|figo|densit|dichte|tissue|composition|nottingham|sbr|bloom|quadrant|type|figur"
)
# Columns in which a bare 4a, or a 5, is a category of BI-RADS.
_MAY_BE_CATEGORIES = re.compile(
    r"acr|categor|kategor|assessment|classif|diagnos|score|label|class|klass|resul|befund|conclusion|lecture|avis|cotation"
)


@dataclass(frozen=True)
class Category:
    """A category from 0 to 6; `letter` of 4a to 4c; `word` the word before it that says what it is, in small letters."""

    number: int
    letter: str | None
    word: str | None

    @property
    def is_called_birads(self) -> bool:
        return self.word is not None and self.word.startswith("bi")


def category_in(value: str) -> Category | None:
    """Return the BI-RADS category that a value may be, in arabic or roman figures; None of any other value."""
    plain = value.strip()
    # The time of a match grows with the square of the length.
    found = _CATEGORY.fullmatch(without_accents(plain)) if len(plain) <= _LONGEST else None
    if found is None:
        return None
    figure = found["number"].removesuffix(".0")
    number = int(figure) if figure.isdigit() else _ROMAN[figure]
    if found["letter"] is not None and number != 4:
        return None
    return Category(number, found["letter"], found["word"])


def category_class(value: str) -> str | None:
    """Return the class that a category is read as: 1 to 3 benign, 4 to 6 malignant; None of 0 and of what is none."""
    found = category_in(value)
    return None if found is None or found.number == 0 else "benign" if found.number <= 3 else "malignant"


def named_category(name: str) -> int | None:
    """Return the BI-RADS category, 0 to 6, that a name in lower case without accents says, perhaps beside other words."""
    if (found := _WITHIN.search(name)) is not None:
        return int(found[1])
    if _BARE.fullmatch(name):
        return 4
    alone = category_in(name) if _ROMAN_ALONE.match(name) else None
    return None if alone is None else alone.number


def without_categories(name: str) -> str:
    """Return a name without the BI-RADS categories in it that stand behind a word."""
    return _WITHIN.sub("", name)


def are_categories(name: str, values: Collection[str]) -> bool:
    """Return whether values are BI-RADS categories for certain, by their words or those of what is called `name`.

    Figures alone are not: I to IV may be stages or density. Those need a 4a, or a 5 where the name may be of categories.
    """
    found = [category_in(value) for value in values]
    known = [each for each in found if each is not None]
    if len(known) < len(found) or len({(each.number, each.letter) for each in known}) < 2:
        return False
    plain = re.sub(r"[\W_]", "", name.casefold())
    if "birad" in plain or all(each.is_called_birads for each in known):
        return True
    if _OF_SOMETHING_ELSE.search(plain):
        return False
    lettered = any(each.letter for each in known)
    beyond = any(each.number >= 5 for each in known)
    if all(each.word for each in known):  # ACR 1 to 4 may be density, of which there is no 5
        return lettered or beyond
    return (lettered and (not plain or _MAY_BE_CATEGORIES.search(plain) is not None)) or (
        beyond and plain.startswith("acr")
    )


def may_be_density(values: Collection[str]) -> bool:
    """Return whether values are ACR 1 to 4, which may be BI-RADS or density."""
    found = [category_in(value) for value in values]
    numbers = sorted({each.number for each in found if each is not None and each.word == "acr" and each.letter is None})
    return (
        len(found) == len(numbers) > 2
        and numbers == list(range(numbers[0], numbers[-1] + 1))
        and 1 <= numbers[0] <= numbers[-1] <= 4
    )
