"""Published sets of mammograms: mini-MIAS, CBIS-DDSM, INbreast, CMMD, RSNA, VinDr-Mammo, KAU-BCMD."""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from breastai.data.sources.recognition.recogniser import (
    BENIGN_MALIGNANT,
    BIRADS_CLASSES,
    NORMAL_BENIGN_MALIGNANT,
    SIDES,
    Reading,
    Recogniser,
    column_of,
    describe,
    keep_known,
)
from breastai.data.sources.recognition.survey import Survey
from breastai.data.sources.recognition.surveyed_table import SurveyedTable
from breastai.domain.text import Text

_MIAS_FILE = re.compile(r"(?i)(?:^|/)mdb(\d{3})[a-z]{0,2}\.[a-z]+$")
_MIAS_ROW = re.compile(r"(?i)mdb\d{3}[a-z]{0,2}")
_MIAS_FILMS = 322
_VIEW = r"(?i)(?:^|[\W_])(CC|MLO)(?=[\W_]|$)"


def _mini_mias(survey: Survey) -> Reading | None:
    share = survey.share(_MIAS_FILE)
    tables = [file for file, table in survey.tables.items() if table.rows_beginning(_MIAS_ROW) >= 4]
    if share < 0.8 or not tables:
        return None
    films = range(1, _MIAS_FILMS + 1)
    tissues = {"column": "tissue", "one_of": ("F", "G", "D")}
    return Reading(
        0.98 * share,
        describe(
            survey,
            "mini_mias",
            # A film without a finding has no severity: what stands in its third column is read by a second table.
            tables=[
                {
                    "file": tables[0],
                    "columns": columns,
                    "join": [{"role": "file", "column": "film"}],
                    "filters": filters,
                    "several_rows": True,
                }
                for columns, filters in (
                    (("film", "tissue", "abnormality", "severity", "x", "y", "radius"), [tissues]),
                    (("film", "tissue", "severity"), [tissues, {"column": "severity", "one_of": ("NORM",)}]),
                )
            ],
            fields={
                "label": {"column": "severity"},
                "patient": {
                    "path": r"(?i)mdb(\d{3})[^/]*$",
                    "values": {f"{film:03d}": f"{(film + 1) // 2:03d}" for film in films},
                },
                "breast": {
                    "path": r"(?i)mdb(\d{3})[^/]*$",
                    "values": {f"{film:03d}": "R" if film % 2 else "L" for film in films},
                },
                "view": {"constant": "MLO"},
                "density": {"column": "tissue"},
                "box": {
                    "columns": ["x", "y", "radius"],
                    "form": "circle_from_bottom",
                    "height": 1024,
                },
            },
            class_map={"NORM": "normal", "B": "benign", "M": "malignant"},
            class_names=NORMAL_BENIGN_MALIGNANT,
        ),
        (Text("doubt.pairs_of_films"),),
    )


_CBIS_CASE = r"(?i)((?:Mass|Calc)-(?:Training|Test)_P_\d+_(?:LEFT|RIGHT)_(?:CC|MLO))"
_CBIS_FOLDER = re.compile(_CBIS_CASE + r"(?:_\d+)?(?:/|$)")
_UID_FOLDER = re.compile(r"(?:^|/)1\.3\.6\.1\.4\.1\.9590[\d.]+/[^/]+$")


def _cbis_ddsm(survey: Survey) -> Reading | None:
    tables = [
        (file, table) for file, table in survey.tables_with("patient_id", "pathology", "image file path", "image view")
    ]
    if not tables:
        return None
    by_case, by_series = survey.share(_CBIS_FOLDER), survey.share(_UID_FOLDER)
    if max(by_case, by_series) < 0.5:
        return None
    column = {"role": "exam", "column": "image file path"}
    exam: dict[str, object]
    if by_case >= by_series:
        exam = {"path": _CBIS_CASE + r"(?:_\d+)?/"}
        masks = ["**/*_CC_?/**", "**/*_MLO_?/**", "**/*_CC_??/**", "**/*_MLO_??/**"]
        column["pattern"] = _CBIS_CASE
    else:
        exam = {"folder": -1}
        column["pattern"] = r"([^/]+)/[^/]*$"
        masks = [f"**/{folder}/**" for folder in _crop_series([table for _, table in tables])]
    return Reading(
        0.97,
        describe(
            survey,
            "cbis_ddsm",
            tables=[
                {
                    "file": file,
                    "join": [column],
                    "several_rows": True,
                    "part": "test" if "test" in PurePosixPath(file).name.lower() else "train",
                }
                for file, _ in tables
            ],
            fields={
                "exam": exam,
                "label": {"column": "pathology"},
                "patient": {"column": "patient_id"},
                "breast": {"column": column_of(tables[0][1], "left or right breast"), "values": SIDES},
                "view": {"column": "image view"},
                "density": {"column": column_of(tables[0][1], "breast_density", "breast density")},
                "birads": {"column": "assessment"},
            },
            class_map={"BENIGN": "benign", "BENIGN_WITHOUT_CALLBACK": "benign", "MALIGNANT": "malignant"},
            class_names=BENIGN_MALIGNANT,
            masks={"include": masks},
        ),
        (Text("doubt.patients_in_both_parts"),),
    )


