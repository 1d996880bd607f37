"""Figures with a fixed number of decimals, as a language writes them (Unicode CLDR, by Babel)."""

from functools import cache

from babel.numbers import format_compact_decimal, format_percent, get_decimal_symbol

from breastai.texts.renderer import locale

# Below it a p-value is told as that.
LEAST_P = 0.001


@cache
def decimal_sign(language: str) -> str:
    """Return the sign between whole and decimals."""
    return str(get_decimal_symbol(locale(language)))


def fixed_text(value: float, digits: int, language: str) -> str:
    """Return a number with so many decimals."""
    return _unsigned_zero(f"{value:.{digits}f}").replace(".", decimal_sign(language))


def _unsigned_zero(number: str) -> str:
    """Return a number without a sign that rounding has left to nothing: -0.000 is 0.000."""
    return number.removeprefix("-") if not number.strip("-0.") else number


def short_text(value: float, language: str) -> str:
    """Return a number in as few digits as tell it, at most six."""
    return f"{value:g}".replace(".", decimal_sign(language))


def large_text(value: int, language: str) -> str:
    """Return a large number in words: 4.7 million, 12.3 thousand; one below a thousand as it is."""
    return str(format_compact_decimal(value, format_type="long", locale=locale(language), fraction_digits=1))


def percent_text(share: float, digits: int, language: str) -> str:
    """Return a fraction of 1 in per cent, with so many decimals."""
    return fixed_text(100 * share, digits, language) + _percent_sign(language)


@cache
def _percent_sign(language: str) -> str:
    """Return the sign with the space before it."""
    return str(format_percent(1, format=None, locale=locale(language))).removeprefix("100")
