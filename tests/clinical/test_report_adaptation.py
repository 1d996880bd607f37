"""The report of a model that was adapted to a site: what it was, what adapted it, on what it is judged."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import pytest

from breastai.clinical.report.report_appendix import card, fingerprints
from breastai.clinical.report.report_blocks import Block
from breastai.clinical.report.report_cards import data_sheet, model_card
from breastai.clinical.report.report_document import ReportDocument
from breastai.clinical.report.report_layout import lay_out, report_title
from breastai.clinical.report.report_methods import methods
from breastai.clinical.report.report_page import ReportPage
from breastai.clinical.report.report_sources import gather
from breastai.clinical.report.report_summary import limits, summary
from breastai.domain.records import ImageUse, UsedFor
from breastai.domain.site_records import Adaptation, AdaptationSample
from breastai.storage.atomic_checkpoint import save_checkpoint
from breastai.storage.checkpoints import Manifest, checkpoint_files, find_checkpoint, read_manifest
from breastai.storage.evaluations import read_evaluations, save_evaluation
from breastai.storage.reports import report_at, report_files
from breastai.storage.results import list_results
from breastai.storage.workspace import Workspace
from tests.clinical.test_report import RUN, made_run
from tests.clinical.test_report_statements import answer, words_of

Language = Literal["en", "fr"]
SITE = "elsewhere/test"


def made_adaptation(workspace: Workspace, base: Manifest, run_id: str, unit: Literal["patient", "image"]) -> Adaptation:
    """Write the records of a model adapted from `base`, as the command leaves them."""
    ((_, judged),) = read_evaluations(workspace, RUN)
    sample = AdaptationSample(
        share=0.25,
        seed=7,
        unit=unit,
        units=17,
        images=34,
        counts={"benign": 20, "malignant": 8, "normal": 6},
        rest_units=60,
        rest_images=judged.evidence.n,
        rest_counts=judged.evidence.counts,
        sha256=["c" * 64],
    )
    adaptation = Adaptation(
        checkpoint=f"{base.run_id}/best",
        sha256=base.sha256,
        data=SITE,
        sample=sample,
        norm_layers=53,
        norm_prior_images=64,
        head_strength=1.0,
        novelty_images=34,
    )
    rule = base.decision.model_copy(update={"fitted_on": "sample", "n": 34})
    changes = {"run_id": run_id, "adapted_from": adaptation, "decision": rule, "metrics": {}}
    files = checkpoint_files(workspace, run_id, "best")
    save_checkpoint(files, base.model_copy(update=changes), lambda path: path.write_bytes(run_id.encode()))
    own = {"run_id": run_id, "checkpoint": f"{run_id}/best", "data": SITE, "split": "test", "uses": ImageUse()}
    rests = UsedFor(weights="train_and_sample", threshold="sample", figures="own")
    save_evaluation(workspace, judged.model_copy(update={**own, "used_for": rests}))
    return adaptation


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    found = Workspace.open(tmp_path_factory.mktemp("made"))
    made_run(found, uses=ImageUse())
    made_adaptation(found, read_manifest(find_checkpoint(found, f"{RUN}/best")), "adapted", "patient")
    return found


@pytest.fixture
def workspace(made: Workspace, tmp_path: Path) -> Workspace:
    """Return a copy of the workspace, to change."""
    shutil.copytree(made.root, tmp_path / "workspace", ignore=shutil.ignore_patterns("images"))
    return Workspace.open(tmp_path / "workspace")


def told(document: ReportDocument, language: Language = "en") -> str:
    page = ReportPage(document.model_copy(update={"language": language}))
    parts: Iterable[Block] = [*summary(page), *methods(page), *card(page), *model_card(page), *data_sheet(page)]
    return words_of(parts, language)


def test_it_says_what_the_model_was_what_adapted_it_and_on_what_it_is_judged(
    workspace: Workspace, blank_charts: None
) -> None:
    document, _ = gather(workspace, "adapted", "en")
    page = ReportPage(document)
    assert report_title(page) == "Report of the adapted model adapted"
    said = words_of(summary(page))
    assert f"Its base, {RUN}/best, was trained on 351 images and its best epoch chosen on 60 others." in said
    assert "to the site elsewhere/test with 34 images of 17 patients of that site (benign 20, malignant 8, nor" in said
    assert "120 images of 60 patients (images of the site that did not adapt the model)" in said
    assert "on the local sample of the site" in said and "no test set kept apart" not in said
    assert "no external validation" in said and "were not looked for" in said
    told_of = words_of(methods(page))
    assert (
        "Statistics of 53 layers of batch normalisation moved towards the sample;" in told_of
        and f"are those of {RUN}, the run" in told_of
    )
    assert "Local sample of the site elsewhere/test, which adapted the model: 34 images" in told_of
    assert "Images for testing" not in told_of
    for cards in (card(page), model_card(page)):
        assert f"{RUN}/best (SHA-256 {document.fingerprints['base']}), adapted to the site" in words_of(cards)
    assert {"images of the local sample", "weights of the model before the adaptation"} <= set(
        words_of(fingerprints(page)).splitlines()
    )
    assert lay_out(document, {})


def test_its_checklists_speak_of_the_sample_and_claim_no_external_validation(workspace: Workspace) -> None:
    document, _ = gather(workspace, "adapted", "en")
    for question, words in {
        "training": "Then adapted to a site without retraining",
        "development": "Local sample of the site: 34 images.",
        "internal": "No external validation",
        "disjoint": "Local sample and judged images of the site: whole patients on one side.",
        "parts": "local sample benign 20, malignant 8, normal 6",
    }.items():
        assert words in str(answer(document, question)), question
    assert answer(document, "external") is None


def test_without_the_records_of_its_training_nothing_is_said_of_them(workspace: Workspace) -> None:
    workspace.journal_file(RUN).unlink()
    document, _ = gather(workspace, "adapted", "en")
    assert document.adapted is not None and document.adapted.origin is None
    said = told(document)
    assert "The records of the training are not in this workspace" in said and "Images for validation: 1\n" in said
    for claim in ("Image files for training", "—", "were not looked for, ", "no audit", "Patients are unknown", " ()"):
        assert claim not in said, claim
    for question in ("missing", "eligibility", "subsets", "low_quality"):
        assert answer(document, question) is None
    assert "Epochs" not in str(answer(document, "training"))


def test_it_is_followed_back_through_all_its_adaptations_to_the_run_that_trained_it(workspace: Workspace) -> None:
    first = read_manifest(find_checkpoint(workspace, "adapted/best"))
    made_adaptation(workspace, first, "again", "image")
    document, _ = gather(workspace, "again", "en")
    assert document.adapted is not None and document.adapted.origin == RUN
    said = told(document)
    assert "Its base, adapted/best" in said and f"are those of {RUN}" in said and "image by image because" in said
    # A base that changed since tells of another training.
    files = checkpoint_files(workspace, "adapted", "best")
    save_checkpoint(files, first.model_copy(update={"sha256": ""}), lambda path: path.write_bytes(b"others"))
    adapted = gather(workspace, "again", "en")[0].adapted
    assert adapted is not None and adapted.origin is None


def test_a_model_adapted_but_judged_elsewhere_claims_no_rest_of_its_site(workspace: Workspace) -> None:
    ((path, record),) = read_evaluations(workspace, "adapted")
    path.write_text(record.model_copy(update={"data": "third"}).model_dump_json())
    document, _ = gather(workspace, "adapted", "en")
    assert document.adapted is not None and not document.adapted.judges_rest
    page = ReportPage(document)
    assert "(third)" in words_of(summary(page)) and "were not audited" in words_of(limits(page))


def test_it_is_whole_in_french(workspace: Workspace) -> None:
    said = told(gather(workspace, "adapted", "fr")[0], "fr")
    assert "Le modèle a ensuite été adapté au site elsewhere/test avec 34 images de 17 patients" in said
    assert "bénin 20" in said and "benign" not in said and "Adaptation à un site" in said


def test_what_was_made_of_it_is_listed_and_its_report_served(workspace: Workspace) -> None:
    files = report_files(workspace, "adapted", "en")
    files.html.parent.mkdir(parents=True)
    files.html.write_text("<p>report</p>")
    assert report_at(workspace, files.url) == files.html
    assert {entry.kind for entry in list_results(workspace, "adapted").results} == {"evaluation", "report"}