def _crop_series(tables: Sequence[SurveyedTable]) -> list[str]:
    """Return the folders of series of crops and masks, as tables of findings name them."""
    names = ("cropped image file path", "ROI mask file path")
    found = [(table, column) for table in tables for name in names if (column := table.column_named(name))]
    cells = {cell.strip() for table, column in found for cell in table.values[column]}
    return sorted({PurePosixPath(cell).parent.name for cell in cells})


def _inbreast(survey: Survey) -> Reading | None:
    tables = [(file, table) for file, table in survey.tables.items() if {"filename", "birads"} <= table.plain_columns]
    named = survey.share(re.compile(r"(?:^|/)\d{7,9}(?:_[^/]*)?\.[a-zA-Z]+$"))
    if not tables or named < 0.5:
        return None
    file, table = tables[0]
    hashed = survey.share(re.compile(r"(?:^|/)\d+_[0-9a-fA-F]{8,}_"))
    fields: dict[str, dict[str, object]] = {
        "label": {"column": column_of(table, "Bi-Rads"), "pattern": r"(\d)"},
        "breast": {"column": column_of(table, "Laterality"), "values": SIDES},
        "view": {"column": column_of(table, "View")},
        "density": {"column": column_of(table, "ACR")},
        "birads": {"column": column_of(table, "Bi-Rads")},
    }
    if hashed >= 0.5:
        fields["patient"] = {"path": r"(?:^|/)\d+_([0-9a-fA-F]{8,})_[^/]*$"}
    return Reading(
        0.9 + 0.05 * named,
        describe(
            survey,
            "inbreast",
            tables=[
                {
                    "file": file,
                    "join": [
                        {
                            "role": "file",
                            "column": column_of(table, "File Name"),
                            "pattern": r"(\d{7,9})",
                            "image": {"path": r"(?:^|/)(\d{7,9})(?:_[^/]*)?\.[a-zA-Z]+$"},
                        }
                    ],
                }
            ],
            fields=keep_known(fields, table),
            class_map=dict(BIRADS_CLASSES),
            class_names=BENIGN_MALIGNANT,
        ),
        (
            Text("doubt.birads_as_classes"),
            *(() if hashed >= 0.5 else (Text("doubt.patients_unknown"),)),
        ),
    )


def _cmmd(survey: Survey) -> Reading | None:
    tables = list(survey.tables_with("ID1", "LeftRight", "classification"))
    if not tables:
        return None
    file, _ = tables[0]
    in_path = survey.share(re.compile(r"(?:^|/)D\d-\d{4}(?=[/_.-])"))
    dicom = any(header.codes.laterality for header in survey.headers)
    breast = (
        {"header": "laterality"} if dicom else {"path": r"(?i)(?:^|[\W_])(L|R|left|right)(?=[\W_]|$)", "values": SIDES}
    )
    return Reading(
        0.97,
        describe(
            survey,
            "cmmd",
            tables=[
                {
                    "file": file,
                    "join": [
                        {"role": "patient", "column": "ID1"},
                        {"role": "breast", "column": "LeftRight"},
                    ],
                    "several_rows": True,
                }
            ],
            fields={
                "label": {"column": "classification"},
                "patient": {"path": r"(?:^|/)(D\d-\d{4})(?=[/_.-])"} if in_path >= 0.5 else {"header": "patient_id"},
                "breast": breast,
                "view": {"header": "view"} if dicom else {"path": _VIEW},
                "age": {"column": "Age"},
            },
            class_map={"Benign": "benign", "Malignant": "malignant"},
            class_names=BENIGN_MALIGNANT,
            subgroups=[{"name": "age", "role": "age", "bands": (50, 65)}],
        ),
        (Text("doubt.other_breasts_left_out"),),
    )


def _rsna(survey: Survey) -> Reading | None:
    tables = list(survey.tables_with("patient_id", "image_id", "cancer"))
    if not tables:
        return None
    file, table = tables[0]
    joined = survey.share(re.compile(r"(?:^|/)\d+_\d+\.[a-zA-Z]+$")) >= 0.5
    image = {"image": {"path": r"(?:^|/)\d+_(\d+)\.[a-zA-Z]+$"}} if joined else {}
    return Reading(
        0.97,
        describe(
            survey,
            "rsna",
            tables=[{"file": file, "join": [{"role": "file", "column": "image_id", **image}]}],
            fields=keep_known(
                {
                    "label": {"column": "cancer"},
                    "patient": {"column": "patient_id"},
                    "breast": {"column": "laterality", "values": SIDES},
                    "view": {"column": "view"},
                    "site": {"column": "site_id"},
                    "device": {"column": "machine_id"},
                    "age": {"column": "age"},
                    "density": {"column": "density"},
                    "birads": {"column": "BIRADS"},
                },
                table,
            ),
            class_map={"0": "benign", "1": "malignant"},
            class_names=BENIGN_MALIGNANT,
            subgroups=[
                {"name": name, "role": role}
                for name, role in (("site", "site"), ("machine", "device"))
                if {"site": "siteid", "device": "machineid"}[role] in table.plain_columns
            ],
        ),
        (Text("doubt.no_cancer_is_benign"),),
    )


