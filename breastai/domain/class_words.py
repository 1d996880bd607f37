"""Class names: what the name of a class folder says of its cases, in the languages of those who name them.

A name is a disease, its absence, or silent. Nothing is told from a name's place in the alphabet.
"""

import re
import unicodedata
from collections.abc import Sequence
from typing import Literal, NamedTuple

from breastai.domain.accents import without_accents
from breastai.domain.birads import may_be_density, named_category, without_categories
from breastai.domain.catalog import CLASS_ALIASES, SPLIT_ALIASES

Meaning = Literal["disease", "finding", "absence", "silent"]

# Polish, Turkish, Russian, Chinese, Japanese, Korean and Arabic words, which say a class and whether it is a disease.
_MALIGNANT_FURTHER = (
    *("złosliw", "kanser", "злокачеств", "карцином", "恶性", "惡性", "悪性", "癌", "乳腺癌", "乳癌"),
    *("악성", "خبيث", "سرطان"),
)
_BENIGN_FURTHER = ("łagodn", "доброкачеств", "良性", "حميد")
_NORMAL_FURTHER = ("норма", "здоров", "正常", "정상", "طبيعي", "سليم")
# English, French, German, Spanish, Italian, Portuguese, Dutch, Polish, Turkish, Russian, Chinese, Japanese, Korean, Arabic;
# compared without accents, as beginnings of words.
_DISEASE = (
    *("malign", "cancer", "carcino", "karzino", "krebs", "brustkrebs", "mammakarzinom", "bosartig", "boesartig"),
    *("kanker", "borstkanker", "kwaadaardig", "cancro", "maligni", "sarcom", "sarkom", "lymphoma", "metasta"),
    *(
        "positiv",
        "positif",
        "suspicio",
        "suspic",
        "suspect",
        "suspeit",
        "sospech",
        "sospett",
        "verdacht",
        "verdaechtig",
    ),
    *("patholog", "pathologisch", "patolog", "invasiv", "invasif", "infiltrat", "infiltrant"),
    *_MALIGNANT_FURTHER,
)
_DISEASE_WORDS = frozenset({"idc", "ilc", "dcis", "lcis", "pos", "mal", "malin", "malins", "рак", "рака"})
# Something is there, which alone does not say that it is a disease.
_FINDING = (
    *(
        "tumor",
        "tumour",
        "tumeur",
        "tumore",
        "lesion",
        "lesao",
        "lasion",
        "laesion",
        "laesie",
        "abnorm",
        "anorm",
        "anomal",
    ),
    *("finding", "befund", "hallazgo", "reperto", "achado", "bevinding"),
    *(
        "afwijk",
        "auffallig",
        "auffaellig",
        "mass",
        "nodul",
        "knoten",
        "diseas",
        "malad",
        "krank",
        "ziek",
        "enferm",
        "doent",
    ),
)
_ABSENCE = (
    *("benign", "benin", "begin", "gutartig", "goedaardig", "normal", "healthy", "gesund", "gezond", "sano", "sana"),
    *("sain", "saudav", "negativ", "negatif", "control", "kontroll", "temoin", "unauffallig", "unauffaellig"),
    *("unremarkable", "premalign", "precancer", "unsuspic"),
    *_BENIGN_FURTHER,
    *_NORMAL_FURTHER,
)
_ABSENCE_WORDS = frozenset({"neg", "befundfrei", "ohnebefund"})
NEGATIONS = frozenset(
    {"no", "not", "non", "none", "without", "free", "never", "absent", "absence", "exclude", "excluded", "minus"}
    | {
        "sans",
        "pas",
        "aucun",
        "aucune",
        "kein",
        "keine",
        "keinen",
        "nicht",
        "ohne",
        "frei",
        "sin",
        "nao",
        "sem",
        "senza",
    }
    | {"не", "нет", "без", "nie", "brak", "bez", "yok", "degil"}
    | {"zonder", "geen", "niet", "vrij", "libre", "livre", "libero", "unlikely", "false", "faux", "falso"}
)
_NEGATING_BEGINNINGS = ("non", "no", "nicht", "un", "in", "niet", "kein", "geen", "nie", "не", "非", "无", "無")
_NEGATING_ENDINGS = ("free", "frei", "vrij", "less")

# Cancer that is not invasive is cancer: what is denied there is how far it has grown.
_NOT_INVASIVE = re.compile(r"(?:\b|_)(?:no[nt]?|nicht|niet)[\W_]*(?:invasi|infiltr)[^\W_]*")

_WORD = re.compile(r"[^\W\d_]+")
_ENDS_WITH_PLUS, _ENDS_WITH_MINUS = re.compile(r"\w\s*\+$|\w\s*\(\+\)$"), re.compile(r"\w\s*-$|\w\s*\(-\)$")


def has_word_for_class(text: str) -> bool:
    """Return whether a text in another script than the Latin one, or with letters of Polish, has a word for a class."""
    plain = text.casefold()
    return any(len(stem) > 1 and stem in plain for stem in (*_MALIGNANT_FURTHER, *_BENIGN_FURTHER, *_NORMAL_FURTHER))


