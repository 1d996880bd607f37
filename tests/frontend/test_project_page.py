"""What is asked of the project and the machine on the page: backups, interrupted runs, live diagnostics, cost, lists."""

import json
import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from breastai.domain.events import TrainingStarted
from breastai.storage.journal import Journal

from .page_steps import OpenPage, confirm, wait_until

WAYS = pytest.mark.parametrize(("how", "language"), [("file", "fr"), ("http", "en")])


def words(page: Page) -> dict[str, str]:
    """The texts in the language of the page."""
    return dict(page.evaluate("BreastAI.locales[BreastAI.i18n.current()]"))


def press(page: Page, action: str) -> None:
    page.locator(f'[data-action="{action}"]:visible').first.click()


def go(page: Page, view: str) -> None:
    page.evaluate(f"location.hash = '#{view}'")
    page.wait_for_selector(f"#view-{view}", state="visible")


@WAYS
def test_backups_are_listed_verified_kept_restored_and_deleted_by_clicking(
    open_page: OpenPage, stage: Any, how: str, language: str
) -> None:
    page = open_page(how, locale=language)
    text = words(page)
    stage.workspace.config_file.write_text('{"training": {"epochs": 3}, "storage": {"resume_interrupted": true}}')
    go(page, "system")
    press(page, "create_backup")
    expect(page.locator("#backup")).to_contain_text("backups/")
    made = re.search(r"backup-[\w-]+\.zip", page.locator("#backup").inner_text())
    assert made is not None
    name = made[0]
    # Listed without being asked for, at once after one was made; the button lists anew.
    rows = page.locator("#backups-list tbody tr")
    newest = rows.first
    expect(newest).to_contain_text(name)
    press(page, "list_backups")
    expect(newest).to_contain_text(name)
    press(page, "verify_backup")
    expect(newest).to_contain_text(text["backups.whole"])
    with page.expect_download() as caught:
        newest.get_by_role("link", name=text["checkpoints.download"]).click()
    assert caught.value.path().read_bytes() == (stage.workspace.backups_dir / name).read_bytes()

    stage.workspace.config_file.write_text('{"training": {"epochs": 4}}')
    press(page, "restore_backup")
    expect(page.locator("#dialog-text")).to_contain_text(name)
    confirm(page)
    expect(page.locator(".toast", has_text=name).last).to_be_visible()
    # What it asked for beyond the workspace stands there, beside what stays.
    expect(page.locator("#backups-held tbody tr")).to_contain_text(text["setting.storage.resume_interrupted.label"])
    expect(page.locator("#backups-held tbody tr")).to_contain_text("true")
    restored = json.loads(stage.workspace.config_file.read_text())
    assert restored["training"] == {"epochs": 3} and not restored.get("storage")
    press(page, "list_backups")
    row = rows.filter(has_text=name)
    row.locator('[data-action="delete_backup"]').click()
    page.locator("#dialog-cancel").click()
    expect(row).to_have_count(1)
    row.locator('[data-action="delete_backup"]').click()
    confirm(page)
    expect(row).to_have_count(0)
    assert not (stage.workspace.backups_dir / name).exists()
    stage.workspace.config_file.unlink()


@WAYS
def test_a_run_that_failed_is_told_and_offered_to_be_gone_on_with_or_left(
    open_page: OpenPage, how: str, language: str
) -> None:
    page = open_page(how, locale=language)
    text = words(page)
    page.fill("#data-path", "failing")
    page.fill("#setting-training-epochs", "2")
    press(page, "start_training")
    expect(page.locator("#run-state")).to_have_text(text["state.failed"])
    expect(page.locator("#run-announcement")).to_have_text(text["state.failed"])
    expect(page.locator(".toast.level-error").first).to_contain_text("checkpoints/last.safetensors")
    offered = page.locator("#interrupted-list li")
    expect(offered).to_have_count(1)
    expect(offered).to_contain_text("Plus d’espace" if language == "fr" else "No space left")
    expect(offered.get_by_role("button").first).to_contain_text(text["interrupted.go_on"])
    press(page, "dismiss_run")
    expect(page.locator("#interrupted")).to_be_hidden()