def _vindr_mammo(survey: Survey) -> Reading | None:
    tables = list(survey.tables_with("study_id", "image_id", "breast_birads"))
    if not tables:
        return None
    tables.sort(key=lambda item: "finding" in item[0].lower())
    file, table = tables[0]
    findings = "finding" in file.lower()
    return Reading(
        0.98,
        describe(
            survey,
            "vindr_mammo",
            tables=[{"file": file, "join": [{"role": "file", "column": "image_id"}], "several_rows": findings}],
            fields=keep_known(
                {
                    "label": {"column": "breast_birads", "pattern": r"(\d)"},
                    "patient": {"column": "study_id"},
                    "exam": {"column": "study_id"},
                    "breast": {"column": "laterality", "values": SIDES},
                    "view": {"column": "view_position"},
                    "split": {"column": "split"},
                    "density": {"column": "breast_density"},
                    "birads": {"column": "breast_birads"},
                },
                table,
            ),
            class_map=dict(BIRADS_CLASSES),
            class_names=BENIGN_MALIGNANT,
            subgroups=[{"name": "density", "role": "density"}] if "breastdensity" in table.plain_columns else [],
        ),
        (Text("doubt.birads_as_classes"), Text("doubt.study_is_patient")),
    )


_KAU_FOLDER = re.compile(r"(?i)(?:^|/)bi-?rads?[ _-]?([1-6])/")
_KAU_FILE = re.compile(r"(?i)(?:^|/)(?:\d{4}_)?BC\d+[^/]*[\W_](?:CC|MLO)[\W_]+[LR]\.[a-z]+$")


def _kau_bcmd(survey: Survey) -> Reading | None:
    named, placed = survey.share(_KAU_FILE), survey.share(_KAU_FOLDER)
    if placed < 0.8 or named < 0.3:
        return None
    return Reading(
        0.7 + 0.25 * named,
        describe(
            survey,
            "kau_bcmd",
            fields={
                "label": {"path": _KAU_FOLDER.pattern},
                "patient": {"path": r"(?i)(?:^|/)((?:\d{4}_)?BC\d+)[^/]*$"},
                "breast": {"path": r"(?i)[\W_](?:CC|MLO)[\W_]+([LR])\.[a-z]+$"},
                "view": {"path": r"(?i)[\W_](CC|MLO)[\W_]+[LR]\.[a-z]+$"},
                "birads": {"path": _KAU_FOLDER.pattern},
            },
            class_map=dict(BIRADS_CLASSES),
            class_names=BENIGN_MALIGNANT,
        ),
        (Text("doubt.birads_as_classes"),),
    )


MINI_MIAS = Recogniser(
    "mini_mias",
    _mini_mias,
    citation="Suckling et al., Mammographic Image Analysis Society (MIAS) database v1.21, 2015.",
    licence="for research alone",
    twins=Text("twins.mini_mias"),
)
CBIS_DDSM = Recogniser(
    "cbis_ddsm",
    _cbis_ddsm,
    citation="Lee et al., A curated mammography data set for use in computer-aided detection and diagnosis research, "
    "Scientific Data 4, 2017.",
    licence="CC BY 3.0",
    twins=Text("twins.cbis_ddsm"),
)
INBREAST = Recogniser(
    "inbreast",
    _inbreast,
    citation="Moreira et al., INbreast: Toward a full-field digital mammographic database, Academic Radiology 19, 2012.",
    licence="on request, for research alone",
    twins=Text("twins.inbreast"),
)
CMMD = Recogniser(
    "cmmd",
    _cmmd,
    citation="Cai et al., An online mammography database with biopsy confirmed types, Scientific Data 10, 2023.",
    licence="CC BY 4.0",
)
RSNA = Recogniser(
    "rsna",
    _rsna,
    citation="Carr et al., RSNA Screening Mammography Breast Cancer Detection, 2022.",
    licence="for non-commercial use, by the rules of the competition",
)
VINDR_MAMMO = Recogniser(
    "vindr_mammo",
    _vindr_mammo,
    citation="Nguyen et al., VinDr-Mammo: A large-scale benchmark dataset for computer-aided diagnosis in full-field "
    "digital mammography, Scientific Data 10, 2023.",
    licence="PhysioNet Restricted Health Data License 1.5.0",
)
KAU_BCMD = Recogniser(
    "kau_bcmd",
    _kau_bcmd,
    citation="Alsolami et al., King Abdulaziz University breast cancer mammogram dataset (KAU-BCMD), Data 6, 2021.",
    licence="CC BY 4.0",
)
