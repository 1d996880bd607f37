"""Classes in the names of files: benign_001.png, IMG_0012_malin.png, B-12.png, p003_BIRADS_4a.png; a legend that explains them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from breastai.data.sources.masks import is_mask_folder
from breastai.data.sources.recognition.group_folders import groups_of
from breastai.data.sources.recognition.recogniser import (
    BIRADS_CLASSES,
    CLASS_LETTERS,
    Reading,
    Recogniser,
    describe,
    folder_of,
    subgroups_of,
)
from breastai.data.sources.recognition.survey import Survey
from breastai.domain.birads import are_categories, category_class
from breastai.domain.class_words import NEGATIONS, canonical_class, kinds_of, meaning_of
from breastai.domain.text import Text

_WORD = re.compile(r"[^\W\d_]+")
_LEAST_SHARE, _TOLD_SHARE = 0.9, 0.5
_LEAST_IMAGES, _MOST_CLASSES = 4, 10
_LEGEND_BYTES, _LEGEND_ENDINGS = 20_000, (".txt", ".md", ".csv", ".rtf")
_CATEGORY = r"(?i)(?:^|[^\W\d]|[\W_])((?:bi-?rads?|acr)[\W_]*(?:[0-6]|iv|vi|v|i{1,3})[\W_]?[abc]?)(?![^\W_])[^/]*$"
_NUMBERED = r"(?i)(?:^|[\W\d_])(?:class|classe|klasse|clase|label|cls|lbl|target|y)[\W_]*(\d)(?!\d)[^/]*$"
# What the codes of the BACH challenge stand for.
_BACH: Mapping[str, str] = {"n": "normal", "b": "benign", "is": "in situ", "iv": "invasive"}


@dataclass(frozen=True)
class _Found:
    """What names say: `pattern` of the path that finds it, how many `images` it finds it in, what it means, what is doubtful."""

    pattern: str
    images: int
    class_map: Mapping[str, str | None]
    doubts: tuple[Text, ...] = ()


def _named_classes(survey: Survey) -> Reading | None:
    images = _images(survey)
    if sum(any(meaning_of(name) != "silent" for name in file.split("/")[:-1]) for file in images) > len(images) / 2:
        return None  # folders say the class
    found = _found(survey, images)
    if found is None or found.images < _LEAST_SHARE * len(images):
        return None
    groups = groups_of([PurePosixPath(file).parts[:-1] for file in images])
    doubts = [Text("doubt.classes_in_names", {"classes": sorted(_values(found.pattern, images))}), *found.doubts]
    if "patient" not in groups.fields:
        doubts.append(Text("doubt.patients_unknown"))
    fields = {"label": {"path": found.pattern}, **groups.fields}
    return Reading(
        0.6 * found.images / len(images),
        describe(
            survey, "named_classes", fields=fields, class_map=dict(found.class_map), subgroups=subgroups_of(fields)
        ),
        (*doubts, *groups.doubts),
    )


def doubts_of_names(survey: Survey) -> Iterator[Text]:
    """Yield that some names say a class, or several, and what to type to read them so."""
    images = _images(survey)
    found = _found(survey, images)
    if found is not None and found.images >= _TOLD_SHARE * len(images):
        told = {"named": found.images, "count": len(images), "classes": sorted(_values(found.pattern, images))}
        yield Text("doubt.some_names_say_class", {**told, "pattern": found.pattern})
        return
    words = [_telling(PurePosixPath(file).stem, ("disease", "absence")).words for file in images]
    several = [each for each in words if len(each) > 1]
    if len(several) >= _TOLD_SHARE * len(images) > 0:
        classes = sorted({each[-1].text for each in several})[:_MOST_CLASSES]
        pattern = rf"(?i).*(?<![^\W\d_])({_one_of(classes)})(?![^\W\d_])"
        yield Text("doubt.names_say_several_classes", {"count": len(several), "classes": classes, "pattern": pattern})


def _images(survey: Survey) -> list[str]:
    """Return the images that are no masks by their names."""
    return [
        file
        for file in survey.images
        if not is_mask_folder(PurePosixPath(file).stem) and not is_mask_folder(folder_of(file))
    ]


def _values(pattern: str, files: Sequence[str]) -> Counter[str]:
    compiled = re.compile(pattern)
    found = (compiled.search(unicodedata.normalize("NFC", file)) for file in files)
    return Counter(match[1].lower() for match in found if match is not None)


def _found(survey: Survey, images: Sequence[str]) -> _Found | None:
    """Return what most names say, the most telling first."""
    if len(images) < _LEAST_IMAGES:
        return None
    stems = [unicodedata.normalize("NFC", PurePosixPath(file).stem) for file in images]
    ways = (_by_words(images, stems), _by_category(images), _by_codes(survey, images, stems), _by_number(images))
    return max((way for way in ways if way is not None), key=lambda way: way.images, default=None)


def _by_words(images: Sequence[str], stems: Sequence[str]) -> _Found | None:
    """Return what words for a disease or its absence say, where each name has one, at the same place."""
    for meanings in (("disease", "absence"), ("disease", "absence", "finding")):
        told = [_telling(stem, meanings) for stem in stems]
        single = [each.words[0] for each in told if len(each.words) == 1]
        words = Counter(word.text for word in single)
        places = Counter(("first", word.first) for word in single) + Counter(("last", word.last) for word in single)
        kinds = {(each.denied_by, each.words[0].text) for each in told if len(each.words) == 1}
        if 2 <= len(kinds) <= _MOST_CLASSES and max(places.values()) >= _LEAST_SHARE * len(single):
            denied = sorted({each.denied_by for each in told if each.denied_by})
            pattern = _pattern_of(words, denied, any(len(each.words) > 1 for each in told))
            values = _values(pattern, images)
            return _Found(pattern, sum(values.values()), _joined(values))
    return None


class _Word(NamedTuple):
    """A word of a name that says a class, and where it stands: counted from the first word, and from the last."""

    text: str
    first: int
    last: int


class _Telling(NamedTuple):
    """The words of a name that say a class; what stands before the first of them and denies it."""

    words: list[_Word]
    denied_by: str | None


def _telling(stem: str, meanings: Collection[str]) -> _Telling:
    found = [word[0].lower() for word in _WORD.finditer(stem)]
    words = [_Word(word, at, len(found) - at) for at, word in enumerate(found) if meaning_of(word) in meanings]
    before = found[words[0].first - 1] if words and words[0].first else ""
    return _Telling(words, before if before in NEGATIONS else None)


def _pattern_of(words: Collection[str], denied: Sequence[str], once: bool) -> str:
    """Return a pattern of the path whose group is one of some words, perhaps denied; `once`: of names that hold it once."""
    begins, ends, chosen = r"(?<![^\W\d_])", r"(?![^\W\d_])", _one_of(words)
    before = rf"(?:(?:{'|'.join(denied)})[\W_]*)?" if denied else ""
    each = f"[^/]*{begins}(?:{chosen}){ends}"
    twice = f"(?!{each}{each})" if once else ""
    return f"(?i)(?:^|/){twice}[^/]*?{begins}({before}(?:{chosen})){ends}[^/]*$"


def _one_of(words: Collection[str]) -> str:
    return "|".join(sorted(map(re.escape, words), key=lambda word: (-len(word), word)))


def _joined(values: Mapping[str, int]) -> dict[str, str | None]:
    """Return which class each value means, where some mean the same: benin and bénin; empty where each is one."""
    by_kind: dict[frozenset[str], list[str]] = {}
    for value in sorted(values, key=lambda each: (-values[each], each)):
        kinds = kinds_of(value)
        by_kind.setdefault(kinds or frozenset({value}), []).append(value)
    if all(len(same) == 1 for same in by_kind.values()):
        return {}
    return {value: canonical_class(same[0]) for same in by_kind.values() for value in same}


def _by_category(images: Sequence[str]) -> _Found | None:
    values = _values(_CATEGORY, images)
    if not are_categories("", list(values)) or {category_class(value) for value in values} < {"benign", "malignant"}:
        return None
    return _Found(_CATEGORY, sum(values.values()), dict(BIRADS_CLASSES), (Text("doubt.birads_as_classes"),))


def _by_number(images: Sequence[str]) -> _Found | None:
    values = _values(_NUMBERED, images)
    if not 2 <= len(values) <= _MOST_CLASSES:
        return None
    return _Found(_NUMBERED, sum(values.values()), {}, (Text("doubt.classes_are_numbers"),))


def _by_codes(survey: Survey, images: Sequence[str], stems: Sequence[str]) -> _Found | None:
    """Return what codes at one place of all names mean, by a legend that lies there, or else by themselves."""
    words = [[word[0].lower() for word in _WORD.finditer(stem)] for stem in stems]
    for place, at in ((place, at) for at in range(3) for place in ("first", "last")):
        codes = Counter(each[at] if place == "first" else each[-1 - at] for each in words if len(each) > at)
        if not 2 <= len(codes) <= _MOST_CLASSES or sum(codes.values()) < _LEAST_SHARE * len(stems):
            continue
        legend = _legend(survey, codes)
        meanings = legend or next((known for known in (CLASS_LETTERS, _BACH) if _is_code(codes, known)), None)
        if meanings is None:
            continue
        chosen = _one_of(codes)
        others = r"[^\W\d_]+[\W\d_]+" * at if place == "first" else r"[^\W\d_]+[\W\d_]*" * at
        pattern = (
            rf"(?i)(?:^|/)[\W\d_]*{others}({chosen})(?![^\W\d_])[^/]*$"
            if place == "first"
            else rf"(?i)(?:^|[\W\d_])({chosen})[\W\d_]*{others}\.[^./]+$"
        )
        told = {"codes": [f"{code} = {meanings[code]}" for code in sorted(codes)]}
        doubt = Text("doubt.codes_by_legend" if legend else "doubt.codes_as_classes", told)
        return _Found(
            pattern, sum(_values(pattern, images).values()), {code: meanings[code] for code in sorted(codes)}, (doubt,)
        )
    return None


def _is_code(codes: Mapping[str, int], known: Mapping[str, str]) -> bool:
    return codes.keys() <= known.keys() and (
        "m" in codes and "b" in codes if known is CLASS_LETTERS else {"is", "iv"} <= codes.keys()
    )


def _legend(survey: Survey, codes: Mapping[str, int]) -> dict[str, str] | None:
    """Return what a small text or table beside the images says that every code means: "B = benign"."""
    for file in survey.files:
        if not file.lower().endswith(_LEGEND_ENDINGS) or file.count("/") > 1:
            continue
        path: Path = survey.place / file
        try:
            text = (
                path.read_bytes()[:_LEGEND_BYTES].decode("utf-8", "replace")
                if path.stat().st_size <= _LEGEND_BYTES
                else ""
            )
        except OSError:
            continue
        found = {
            line[1].lower(): line[2].strip().strip("\"'.,;").lower()
            for line in re.finditer(
                r"(?m)^[\s\"'*-]*([^\W\d_]{1,20})[\"']?\s*(?:=>?|:|;|,|\t|->|→|\s-\s)\s*[\"']?(.{2,60}?)\s*$", text
            )
        }
        if all(found.get(code) for code in codes) and len({found[code] for code in codes}) > 1:
            return {code: canonical_class(found[code]) for code in codes}
    return None


NAMED_CLASSES = Recogniser("named_classes", _named_classes)
