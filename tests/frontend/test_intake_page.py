"""Ways in: from an empty workspace to a running training, by sample images, by dropping, by choosing; in a browser."""

import io
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from breastai.data.phantoms.phantom_dataset import write_sample_data
from breastai.domain.case_fields import ColumnRule
from breastai.domain.events import TrainingStarted
from breastai.server.app import Options
from breastai.server.jobs.dataset_uploads import IN_PROGRESS
from breastai.storage.datasets import dataset_names, read_dataset
from breastai.storage.journal import read_events
from breastai.storage.workspace import Workspace

from .page_steps import OpenPage, drop, violations

SCRIPTED = [sys.executable, str(Path(__file__).with_name("scripted_worker.py"))]
WAYS = [("file", "fr"), ("http", "en")]
WITHIN_MS = 60_000


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a user's own, elsewhere on this computer."""
    root = tmp_path_factory.mktemp("own") / "Mes échographies"
    write_sample_data(root, per_class=8, seed=3, image_size=64)
    return root


@pytest.fixture
def open_new(opening: Any, serving: Any, workspace: Workspace) -> Iterator[OpenPage]:
    """Open the page on an empty workspace; its trainings play a script, all else is real."""
    options = Options(workspace=workspace, port=0, worker_command=SCRIPTED)
    with serving(options) as server, opening(server.port, WITHIN_MS) as open_page:

        def opened(how: str, language: str, **options: Any) -> Page:
            page: Page = open_page(how, locale=language, expected=("WebSocket",), **options)
            page.cut = server.cut_connections
            return page

        yield opened


@pytest.mark.parametrize(("how", "language"), WAYS)
def test_one_click_trains_on_sample_images(open_new: OpenPage, workspace: Workspace, how: str, language: str) -> None:
    page = open_new(how, language)
    expect(page.locator("#first-steps")).to_be_visible()
    assert violations(page) == []
    page.locator('#first-steps [data-action="try_sample"]').click()
    expect(page.locator("#run-state")).to_have_class(re.compile("run-(running|complete)"), timeout=WITHIN_MS)
    expect(page.locator("#first-steps")).to_be_hidden()
    assert len(list((workspace.root / "datasets" / "sample").rglob("*.png"))) == 120
    kept = read_dataset(workspace, "sample")
    assert kept.root == "datasets/sample" and "patient" in kept.fields
    (run_id,) = workspace.runs()
    (started,) = [each for each in read_events(workspace.journal_file(run_id)) if isinstance(each, TrainingStarted)]
    assert started.config["data"]["train_dir"] == "sample"
    expect(page.locator("#data-path")).to_have_value("sample")


@pytest.mark.standard
@pytest.mark.parametrize(("how", "language"), WAYS)
def test_dropped_images_train_by_one_click_and_no_typing(
    open_new: OpenPage, workspace: Workspace, own: Path, how: str, language: str
) -> None:
    page = open_new(how, language)
    drop(page, "#first-steps .intake-drop", own)
    expect(page.locator("#reading-body .reading-pictures img").first).to_be_visible()
    assert violations(page) == []
    page.locator("#reading-train").click()
    expect(page.locator("#run-state")).to_have_class(re.compile("run-(running|complete)"), timeout=WITHIN_MS)
    assert dataset_names(workspace) == ["Mes_echographies"]