# As folders are put in order: 1_train, 02-test.
_NUMBERING = re.compile(r"^\d{1,2}[\W_]+")


def canonical_class(folder_name: str) -> str:
    """Return the class a folder's name means: "Benign", "BENIGN" and "begin" are all "benign"."""
    name = unicodedata.normalize("NFC", folder_name).strip().lower()
    return CLASS_ALIASES.get(name, name)


def split_of(folder_name: str) -> str | None:
    """Return the split a folder's name means, "train", "val" or "test", in any case; None for any other name."""
    decomposed = unicodedata.normalize("NFKD", folder_name.strip().casefold())
    plain = "".join(sign for sign in _NUMBERING.sub("", decomposed) if sign.isalnum())
    return next((split for split, aliases in SPLIT_ALIASES.items() if plain in aliases), None)


def meaning_of(class_name: str) -> Meaning:
    """Return what a class's name says: a disease (or a suspicion of one), a finding, that there is none, or nothing."""
    name = without_accents(class_name).strip()
    if (category := named_category(name)) is not None:
        return "silent" if category == 0 else "disease" if category >= 4 else "absence"
    if _ENDS_WITH_MINUS.search(name):
        return "absence"
    words = _WORD.findall(_NOT_INVASIVE.sub(" ", name))
    said = {_of_word(word) for word in words}
    if set(words) & NEGATIONS:
        # "no cancer" and "not normal": what is denied decides.
        denied = said - {"silent"}
        return "silent" if not denied else "finding" if denied == {"absence"} else "absence"
    for meaning in ("absence", "disease", "finding"):  # a benign tumour is benign
        if meaning in said:
            return meaning
    return "disease" if _ENDS_WITH_PLUS.search(name) else "silent"


def _of_word(word: str) -> Meaning:
    if word in _ABSENCE_WORDS or word.startswith(_ABSENCE):
        return "absence"
    if word.endswith(_NEGATING_ENDINGS) and any(stem in word for stem in (*_DISEASE, *_FINDING)):
        return "absence"
    if word in _DISEASE_WORDS or word.startswith(_DISEASE):
        return "disease"
    if word.startswith(_FINDING):
        return "finding"
    for beginning in _NEGATING_BEGINNINGS:  # nonmalignant, nichtmaligne
        rest = word.removeprefix(beginning)
        if rest != word and rest.startswith((*_DISEASE, *_FINDING)):
            return "absence"
    if any(stem in word for stem in _DISEASE if len(stem) > 5):  # adenocarcinoma, brustkrebs
        return "disease"
    return "silent"


_YES = frozenset(
    {"1", "1.0", "yes", "y", "true", "oui", "o", "vrai", "ja", "j", "wahr", "si", "verdadero", "vero", "sim"}
    | {"tak", "да"}
)
_NO = frozenset({"0", "0.0", "no", "n", "false", "non", "faux", "nein", "falsch", "falso", "nao", "nee", "nie", "нет"})


def yes_or_no(value: str) -> bool | None:
    """Return whether a cell says yes, in the languages above, or 1; None of one that says neither yes nor no."""
    plain = without_accents(value).strip()
    return True if plain in _YES else False if plain in _NO else None


_MARKS, _NO_MARKS = frozenset({"x", "✓", "✔", "✗", "+"}), frozenset({"", "-"})


def is_marked(cell: str) -> bool | None:
    """Return whether a cell marks its column, by 1, yes or a cross; None of one that says something else."""
    plain = cell.strip().casefold()
    return True if plain in _MARKS else False if plain in _NO_MARKS else yes_or_no(plain)


class Question(NamedTuple):
    """The class in question, by the names alone: `answer`, or None, and the classes between which to choose."""

    answer: str | None
    candidates: tuple[str, ...]


def class_in_question(class_names: Sequence[str]) -> Question:
    """Return the class that an operating point is for, as far as the names tell.

    That is the one disease among them, or else the one finding, or else the one that is left when all others say that
    there is none. With several diseases they are the candidates, and where nothing tells, all classes; so of ACR 1 to 4.
    """
    if may_be_density(class_names):
        return Question(None, tuple(class_names))
    meanings = {name: meaning_of(name) for name in class_names}
    for meaning in ("disease", "finding"):
        found = tuple(name for name, said in meanings.items() if said == meaning)
        if found:
            return Question(found[0] if len(found) == 1 else None, found)
    silent = tuple(name for name, said in meanings.items() if said == "silent")
    if len(silent) == 1 and len(class_names) > 1 and re.search(r"[^\W\d_]{2}", without_categories(silent[0])):
        return Question(silent[0], silent)
    return Question(None, tuple(class_names))


