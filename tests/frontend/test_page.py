"""The page in a real browser, with a real server whose worker plays a script."""

import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from breastai.domain.server_settings import ServerSettings
from breastai.server.app import Options
from breastai.storage.access_token import write_session_script
from breastai.storage.workspace import Workspace

from .page_steps import OpenPage, confirm, wait_until

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
BOTH_WAYS = pytest.mark.parametrize("how", ["file", "http"])

# The epochs of every chart that is drawn, read from Chart.js itself.
CHARTED_EPOCHS = """() => [...document.querySelectorAll("canvas[data-chart]")].filter((canvas) => Chart.getChart(canvas)).map((canvas) =>
  [canvas.dataset.chart, Chart.getChart(canvas).data.datasets.map((set) => set.data.map((point) => point.x))])"""


def action(page: Page, name: str) -> Any:
    # A search for settings has a button of its own to stop it.
    return page.locator(f'[data-action="{name}"]:not(#tuning-stop)')


def begin(page: Page, epochs: int = 20, folder: str = "data") -> None:
    """Start a run; one of more than five epochs stays in its sixth until it is stopped."""
    page.fill("#data-path", folder)
    page.fill("#setting-training-epochs", str(epochs))
    action(page, "start_training").click()


def wait_for_epoch(page: Page, epoch: int) -> None:
    expect(page.locator("#tiles .tile-value").first).to_have_text(str(epoch))


def wait_for_five_epochs(page: Page) -> None:
    """Wait for the run that was begun last: the figures of the one before it stay on the page until then."""
    expect(page.locator(".run-stage")).to_contain_text(re.compile("epoch [1-6] of 20"))
    wait_for_epoch(page, 5)


def stop(page: Page) -> None:
    page.locator('#job-bar [data-action="stop_training"]').click()
    expect(page.locator("#run-state")).to_have_text(re.compile("Stopped|Arrêté"))


@pytest.fixture
def running_page(open_page: OpenPage) -> Iterator[Page]:
    """The served page with a run in its sixth epoch; stopped afterwards."""
    page = open_page()
    begin(page)
    wait_for_five_epochs(page)
    yield page
    stop(page)


@BOTH_WAYS
def test_a_run_is_started_followed_and_stopped_by_clicking(open_page: OpenPage, how: str) -> None:
    page = open_page(how)
    expect(page.locator('#job-bar [data-action="stop_training"]')).to_be_hidden()
    begin(page)
    wait_for_epoch(page, 5)
    expect(page.locator("#run-state")).to_have_text("Running")
    expect(page.locator(".run-stage")).to_contain_text("epoch 6 of 20")
    expect(page.locator(".time-left")).to_contain_text("left")
    assert page.locator("#run-body progress").count() == 2
    expect(action(page, "start_training")).to_be_disabled()
    expect(page.locator("#start-reason")).to_have_text("A job is running: stop it, or wait for its end.")
    stop(page)
    expect(page.locator("#run-body .banner")).to_contain_text("Training stopped at your request after 5 epochs")
    expect(action(page, "start_training")).to_be_enabled()


@BOTH_WAYS
def test_after_a_reload_in_mid_run_every_chart_has_every_epoch_once(open_page: OpenPage, how: str) -> None:
    page = open_page(how)
    begin(page)
    # Before the run come its audit and perhaps the tiles of an earlier one.
    expect(page.locator(".run-stage")).to_contain_text("epoch 6 of 20")
    page.reload()
    wait_for_epoch(page, 5)
    # Those that are folded away are drawn when they are unfolded.
    wait_until(page, f"({CHARTED_EPOCHS})().length === 4")
    assert {name for name, _ in page.evaluate(CHARTED_EPOCHS)} == {"loss", "accuracy", "f1", "auc_roc"}
    page.locator("#more-curves > summary").click()
    wait_until(page, f"({CHARTED_EPOCHS})().length > 4")
    wait_until(page, f"({CHARTED_EPOCHS})().every(([, sets]) => sets.every((xs) => xs.length === 5))")
    charts = page.evaluate(CHARTED_EPOCHS)
    assert {
        "loss",
        "accuracy",
        "f1",
        "auc_roc",
        "precision",
        "recall",
        "cohen_kappa",
        "sensitivity",
        "specificity",
        "learning_rate",
    } == {name for name, _ in charts}
    assert all(epochs == [1, 2, 3, 4, 5] for _, sets in charts for epochs in sets)
    expect(page.locator("#run-state")).to_have_text("Running")
    # The lines of the log are there again too, each once.
    told = page.locator("#latest .log-text", has_text="Epoch 5 of 20")
    told.first.wait_for()  # views are drawn one after the other
    assert told.count() == 1
    stop(page)


