"""Cross-validation on the page, with a worker that plays a script."""

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from breastai.domain.events import TrainingStarted
from breastai.domain.study import SeedsResult, Spread, Study, StudyMember
from breastai.storage.journal import Journal
from breastai.storage.studies import save_study, study_file

from .page_steps import OpenPage, violations

RunJs = Callable[..., Any]
WORDS = {
    "en": {"running": "Running", "stopped": "Stopped", "complete": "Complete", "folds": ["complete", "running", "waiting"],
           "epoch": "epoch 1 of 2", "done": "3 of 3 folds complete", "warning": "dealt one by one",
           "search": "20 of 20 trials, best validation AUC 0.910", "setting": "Dropout: 0.25", "inside": "chosen inside the folds",
           "notes": "4 images were left out because of duplicates or patients elsewhere.", "kind": "Cross-validation", "all": "3 of 3"},
    "fr": {"running": "En cours", "stopped": "Arrêtée", "complete": "Terminée", "folds": ["terminé", "en cours", "en attente"],
           "epoch": "époque 1 sur 2", "done": "3 plis terminés sur 3", "warning": "réparties une à une",
           "search": "20 essais sur 20, meilleure AUC de validation 0,910", "setting": "0,25", "inside": "choisis à l’intérieur des plis",
           "notes": "4 images ont été écartées à cause de doublons ou de patients présents ailleurs.", "kind": "Validation croisée", "all": "3 sur 3"},
}  # fmt: skip


def rows(page: Page) -> Any:
    return page.locator("#crossval-body tbody tr")


def shows_the_middle(page: Page, words: dict[str, Any]) -> None:
    expect(page.locator("#crossval-state")).to_have_text(words["running"])
    for number, state in enumerate(words["folds"]):
        expect(rows(page).nth(number)).to_contain_text(state)
    expect(rows(page).nth(1)).to_contain_text(words["epoch"])
    expect(rows(page).nth(1)).to_contain_text(words["search"])
    expect(rows(page).nth(1).locator("details li")).to_contain_text(words["setting"])
    expect(rows(page).nth(1).locator("progress")).to_have_js_property("value", 0.5)
    points = "Chart.getChart(document.querySelector('[data-chart=crossval-val_auc_roc]')).data.datasets.map(({ fill, data }) => [fill, data.map(({ y }) => Number(y.toFixed(2)))])"
    assert page.evaluate(points) == [[False, [0.65, 0.7]], [False, [0.6, 0.7]], ["-1", [0.7, 0.7]]]


