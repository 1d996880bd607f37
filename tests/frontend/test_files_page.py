"""Checkpoints and exports on the page: verified, downloaded, evaluated, deleted by clicking."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .page_steps import OpenPage, confirm, go, trained


def downloaded(page: Page, label: str) -> Any:
    with page.expect_download() as caught:
        page.get_by_role("link", name=label, exact=True).click()
    return caught.value


@pytest.mark.parametrize(("how", "language"), [("file", "fr"), ("http", "en")])
def test_a_checkpoint_and_its_export_are_verified_downloaded_and_deleted(
    open_page: OpenPage, stage: Any, how: str, language: str
) -> None:
    page = open_page(how, locale=language)
    words = page.evaluate("BreastAI.locales[BreastAI.i18n.current()]")
    page.fill("#data-path", "data")
    page.fill("#setting-training-epochs", "1")
    page.locator('[data-action="start_training"]').first.click()
    expect(page.locator("#run-state")).to_have_text(words["state.complete"])
    run_id = max(stage.workspace.runs(), key=lambda run: stage.workspace.journal_file(run).stat().st_mtime_ns)
    best = stage.workspace.checkpoint_dir(run_id) / "best.safetensors"
    page.evaluate("location.hash = '#checkpoints'")
    row = page.locator("#checkpoints-list tbody tr", has_text=f"{run_id}/best")
    row.locator('[data-action="verify_checkpoint"]').click()
    expect(row).to_contain_text(words["checkpoints.whole"])
    path = f"checkpoints/{run_id}/best.safetensors"
    kept = downloaded(page, f"{words['checkpoints.download']} {path}")
    assert kept.suggested_filename == f"{run_id}_best.safetensors"
    assert kept.path().read_bytes() == best.read_bytes()

    export = stage.workspace.exports_dir / "onnx" / f"{run_id}_best.onnx"
    export.parent.mkdir(exist_ok=True)
    export.write_bytes(b"no model")
    page.locator('[data-action="export_model"]').first.click()
    confirm(page)
    listed = page.locator("#exported-list tbody tr", has_text=f"{run_id}_best.onnx")
    expect(listed).to_have_count(1)
    listed.locator('[data-action="verify_export"]').click()
    expect(page.locator(".toast.level-error")).to_contain_text(export.name)
    page.locator(".toast.level-error button").click()
    listed.locator('[data-action="delete_export"]').click()
    confirm(page)
    expect(listed).to_have_count(0)
    assert not export.exists()

    row.locator('[data-action="evaluate_model"]').click()
    page.fill("#evaluate-folder", "data")
    confirm(page)
    expect(page.locator("#evaluation-head")).to_contain_text(f"{run_id}/best")


def test_runs_of_the_same_validation_images_are_averaged_and_others_say_why_not(open_page: OpenPage) -> None:
    page = open_page()
    first, second = trained(page), trained(page)
    elsewhere, strange = trained(page, folder="elsewhere"), trained(page, folder="strange")
    go(page, "checkpoints")
    page.locator("#checkpoints-list tr", has_text=f"{first}/best").locator('[data-action="export_model"]').click()
    page.select_option("#export-format", "pytorch")
    others = page.locator("#dialog .export-others [data-average]")
    assert f"{second}/best" in others.evaluate_all("(boxes) => boxes.map((box) => box.dataset.average)")
    page.locator("#dialog summary").click()
    unfit = page.locator("#dialog details li")
    expect(unfit.filter(has_text=elsewhere)).to_contain_text("it was validated on other images")
    expect(unfit.filter(has_text=strange)).to_contain_text("it has other classes")
    page.locator(f'#dialog [data-average="{second}/best"]').check()
    expect(page.locator("#dialog")).to_contain_text("2 runs averaged, in one ONNX file.")
    expect(page.locator("#export-format")).to_have_value("onnx")
    expect(page.locator("#export-format")).to_be_disabled()
    confirm(page)
    expect(page.locator("#exports-list")).to_contain_text(f"{first}/best, {second}/best")
