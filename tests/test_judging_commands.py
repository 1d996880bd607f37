"""The commands that judge and audit without a network, as scripts use them."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from breastai.cli import run
from breastai.storage.evaluations import read_evaluations
from breastai.storage.workspace import Workspace


def predictions(path: Path, seed: int, skill: float) -> Path:
    generator = np.random.default_rng(seed)
    lines = ["label,p_benign,p_malignant,file,patient_id,device"]
    for number in range(60):
        label = number % 2
        score = 1 / (1 + np.exp(-skill * (2 * label - 1) - generator.normal()))
        name = "malignant" if label else "benign"
        lines.append(f"{name},{1 - score:.6f},{score:.6f},{number}.png,P{number // 3},{'AB'[number % 4 // 2]}")
    path.write_text("\n".join(lines) + "\n")
    return path


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_predictions_are_judged_like_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = predictions(tmp_path / "p.csv", 0, 1.0)
    assert run(["evaluate", "--predictions", str(table), "--json", "--workspace", str(tmp_path / "w")]) == 0
    last = told(capsys)[-1]
    assert last["type"] == "evaluation" and (last["n"], last["patients"]) == (60, 20)
    names = set(last["figures"])
    assert {"auc_roc.malignant", "sensitivity.malignant", "auc_roc.malignant@device=A", "accuracy"} <= names
    assert set(last["figures"]["auc_roc.malignant"]) == {"value", "low", "high", "n", "flag"}
    ((path, record),) = read_evaluations(Workspace.open(tmp_path / "w"), "predictions")
    assert last["record"] == path.relative_to(tmp_path / "w").as_posix()
    assert record.evidence.figures["accuracy"].value == last["figures"]["accuracy"]["value"]
    text = path.read_text()
    assert "P3" not in text and "3.png" not in text and str(tmp_path) not in text
    assert len(record.cases) == 60


def test_predictions_are_judged_and_reported_in_one_go(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, place = predictions(tmp_path / "p.csv", 0, 1.0), tmp_path / "w"
    arguments = ["evaluate", "--predictions", str(table), "--report", "--json", "--workspace", str(place)]
    assert run(arguments) == run(arguments) == 0
    events = [each for each in told(capsys) if each["type"] in ("evaluation", "report_created")]
    assert [each["type"] for each in events] == ["evaluation", "report_created"] * 2
    first, second = events[1], events[3]
    assert (first["url"], second["url"]) == tuple(f"/reports/predictions/p.csv-{n}/report.en.html" for n in (1, 2))
    assert {Path(file).suffix for file in first["files"]} == {".html", ".json", ".md", ".pdf"}
    assert all((place / file).is_file() for file in first["files"])
    more = ["--language", "fr", "--format", "docx", "--json", "--workspace", str(place)]
    assert run(["report", "predictions", *more]) == 0
    last = told(capsys)[-1]
    assert last["url"] == "/reports/predictions/p.csv-2/report.fr.html"
    assert {Path(file).suffix for file in last["files"]} == {".html", ".json", ".md", ".docx"}


def test_women_with_cancer_in_one_breast_are_positive_whatever_the_class_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ["file,label,p_krebs,p_kein Krebs,patient_id"]
    for woman in range(30):
        for side in "LR":
            ill = woman < 8 and side == "L"
            score = 0.9 if ill else 0.05
            rows.append(f"{woman}{side}.png,{'krebs' if ill else 'kein Krebs'},{score},{1 - score:.2f},W{woman}")
    (tmp_path / "p.csv").write_text("\n".join(rows), encoding="utf-8")
    arguments = ["evaluate", "--predictions", str(tmp_path / "p.csv"), "--workspace", str(tmp_path / "w")]
    assert run([*arguments, "--json"]) == 0
    pooled = told(capsys)[-1]["by_patient"]
    assert (pooled["target_class"], pooled["patients"], pooled["mixed"], pooled["counts"]["krebs"]) == (
        "krebs",
        30,
        8,
        8,
    )
    assert run(arguments) == 0
    assert "Patients with images of several classes: 8 of 30" in capsys.readouterr().out


def test_a_bad_table_is_an_error_that_names_the_cell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p.csv").write_text("label,p_a,p_b\na,7,0\n")
    status = run(["evaluate", "--predictions", str(tmp_path / "p.csv"), "--json", "--workspace", str(tmp_path / "w")])
    assert status == 2
    last = told(capsys)[-1]
    assert (last["type"], last["code"]) == ("error", "predictions.invalid")
    assert "row 2, column p_a: expected a number from 0 to 1, got '7'" in last["message"]


def test_two_tables_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = predictions(tmp_path / "good.csv", 0, 2.0), predictions(tmp_path / "bad.csv", 1, 0.0)
    assert run(["compare", str(good), str(bad), "--json", "--workspace", str(tmp_path / "w")]) == 0
    last = told(capsys)[-1]
    assert last["type"] == "comparison" and last["patients"] == 20
    assert last["figures"]["auc_roc.malignant"]["p_value"] < 0.01


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate"],
        ["evaluate", "run/best"],
        ["evaluate", "run/best", "--data", "x", "--predictions", "p.csv"],
        ["compare", "a.csv", "run/best"],
        ["compare", "run/best", "other/best"],
    ],
)
def test_what_does_not_go_together_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "--help" in capsys.readouterr().err


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for number, name in enumerate(("benign", "malignant")):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        for seed in range(3):
            speckle = np.random.default_rng(10 * number + seed).rayleigh(size=(80, 80))
            cv2.imwrite(str(folder / f"{seed}.png"), np.clip(80 * cv2.GaussianBlur(speckle, (0, 0), 2), 0, 255))
    return tmp_path / "data"


def test_an_audit_ends_with_one_object_and_fails_only_when_told_to(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["audit", str(images), "--json", "--workspace", str(images.parent / "w")]
    assert run([*asked, "--fail-on", "error"]) == 0
    shutil.copy(images / "benign" / "0.png", images / "malignant" / "copy.png")
    assert run(asked) == 0
    last = told(capsys)[-1]
    assert last["type"] == "audit"
    assert [group["files"] for group in last["groups"]] == [["benign/0.png", "malignant/copy.png"]]
    assert {"code", "severity", "files"} <= set(last["findings"][0])
    assert last["findings"][0]["severity"] == "error"
    assert run([*asked, "--fail-on", "error"]) == 1
    assert run([*asked, "--fail-on", "warning"]) == 1


def test_an_audit_for_people_says_why_it_matters_and_what_to_do(
    images: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(images / "benign" / "0.png", images / "malignant" / "copy.png")
    assert run(["audit", str(images), "--workspace", str(images.parent / "w")]) == 0
    text = capsys.readouterr().out
    assert "It can miss images that share less than half" in " ".join(text.split())
    assert "carries different labels" in text and "Duplicates: benign/0.png, malignant/copy.png" in text
