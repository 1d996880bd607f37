"""Published sets of histology: IDC patches and BreakHis."""

import re

from breastai.data.sources.recognition.recogniser import (
    BENIGN_MALIGNANT,
    Reading,
    Recogniser,
    describe,
    folder_of,
)
from breastai.data.sources.recognition.survey import Survey
from breastai.domain.text import Text

_IDC_FILE = r"(?i)(?:^|/)(\d+)(?:_idx\d+)?_x\d+_y\d+_class([01])\.[a-z]+$"
_IDC = re.compile(_IDC_FILE)
_IDC_FOLDERS = re.compile(r"(?:^|/)(\d{3,})/([01])/[^/]+$")
_BREAKHIS_FILE = r"(?i)SOB_([BM])_[a-z]+[-_](\d+[-_][0-9a-z]+)-(\d+)-\d+[^/]*$"
_BREAKHIS_FOLDERS = re.compile(r"(?i)(?:^|/)(?:SOB|SOB_[^/]*|\d+X)/")
_BREAKHIS = re.compile(_BREAKHIS_FILE)


def _idc(survey: Survey) -> Reading | None:
    placed = survey.share(_IDC_FOLDERS)
    # Class folders of such patches are class folders.
    named = survey.share(_IDC) if len({folder_of(file) for file in survey.images}) == 1 else 0.0
    if max(named, placed) < 0.8:
        return None
    fields = (
        {"label": {"path": r"(?i)_class([01])\.[a-z]+$"}, "patient": {"path": r"(?:^|/)(\d+)_[^/]*$"}}
        if named >= placed
        else {"label": {"folder": -1}, "patient": {"folder": -2}}
    )
    copies = _nested_copies(survey)
    return Reading(
        0.95 * max(named, placed),
        describe(
            survey,
            "idc",
            fields=fields,
            class_map={"0": "benign", "1": "malignant"},
            class_names=BENIGN_MALIGNANT,
            images={"exclude": [f"{copy}/**" for copy in copies]},
        ),
        tuple(Text("doubt.nested_copy", {"folder": copy}) for copy in copies),
    )


def _nested_copies(survey: Survey) -> list[str]:
    """Return the folders that hold a second copy of the patients beside them, as a common re-release of IDC does."""
    files = set(survey.files)
    tops = sorted({file.partition("/")[0] for file in files if file.count("/") > 2})
    beside = {file for file in files if file.count("/") == 2}
    return [top for top in tops if beside and any(f"{top}/{file}" in files for file in beside)]


def _breakhis(survey: Survey) -> Reading | None:
    share = survey.share(_BREAKHIS)
    # Sorted into class folders by somebody they are class folders.
    if share < 0.8 or survey.share(_BREAKHIS_FOLDERS) < 0.5:
        return None
    found = [match for file in survey.images if (match := _BREAKHIS.search(file)) is not None]
    magnifications = sorted({match[3] for match in found}, key=int)
    doubts = [Text("doubt.magnifications", {"magnifications": magnifications})] if len(magnifications) > 1 else []
    return Reading(
        0.98 * share,
        describe(
            survey,
            "breakhis",
            fields={
                "label": {"path": r"(?i)SOB_([BM])_"},
                "patient": {"path": r"(?i)SOB_[BM]_[a-z]+[-_](\d+[-_][0-9a-z]+)-\d+-\d+[^/]*$"},
            },
            class_map={"B": "benign", "M": "malignant"},
            class_names=BENIGN_MALIGNANT,
            subgroups=[
                {"name": "magnification", "rule": {"path": r"(?i)SOB_[^/]*-(\d+)-\d+[^/]*$"}},
                {"name": "tumour_type", "rule": {"path": r"(?i)SOB_[BM]_([a-z]+)"}},
            ],
        ),
        tuple(doubts),
    )


IDC = Recogniser(
    "idc",
    _idc,
    citation="Cruz-Roa et al., Automatic detection of invasive ductal carcinoma in whole slide images with convolutional "
    "neural networks, SPIE Medical Imaging 2014; Janowczyk and Madabhushi, J Pathol Inform 2016.",
    licence="CC0 in its usual re-release",
    twins=Text("twins.idc"),
)
BREAKHIS = Recogniser(
    "breakhis",
    _breakhis,
    citation="Spanhol et al., A dataset for breast cancer histopathological image classification, IEEE Trans Biomed Eng "
    "2016.",
    licence="CC BY 4.0",
    twins=Text("twins.breakhis"),
)
