"""External validation in a report: its tables hold the numbers of the JSON beside."""

import json
from pathlib import Path

import pytest

from breastai.clinical.report.report_blocks import Inlines, Paragraph, Quantity, Table, plain
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_sites import site_blocks
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


def page_of(**known: object) -> ReportDocument:
    return ReportDocument.model_construct(language="en", sites=record().model_copy(update=known))


def tables(document: ReportDocument) -> list[Table]:
    return [block for block in site_blocks(document) if isinstance(block, Table)]


def places(cell: Inlines) -> list[tuple[str | int, ...]]:
    return [part.path for part in cell if isinstance(part, Quantity)]


AREA, SENSITIVITY = "auc_roc.malignant", "sensitivity_at_operating_point.malignant"


def test_each_site_has_its_own_figures_and_what_is_not_known_is_left_blank() -> None:
    figures, differences, drift, sample = tables(page_of())
    assert [row[0] for row in figures.rows] == [("hospital_b",), ("hospital_c",), ("all sites, random effects",)]
    assert len(figures.head) == 5 == len(differences.head)
    for number, row in enumerate(figures.rows[:2]):
        own = ("sites", "sites", number)
        assert places(row[1]) == [(*own, "n")] and row[4] == ("",)
        for cell, name in zip(row[2:4], (AREA, SENSITIVITY), strict=True):
            assert places(cell) == [(*own, "figures", name, each) for each in ("value", "low", "high")]
        assert differences.rows[number][2] == ("",) == differences.rows[number][4]
        assert places(differences.rows[number][3])[0] == (*own, "differences", SENSITIVITY, "value")
    pooled = figures.rows[2]
    assert pooled[1:3] == (("",), ("",)) and pooled[4] == ("",)
    assert places(pooled[3]) == [("sites", "pooled", SENSITIVITY, each) for each in ("value", "low", "high")]
    assert [row[0] for row in differences.rows] == [("hospital_b",), ("hospital_c",)]
    assert drift.head[0] == figures.head[0] and len(sample.rows) == 2


def test_where_three_sites_promise_a_fourth_its_bounds_are_told_without_a_value() -> None:
    pooled = PooledFigure(sites=3, value=0.72, low=0.6, high=0.8, tau2=0.1, prediction_low=0.4, prediction_high=0.9)
    rows = tables(page_of(pooled={SENSITIVITY: pooled}))[0].rows
    assert rows[3][0] == ("a new site (prediction interval)",) and rows[3][2] == ("",)
    assert places(rows[3][3]) == [
        ("sites", "pooled", SENSITIVITY, each) for each in ("prediction_low", "prediction_high")
    ]
    assert len(tables(page_of(pooled={}))[0].rows) == 2


def test_without_an_internal_set_or_a_class_in_question_there_is_nothing_to_tell_of_them() -> None:
    assert [table.caption for table in tables(page_of(internal_set=None))] == [
        table.caption for number, table in enumerate(tables(page_of())) if number != 1
    ]
    site = record().sites[0]
    general = {"balanced_accuracy": Figure(value=0.6, low=0.5, high=0.7, n=80)}
    without = page_of(target_class=None, sites=[site.model_copy(update={"figures": general})], pooled={})
    (row,) = tables(without)[0].rows
    assert len(row) == 3 and places(row[2])[0] == ("sites", "sites", 0, "figures", "balanced_accuracy", "value")
    assert isinstance(site_blocks(page_of())[1], Paragraph) and isinstance(site_blocks(without)[1], Table)
    assert site_blocks(ReportDocument.model_construct(language="en", sites=None)) == []


def test_drift_is_told_by_its_kind_with_its_change_where_that_is_known() -> None:
    first, second = record().sites
    size = Drift(name="size", site=512.0, internal=None, difference=None)
    other = second.model_copy(update={"drift": [size], "modalities": {"MG": 3, "US": 5}})
    both = first.model_copy(update={"drift": [size, *first.drift]})
    table = tables(page_of(sites=[both, other]))[2]
    assert len(table.head) == 4
    own = ("sites", "sites", 0, "drift")
    assert places(table.rows[0][1]) == [(*own, 0, "site")]
    assert places(table.rows[0][2]) == [
        (*own, 1, "site"),
        *((*own, 1, "difference", each) for each in ("value", "low", "high")),
    ]
    assert table.rows[1][2] == ("",) and places(table.rows[1][1]) == [("sites", "sites", 1, "drift", 0, "site")]
    assert plain(table.rows[1][1], "en") == "512" and plain(table.rows[1][3], "en") == "MG 3, US 5"


def test_a_local_sample_tells_of_each_point_its_shares_and_what_was_fitted() -> None:
    site = record().sites[0]
    sample = site.local_sample
    assert sample is not None
    bare = sample.points[1].model_copy(update={"calibration": None})
    document = page_of(
        sites=[site.model_copy(update={"local_sample": sample.model_copy(update={"points": [sample.points[0], bare]})})]
    )
    table = tables(document)[-1]
    own = ("sites", "sites", 0, "local_sample", "points")
    for number, row in enumerate(table.rows):
        assert places(row[1]) == [(*own, number, "threshold")] and places(row[4]) == [(*own, number, "brier")]
        for cell, name in zip(row[2:4], ("sensitivity", "specificity"), strict=True):
            assert places(cell) == [(*own, number, name, each) for each in ("value", "low", "high")]
    assert [places(cell) for cell in table.rows[0][5:]] == [
        [(*own, 0, "calibration", name)] for name in ("slope", "intercept")
    ]
    assert table.rows[1][5:] == (("",), ("",))
    told = next(block for block in site_blocks(document) if isinstance(block, Paragraph) and "patients" in str(block))
    assert [path[-1] for path in places(told.text)] == ["units", "positive_units", "rest_images"]
    none = page_of(sites=[site.model_copy(update={"local_sample": sample.model_copy(update={"points": []})})])
    assert len(tables(none)) == 3
