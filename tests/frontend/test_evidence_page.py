"""Tables of readers and predictions, the plan of a study and labels in doubt, on the page; nothing of them is scripted."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import expect

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.dataset_description import parse_description
from breastai.storage.datasets import read_dataset, save_dataset
from breastai.storage.kept_doubts import doubt_tables

from .page_steps import OpenPage, violations

CASES = 45


def readings() -> Iterator[str]:
    generator = np.random.default_rng(4)
    for case in range(CASES):
        label = "malignant" if case % 3 == 0 else "benign"
        for reader in "ABC":
            for test in ("alone", "aided"):
                score = np.clip(generator.normal(4 if label == "malignant" else 2.5), 1, 5)
                yield f"{reader},{test},c{case}.png,{label},{score:.0f}"


def predictions() -> Iterator[str]:
    generator = np.random.default_rng(5)
    for case in range(CASES):
        label = "malignant" if case % 3 == 0 else "benign"
        probability = np.clip(generator.normal(0.6 if label == "malignant" else 0.35, 0.2), 0.01, 0.99)
        yield f"c{case}.png,{label},{1 - probability:.3f},{probability:.3f},P{case // 2}"


def write_table(path: Path, head: str, rows: Iterator[str]) -> None:
    path.write_text("\n".join([head, *rows]), encoding="utf-8")


@pytest.fixture(scope="module", autouse=True)
def tables(stage: Any) -> None:
    write_table(stage.workspace.root / "readers.csv", "reader,test,file,label,score", readings())
    write_table(stage.workspace.root / "predictions.csv", "file,label,p_benign,p_malignant,patient_id", predictions())


@pytest.mark.parametrize(("locale", "agreement"), [("en-GB", "Agreement"), ("fr-FR", "Accord")])
def test_a_table_of_readers_is_analysed_kept_and_shown_again(open_page: OpenPage, locale: str, agreement: str) -> None:
    page = open_page(locale=locale)
    page.evaluate("location.hash = '#evaluation'")
    page.fill("#readers-path", "readers.csv")
    page.fill("#readers-model", "predictions.csv")
    page.fill("#readers-call", "4")
    page.locator('[data-action="compare_readers"]').click()
    expect(page.locator("#readers-body")).to_contain_text(agreement)
    page.reload()
    page.locator('[data-action="show_comparison"]').first.click()
    expect(page.locator("#readers-body")).to_contain_text(agreement)


def test_a_table_of_predictions_is_evaluated(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate("location.hash = '#evaluation'")
    page.fill("#predictions-path", "predictions.csv")
    page.fill("#predictions-threshold", "0.5")
    page.locator('[data-action="evaluate_predictions"]').click()
    expect(page.locator("#evaluation-body")).to_contain_text("AUC")
    expect(page.locator("#evaluation-roc canvas")).to_be_visible()
    page.locator('#evaluation-report [data-action="create_report"]').click()
    link = page.locator("#evaluation-report a")
    expect(link).to_contain_text("predictions.csv", timeout=20_000)
    assert page.request.get(link.get_attribute("href") or "").ok


def test_a_study_is_planned(open_page: OpenPage) -> None:
    page = open_page()
    page.evaluate("location.hash = '#system'")
    page.locator('[data-action="plan_study"]').click()
    expect(page.locator("#plan-body tbody tr")).to_have_count(3)
    # What each criterion asks for is told beside it; a share that is expected is a criterion too.
    expect(page.locator("#plan-body tbody tr").last).to_contain_text("95% interval at most 0.1 wide")
    page.fill("#plan-sensitivity", "0.9")
    page.locator('[data-action="plan_study"]').click()
    expect(page.locator("#plan-body tbody tr")).to_have_count(4)


def test_labels_in_doubt_are_listed(open_page: OpenPage, stage: Any) -> None:
    write_sample_data(stage.workspace.root / "doubted", per_class=12, seed=3, image_size=48)
    page = open_page()
    page.evaluate("location.hash = '#audit'")
    page.fill("#doubts-path", "doubted")
    page.locator('[data-action="find_doubts"]').click()
    expect(page.locator("#doubts-body")).to_contain_text("doubted", timeout=60_000)


@pytest.mark.parametrize(("locale", "left_out"), [("en-GB", "Left out"), ("fr-FR", "Écartée")])
def test_a_doubt_takes_a_note_and_its_image_is_left_out_or_relabelled_as_suggested(
    open_page: OpenPage, stage: Any, locale: str, left_out: str
) -> None:
    name = f"kept-{locale[:2]}"
    write_sample_data(stage.workspace.root / name, per_class=12, seed=5, image_size=48)
    described = {"name": name, "root": name, "fields": {"label": {"folder": 2}, "split": {"folder": 1}}}
    save_dataset(stage.workspace, parse_description(described))
    page = open_page(locale=locale)
    page.evaluate("location.hash = '#audit'")
    page.fill("#doubts-path", name)
    page.locator('[data-action="find_doubts"]').click()
    first, second = page.locator(".wrong-cases > li").nth(0), page.locator(".wrong-cases > li").nth(1)
    expect(first).to_be_visible(timeout=60_000)
    file, suggested = first.locator(".thumbnail-name").inner_text(), second.locator("b").nth(1).inner_text()
    first.get_by_role("textbox").fill("a ruler over it")
    first.get_by_role("textbox").press("Tab")
    expect(first.get_by_role("status")).not_to_be_empty()
    first.locator('[data-action="exclude_images"]').click()
    page.locator("dialog[open] .button-row button").last.click()
    expect(first.get_by_role("status")).to_have_text(left_out)
    second.locator('[data-action="relabel_images"]').click()
    expect(page.locator("#correction-label option:checked")).to_have_text(suggested)
    page.locator("dialog[open] .button-row button").last.click()
    expect(second.get_by_role("status")).not_to_be_empty()
    corrected = read_dataset(stage.workspace, name)
    assert (
        [item.file for item in corrected.left_out] == [file]
        and file.startswith("train/")
        and len(corrected.relabelled) == 1
    )
    *_, table = doubt_tables(stage.workspace)
    assert table.read_text(encoding="utf-8").splitlines()[1].endswith(",leave_out,a ruler over it")
    assert page.request.get(page.locator("#doubts-body a[download]").get_attribute("href") or "").ok


@pytest.mark.parametrize(
    ("locale", "left_out", "now"), [("en-GB", "left out", "now malignant"), ("fr-FR", "écartée", "désormais malin")]
)
def test_a_duplicate_is_left_out_or_relabelled_beside_its_like(
    open_page: OpenPage, stage: Any, locale: str, left_out: str, now: str
) -> None:
    name = f"copies-{locale[:2]}"
    root = stage.workspace.root / name
    write_sample_data(root, per_class=8, seed=7, image_size=96)
    benign = sorted((root / "train" / "benign").glob("*.png"))[0]
    shutil.copy(benign, root / "train" / "malignant" / "copy.png")
    described = {"name": name, "root": name, "fields": {"label": {"folder": 2}, "split": {"folder": 1}}}
    save_dataset(stage.workspace, parse_description(described))
    page = open_page(locale=locale)
    page.evaluate("location.hash = '#audit'")
    page.fill("#audit-path", name)
    page.locator('[data-action="audit_data"]').click()
    group = page.locator(".twins", has_text="copy.png")
    kept, copied = group.locator("li", has_text=benign.name), group.locator("li", has_text="copy.png")
    expect(copied.locator("img")).to_be_visible(timeout=60_000)
    assert violations(page) == []
    copied.locator('[data-action="exclude_images"]').click()
    page.locator("dialog[open] .button-row button").last.click()
    expect(copied.get_by_role("status")).to_have_text(left_out)
    kept.locator('[data-action="relabel_images"]').click()
    # What its like is called.
    expect(page.locator("#correction-label")).to_have_value("malignant")
    page.locator("dialog[open] .button-row button").last.click()
    expect(kept.get_by_role("status")).to_have_text(now)
    corrected = read_dataset(stage.workspace, name)
    assert [item.file for item in corrected.left_out] == ["train/malignant/copy.png"]
    assert [(item.file, item.label) for item in corrected.relabelled] == [(f"train/benign/{benign.name}", "malignant")]
    copied.locator('[data-action="restore_images"]').click()
    page.locator("dialog[open] .button-row button").last.click()
    expect(copied.locator('[data-action="exclude_images"]')).to_be_visible()
    assert read_dataset(stage.workspace, name).left_out == ()
