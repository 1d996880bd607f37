"""Compare the page's probabilities and decisions with those in Python, in headless Chromium: python check.py MODEL.onnx."""

import json
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright
from serve import server

from breastai.clinical.apply_decision_rule import decide
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.reference_answers import reference_images

ALLOWED = 1e-3


def worst_difference(path: Path, count: int = 4) -> float:
    """Return the largest difference of a probability on preprocessed phantoms; infinite when a decision differs."""
    model = OnnxModel.open(path)
    images = reference_images(model.preprocessing, model.image_size, count)
    answer = model.answer(images)
    expected = answer.probabilities
    verdicts = decide(model.decision, expected, model.class_names, answer.novelty)
    site = server(path, 0)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    worst = 0.0
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://localhost:{site.server_port}/")
        for number, image in enumerate(images):
            file = Path(folder) / f"{number}.png"
            Image.fromarray(image).save(file)
            page.evaluate("document.getElementById('answer').textContent = ''")
            page.set_input_files("#image", file)
            page.wait_for_function("document.getElementById('answer').textContent !== ''", timeout=120_000)
            shown = json.loads(page.inner_text("#answer"))
            found = [shown["probabilities"][name] for name in model.class_names]
            verdict = verdicts[number]
            if (shown["decision"], shown["refer"], shown["reason"]) != (verdict.answer, verdict.refer, verdict.reason):
                worst = float("inf")
            worst = max(worst, *(abs(a - b) for a, b in zip(expected[number].tolist(), found, strict=True)))
        browser.close()
    site.shutdown()
    site.server_close()
    return worst


if __name__ == "__main__":
    difference = worst_difference(Path(sys.argv[1]))
    print(f"Largest difference of a probability: {difference:.1e} (allowed {ALLOWED:g})")
    sys.exit(difference > ALLOWED)