@pytest.mark.parametrize(("how", "language"), WAYS)
def test_a_dropped_labels_table_and_its_images_train_by_one_click(
    open_new: OpenPage, workspace: Workspace, own: Path, tmp_path: Path, how: str, language: str
) -> None:
    place = tmp_path / "Befunde"
    (place / "images").mkdir(parents=True)
    rows = ["\ufeffDatei;Patientin;Diagnose"]
    for number, file in enumerate(sorted((own / "train").rglob("*.png"))):
        (place / "images" / f"{number:03}.png").write_bytes(file.read_bytes())
        rows.append(f"{number:03}.png;P{number // 2};{file.parent.name}")
    (place / "befunde.csv").write_text("\r\n".join(rows), encoding="utf-8")
    page = open_new(how, language)
    drop(page, "#first-steps .intake-drop", place)
    body = page.locator("#reading-body")
    expect(body).to_contain_text("malin" if language.startswith("fr") else "malignant")
    expect(body).not_to_contain_text("--")
    page.locator("#reading-train").click()
    expect(page.locator("#run-state")).to_have_class(re.compile("run-(running|complete)"), timeout=WITHIN_MS)
    kept = read_dataset(workspace, "Befunde")
    assert kept.layout == "labels_table" and kept.fields["patient"] == ColumnRule(column="Patientin")


def test_the_images_view_says_that_there_are_none_without_an_error(open_new: OpenPage) -> None:
    page = open_new("http", "en-GB")
    page.evaluate("location.hash = '#data'")
    expect(page.locator("#view-data")).to_be_visible()
    page.evaluate("location.hash = '#log'")
    expect(page.locator("#view-log li").first).to_be_visible()
    page.wait_for_timeout(500)
    assert page.locator("#view-log .level-error").all_inner_texts() == []


@pytest.mark.parametrize(("how", "language"), WAYS)
def test_a_dropped_folder_comes_to_the_workspace_as_it_is(
    open_new: OpenPage, workspace: Workspace, own: Path, how: str, language: str
) -> None:
    page = open_new(how, language)
    drop(page, "#first-steps .intake-drop", own)
    page.wait_for_url("**#data")
    expect(page.locator("#data-described tbody")).to_contain_text(re.compile("malignant|malin"))
    place = workspace.root / "datasets" / "uploads" / "Mes_echographies"
    there = {path.relative_to(place): path.read_bytes() for path in place.rglob("*") if path.is_file()}
    assert there == {path.relative_to(own): path.read_bytes() for path in own.rglob("*") if path.is_file()}
    assert violations(page) == []


@pytest.mark.standard
def test_a_zip_with_unsafe_names_is_refused_by_name_and_leaves_nothing(
    open_new: OpenPage, workspace: Workspace, tmp_path: Path
) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("benign/a.png", b"a")
        archive.writestr("../../evil.png", b"b")
    (tmp_path / "evil.zip").write_bytes(content.getvalue())
    page = open_new("http", "en-GB")
    drop(page, "#first-steps .intake-drop", tmp_path / "evil.zip")
    expect(page.locator("#toasts")).to_contain_text("../../evil.png was refused")
    expect(page.locator("#first-steps .intake-told")).to_contain_text("nothing of it was kept")
    assert not (workspace.root / "datasets" / "uploads").exists()
    assert not list(workspace.root.parent.rglob("evil.png"))


@pytest.mark.standard
@pytest.mark.parametrize(("how", "language"), WAYS)
def test_a_broken_upload_goes_on_by_itself(
    open_new: OpenPage, workspace: Workspace, tmp_path: Path, how: str, language: str
) -> None:
    """The connection is cut while a large file is on its way, several times."""
    large = tmp_path / "large.tif"
    large.write_bytes(bytes(range(256)) * 4 * 4096)  # 4 MiB: eleven parts
    page = open_new(how, language)
    page.evaluate(
        """() => {
          window.parts = 0;
          const send = WebSocket.prototype.send;
          WebSocket.prototype.send = function (text) {
            if (String(text).includes('"add_upload_parts"') && [2, 5].includes(++window.parts)) {
              send.call(this, text);
              this.close();
            } else send.call(this, text);
          };
        }"""
    )
    page.locator("#first-steps input[multiple]").set_input_files(large)
    expect(page.locator("#first-steps .intake-told")).to_contain_text("datasets/uploads/large")
    (found,) = (workspace.root / "datasets" / "uploads").rglob("large.tif")
    assert found.read_bytes() == large.read_bytes()
    assert page.evaluate("window.parts") < 16, "what was there is not sent again"
    assert not list((workspace.root / IN_PROGRESS).iterdir())