def test_a_run_to_its_end_shows_its_figures_and_its_checkpoint(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, epochs=3)
    expect(page.locator("#run-state")).to_have_text("Complete")
    tiles = dict(
        zip(
            page.locator("#tiles .tile-label").all_text_contents(),
            page.locator("#tiles .tile-value").all_text_contents(),
            strict=True,
        )
    )
    assert (tiles["Epoch"], tiles["Loss"], tiles["Accuracy"], tiles["AUC"]) == ("3", "0.400", "0.767", "0.837")
    expect(page.locator("#other-figures")).to_contain_text("Images per second41.7")
    assert page.locator("#class-tiles b").all_text_contents() == ["0.767", "0.800", "0.767", "0.800", "—", "0.800"]
    # A class without positives has no sensitivity.
    sensitivities = page.locator("#per-class tbody td:nth-child(2)").all_text_contents()
    assert sensitivities == ["0.767", "0.767", "—"]
    assert page.locator("#confusion tbody .matrix-cell b").all_text_contents() == ["8", "1", "1", "1", "8", "1", "1", "1", "8"]  # fmt: skip
    expect(page.locator("#data-summary")).to_contain_text("37")
    expect(page.locator("#model-summary")).to_contain_text("pretrained, installed with the system")
    page.get_by_text("1 file skipped, and why").click()
    expect(page.locator(".skipped li")).to_have_text(
        "benign/broken <b>.png the file is cut short (truncated); copy it again from its source"
    )
    page.get_by_role("link", name="Checkpoints").click()
    expect(page.locator("#checkpoints-list .pill")).to_have_text("Current model")


def test_nothing_of_a_run_is_left_in_english_on_the_french_page(open_page: OpenPage) -> None:
    page = open_page(locale="fr")
    begin(page, epochs=1)
    expect(page.locator("#run-state")).to_have_text("Terminé")
    page.get_by_text("Plan pour cette machine").click()
    plan = page.locator("#model-summary li")
    expect(plan.last).to_have_text("La mesure a pris 3,2\u00a0s.")
    expect(plan).to_have_count(2)
    # What has no words in French is marked as English.
    assert page.locator('main [lang="en"]').all_text_contents() == []
    page.evaluate("location.hash = '#log'")
    expect(page.locator("#view-log")).to_contain_text("construit, à partir de\u00a0: poids ImageNet du paquet")


def test_a_checkpoint_is_loaded_exported_resumed_and_deleted(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, epochs=2)
    expect(page.locator("#run-state")).to_have_text("Complete")
    page.get_by_role("link", name="Checkpoints").click()
    run_id = page.locator("#checkpoints-list .name").first.text_content().partition("/")[0]  # type: ignore[union-attr]
    last = page.locator("#checkpoints-list tr", has_text=f"{run_id}/last")
    best = page.locator("#checkpoints-list tr", has_text=f"{run_id}/best")
    expect(best.locator('[data-action="resume_training"]')).to_be_disabled()
    last.locator('[data-action="load_checkpoint"]').click()
    expect(page.locator("#current-model")).to_contain_text(f"{run_id}/last")
    best.locator('[data-action="export_model"]').click()
    page.select_option("#export-format", "pytorch")
    confirm(page)
    expect(page.locator("#exports-list")).to_contain_text(f"exports/pytorch/{run_id}_best.pytorch")

    last.locator('[data-action="resume_training"]').click()
    page.fill("#resume-epochs", "4")
    confirm(page)
    wait_for_epoch(page, 4)
    expect(page.locator("#run-state")).to_have_text("Complete")
    wait_until(page, f"({CHARTED_EPOCHS})().every(([, sets]) => sets.every((xs) => xs.length === 4))")

    page.get_by_role("link", name="Checkpoints").click()
    last.locator('[data-action="delete_checkpoint"]').click()
    page.locator("#dialog-cancel").click()
    expect(last).to_be_visible()
    last.locator('[data-action="delete_checkpoint"]').click()
    confirm(page)
    expect(last).to_have_count(0)
    expect(best).to_be_visible()