@pytest.mark.parametrize(("how", "language"), [("file", "fr"), ("http", "en")])
def test_folds_are_followed_stopped_gone_on_with_and_judged_together(
    open_page: OpenPage, how: str, language: str
) -> None:
    words = WORDS[language]
    page = open_page(how, locale=language)
    page.fill("#data-path", "data")
    page.locator('[data-action="start_crossval"]').click()
    shows_the_middle(page, words)
    expect(page.locator("#tiles")).to_be_hidden()
    # A second tab and a reload show the same.
    shows_the_middle(open_page("http", locale=language), words)
    page.reload()
    page.wait_for_selector("#connection-state.phase-connected")
    shows_the_middle(page, words)
    expect(page.locator('[data-action="start_training"]')).to_be_disabled()

    page.locator('#job-bar [data-action="stop_training"]').click()
    expect(page.locator("#crossval-state")).to_have_text(words["stopped"])
    page.locator('#crossval-card [data-action="resume_study"]').click()
    expect(page.locator("#crossval-state")).to_have_text(words["complete"])
    expect(page.locator("#crossval-body")).to_contain_text(words["done"])
    result = page.locator("#crossval-result")
    expect(result).to_contain_text(words["warning"])
    expect(result).to_contain_text(words["inside"])
    expect(result).to_contain_text("_ensemble.onnx")
    expect(result.locator("table")).to_have_count(4)
    expect(page.locator('#crossval-card [data-action="resume_study"]')).to_have_count(0)
    expect(result).to_contain_text(words["notes"])
    roc = "Chart.getChart(document.querySelector('[data-chart=crossval-roc]')).data.datasets.map(({ data }) => data.length)"
    assert page.evaluate(roc) == [5, 5, 5, 2]
    assert violations(page) == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_earlier_studies_are_listed_and_shown_again(open_page: OpenPage, language: str) -> None:
    words = WORDS[language]
    page = open_page("http", locale=language)
    page.fill("#data-path", "data")
    for state in ("complete", "stopped"):
        page.locator('[data-action="start_crossval"]').click()
        expect(page.locator("#crossval-state")).to_have_text(words["running"])
        page.evaluate("location.hash = '#runs'")
        lines = page.locator("#studies-list tbody tr")
        expect(lines.first).to_contain_text(words["running"])
        expect(lines.nth(1).locator("button")).to_be_disabled() if state == "stopped" else None
        page.evaluate("location.hash = '#training'")
        page.locator('#job-bar [data-action="stop_training"]').click()
        expect(page.locator("#crossval-state")).to_have_text(words["stopped"])
        if state == "complete":
            page.locator('#crossval-card [data-action="resume_study"]').click()
            expect(page.locator("#crossval-state")).to_have_text(words["complete"])
    page.evaluate("location.hash = '#runs'")
    expect(lines.nth(1)).to_contain_text(words["kind"])
    expect(lines.nth(1)).to_contain_text(words["all"])
    assert violations(page) == []
    lines.nth(1).locator('[data-action="get_study"]').click()
    expect(page.locator("#crossval-state")).to_have_text(words["complete"])
    expect(page.locator("#crossval-result")).to_contain_text(words["notes"])


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", ["Runs by seed", "Seed 3", "0.850", "2 of 2 seeds complete", "Spread over the seeds"]),
     ("fr", ["Entraînements par graine", "Graine 3", "0,850", "2 graines terminées sur 2", "Dispersion entre les graines"])],
)  # fmt: skip
def test_runs_by_seed_are_shown_with_how_far_they_spread(
    open_page: OpenPage, stage: Any, language: str, words: list[str]
) -> None:
    curves: dict[str, list[float | None]] = {"epoch": [1, 2], "val_auc_roc": [0.7, 0.8], "val_loss": [0.6, 0.5]}
    members = [
        StudyMember(run_id=f"z-s{seed}", values={"system.seed": seed}, epochs=2, epoch=2, state="complete", n=9,
                    curves=curves, best_epoch=2, figures={"auc_roc": auc, "accuracy": 0.8})
        for seed, auc in ((3, 0.8), (8, 0.9))
    ]  # fmt: skip
    spread = {"auc_roc": Spread(mean=0.85, standard_deviation=0.07, low=0.8, high=0.9, n=2)}
    result = SeedsResult(seeds=[3, 8], checkpoints=["z-s3/best", "z-s8/best"], spread=spread)
    study = Study(study_id="z", kind="seeds", state="complete", created="2026-01-01", config={}, members=members)
    save_study(stage.workspace, study.model_copy(update={"seeds": result}))
    for member in members:
        journal = Journal(stage.workspace.journal_file(member.run_id), member.run_id, "default")
        journal.stamp(TrainingStarted(architecture="resnet50", epochs=2, class_names=["a", "b"], config={}))
        journal.close()
    try:
        page = open_page("http", locale=language)
        page.evaluate("location.hash = '#runs'")
        # In the list of runs they lie under their study, and unfold.
        runs = page.locator("#runs-list")
        expect(runs.locator(".study-member")).to_have_count(0)
        runs.locator('button[data-study="z"]').click()
        expect(runs.locator(".study-member")).to_have_count(2)
        page.locator("#studies-list tbody tr", has_text=words[0]).locator('[data-action="get_study"]').click()
        card = page.locator("#crossval-card")
        for word in words:
            expect(card).to_contain_text(word)
        expect(card.locator("#crossval-curves canvas")).to_have_count(2)
        assert violations(page) == []
    finally:
        shutil.rmtree(study_file(stage.workspace, "z").parent)
        for member in members:
            shutil.rmtree(stage.workspace.journal_file(member.run_id).parent)


def test_more_studies_than_a_page_of_the_list_are_there_when_asked_for(open_page: OpenPage, stage: Any) -> None:
    made = [f"many-{number:02d}" for number in range(52)]
    for name in made:
        save_study(
            stage.workspace,
            Study(study_id=name, kind="seeds", state="complete", created="2020-01-01", config={}, members=[]),
        )
    try:
        page = open_page("http", locale="fr")
        page.evaluate("location.hash = '#runs'")
        lines = page.locator("#studies-list tbody tr")
        expect(lines).to_have_count(50)
        page.locator("#studies-more").click()
        expect(lines.filter(has_text=made[0])).to_have_count(1)
        assert lines.count() >= len(made)
        expect(page.locator("#studies-more")).to_be_hidden()
    finally:
        for name in made:
            shutil.rmtree(study_file(stage.workspace, name).parent)


def test_a_band_lies_between_the_lowest_and_the_highest_run_of_those_that_came_so_far(run_js: RunJs) -> None:
    runs = [{"epoch": [1, 2], "loss": [1.0, 3.0]}, {"epoch": [1], "loss": [2.0]}, {"epoch": [1], "loss": [None]}, {}]
    code = (
        'output(BreastAI.series.bandOf(input, "loss", { mean: "m", low: "l", high: "h" }).map(({ points }) => points));'
    )
    assert run_js(code, runs) == [
        [{"x": 1, "y": 1.5}, {"x": 2, "y": 3}],
        [{"x": 1, "y": 1}, {"x": 2, "y": 3}],
        [{"x": 1, "y": 2}, {"x": 2, "y": 3}],
    ]