@pytest.mark.standard
@pytest.mark.parametrize(("how", "language"), WAYS)
def test_a_folder_is_chosen_by_the_keyboard(
    open_new: OpenPage, workspace: Workspace, tmp_path: Path, how: str, language: str
) -> None:
    write_sample_data(workspace.root / "pictures" / "deep", per_class=3, seed=1, image_size=32)
    (workspace.root / "pictures" / "out").symlink_to(tmp_path)
    page = open_new(how, language)
    # Shown once the server has said that there is no run: before that nobody can press it.
    expect(page.locator("#first-steps")).to_be_visible()
    page.locator("#first-steps .intake-way button").nth(1).press("Enter")
    page.wait_for_selector("#folder-dialog[open]")
    assert violations(page) == []
    expect(page.locator("#folder-list button")).to_have_count(1)
    page.keyboard.press("Enter")  # pictures
    expect(page.locator("#folder-steps [aria-current]")).to_have_text("pictures")
    expect(page.locator("#folder-list .plain")).to_contain_text("out")
    page.keyboard.press("Enter")  # deep
    expect(page.locator("#folder-steps [aria-current]")).to_have_text("deep")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Backspace")
    expect(page.locator("#folder-steps [aria-current]")).to_have_text("pictures")
    page.keyboard.press("Enter")
    expect(page.locator("#folder-steps [aria-current]")).to_have_text("deep")
    page.locator("#folder-choose").press("Enter")
    page.wait_for_url("**#data")
    expect(page.locator("#data-folder")).to_have_value("pictures/deep")
    expect(page.locator("#data-described tbody")).to_contain_text(re.compile("malignant|malin"))
    page.locator("#data-form .button:not(.primary)").click()
    expect(page.locator("#folder-dialog")).to_be_visible()


@pytest.mark.parametrize(("how", "language"), WAYS)
def test_a_chosen_folder_is_read_kept_and_trained_on_by_its_name(
    open_new: OpenPage, workspace: Workspace, how: str, language: str
) -> None:
    """Nothing of the reading is played: the server's recogniser looks, and tells how far it is."""
    write_sample_data(workspace.root / "pictures", per_class=12, seed=1, image_size=32)
    page = open_new(how, language)
    page.locator("#first-steps .intake-way button").nth(1).click()
    page.locator("#folder-list button", has_text="pictures").click()
    expect(page.locator("#folder-steps [aria-current]")).to_have_text("pictures")
    page.locator("#folder-choose").click()
    expect(page.locator("#reading-body .reading-pictures img")).to_have_count(12)
    assert violations(page) == []
    page.fill("#reading-name", "ours")
    page.locator("#reading-train").click()
    expect(page.locator("#run-state")).to_have_class(re.compile("run-(running|complete)"), timeout=WITHIN_MS)
    (run_id,) = workspace.runs()
    (started,) = [each for each in read_events(workspace.journal_file(run_id)) if isinstance(each, TrainingStarted)]
    assert started.config["data"]["train_dir"] == "ours"


def test_birads_folders_are_kept_as_classes_by_a_click(open_new: OpenPage, workspace: Workspace) -> None:
    for step in (2, 3, 4, 5):
        folder = workspace.root / "pictures" / f"BI-RADS {step}"
        folder.mkdir(parents=True)
        for number in range(3):
            Image.new("L", (32, 32), 40 * step + number).save(folder / f"{step}{number}.png")
    page = open_new("http", "en-GB")
    page.evaluate("location.hash = '#data'")
    page.locator("#intake-body .intake-way button").nth(1).click()
    page.locator("#folder-list button", has_text="pictures").click()
    expect(page.locator("#folder-steps [aria-current]")).to_have_text("pictures")
    page.locator("#folder-choose").click()
    page.locator('#reading-body [data-reading="scale"]').click()
    expect(page.locator('#reading-body [data-reading="scale"]')).to_have_count(0)
    page.fill("#reading-name", "steps")
    page.locator("#reading-save").click()
    expect(page.locator(".toast", has_text="steps")).to_be_visible()
    kept = read_dataset(workspace, "steps")
    assert kept.ordered and kept.class_names == ("bi-rads 2", "bi-rads 3", "bi-rads 4", "bi-rads 5")