@pytest.mark.full
def test_two_tabs_see_the_same_run(running_page: Page, open_page: OpenPage) -> None:
    other = open_page()
    wait_for_epoch(other, 5)
    expect(other.locator("#run-state")).to_have_text("Running")
    page_epochs, other_epochs = running_page.evaluate(CHARTED_EPOCHS), other.evaluate(CHARTED_EPOCHS)
    assert other_epochs == page_epochs


@pytest.mark.full
def test_a_second_press_of_stop_asks_and_then_ends_the_run_at_once(open_page: OpenPage) -> None:
    page = open_page()
    begin(page, folder="stubborn")
    wait_for_five_epochs(page)
    button = page.locator('#job-bar [data-action="stop_training"]')
    button.click()
    expect(page.locator("#run-state")).to_have_text("Stopping")
    expect(button).to_have_text("Force stop")
    button.click()
    page.locator("#dialog-cancel").click()
    expect(page.locator("#run-state")).to_have_text("Stopping")
    button.click()
    confirm(page)
    expect(page.locator("#run-state")).to_have_text("Stopped")


@pytest.mark.full
def test_while_images_are_copied_the_page_shows_how_far_that_is_and_no_earlier_run_s_name_and_time(
    open_page: OpenPage,
) -> None:
    page = open_page("http", locale="fr")
    begin(page, epochs=2)
    expect(page.locator("#run-state")).to_have_text("Terminé")
    body = page.locator("#run-body")
    expect(body.locator(".run-name")).to_have_count(1)
    begin(page, folder="far")
    for words in ("Copie des images depuis s3://far/images\u00a0: 3 sur 12", "Images"):
        expect(body).to_contain_text(words)
    expect(body.locator("progress").nth(1)).to_have_js_property("value", 0.25)
    expect(body.locator(".run-name, .time-left")).to_have_count(0)
    page.reload()
    expect(body).to_contain_text("3 sur 12")
    stop(page)


def test_the_language_is_the_browsers_then_the_chosen_one_and_is_remembered(open_page: OpenPage) -> None:
    page = open_page(locale="fr-FR")
    expect(action(page, "start_training")).to_have_text("Lancer l’entraînement")
    assert page.locator("html").get_attribute("lang") == "fr"
    page.select_option("#language", "en")
    expect(action(page, "start_training")).to_have_text("Start training")
    page.reload()
    expect(action(page, "start_training")).to_have_text("Start training")
    page.select_option("#language", "fr")
    expect(page.locator("#research-use")).to_have_text(
        "Logiciel de recherche, pas un dispositif médical : ni pour le diagnostic, ni pour le traitement."
    )


@pytest.mark.full
def test_the_theme_is_the_systems_then_the_chosen_one_and_is_remembered(open_page: OpenPage) -> None:
    page = open_page(color_scheme="dark")
    background = "() => getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.select_option("#theme", "light")
    light = page.evaluate(background)
    assert light != dark
    page.reload()
    assert page.evaluate(background) == light


def test_a_setting_out_of_bounds_is_told_at_its_field_and_nothing_is_sent(open_page: OpenPage) -> None:
    page = open_page()
    epochs = page.locator("#setting-training-epochs")
    epochs.fill("0")
    expect(page.locator("#setting-training-epochs-fault")).to_have_text("At least 1.")
    expect(action(page, "start_training")).to_be_disabled()
    # In another language it is still there to be corrected.
    page.select_option("#language", "fr")
    expect(epochs).to_have_value("0")
    expect(page.locator("#setting-training-epochs-fault")).to_have_text("Au moins 1.")
    expect(action(page, "start_training")).to_be_disabled()
    page.select_option("#language", "en")
    epochs.fill("4")
    expect(page.locator("#settings-changed")).to_have_text("1 changed")
    expect(action(page, "start_training")).to_be_enabled()


@pytest.mark.full
def test_a_preset_fills_the_form_and_a_change_can_be_undone(open_page: OpenPage) -> None:
    page = open_page()
    page.select_option("#preset", "quick")
    expect(page.locator("#setting-model-architecture")).to_have_value('"tf_efficientnet_lite0"')
    expect(page.locator("#setting-training-epochs")).to_have_value("12")
    expect(page.locator("#settings-changed")).to_have_text("")
    page.locator("#all-settings > summary").click()
    page.locator('[data-section="data"] > summary').click()
    page.fill("#setting-data-image_size", "128")
    field = page.locator('[data-setting="data.image_size"]')
    expect(field).to_have_class(re.compile("changed"))
    field.get_by_role("button").click()
    expect(page.locator("#setting-data-image_size")).to_have_value("224")


