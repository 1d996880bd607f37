"""Published sets of ultrasound images: BUSI, BUS-BRA, BrEaST, BUS-UCLM, UDIAT."""

import re

from breastai.data.sources.recognition.class_layouts import class_folder_reading
from breastai.data.sources.recognition.column_guess import guess_columns
from breastai.data.sources.recognition.recogniser import (
    BENIGN_MALIGNANT,
    NORMAL_BENIGN_MALIGNANT,
    SIDES,
    Reading,
    Recogniser,
    column_of,
    describe,
    keep_known,
)
from breastai.data.sources.recognition.survey import Survey
from breastai.domain.text import Text

_BUSI = re.compile(
    r"(?i)(?:^|/)(?:benign|malignant|normal)/(?:benign|malignant|normal) ?\(\d+\)(?:_mask(?:_\d+)?)?\.[a-z]+$"
)


def _busi(survey: Survey) -> Reading | None:
    share = survey.share(_BUSI)
    if share < 0.8:
        return None
    reading = class_folder_reading(survey, "busi")
    if reading is None:
        return None
    return Reading(0.95 * share, reading.description, (*reading.doubts, Text("doubt.patients_unknown")))


def _bus_bra(survey: Survey) -> Reading | None:
    tables = list(survey.tables_with("ID", "Case", "Pathology"))
    if not tables:
        return None
    # The tables of folds repeat these columns.
    tables.sort(key=lambda item: ("kfold" in item[1].plain_columns, item[0]))
    file, table = tables[0]
    folds = [name for name, other in tables[1:] if "kfold" in other.plain_columns]
    return Reading(
        0.97,
        describe(
            survey,
            "bus_bra",
            tables=[{"file": file, "join": [{"role": "file", "column": "ID"}]}],
            fields=keep_known(
                {
                    "label": {"column": "Pathology"},
                    "patient": {"column": "Case"},
                    "breast": {"column": "Side", "values": dict(SIDES)},
                    "device": {"column": "Device"},
                    "birads": {"column": "BIRADS"},
                    "box": {"column": "BBOX"},
                },
                table,
            ),
            class_names=BENIGN_MALIGNANT,
            class_map={"benign": "benign", "malignant": "malignant"},
            subgroups=[{"name": "device", "role": "device"}] if "device" in table.plain_columns else [],
            masks={"include": ["**/Masks/**", "Masks/**"]},
        ),
        tuple(Text("doubt.folds_offered", {"table": name}) for name in folds[:1]),
    )


def _breast(survey: Survey) -> Reading | None:
    tables = list(survey.tables_with("Image_filename", "Classification", "CaseID"))
    if not tables:
        return None
    file, table = tables[0]
    patient = column_of(table, "CaseID")
    return Reading(
        0.97,
        describe(
            survey,
            "breast",
            tables=[{"file": file, "join": [{"role": "file", "column": "Image_filename"}]}],
            fields=keep_known(
                {
                    "label": {"column": "Classification"},
                    "patient": {"column": patient},
                    "age": {"column": "Age"},
                    "density": {"column": "Tissue_composition"},
                    "birads": {"column": "BIRADS"},
                    "mask": {"path": r"^(.*)(\.[A-Za-z]+)$", "expand": r"\1_tumor\2"},
                },
                table,
            ),
            class_names=NORMAL_BENIGN_MALIGNANT,
            class_map={"normal": "normal", "benign": "benign", "malignant": "malignant"},
            masks={"include": ["**/*_tumor.*", "**/*_other?.*", "**/*_other.*"]},
        ),
        (Text("doubt.case_is_patient"),),
    )


