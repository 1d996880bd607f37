"""Which column of a table says what: guessed from its name, and from whether its values are files or classes."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from breastai.data.named_files import file_key, has_image_ending
from breastai.data.sources.labels_table import COLUMN_NAMES
from breastai.data.sources.masks import is_mask_folder
from breastai.data.sources.recognition.surveyed_table import SurveyedTable
from breastai.data.user_tables import UNNAMED, plain_name
from breastai.domain.birads import are_categories
from breastai.domain.case_fields import Role, in_words_of
from breastai.domain.class_words import meaning_of, yes_or_no

# What columns may also be called, the most telling names first, in letters and digits alone. Less sure: what stands in a
# column so called must be files or classes too.
_LESS_SURE: Mapping[str, tuple[str, ...]] = {
    "file": ("imagefilename", "imagefilepath", "imgpath", "imgid", "picture", "photo", "name"),
    "label": (
        *("labels", "type", "severity", "outcome", "groundtruth", "truth", "result", "resultat", "histology"),
        *("histologie", "finding", "etiqueta", "diagnostico", "diagnosi", "diagnostik", "diagnosticfinal", "y"),
        *("befund", "befunde", "ergebnis", "pathologie", "anapath", "statut"),
    ),
    "patient": (
        *(
            "patientno",
            "patientnumber",
            "patientennummer",
            "patientnr",
            "patnr",
            "patid",
            "npatient",
            "pid",
            "paciente",
            "paziente",
            "numpatient",
        ),
        *("npatiente", "patientenid", "fallnr", "fallnummer", "ipp", "idpatient", "woman", "studyid"),
    ),
    "breast": ("lateralite", "lateralitaet", "sein", "lado", "imagelaterality"),
    "view": ("projection", "projektion"),
    "exam": (
        *("accession", "accessionnumber", "visit", "date", "examdate", "studydate", "untersuchung", "examen"),
        *("slide", "slideid", "slidename", "lame", "specimen", "specimenid", "biopsy", "biopsyid"),
    ),
    "split": ("usage", "phase"),
    "fold": ("folds",),
    "site": ("institution", "clinic", "klinik", "hopital"),
    "device": ("vendor", "geraet"),
    "age": ("ageyears", "alter"),
    "density": ("tissuedensity", "acr", "tissuecomposition", "dichte"),
    "birads": ("biradscategory",),
}
# In Russian, Polish, Turkish, Chinese, Japanese, Korean and Arabic.
_FURTHER: Mapping[str, tuple[str, ...]] = {
    "file": (
        *("файл", "имя файла", "изображение", "снимок", "plik", "obraz", "dosya", "görüntü", "文件", "文件名", "图像"),
        *("图片", "影像", "ファイル", "ファイル名", "画像", "파일", "파일명", "이미지", "ملف", "صورة"),
    ),
    "label": (
        *("диагноз", "класс", "rozpoznanie", "diagnoza", "tanı", "诊断", "診断", "类别", "分类", "病理", "结果"),
        *("진단", "التشخيص", "تشخيص"),
    ),
    "patient": (
        "пациент",
        "пациентка",
        "pacjent",
        "pacjentka",
        "hasta",
        "患者",
        "病人",
        "病历号",
        "환자",
        "مريض",
        "المريض",
    ),
    "breast": ("сторона", "strona", "taraf", "侧别", "侧", "左右", "좌우", "جانب"),
    "age": ("возраст", "wiek", "yaş", "年龄", "年齢", "나이", "العمر"),
}
_NAMES: Mapping[str, tuple[str, ...]] = {
    role: (*names, *_LESS_SURE.get(role, ()), *map(plain_name, _FURTHER.get(role, ())))
    for role, names in COLUMN_NAMES.items()
}
_NO_VALUE = frozenset({"", "-", "?", "na", "n/a", "nan", "none", "null", "unknown", "inconnu", "inconnue", "unbekannt"})
# A column called after the disease, of which yes or no is said.
_DISEASE = re.compile(
    r"(?:is|has)?(?:breast|brust)?(?:cancer|cancro|kanker|krebs|karzinom|carcinom[aey]?|malin|boe?sartig(?:keit)?|biopsyproven|"
    r"malign(?:ant|ancy|e|o|a|us|itat|itaet|ite|idade|idad|ita)?)"
)
MOST_CLASSES, _MOST_CATEGORIES, _LEAST_FILES_SHARE = 30, 60, 0.5
_SAMPLE = 500
# Of a table that lists more than lies here, or more than was looked at.
_ALL_NAMED = 0.9
_LONGEST_PATH = 200


@dataclass(frozen=True)
class ColumnGuess:
    """The columns that say what of an image, by role; `file_share`: how much of the column of files are files there.

    `further_files`: columns that name other images of the row, of another view say.
    """

    roles: Mapping[Role, str]
    file_share: float = 0.0
    further_files: tuple[str, ...] = ()

    @property
    def file(self) -> str | None:
        return self.roles.get("file")

    @property
    def label(self) -> str | None:
        return self.roles.get("label")


def guess_columns(
    table: SurveyedTable,
    images: Sequence[str],
    folders: Collection[Path] = (),
    named: Mapping[Role, str] | None = None,
) -> ColumnGuess:
    """Return which columns say what of `images`, by their paths; `folders`: where else a path may begin.

    `named`: columns of which a person said what they are.
    """
    shares = {
        column: share for column in table.columns if (share := _share_of_files(table, column, images, folders)) > 0
    }
    roles: dict[Role, str] = {}
    file = max(shares, key=lambda column: (round(shares[column], 2), -_rank("file", column)), default=None)
    file_share = 0.0 if file is None else shares[file]
    if file_share < _LEAST_FILES_SHARE:
        file = None
    if file is not None:
        roles["file"] = file
    further = tuple(
        column
        for column, share in shares.items()
        if file is not None
        and column != file
        and share >= _LEAST_FILES_SHARE
        and all(map(has_image_ending, table.values[column]))  # a number may be a patient's
        and len(table.values[column]) > _LEAST_FILES_SHARE * len(table.table.rows)
        and _rank("mask", column) == len(_NAMES["mask"])
        and not is_mask_folder(column)
        and not table.values[column].keys() & table.values[file].keys()
    )
    others = [column for column in table.columns if column != file and column not in further]
    categories = [column for column in others if is_birads(column, table.values[column])]
    for role in (
        "breast",
        "view",
        "split",
        "fold",
        "age",
        "density",
        "birads",
        "patient",
        "exam",
        "site",
        "device",
        "box",
        "mask",
    ):
        found = [
            column
            for column in others
            if _rank(role, column) < len(_NAMES[role])
            and column not in roles.values()
            and not (role == "density" and column in categories)
        ]
        if role == "birads":
            found = found or [column for column in categories if column not in roles.values()]
        if found:
            roles[role] = min(found, key=lambda column: _rank(role, column))
    label = _label_column(
        table, [column for column in others if column not in roles.values() or roles.get("birads") == column]
    )
    if label is not None:
        roles["label"] = label
    roles |= {role: table.column_named(column) or column for role, column in (named or {}).items()}
    return ColumnGuess(roles, 1.0 if named and "file" in named else file_share, () if named else further)


def column_called(table: SurveyedTable, role: Role) -> str | None:
    """Return the column that is called as those of a role are, whatever stands in it; None where none is."""
    named = [column for column in table.columns if _rank(role, column) < len(_NAMES[role])]
    return min(named, key=lambda column: _rank(role, column), default=None)


def is_birads(column: str, values: Collection[str]) -> bool:
    """Return whether a column holds BI-RADS categories, by its name or theirs, and perhaps words for none."""
    if len(values) > _MOST_CATEGORIES:
        return False
    named = _rank("birads", column) < len(_NAMES["birads"])
    found = [value for value in values if value.strip().casefold() not in _NO_VALUE]
    return are_categories("birads" if named else column, found)


def is_of_a_side(column: str) -> bool:
    """Return whether a column is called left or right: it says something of one breast."""
    return len(column) > 1 and in_words_of("breast", column) in ("L", "R")


def says_of_disease(column: str, values: Collection[str]) -> bool:
    """Return whether a column says by yes or no, 1 or 0, whether there is the disease it is called after."""
    said = _DISEASE.fullmatch(plain_name(column)) is not None
    return said and all(yes_or_no(value) is not None for value in values)


def _label_column(table: SurveyedTable, columns: Sequence[str]) -> str | None:
    scores: dict[str, float] = {}
    for column in columns:
        values = table.values[column]
        if not 2 <= len(values) <= MOST_CLASSES or len(values) > 0.8 * len(table.table.rows) or is_of_a_side(column):
            continue
        named = _rank("label", column)
        meaning = sum(meaning_of(value) != "silent" for value in values) / len(values)
        by_name = 1.0 - named / 40 if named < len(_NAMES["label"]) else 0.0
        # A reader's assessment counts less than a diagnosis, whatever words it is in.
        score = by_name + (0.4 if is_birads(column, values) else meaning)
        if says_of_disease(column, values):
            score = max(score, 0.9)
        scores[column] = score
    if list(scores) == list(table.columns[1:2]) and len(table.columns) == 2 and table.columns[0] == UNNAMED.format(1):
        return table.columns[1]  # a list of files and something of each
    best = max(scores, key=lambda column: scores[column], default=None)
    return best if best is not None and scores[best] >= 0.4 else None


def _share_of_files(table: SurveyedTable, column: str, images: Sequence[str], folders: Collection[Path]) -> float:
    """Return the share of a column's values that are files: by path, by name, or by either without its ending."""
    values = list(table.values[column])
    step = max(1, len(values) // _SAMPLE)
    chosen = [file_key(value).lower() for value in values[::step]]
    if not chosen:
        return 0.0
    paths = {file.lower() for file in images}
    names = {PurePosixPath(file).name for file in paths}
    stems = {PurePosixPath(name).stem for name in names}
    plain = {stem.lstrip("0") for stem in stems}
    # The more of a path stands there, the surer it is meant.
    known = sum(
        1.0
        if value in paths
        else 0.98
        if (name := PurePosixPath(value).name) in names
        else 0.96
        if name in stems or PurePosixPath(name).stem in stems
        else 0.9
        if name.isdigit() and name.lstrip("0") in plain
        else 0.0
        for value in chosen
    )
    if known < _LEAST_FILES_SHARE * len(chosen):
        some = [value for value in values[::step] if len(value) < _LONGEST_PATH and "\0" not in value]
        known = max(known, *(sum((folder / value).is_file() for value in some) for folder in folders), 0)
    if known < _LEAST_FILES_SHARE * len(chosen) and _names_all(images, table.values[column]):
        return _ALL_NAMED
    filled = sum(table.values[column].values())
    distinct = len(values) / max(1, filled)
    # A column that is mostly empty, or is called a mask's, names something beside some of the images.
    telling = (1.0 if distinct > 0.3 else 0.5) * (1.0 if filled > len(table.table.rows) / 2 else 0.5)
    return known / len(chosen) * (telling if _rank("mask", column) == len(_NAMES["mask"]) else telling / 2)


def _names_all(images: Sequence[str], values: Collection[str]) -> bool:
    """Return whether a column that names more files than are known names nearly all of these, by names with an ending."""
    if len(values) < 2 * len(images) or not images:
        return False
    listed = {file_key(value).lower().rpartition("/")[2] for value in values if has_image_ending(value)}
    return sum(file.lower().rpartition("/")[2] in listed for file in images) > _ALL_NAMED * len(images)


def _rank(role: str, column: str) -> int:
    """Return how telling a column's name is, 0 the most; the number of names where it says nothing."""
    names = _NAMES[role]
    plain = plain_name(column)
    return names.index(plain) if plain in names else len(names)