@WAYS
def test_the_cost_of_a_run_is_told_before_it_and_changes_of_the_form_are_undone(
    open_page: OpenPage, how: str, language: str
) -> None:
    page = open_page(how, locale=language)
    page.fill("#setting-training-epochs", "7")
    press(page, "estimate_cost")
    memory, speed = ("1,3", "12,3") if language == "fr" else ("1.3", "12.3")
    expect(page.locator("#start-estimate")).to_contain_text(re.compile(rf"3 min.*{memory}.*7.*{speed}"))
    expect(page.locator("#latest time").last).to_have_text(re.compile(r"\d:\d\d:\d\d"))
    page.locator("#all-settings > summary").click()
    page.locator("#reset-settings").click()
    expect(page.locator("#settings-changed")).to_have_text("")
    # The preset proposed has its own again.
    expect(page.locator("#setting-training-epochs")).to_have_value("12")


@WAYS
def test_the_machine_is_looked_at_while_its_figures_are_seen(open_page: OpenPage, how: str, language: str) -> None:
    page = open_page(how, locale=language)
    page.evaluate("""() => {
      window.asked = 0;
      const send = WebSocket.prototype.send;
      WebSocket.prototype.send = function (text) {
        if (JSON.parse(text).type === "system_diagnostics") window.asked += 1;
        send.call(this, text);
      };
    }""")
    go(page, "system")
    # By itself, twice; then no more once it is switched off or the view left.
    wait_until(page, "() => window.asked >= 2")
    expect(page.locator("#diagnostics meter")).to_have_count(3)
    page.locator("#diagnostics-live").uncheck()
    before = page.evaluate("window.asked")
    press(page, "system_diagnostics")
    wait_until(page, "(before) => window.asked === before + 1", arg=before)
    page.locator("#diagnostics-live").check()
    wait_until(page, "(before) => window.asked > before + 1", arg=before)
    go(page, "checkpoints")
    press(page, "list_checkpoints")
    expect(page.locator("#checkpoints-list")).to_be_visible()


@WAYS
def test_a_budget_that_is_spent_is_told_beside_the_machines_figures(
    open_page: OpenPage, stage: Any, how: str, language: str
) -> None:
    large = stage.workspace.exports_dir / "large.bin"
    large.parent.mkdir(exist_ok=True)
    large.write_bytes(bytes(30 * 2**20))
    before = stage.workspace.config_file.read_text() if stage.workspace.config_file.exists() else None
    stage.workspace.config_file.write_text('{"storage": {"disk_budget_gb": 0.005}}')
    try:
        page = open_page(how, locale=language)
        go(page, "system")
        expect(page.locator("#diagnostics .banner.warning")).to_contain_text("breastai runs --prune", timeout=40_000)
        expect(page.locator("#diagnostics meter")).to_have_count(3)
    finally:
        large.unlink()
        stage.workspace.config_file.unlink()
        if before is not None:
            stage.workspace.config_file.write_text(before)


@WAYS
def test_more_runs_than_a_page_holds_are_shown_by_a_press_and_the_log_is_cleared(
    open_page: OpenPage, stage: Any, how: str, language: str
) -> None:
    for number in range(55):
        run_id = f"20200101-0000{number:02}-abcd"
        if not stage.workspace.journal_file(run_id).exists():
            journal = Journal(stage.workspace.journal_file(run_id), run_id, "default")
            journal.stamp(TrainingStarted(architecture="resnet50", epochs=1, class_names=["a", "b"], config={}))
            journal.close()
    page = open_page(how, locale=language)
    # What the form's folder was looked at for is a line of the log too.
    expect(page.locator("#pre-flight")).to_be_visible()
    go(page, "runs")
    rows = page.locator("#runs-list tbody tr")
    expect(rows).to_have_count(50)
    page.locator("#runs-more").click()
    expect(rows).not_to_have_count(50)
    expect(page.locator("#runs-more")).to_be_hidden()
    go(page, "log")
    page.locator("#log-clear").click()
    expect(page.locator("#log-lines")).to_have_text(words(page)["log.empty"])