def _bus_uclm(survey: Survey) -> Reading | None:
    tables = list(survey.tables_with("Image", "Doppler", "Marks", "Label"))
    if not tables:
        return None
    file, _ = tables[0]
    return Reading(
        0.97,
        describe(
            survey,
            "bus_uclm",
            tables=[{"file": file, "join": [{"role": "file", "column": "Image"}]}],
            fields={
                "label": {"column": "Label"},
                "patient": {"path": r"(?:^|/)([A-Za-z]+)_\d+\.[A-Za-z]+$"},
                "mask": {"path": r"^((?:.*/)?)images/(.*)$", "expand": r"\1masks/\2"},
            },
            class_names=NORMAL_BENIGN_MALIGNANT,
            class_map={"Normal": "normal", "Benign": "benign", "Malignant": "malignant"},
            subgroups=[
                {"name": "doppler", "rule": {"column": "Doppler"}},
                {"name": "marks", "rule": {"column": "Marks"}},
            ],
            masks={"include": ["**/masks/**", "masks/**"]},
        ),
        (Text("doubt.marks_in_images"),),
    )


_UDIAT_IMAGE = re.compile(r"(?i)(?:^|/)original/[^/]+$")
_UDIAT_OUTLINE = {"path": r"^((?:.*/)?)original/(.*)$", "expand": r"\1GT/\2"}


def _udiat(survey: Survey) -> Reading | None:
    names = survey.folder_names
    if not names["original"] or not names["gt"]:
        return None
    masks = {"include": ["**/GT/**", "GT/**", "**/gt/**", "gt/**"]}
    if names["benign"] and names["malignant"]:
        fields = {"label": {"path": r"(?i)(?:^|/)(benign|malignant)/"}, "mask": _UDIAT_OUTLINE}
        return Reading(
            0.9,
            describe(
                survey,
                "udiat",
                fields=fields,
                class_map={"benign": "benign", "malignant": "malignant"},
                class_names=BENIGN_MALIGNANT,
                masks=masks,
            ),
            (Text("doubt.patients_unknown"),),
        )
    images = [file for file in survey.images if _UDIAT_IMAGE.search(file)]
    for file, table in survey.tables.items():
        columns = guess_columns(table, images)
        if (
            columns.file
            and columns.label
            and {"benign", "malignant"} & {value.lower() for value in table.values[columns.label]}
        ):
            return Reading(
                0.95,
                describe(
                    survey,
                    "udiat",
                    tables=[{"file": file, "join": [{"role": "file", "column": columns.file}]}],
                    fields={"label": {"column": columns.label}, "mask": _UDIAT_OUTLINE},
                    class_map={"benign": "benign", "malignant": "malignant"},
                    class_names=BENIGN_MALIGNANT,
                    masks=masks,
                ),
                (Text("doubt.patients_unknown"),),
            )
    return None


BUSI = Recogniser(
    "busi",
    _busi,
    citation="Al-Dhabyani et al., Dataset of breast ultrasound images, Data in Brief 28, 2020.",
    licence="CC BY 4.0 (as re-released by MedMNIST)",
    twins=Text("twins.busi"),
)
BUS_BRA = Recogniser(
    "bus_bra",
    _bus_bra,
    citation="Gómez-Flores et al., BUS-BRA: A breast ultrasound dataset for assessing computer-aided diagnosis systems, "
    "Medical Physics 51, 2024.",
    licence="CC BY 4.0",
    twins=Text("twins.bus_bra"),
)
BREAST = Recogniser(
    "breast",
    _breast,
    citation="Pawłowska et al., Curated benchmark dataset for ultrasound based breast lesion analysis, Scientific Data 11, "
    "2024.",
    licence="CC BY 4.0",
    twins=None,
)
BUS_UCLM = Recogniser(
    "bus_uclm",
    _bus_uclm,
    citation="Vallez et al., BUS-UCLM: Breast ultrasound lesion segmentation dataset, Scientific Data 12, 2025.",
    licence="CC BY 4.0",
    twins=Text("twins.bus_uclm"),
)
UDIAT = Recogniser(
    "udiat",
    _udiat,
    citation="Yap et al., Automated breast ultrasound lesions detection using convolutional neural networks, IEEE J Biomed "
    "Health Inform 22, 2018.",
    licence="on request, for research alone",
    twins=Text("twins.udiat"),
)
