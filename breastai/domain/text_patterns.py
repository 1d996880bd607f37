"""Patterns that users write: regular expressions, compiled where they can't take for ever."""

import re
import time
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from breastai.domain.errors import ConfigInvalid
from breastai.domain.faults import UnusableSetting
from breastai.domain.text import Text

# What a pattern may take, all texts together: Python's own module has no limit, and some patterns no end.
PATTERN_S = 10.0

# What ends an ordinary unit of a regular expression: an escape, a character class, a bracket, an open repetition.
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[()+*]|\{\d*,\}", re.DOTALL)

Lookup = Callable[[str], str | None]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Return a pattern compiled, accents composed; raise UnusableSetting where it can't be used."""
    if _repeats_a_repetition(pattern):
        raise UnusableSetting("reason.pattern_repeats_group_holds", pattern=pattern)
    try:
        return re.compile(unicodedata.normalize("NFC", pattern))
    except (re.error, OverflowError, RecursionError) as error:
        raise UnusableSetting("reason.pattern_not_regular_expression", pattern=pattern, error=str(error)) from None


def finder_of(pattern: str) -> Lookup:
    """Return what finds a pattern's first group, or its match, in a text; raise UnusableSetting."""
    groups, search = compile_pattern(pattern).groups, _limited_search(pattern)

    def find(text: str) -> str | None:
        found = search(text)
        if found is None:
            return None
        return str(found[1] or "") if groups else str(found[0])

    return find


def rewriter_of(pattern: str, template: str) -> Lookup:
    r"""Return what writes `template`, its \1 and so on filled in from a pattern's match in a text; raise UnusableSetting."""
    compiled = compile_pattern(pattern)
    try:
        re.compile(f"{compiled.pattern}|").sub(template, "")
    except (re.error, IndexError) as error:
        raise UnusableSetting("reason.pattern_not_regular_expression", pattern=template, error=str(error)) from None

    search = _limited_search(pattern)

    def write(text: str) -> str | None:
        found = search(text)
        return None if found is None else str(found.expand(template))

    return write


def glob_finder(globs: Sequence[str]) -> Callable[[str], bool]:
    """Return whether one of some globs means a path: * and ? within a folder, ** across folders, in any case."""
    if not globs:
        return lambda path: False
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = (re.split(r"(\*\*/|\*\*|\*|\?)", glob) for glob in globs)
    patterns = ("".join(signs.get(part, re.escape(part)) for part in found) for found in parts)
    search = _limited_search(rf"(?is)\A(?:{'|'.join(patterns)})\Z", " ".join(globs)[:300])
    return lambda path: search(path) is not None


def _limited_search(pattern: str, shown: str | None = None) -> Callable[[str], Any]:
    """Return what looks for a pattern, texts with composed accents; it raises ConfigInvalid once PATTERN_S are used up.

    `shown`: what the user wrote, where that is another.
    """
    import regex  # most commands need no pattern, and it takes a while to load

    try:
        compiled = regex.compile(unicodedata.normalize("NFC", pattern), regex.VERSION0)
    except (regex.error, OverflowError, RecursionError) as error:
        raise UnusableSetting("reason.pattern_not_regular_expression", pattern=pattern, error=str(error)) from None
    left_s = PATTERN_S

    def search(text: str) -> Any:
        nonlocal left_s
        begun = time.monotonic()
        try:
            return compiled.search(unicodedata.normalize("NFC", text), timeout=max(left_s, 0.001))
        except TimeoutError:
            params = {"pattern": shown or pattern, "seconds": PATTERN_S, "text": text[:100]}
            raise ConfigInvalid([Text("reason.pattern_takes_too_long", params)]) from None
        finally:
            left_s -= time.monotonic() - begun

    return search


def _repeats_a_repetition(pattern: str) -> bool:
    """Say whether a repeated group holds a repetition, such as (a+)+: that may take for ever on some names."""
    holds_repetition = [False]  # for each group that is open, outermost first
    closed: tuple[int, bool] | None = None  # where the last group ended, and whether it held one
    for token in _TOKEN.finditer(pattern):
        match token[0][0]:
            case "(":
                holds_repetition.append(False)
            case ")" if len(holds_repetition) > 1:
                closed = token.end(), holds_repetition.pop()
                holds_repetition[-1] |= closed[1]
            case "+" | "*" | "{":
                if closed == (token.start(), True):
                    return True
                holds_repetition[-1] = True
    return False