def test_settings_are_saved_to_config_json_and_read_again(open_page: OpenPage, stage: Any) -> None:
    page = open_page()
    page.fill("#setting-training-epochs", "7")
    page.locator("#all-settings > summary").click()
    action(page, "save_config").click()
    expect(page.locator(".toast")).to_contain_text("Settings saved to config.json.")
    assert '"epochs": 7' in (stage.workspace.root / "config.json").read_text()
    expect(page.locator("#settings-changed")).to_have_text("")
    expect(page.locator("#setting-training-epochs")).to_have_value("7")
    (stage.workspace.root / "config.json").unlink()
    action(page, "get_config").click()
    expect(page.locator("#setting-training-epochs")).to_have_value("50")


def test_an_error_is_told_in_the_chosen_language_with_what_to_do(open_page: OpenPage) -> None:
    page = open_page(locale="fr")
    begin(page, folder="one_class")
    expect(page.locator("#data-path-fault")).to_contain_text("Un seul dossier de classe dans one_class/train (benign)")
    expect(page.locator("#run-body .banner.error")).to_contain_text("Un seul dossier de classe")
    expect(action(page, "start_training")).to_be_enabled()
    expect(page.locator("#data-path")).to_be_focused()
    expect(page.locator("#no-epochs")).to_be_visible()
    expect(page.locator(":is(#tiles, #curves-card, #interrupted):visible")).to_have_count(0)
    assert page.locator(".toast").count() == 0


@pytest.mark.full
def test_diagnostics_backup_and_response_time_show_their_results(open_page: OpenPage) -> None:
    page = open_page()
    page.get_by_role("link", name="System").click()
    action(page, "system_diagnostics").click()
    expect(page.locator("#diagnostics")).to_contain_text("Memory of the server")
    assert page.locator("#diagnostics meter").count() == 3
    action(page, "create_backup").click()
    expect(page.locator("#backup")).to_contain_text("backups/")
    action(page, "ping").click()
    expect(page.locator("#ping")).to_contain_text("The server answered in")


def test_names_typed_by_users_are_text_and_break_no_layout(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 380, "height": 800})
    page.evaluate("() => { window.alert = () => { throw new Error('markup was run'); }; }")
    begin(page, epochs=2, folder="strange")
    expect(page.locator("#run-state")).to_have_text("Complete")
    headers = page.locator("#per-class tbody th bdi").all_text_contents()
    assert headers[1] == "<img src=x onerror=alert(1)>"
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


@pytest.mark.parametrize("language", ["en", "fr"])
def test_no_view_is_wider_than_the_screen(open_page: OpenPage, language: str) -> None:
    page = open_page(locale=language)
    begin(page, epochs=2)
    expect(page.locator("#run-state")).to_have_text(re.compile("Complete|Terminé"))
    for width in (380, 720, 1024, 1440, 2560):
        page.set_viewport_size({"width": width, "height": 900})
        for view in (
            "training",
            "data",
            "tuning",
            "queue",
            "runs",
            "checkpoints",
            "audit",
            "evaluation",
            "editor",
            "log",
            "system",
        ):
            page.evaluate(f"location.hash = '#{view}'")
            expect(page.locator(f"#view-{view}")).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (view, width)
        expect(page.locator("#research-use")).to_be_in_viewport()


@pytest.mark.full
def test_a_page_that_is_not_connected_says_why_its_buttons_are_disabled(open_page: OpenPage) -> None:
    page = open_page("file")
    page.locator("#connection > summary").click()
    action(page, "disconnect").click()
    expect(page.locator("#connection-state")).to_have_text("Not connected")
    expect(action(page, "disconnect")).to_be_disabled()
    expect(action(page, "start_training")).to_have_attribute("title", "Not connected to a server.")
    page.fill("#address", "http://nonsense")
    action(page, "connect").click()
    expect(page.locator(".toast.level-error")).to_contain_text("http://nonsense is not the address of a server")


def test_a_page_whose_server_is_gone_says_so_and_tries_again(open_page: OpenPage, stage: Any) -> None:
    page = open_page("file", expected=("WebSocket connection to",))
    page.locator("#connection > summary").click()
    action(page, "disconnect").click()
    page.fill("#address", f"ws://localhost:{stage.port}/nothing-here")
    action(page, "connect").click()
    expect(page.locator("#connection-state")).to_have_text("No answer")
    expect(page.locator("#offline")).to_contain_text("python -m breastai.server")
    expect(page.locator("#offline-retry")).to_contain_text(re.compile("Next try|Trying"))
    page.fill("#address", stage.socket_url)
    action(page, "connect").click()
    expect(page.locator("#connection-state")).to_have_text("Connected")
    expect(page.locator("#offline")).to_be_hidden()


