"""Files as tables name them: by path, by the end of a path, by name, without an ending, without leading zeros."""

import posixpath
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from breastai.domain.catalog import IMAGE_SUFFIXES

# So many folders above a file are compared.
_MOST_FOLDERS = 8
_LEADING_ZEROS = re.compile(r"0+(?=\d)")
_ENDINGS = frozenset(IMAGE_SUFFIXES)
_DIGITS = re.compile(r"\d+")


def file_key(file: str) -> str:
    """Return `file` as tables and systems may write it: forward slashes, composed accents; an address without its query."""
    if "://" in file:
        file = file.partition("?")[0]
    return unicodedata.normalize("NFC", file.replace("\\", "/")).removeprefix("./")


def match_files(files: Sequence[str], named: Sequence[str]) -> dict[str, str]:
    """Return for each of `files` which of the `named`, by `file_key`, means it; a file that none means is left out.

    That is the one with its path; else the one that shares most of its path from the end, at least the whole name; else
    the same without the ending of the file, where what is named has none of an image; else the same where what is named
    has lost leading zeros; else the same in another case, and with another ending of an image: a1.dcm for a1.png. Where two
    files or two names fit equally well neither is meant.
    """
    known = set(named)
    found = {file: key for file in files if (key := file_key(file)) in known}
    for of_file, of_name in _WAYS:
        taken = set(found.values())
        left = [file for file in files if file not in found]
        names = {key: way for key in named if key not in taken and (way := of_name(key)) is not None}
        if not left or not names:
            continue
        found |= _by_ends({file: way for file in left if (way := of_file(file_key(file))) is not None}, names)
    return found


def _by_ends(files: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    """Return for each file the name that shares the longest end of its path with it, and with it alone."""
    by_end: dict[str, list[str]] = defaultdict(list)
    last = {way.rpartition("/")[2] for way in names.values()}
    for file, way in files.items():
        if way.rpartition("/")[2] in last:
            for end in _ends(way):
                by_end[end].append(file)
    claims: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name, way in names.items():
        for end in sorted(_ends(way), key=len, reverse=True):
            if meant := by_end.get(end):
                if len(meant) == 1:
                    claims[meant[0]].append((len(end), name))
                break
    best = {file: sorted(claim, reverse=True) for file, claim in claims.items()}
    return {file: claim[0][1] for file, claim in best.items() if len(claim) == 1 or claim[0][0] > claim[1][0]}


def _ends(path: str) -> Iterable[str]:
    parts = path.split("/")
    return ("/".join(parts[start:]) for start in range(max(0, len(parts) - 1 - _MOST_FOLDERS), len(parts)))


def _whole(path: str) -> str | None:
    return path


def _without_ending(file: str) -> str:
    return posixpath.splitext(file)[0] if has_image_ending(file) else file


def _without_ending_in_any_case(file: str) -> str:
    return _without_ending(file).casefold()


def _id_alone(name: str) -> str | None:
    return None if has_image_ending(name) else name


def _without_zeros(file: str) -> str | None:
    """Return a file whose name is a number with leading zeros, without them and its ending; None of any other."""
    folder, slash, name = _without_ending(file).rpartition("/")
    if not _DIGITS.fullmatch(name) or not name.startswith("0"):
        return None
    return f"{folder}{slash}{_LEADING_ZEROS.sub('', name)}"


def _zeros_lost(name: str) -> str | None:
    folder, slash, last = _without_ending(name).rpartition("/")
    if not _DIGITS.fullmatch(last) or (last.startswith("0") and last != "0"):
        return None
    return f"{folder}{slash}{last}"


def has_image_ending(name: str) -> bool:
    """Return whether a name ends as those of image files do."""
    return posixpath.splitext(name)[1].lower() in _ENDINGS


# What of a file and what of a name is compared, in this order.
_WAYS: tuple[tuple[Callable[[str], str | None], Callable[[str], str | None]], ...] = (
    (_whole, _whole),
    (_without_ending, _id_alone),
    (_without_zeros, _zeros_lost),
    (str.casefold, str.casefold),
    (_without_ending_in_any_case, _without_ending_in_any_case),
)
