"""External validation in a report: its tables hold the numbers of the JSON beside."""

import json
from pathlib import Path

import pytest

from breastai.domain.class_match import match_classes
from breastai.domain.records import Figure
from breastai.domain.site_records import (
    Drift,
    LocalSample,
    PointOnRest,
    PooledFigure,
    Recalibration,
    SiteResult,
    SitesRecord,
)
from breastai.domain.text import Text
from breastai.storage.evaluations import save_sites
from breastai.storage.workspace import Workspace

from .test_report import RUN, made_run, make_report, read


def figure(value: float, n: int = 40) -> Figure:
    return Figure(value=value, low=value - 0.1, high=min(1.0, value + 0.05), n=n)


def record() -> SitesRecord:
    name = "sensitivity_at_operating_point.malignant"
    point = PointOnRest(
        kind="frozen",
        threshold=0.31,
        sensitivity=figure(0.7),
        specificity=figure(0.8),
        brier=0.2,
        calibration=Recalibration(intercept=0.4, slope=0.9),
    )
    sample = LocalSample(
        share=0.3,
        seed=1,
        unit="patient",
        units=12,
        positive_units=5,
        images=24,
        rest_units=28,
        rest_images=56,
        rest_positives=20,
        positives_needed=19,
        points=[point, point.model_copy(update={"kind": "refitted", "threshold": 0.22})],
    )
    site = SiteResult(
        data="hospital_b",
        n=80,
        patients=40,
        counts={"benign": 60, "malignant": 20, "normal": 0},
        class_match=match_classes("hospital_b", {"benign": 60, "malignant": 20}, ["benign", "malignant", "normal"]),
        figures={"auc_roc.malignant": figure(0.8), name: figure(0.72)},
        differences={name: Figure(value=-0.2, low=-0.3, high=-0.1, n=80)},
        drift=[
            Drift(name="brightness", site=0.3, internal=0.4, difference=Figure(value=-0.1, low=-0.12, high=-0.08, n=80))
        ],
        modalities={"US": 80},
        local_sample=sample,
        notes=[
            Text("note.one_class", {"name": "malignant"}),
            Text("log.evaluation.patients_train", {"count": 28, "patients": 11}),
            Text("note.own_split", {"split": "by hand"}),
        ],
    )
    return SitesRecord(
        notice="",
        created="2026-03-01T11:00:00+00:00",
        breastai="4",
        run_id=RUN,
        checkpoint=f"{RUN}/best",
        target_class="malignant",
        threshold=0.31,
        target_sensitivity=0.95,
        internal_set="validation",
        sites=[site, site.model_copy(update={"data": "hospital_c", "local_sample": None})],
        pooled={name: PooledFigure(sites=2, value=0.72, low=0.6, high=0.8, tau2=0.1)},
        notes=[Text("note.sites_frozen")],
    )


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_report_has_a_row_for_each_site_and_its_numbers_are_those_of_the_json(
    tmp_path: Path, blank_charts: None, language: str
) -> None:
    workspace = Workspace.open(tmp_path / "workspace")
    made_run(workspace, True)
    save_sites(workspace, record())
    page, beside = make_report(workspace, language=language, pictures=False)
    reader, values = read(page.read_text(encoding="utf-8")), json.loads(beside.read_text(encoding="utf-8"))
    numbers = [(path, value) for path, value, _ in reader.numbers if path[0] == "sites"]
    assert len(numbers) > 20
    for path, value in numbers:
        found = values
        for key in path:
            found = found[key]
        assert found == value
    words = " ".join(reader.words)
    assert "hospital_b" in words and "hospital_c" in words
    told = "".join(reader.words)
    # What the model has seen of a site's images stands beside its figures; the interval is the difference's own.
    assert "28" in told and "(11)" in told and "by hand" not in told
    shown = {
        tuple(path[-2:]): text
        for path, _, text in reader.numbers
        if path[-3:-1] == ["0", "difference"] or "drift" in path
    }
    assert shown[("difference", "value")] in ("\N{MINUS SIGN}0.100", "\N{MINUS SIGN}0,100")
    assert {"en": "; difference ", "fr": "écart "}[language] in told
    assert {"en": "local sample, patients: ", "fr": "échantillon local, patients\N{NO-BREAK SPACE}: "}[language] in told
    assert {"en": "a new site", "fr": "un nouveau site"}[language] not in told  # two sites promise no third
    assert ("re-fitted on the local sample" if language == "en" else "réajusté sur l’échantillon local") in words