@pytest.mark.full
def test_a_page_opened_as_a_file_before_there_is_a_token_says_so_and_connects_once_there_is_one(
    open_page: OpenPage, stage: Any, tmp_path: Path
) -> None:
    missing = ("WebSocket connection to", "ERR_FILE_NOT_FOUND")
    page = open_page("file", connected=False, expected=missing, frontend=page_without_token(tmp_path))
    expect(page.locator("#offline-token-text")).to_contain_text("frontend/session.js")
    expect(page.locator("#offline-served")).to_have_attribute("href", stage.http_url)
    write_session_script(tmp_path / "frontend", stage.token)
    page.wait_for_selector("#connection-state.phase-connected")
    expect(page.locator("#offline")).to_be_hidden()


def test_a_page_opened_as_a_file_with_the_token_of_another_installation_is_refused_and_names_the_served_page(
    open_page: OpenPage, stage: Any, tmp_path: Path
) -> None:
    folder = page_without_token(tmp_path)
    write_session_script(folder, "x" * 43)
    page = open_page("file", connected=False, expected=("WebSocket connection to",), frontend=folder)
    expect(page.locator("#offline-token-text")).to_contain_text("may not know this page")
    page.fill("#address", f"{stage.socket_url}/?token={stage.token}")
    action(page, "connect").click()
    page.wait_for_selector("#connection-state.phase-connected")
    # A token that was typed is neither shown nor kept.
    assert stage.token not in page.input_value("#address")
    assert stage.token not in page.evaluate("JSON.stringify(localStorage)")


def page_without_token(folder: Path) -> Path:
    """Return a copy of the page that no server has written a token beside."""
    copied = folder / "frontend"
    shutil.copytree(FRONTEND, copied, ignore=shutil.ignore_patterns("session.js", "node_modules"))
    (copied / "node_modules").symlink_to(FRONTEND / "node_modules")
    return copied


def test_a_served_page_takes_the_token_from_its_address_and_keeps_it_for_the_tab(
    browser: Browser, serving: Any, tmp_path: Path
) -> None:
    options = Options(Workspace.open(tmp_path), port=0, settings=ServerSettings(require_token=True))
    with serving(options) as server, browser.new_context(locale="en-GB") as context:
        page = context.new_page()
        page.goto(f"http://localhost:{server.port}/")
        expect(page.locator("#offline-token-text")).to_contain_text("#token=")
        page.goto(f"http://localhost:{server.port}/#token={server.token}")
        page.wait_for_selector("#connection-state.phase-connected")
        assert server.token not in page.url
        page.reload()
        page.wait_for_selector("#connection-state.phase-connected")
        other = context.new_page()
        other.goto(f"http://localhost:{server.port}/")
        expect(other.locator("#connection-state")).to_have_text("No answer")


def test_a_connection_cut_in_mid_run_comes_back_with_every_epoch_once(open_page: OpenPage, stage: Any) -> None:
    page = open_page("http", expected=("WebSocket connection to", "ERR_INTERNET_DISCONNECTED"))
    begin(page)
    wait_for_epoch(page, 5)
    page.evaluate("""() => {
      const state = document.getElementById("connection-state");
      window.seen = [];
      new MutationObserver(() => window.seen.push(state.className)).observe(state, { attributes: true });
    }""")
    stage.cut_connections()
    wait_until(page, "() => window.seen.length > 0 && window.seen.at(-1).includes('phase-connected')")
    wait_until(page, f"({CHARTED_EPOCHS})().every(([, sets]) => sets.every((xs) => xs.length === 5))")
    expect(page.locator("#run-state")).to_have_text("Running")
    stop(page)


@pytest.mark.full
def test_without_chart_js_the_page_says_so_and_shows_the_figures_as_a_table(open_page: OpenPage) -> None:
    page = open_page(connected=False, expected=("Failed to load resource",))
    page.context.route("**/chart.umd.min.js", lambda route: route.abort())
    page.reload()
    page.wait_for_selector("#connection-state.phase-connected")
    begin(page, epochs=2)
    expect(page.locator("#run-state")).to_have_text("Complete")
    expect(page.locator("#charts-absent")).to_be_visible()
    assert page.locator("#epochs-table tbody th").all_text_contents() == ["2 ★", "1 ★"]


