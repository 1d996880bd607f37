"""The page for reviewing, served by its command, in a real browser that may ask no other host for anything.

Gradio is no part of the usual installation of the tests: without it these are skipped.
"""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from breastai.data.cases.predictions_table import read_predictions

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("gradio") is None,
    reason="needs Gradio, which is no part of make install: pip install 'breastai[gradio]'",
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Serve the page by the command; give its address and the folder where it keeps files meanwhile."""
    folder = tmp_path_factory.mktemp("review")
    (folder / "temporary").mkdir()
    brightness_model(folder / "bright.onnx")
    program = [sys.executable, "-m", "breastai", "review", str(folder / "bright.onnx"), "--port", "0", "--json"]
    environment = {**os.environ, "TMPDIR": str(folder / "temporary")}
    with subprocess.Popen(
        [*program, "--workspace", str(folder / "project")], stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        try:
            assert process.stdout is not None
            values = json.loads(process.stdout.readline())
            yield values["url"], folder
        finally:
            process.send_signal(signal.SIGTERM)
            status = process.wait(60)
    assert status == 0
    assert list((folder / "temporary").iterdir()) == [], "images stay nowhere"


def opened(browser: Browser, url: str, locale: str) -> tuple[Page, list[str]]:
    page = browser.new_context(locale=locale, accept_downloads=True).new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url)
    return page, asked


@pytest.mark.parametrize(
    ("locale", "notice", "says"),
    [
        ("en-GB", "not a medical device", "bright, with a probability of 6"),
        ("fr-FR", "pas un dispositif médical", "bright, avec une probabilité de 6"),
    ],
)
def test_images_are_asked_about_judged_and_saved_without_a_word_to_another_host(
    browser: Browser, served: tuple[str, Path], tmp_path: Path, locale: str, notice: str, says: str
) -> None:
    url, _ = served
    for name, value in (("white.png", 255), ("black.png", 0)):
        pixels = np.abs(value - np.arange(144, dtype=np.int64).reshape(12, 12) % 24)  # not blank, which is refused
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name)
    (tmp_path / "broken.png").write_bytes(b"no image")
    page, asked = opened(browser, url, locale)
    expect(page.locator("#notice")).to_contain_text(notice)
    expect(page.locator("#model")).to_contain_text("bright.onnx")
    page.set_input_files("input[type=file]", [tmp_path / name for name in ("white.png", "black.png", "broken.png")])
    verdict = page.locator("#verdict textarea")
    expect(page.locator("#picture img")).to_be_visible()
    assert verdict.input_value().startswith(says)
    page.locator("#judged label", has_text="bright").click()
    expect(page.locator("#judged-count")).to_contain_text(" 1 ")
    page.locator("#after").click()
    expect(page.locator("#place")).to_contain_text("black.png")
    page.locator("#judged label", has_text="dark").click()
    expect(page.locator("#judged-count")).to_contain_text(" 2 ")
    with page.expect_download() as download:
        page.locator("#save").click()
    table = read_predictions(Path(download.value.path()).rename(tmp_path / "review.csv"))
    assert table.class_names == ("bright", "dark") or table.class_names == ("dark", "bright")
    assert table.files == ("white.png", "black.png")
    assert [table.class_names[label] for label in table.labels] == ["bright", "dark"]
    assert [address for address in asked if not address.startswith((url, "data:", "blob:"))] == []
    page.context.close()


def test_the_page_is_for_this_machine_and_its_own_pages_alone(served: tuple[str, Path]) -> None:
    url, _ = served
    assert status(url) == 200
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert status(url, headers) == 403
    assert status(f"{url}gradio_api/info") == 404
    with urllib.request.urlopen(url) as answer:
        policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "http" not in policy


def test_a_request_cannot_have_a_file_of_this_machine_or_of_another_read(served: tuple[str, Path]) -> None:
    url, folder = served
    assert status(f"{url}gradio_api/file={folder / 'bright.onnx'}") in (403, 404)
    assert status(f"{url}gradio_api/file=https://example.org/x.png") in (400, 403, 404)


def test_the_queue_reads_no_file_that_was_not_sent(served: tuple[str, Path], tmp_path: Path) -> None:
    url, folder = served
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    Image.fromarray(np.full((12, 12), 200, np.uint8)).save(private / "x.png")
    kept = folder / "temporary" / "beside.png"
    Image.fromarray(np.full((12, 12), 200, np.uint8)).save(kept)
    try:
        for path in (
            str(private / "x.png"),
            str(kept),
            f"{folder}/temporary/../../private/x.png",
            str(folder / "bright.onnx"),
        ):
            answer = queued(url, [{"path": path, "orig_name": "x.png", "meta": {"_type": "gradio.FileData"}}])
            assert "data:image" not in answer and "probability of" not in answer, path
    finally:
        kept.unlink()


def queued(url: str, files: list[dict[str, object]]) -> str:
    """Ask the page's queue about files as its script does; return all that comes back."""
    with urllib.request.urlopen(f"{url}config") as answer:
        config = json.loads(answer.read())
    uploads = next(each["id"] for each in config["components"] if each["type"] == "file")
    number = next(each["id"] for each in config["dependencies"] if each["inputs"] == [uploads])
    body = {"data": [files], "fn_index": number, "session_hash": "s", "event_data": None, "trigger_id": uploads}
    asked = urllib.request.Request(f"{url}gradio_api/queue/join", json.dumps(body).encode())
    asked.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(asked) as answer:
        answer.read()
    said = ""
    with urllib.request.urlopen(f"{url}gradio_api/queue/data?session_hash=s", timeout=60) as events:
        for line in events:
            said += line.decode()
            if "process_completed" in said and said.endswith("\n"):
                return said
    return said


def status(url: str, headers: dict[str, str] | None = None) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        return refusal.code


def brightness_model(path: Path) -> None:
    """Write a model that answers softmax(0, mean of the image / 255 - 0.5): bright images are of class bright."""
    weights, bias = np.zeros((3, 2), np.float32), np.array([0, -0.5], np.float32)
    weights[:, 1] = 1 / (3 * 255)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "brightness",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    facts = {"architecture": "resnet50", "class_names": ["dark", "bright"], "image_size": 8}
    helper.set_model_props(model, {"breastai": json.dumps({**facts, "preprocessing": {"clahe": False}})})
    path.write_bytes(model.SerializeToString())
