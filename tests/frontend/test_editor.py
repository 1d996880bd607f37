"""The editor, settings as files, the log and the side bar, in a real browser."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .page_steps import OpenPage, confirm

CONTENT = "ace.edit(document.getElementById('editor-box')).getValue()"


def tool(page: Page, name: str) -> Any:
    return page.locator(f"[data-editor={name}]")


def write(page: Page, text: str) -> None:
    """Replace what is in the box, as one paste."""
    page.locator("#editor-box .ace_content").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(text)


@pytest.mark.parametrize("how", ["file", "http"])
def test_a_configuration_is_written_checked_named_used_and_deleted(open_page: OpenPage, stage: Any, how: str) -> None:
    page = open_page(how)
    config_file = stage.workspace.config_file
    config_file.unlink(missing_ok=True)
    page.get_by_role("link", name="Editor").click()
    expect(page.locator("#editor-state")).to_contain_text("As saved")
    expect(tool(page, "save")).to_be_disabled()
    expect(tool(page, "delete")).to_have_attribute("title", "Only named configurations can be deleted.")

    write(page, '{"training": {\n"epochs": 0\n}}')
    fault = page.locator("#editor-faults button")
    expect(fault).to_have_text("Line 2 · training.epochs (Epochs): expected a whole number from 1 to 10000, got 0")
    expect(page.locator(".ace_gutter-cell.ace_error")).to_have_text("2")
    expect(tool(page, "save")).to_be_disabled()
    write(page, '{"training": {"epochs": 9},}')
    expect(fault).to_contain_text("Expected one JSON object")
    page.locator("#editor-faults button").click()
    expect(page.locator("#editor-box textarea")).to_be_focused()
    write(page, '{"training": {"epochs": 9}}')
    expect(page.locator("#editor-state")).to_contain_text("Changed, not saved")
    page.keyboard.press("Control+S")
    expect(page.locator("#editor-state")).to_contain_text("As saved")
    write(page, '{"training": {"epochs": 10}}')
    tool(page, "save").click()
    expect(page.locator("#editor-state")).to_contain_text("As saved")
    assert json.loads(config_file.read_text())["training"]["epochs"] == 10
    write(page, '{"training": {"epochs": 9}}')
    page.keyboard.press("Control+S")
    expect(page.locator("#editor-state")).to_contain_text("As saved")
    assert json.loads(config_file.read_text())["training"]["epochs"] == 9

    write(page, '{"training": {"epochs": 3}, "server": {"port": 1}}')
    expect(tool(page, "save-as")).to_be_enabled()
    tool(page, "save-as").click()
    page.fill("#editor-name", f"night-{how}")
    confirm(page)
    expect(page.locator("#editor-document")).to_have_value(f'["named_config","night-{how}"]')
    path = stage.workspace.configs_dir / f"night-{how}.json"
    assert json.loads(path.read_text()) == {"training": {"epochs": 3}}
    expect(page.locator("#editor-state")).to_contain_text("no fault")
    tool(page, "use").click()
    expect(page.locator("#setting-training-epochs")).to_have_value("3")
    expect(page.locator("#settings-changed")).to_have_text("1 changed")
    page.get_by_role("link", name="Editor").click()
    tool(page, "delete").click()
    confirm(page)
    expect(page.locator("#editor-document")).to_have_value('["config","config.json"]')
    assert not path.exists()
    config_file.unlink()


def test_the_editor_suggests_from_the_schema_and_finds(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("link", name="Editor").click()
    expect(page.locator("#editor-state")).to_contain_text("As saved")
    write(page, '{"training": {"use_amp": ')
    page.keyboard.press("Control+Space")
    popup = page.locator(".ace_autocomplete .ace_line")
    expect(popup.filter(has_text='"auto"')).to_have_count(1)
    page.keyboard.press("Escape")
    tool(page, "find").click()
    expect(page.locator(".ace_search .ace_replace_form")).to_be_visible()
    page.keyboard.press("Escape")
    # What is not saved is not lost by a slip.
    tool(page, "reload").click()
    expect(page.locator("#dialog-title")).to_have_text("Leave without saving?")
    confirm(page)
    expect(page.locator("#editor-state")).to_contain_text("As saved")


def test_logs_and_records_can_be_read_and_not_written(open_page: OpenPage, stage: Any) -> None:
    (stage.workspace.logs_dir / "server.log").write_text("<img src=x onerror=alert(1)>\nlast line\n")
    page = open_page()
    page.get_by_role("link", name="Editor").click()
    expect(page.locator("#editor-state")).to_contain_text("As saved")
    page.select_option("#editor-document", '["server_log","server.log"]')
    expect(page.locator("#editor-state")).to_contain_text("Read only")
    assert page.evaluate(CONTENT).startswith("<img src=x")
    write(page, "something else")
    assert page.evaluate(CONTENT).startswith("<img src=x")
    expect(tool(page, "save")).to_have_attribute("title", "Read only.")


def test_settings_come_and_go_as_a_file_and_the_server_checks_them_as_one_types(
    open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    page.locator("#all-settings > summary").click()
    given = tmp_path / "given.json"
    given.write_text('{"training": {"epochs": 11}, "data": {"val_split": 5}}')
    with page.expect_file_chooser() as chooser:
        page.locator("#import-settings").click()
    chooser.value.set_files(given)
    expect(page.locator(".toast.level-error")).to_contain_text("data.val_split")
    given.write_text('{"training": {"epochs": 11}, "server": {"port": 1}}')
    with page.expect_file_chooser() as chooser:
        page.locator("#import-settings").click()
    chooser.value.set_files(given)
    expect(page.locator("#setting-training-epochs")).to_have_value("11")
    with page.expect_download() as download:
        page.locator("#export-settings").click()
    download.value.save_as(tmp_path / "config.json")
    exported = json.loads((tmp_path / "config.json").read_text())
    assert exported["training"]["epochs"] == 11
    assert "server" not in exported
    # A fault that only the server's check knows, at its field.
    page.locator('[data-section="evaluation"] > summary').click()
    page.fill("#setting-evaluation-patient_id", '{"nonsense": 1}')
    expect(page.locator("#setting-evaluation-patient_id-fault")).to_contain_text("evaluation.patient_id")
    expect(page.locator('[data-action="start_training"]')).to_be_disabled()
    page.fill("#setting-evaluation-patient_id", "")
    expect(page.locator('[data-action="start_training"]')).to_be_enabled()


def test_the_log_is_searched_and_copied(open_page: OpenPage) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    page.fill("#data-path", "data")
    page.fill("#setting-training-epochs", "2")
    page.locator('[data-action="start_training"]').click()
    expect(page.locator("#run-state")).to_have_text("Complete")
    page.get_by_role("link", name="Log", exact=True).click()
    page.fill("#log-search", "EPOCH 2 of")
    expect(page.locator("#log-lines .log-line")).to_have_count(1)
    expect(page.locator("#log-count")).to_have_text("1 line found.")
    page.locator("#log-copy").click()
    expect(page.locator("#log-copied")).to_have_text("1 line copied.")
    copied = page.evaluate("() => navigator.clipboard.readText()").split("\t")
    assert (copied[1], copied[2][:10]) == ("info", "Epoch 2 of")
    page.fill("#log-search", "")
    page.select_option("#log-level", "success")
    expect(page.locator("#log-lines .level-info")).to_have_count(0)
    assert page.locator("#log-lines .level-success").count() > 0


def test_the_side_bar_folds_and_stays_so(open_page: OpenPage) -> None:
    page = open_page()
    wide = page.locator(".views-nav").bounding_box()
    page.locator("#fold").click()
    expect(page.locator("#fold")).to_have_attribute("aria-expanded", "false")
    page.reload()
    page.wait_for_selector("#connection-state.phase-connected")
    narrow = page.locator(".views-nav").bounding_box()
    assert wide is not None
    assert narrow is not None
    assert narrow["width"] < wide["width"] / 2
    page.get_by_role("link", name="Log", exact=True).click()
    expect(page.locator("#view-log")).to_be_visible()
