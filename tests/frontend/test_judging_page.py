"""Audit, evaluation and report on the page, with a worker that plays a script."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from breastai.domain.events import TrainingStarted
from breastai.storage.journal import read_events

from .page_steps import OpenPage, trained, violations


def action(page: Page, name: str) -> Any:
    return page.locator(f'[data-action="{name}"]')


@pytest.mark.standard
@pytest.mark.parametrize("how", ["file", "http"])
def test_twins_are_shown_before_a_run_and_the_answer_is_the_runs_setting(
    open_page: OpenPage, stage: Any, how: str
) -> None:
    page = open_page(how)
    page.fill("#data-path", "twins")
    page.fill("#setting-training-epochs", "1")
    action(page, "start_training").first.click()
    expect(page.locator("#audit-question")).to_contain_text("Duplicates were found")
    expect(page.locator("#audit-body")).to_contain_text(
        "1 group of identical or near-identical images carries different labels"
    )
    expect(page.locator("#audit-body")).to_contain_text(
        "Colour: this alone tells benign from the rest, with an AUC of 0.91 (0.80 to 0.95)"
    )
    expect(page.locator("#audit-body")).to_contain_text("Words of tomorrow.")
    expect(page.locator(".twins img")).to_have_count(2)
    assert page.locator(".twins img").first.evaluate("image => image.naturalWidth") == 1
    expect(page.locator(".twins")).to_contain_text("val/malignant/<b>2</b>.png")
    assert violations(page) == []
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.locator("#audit-question")).to_be_empty()
    page.evaluate("location.hash = '#training'")
    action(page, "start_training").first.click()
    page.get_by_role("button", name="Train: keep one image of each group").click()
    expect(page.locator("#run-state")).to_have_text("Complete")
    run_id = max(stage.workspace.runs())
    started = next(
        event for event in read_events(stage.workspace.journal_file(run_id)) if isinstance(event, TrainingStarted)
    )
    assert started.config["data"]["on_leak"] == "exclude"


@pytest.mark.parametrize(
    ("locale", "told", "answer"),
    [
        (
            "en-GB",
            "Of 160 images, 146 are near-duplicates of others (groups: 5; images in the largest: 73)",
            "Train: keep duplicates and patients on one side",
        ),
        (
            "fr-FR",
            "Sur 160 images, 146 ont des doublons (groupes : 5 ; images dans le plus grand : 73)",
            "Entraîner : garder doublons et patients",
        ),
    ],
)
def test_a_run_that_does_not_begin_by_itself_shows_why_and_begins_when_answered(
    open_page: OpenPage, stage: Any, locale: str, told: str, answer: str
) -> None:
    page = open_page(locale=locale, expected=("400",))
    page.fill("#data-path", "doubtful")
    page.fill("#setting-training-epochs", "1")
    action(page, "start_training").first.click()
    expect(page.locator("#audit-question")).to_contain_text(told)
    expect(page.locator("#view-audit")).to_be_visible()
    expect(page.locator(".twins img")).to_have_count(2)
    before = set(stage.workspace.runs())
    page.locator("#audit-question").get_by_role("button", name=answer).click()
    expect(page.locator("#run-state")).to_have_text(re.compile("Complete|Termin"))
    (run_id,) = set(stage.workspace.runs()) - before
    started = next(
        event for event in read_events(stage.workspace.journal_file(run_id)) if isinstance(event, TrainingStarted)
    )
    assert started.config["data"]["on_leak"] == "group" and started.config["data"]["train_dir"].startswith("doubtful")


def test_the_look_before_a_start_goes_by_the_form_s_patient_rule(open_page: OpenPage) -> None:
    page = open_page()
    page.fill("#data-path", "twins")
    page.locator("#all-settings > summary").click()
    page.locator(".settings-group[data-section=evaluation] > summary").click()
    page.fill("#setting-evaluation-patient_id", '{"pattern": "^(P[0-9]+)_"}')
    action(page, "start_training").first.click()
    expect(page.locator("#audit-question")).to_contain_text("Patients with images in training and in a given val")
    expect(page.locator("#audit-body")).to_contain_text("1 patient of val is in train too")


def test_an_audit_is_made_from_its_own_view_in_french_too(open_page: OpenPage) -> None:
    page = open_page(locale="fr-FR")
    page.get_by_role("link", name="Audit").click()
    page.fill("#audit-path", "twins")
    action(page, "audit_data").click()
    expect(page.locator("#audit-body")).to_contain_text("porte des étiquettes différentes")
    expect(page.locator("#audit-body")).to_contain_text("Peut manquer les images qui ont moins de la moitié")
    expect(page.locator("#audit-body")).to_contain_text("AUC de 0,91")
    expect(page.locator("#audit-body")).to_contain_text("Peu de cas indépendants (Validation : bénin 3)")
    page.fill("#audit-path", "data")
    action(page, "audit_data").click()
    expect(page.locator("#audit-body")).to_contain_text("Aucun défaut")
    expect(page.locator("#twins-card")).to_be_hidden()


@pytest.mark.standard
def test_the_current_model_is_evaluated_with_intervals_and_curves(open_page: OpenPage) -> None:
    page = open_page()
    trained(page)
    # What is asked is the current model, also of a page that was open when another was.
    asked = page.locator("#predict-model")
    page.get_by_role("link", name="Ask a model").click()
    first = asked.input_value()
    page.get_by_role("link", name="Training", exact=True).click()
    trained(page)
    page.get_by_role("link", name="Ask a model").click()
    expect(asked).not_to_have_value(first)
    page.get_by_role("link", name="Evaluation").click()
    page.fill("#evaluate-path", "data")
    page.select_option("#evaluate-split", "val")
    page.fill("#evaluate-subgroups", "devices.csv")
    page.locator("#evaluate-form [data-action=evaluate_model]").click()
    body = page.locator("#evaluation-body")
    expect(body).to_contain_text("0.800 to 0.900")
    expect(body).to_contain_text("Missed: 1 of 20 malignant images. Flagged wrongly: 6 of 40 others.")
    expect(body).to_contain_text("Evaluated 3 times")
    expect(body).to_contain_text(
        "Images of class malignant among those that chose the threshold: only 30. A sensitivity of 95%"
    )
    # By patient, with the rule that made one case of a patient's images; and what these images were also used for.
    by_patient = body.locator("section", has_text="By patient")
    expect(by_patient).to_contain_text("Patients with images of several classes: 7 of 51")
    expect(by_patient).to_contain_text("Patients of class malignant without any image flagged: 2 of 18")
    expect(by_patient.locator("tbody tr")).to_have_count(1)
    expect(body).to_contain_text("60 of 60 images were also used for choosing the best epoch")
    # What a call would be worth at another prevalence, each value with its interval.
    screening = body.locator("tr", has_text="screening")
    expect(screening.locator("td")).to_have_text(["0.5%", "0.310 0.210 to 0.310", "0.310 0.210 to 0.310"])
    charts = page.evaluate(
        "() => [...document.querySelectorAll('#evaluation-charts canvas, #evaluation-roc canvas')].map((canvas) => Chart.getChart(canvas).data.datasets.length)"
    )
    assert charts == [5, 3, 3, 2]
    expect(page.locator("#evaluation-matrix .matrix-cell.right b").first).to_have_text("20")
    # Each part of the images by itself, told apart by the table that was named.
    by_device = body.locator("section", has_text="By subgroup")
    expect(by_device).to_contain_text("device: <b>A</b>")
    expect(by_device).to_contain_text("0.600 0.500 to 0.600")
    assert violations(page) == []


def test_the_current_model_is_compared_with_another_by_the_paired_test(open_page: OpenPage) -> None:
    page = open_page()
    trained(page)
    page.get_by_role("link", name="Evaluation").click()
    page.fill("#evaluate-path", "data")
    button = action(page, "compare_models")
    others = page.locator("#compare-with option")
    expect(others).not_to_have_count(0)
    button.click()
    body = page.locator("#comparison-body")
    expect(body).to_contain_text(re.compile("malignant: the AUC of .*/best is higher \\(p under 0.001\\)"))
    expect(body).to_contain_text("benign: the AUCs can't be told apart on these images (p 0.200).")
    expect(body.locator("tbody tr")).to_have_count(3)
    assert violations(page) == []


def test_what_an_evaluation_says_of_itself_is_said_in_french(open_page: OpenPage) -> None:
    page = open_page("file", locale="fr")
    trained(page)
    expect(page.locator("#data-summary")).to_contain_text(
        "20\u00a0% mis de côté pour la validation par patients entiers"
    )
    page.get_by_role("link", name="Évaluation").click()
    page.fill("#evaluate-path", "data")
    page.locator("#evaluate-form [data-action=evaluate_model]").click()
    expect(page.locator("#evaluation-head")).to_contain_text("Les patients sont inconnus")
    expect(page.locator("#evaluation-head")).to_contain_text("Aucune de ces images n’a servi")
    body = page.locator("#evaluation-body")
    screening = body.locator("tr", has_text="dépistage")
    expect(screening.locator("td")).to_have_text(["0,5\u00a0%", "0,310 0,210 à 0,310", "0,310 0,210 à 0,310"])
    for text in (
        "Images de la classe malin parmi celles qui ont servi à choisir le seuil\u00a0: 30 seulement", "Patients avec des images de plusieurs classes\u00a0: 7 sur 51", "Température de 1,200", "bénin 0,25", "Perte logarithmique0,300",
        "taux d’erreur de 5", "Cas renvoyés0,4200,320 à 0,420", "le fichier est vide", "abababababababab",
        "logs/run/evaluations/1.json", "Patients51",
    ):  # fmt: skip
        expect(body).to_contain_text(text)
    assert page.locator("#evaluation-body [lang=en], #data-summary [lang=en]").count() == 0


@pytest.mark.standard
def test_a_report_is_written_and_opens_from_the_server(open_page: OpenPage) -> None:
    page = open_page("file")
    trained(page)
    page.get_by_role("link", name="Checkpoints").click()
    action(page, "create_report").first.click()
    link = page.locator("#reports-card").get_by_role("link", name=re.compile("Open the report"))
    with page.expect_popup() as opened:
        link.click()
    report = opened.value
    expect(report.locator("h1")).to_have_text("Report")
    # Its own style is let through by its hash.
    assert report.locator("h1").evaluate("heading => getComputedStyle(heading).color") == "rgb(1, 2, 3)"