_NUMBER = re.compile(r"\d+")
# At least three digits, alone or after a short prefix, as ids of patients, studies and films have.
_IDENTIFIER = re.compile(
    r"(?:pat|patient|patiente|subject|study|studie|etude|exam|series|case|cas|fall|caso|pt)[\W_]*\d+[a-z]?|"
    r"[a-z]{0,8}[\W_]*\d{3,}[a-z]?|[0-9a-f]{8,}|[0-9a-f-]{30,}|[\d.]{12,}",
    re.IGNORECASE,
)
_PICTURES = frozenset(
    {"images", "image", "imgs", "img", "pictures", "pics", "bilder", "imagenes", "immagini", "imagens", "data", "dicom"}
    | {"full", "full images", "whole", "whole images", "mammograms", "films", "scans"}
    | {"original", "originals", "raw", "png", "jpg", "jpeg", "dcm", "all"}
)


def are_identifiers(class_names: Sequence[str]) -> bool:
    """Return whether all names look like ids of patients or studies: 8863, P0012, 1.2.840..."""
    return len(class_names) > 1 and all(_IDENTIFIER.fullmatch(name.strip()) for name in class_names)


def are_numbers(class_names: Sequence[str]) -> bool:
    """Return whether all names are numbers alone."""
    return all(_NUMBER.fullmatch(name.strip()) for name in class_names)


def names_pictures(folder_name: str) -> bool:
    """Return whether a folder is called after what it holds, images, rather than after a class."""
    return canonical_class(folder_name) in _PICTURES


# Folders that hold what is not sorted yet, or what came out of something: names of no class.
_NO_CLASSES = re.compile(
    r"[\W_]*(?:(?:new|nouveau|neuer|nuova|nueva|nova) (?:folder|dossier|ordner|cartella|carpeta|pasta)|untitled(?: folder)?|"
    r"old|backups?|bak|copy|copies|copie|kopie|tmp|temp|trash|misc|other stuff|results?|outputs?|thumbnails?|previews?|"
    r"unsorted|unlabell?ed|not labell?ed|not done|not available|no result|n a|na|pending|tbd|tba|to be (?:done|determined|confirmed)|"
    r"missing|inconclusive|indetermin\w*|non fait|en attente|non renseigne|indisponible|ausstehend|nicht gemacht|unknown|inconnue?s?|unbekannt|unsortiert|todo|to do|to sort|a trier|__macosx)"
    r"[\W_]*\d*[\W_]*",
    re.IGNORECASE,
)


def names_no_class(folder_name: str) -> bool:
    """Return whether a folder is called as one that was not made for a class: new folder, unsorted, results, backup."""
    return _NO_CLASSES.fullmatch(re.sub(r"[\W_]+", " ", without_accents(folder_name)).strip()) is not None


# What the classes of breast images most often are, in one word of any of the languages.
_KINDS: dict[str, tuple[str, ...]] = {
    "malignant": (
        *("malign", "malin", "bosartig", "boesartig", "kwaadaardig", "cancer", "carcinom", "karzinom", "cancro"),
        *("krebs", "brustkrebs", "mammakarzinom", "kanker", "borstkanker", "positiv", "positif"),
        *_MALIGNANT_FURTHER,
    ),
    "benign": (
        *("benign", "benin", "begin", "gutartig", "goedaardig"),
        *_BENIGN_FURTHER,
    ),
    "normal": (
        *_NORMAL_FURTHER,
        *("normal", "healthy", "gesund", "gezond", "sano", "sana", "sain", "saudav", "unauffallig", "befundfrei"),
    ),
}
_OF_NO_MALIGNANCY = ("negativ", "negatif")
_OF_ANY_FINDING = ("abnormal", "anormal", "anormaux")
# Words beside these that tell nothing apart.
_IDLE_WORDS = frozenset(
    {"tumor", "tumors", "tumour", "tumours", "tumeur", "tumeurs", "tumore", "lesion", "lesions", "breast", "sein"}
    | {"class", "classe", "klasse", "case", "cases", "tissue", "image", "images", "present"}
)


def kinds_of(class_name: str) -> frozenset[str]:
    """Return which of malignant, benign and normal a class holds; none where its name holds a word that is not known."""
    name = without_accents(class_name)
    denied = _ENDS_WITH_MINUS.search(name.strip()) is not None
    said: frozenset[str] = frozenset()
    for word in _WORD.findall(name):
        if word in NEGATIONS:
            denied = True
        elif word not in _IDLE_WORDS:
            kinds, is_denied = _kinds_of_word(word)
            if not kinds:
                return frozenset()
            said, denied = said | kinds, denied or is_denied
    return frozenset(_KINDS) - said if denied and said else said


def _kinds_of_word(word: str) -> tuple[frozenset[str], bool]:
    """Return what a word names, and whether it denies it."""
    if kinds := _kind(word):
        return kinds, word.endswith(_NEGATING_ENDINGS)
    rests = [word.removeprefix(beginning) for beginning in _NEGATING_BEGINNINGS]
    return next((kinds for rest in rests if (kinds := _kind(rest))), frozenset()), True


def _kind(word: str) -> frozenset[str]:
    if word.startswith(_OF_NO_MALIGNANCY):
        return frozenset({"benign", "normal"})
    if word.startswith(_OF_ANY_FINDING):
        return frozenset({"malignant", "benign"})
    return frozenset(kind for kind, stems in _KINDS.items() if word.startswith(stems))