def test_the_page_can_be_used_by_keyboard_alone(open_page: OpenPage) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    page.keyboard.press("Enter")
    reached: set[str] = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement?.id || document.activeElement?.dataset.action || ''"))
    assert {"data-path", "preset", "setting-model-architecture", "setting-training-epochs", "start_training"} <= reached


THEMES = ("light", "dark")


# What is another while a run goes on, fails, or has lost its server.
STATE_PARTS = {
    "include": [[part] for part in (".app-header", ".run-card", "#interrupted", "#toasts", "#offline", "#dialog")]
}


def violations(page: Page, what: str, parts: Any = None, themes: Sequence[str] = THEMES) -> list[tuple[str, str, str]]:
    """What axe finds on the page as it is, in both themes. The second has other colours, and nothing else is another."""
    found = []
    for theme in themes:
        page.select_option("#theme", theme)
        options = {"resultTypes": ["violations"]} | ({"runOnly": ["color-contrast"]} if theme == "dark" else {})
        result = Axe().run(page, context=parts, options=options).response["violations"]
        found += [(f"{what}, {theme}", fault["id"], fault["nodes"][0]["html"][:300]) for fault in result]
    return found


# Colours are the same in every language.
@pytest.mark.parametrize(
    ("language", "theme"),
    [
        ("en", "light"),
        pytest.param("en", "dark", marks=pytest.mark.full),
        pytest.param("fr", "light", marks=pytest.mark.full),
    ],
)
def test_axe_finds_nothing_in_the_way_of_anyone(open_page: OpenPage, language: str, theme: str) -> None:
    page = open_page(locale=language, bypass_csp=True)
    begin(page, epochs=2)
    expect(page.locator("#run-state")).to_have_text(re.compile("Complete|Terminé"))
    for summary in ("#all-settings", "#more-curves", "#epochs-details", '[data-section="training"]', ".skipped"):
        page.locator(f"{summary} > summary").click()
    found = []
    views = page.eval_on_selector_all("nav [data-view]", "links => links.map(({ dataset }) => dataset.view)")
    assert {"training", "editor", "log"} <= set(views)
    for view in views:
        page.evaluate(f"location.hash = '#{view}'")
        expect(page.locator(f"#view-{view}")).to_be_visible()
        if view == "editor":
            page.wait_for_selector("#editor-box .ace_line")
        # What stands around the views is looked at once.
        found += violations(page, view, f"#view-{view}" if view != views[0] else None, themes=[theme])
    assert found == []


@pytest.mark.full
@pytest.mark.parametrize("language", ["en", "fr"])
def test_axe_finds_nothing_while_a_run_goes_on_asks_fails_and_has_lost_its_server(
    open_page: OpenPage, language: str
) -> None:
    page = open_page(locale=language, bypass_csp=True, expected=("WebSocket connection to",))
    begin(page, folder="failing", epochs=2)
    expect(page.locator("#run-state")).to_have_text(re.compile("Failed|Échec"))
    found = violations(page, "failed, with its notice", STATE_PARTS)
    begin(page, folder="stubborn")
    expect(page.locator("#run-state")).to_have_text(re.compile("Running|En cours"))
    found += violations(page, "running", STATE_PARTS)
    page.locator('#job-bar [data-action="stop_training"]').click()
    expect(page.locator("#run-state")).to_have_text(re.compile("Stopping|Arrêt en cours"))
    page.locator('#job-bar [data-action="stop_training"]').click()
    expect(page.locator("#dialog")).to_be_visible()
    # Behind a question nothing can be chosen, the theme neither: one, and the other by the attribute it sets.
    for theme in THEMES:
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        found += [
            (f"asking, {theme}", fault["id"], "")
            for fault in Axe().run(page, context=STATE_PARTS).response["violations"]
        ]
    confirm(page)
    expect(page.locator("#run-state")).to_have_text(re.compile("Stopped|Arrêté"))
    page.locator("#connection > summary").click()
    action(page, "disconnect").click()
    page.fill("#address", page.input_value("#address") + "/nothing-here")
    action(page, "connect").click()
    expect(page.locator("#offline-retry")).not_to_be_empty()
    found += violations(page, "offline", STATE_PARTS)
    assert found == []