READING = {
    "path": "pictures", "layout": "labels_table", "images": 412, "classes": {"benign": 300, "malignant": 112},
    "patients": 103, "breasts": None, "splits": {"train": 300, "val": 112}, "masks": 0, "left_out": 7, "doubts": [],
    "reasons": [{"reason": {"code": "reason.no_such_file", "params": {}}, "count": 7, "files": ["<b>a</b>.dcm"]}],
    "description": {"fields": {"label": {"column": "cancer"}}, "class_map": {"0": "benign", "1": "malignant", "é": "benign", "à": "benign"}},
}  # fmt: skip
# A server's recogniser, as the page hears it: it answers with what it was asked.
RECOGNISER = """(reading) => {
  window.asked = [];
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (text) {
    const request = JSON.parse(text);
    if (!["inspect_dataset", "add_dataset"].includes(request.type)) return send.call(this, text);
    window.asked.push(request);
    const what = Object.keys(request.changes ?? {}).length > 1 ? "-changed" : "";
    document.documentElement.dataset.asked = `${request.type}${what}`;
    const type = request.type === "add_dataset" ? "dataset_added" : "dataset_inspected";
    const answer = { type, request_id: request.request_id, name: request.name, inspection: reading, pictures: [] };
    setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data: JSON.stringify(answer) })), 10);
  };
}"""


def test_a_reading_is_corrected_with_a_preview_and_kept(open_new: OpenPage, workspace: Workspace) -> None:
    (workspace.root / "Étude à Lyon (2024)").mkdir()
    page = open_new("http", "en-GB")
    page.evaluate(RECOGNISER, READING)
    page.locator("#first-steps .intake-way button").nth(1).click()
    page.wait_for_selector("#folder-list button")
    page.locator("#folder-cancel").click()
    page.locator("#first-steps .intake-way button").nth(1).click()
    page.locator("#folder-list button", has_text="Étude").click()
    expect(page.locator("#folder-steps [aria-current]")).to_have_text("Étude à Lyon (2024)")
    page.locator("#folder-choose").click()
    expect(page.locator("#reading-body")).to_contain_text("412")
    expect(page.locator("#reading-name")).to_have_value("Etude_a_Lyon_2024")
    # No two values share a field, whatever letters they are written with.
    ids = page.evaluate("[...document.querySelectorAll('#reading-changes [id]')].map(({ id }) => id)")
    assert len(ids) == len(set(ids))
    page.locator("#reading-correct summary").click()
    assert violations(page) == []
    page.fill("#reading-patient", "/^(P[0-9]+)_/")
    page.fill("#reading-site", "folder:-2")
    page.select_option("#reading-class-0", "normal")
    page.wait_for_selector('html[data-asked="inspect_dataset-changed"]')
    page.locator("#reading-save").click()
    page.wait_for_selector('html[data-asked="add_dataset-changed"]')
    kept = page.evaluate("window.asked.at(-1)")
    fields = {"patient": {"path": "^(P[0-9]+)_"}, "site": {"folder": -2}}
    changes = {"fields": fields, "class_map": {"0": "normal"}}
    assert (kept["name"], kept["path"], kept["changes"]) == ("Etude_a_Lyon_2024", "Étude à Lyon (2024)", changes)
    expect(page.locator("#data-path")).to_have_value("Etude_a_Lyon_2024")
