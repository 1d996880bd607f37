"""The audit: each planted fault is found and named, and sound images are left in peace."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydantic_core import to_jsonable_python

from breastai.clinical.audit_findings import SEVERITIES, finding_templates
from breastai.clinical.image_audit import Audit, audit, cases_needed, half_interval
from breastai.clinical.shortcut_features import FEATURES
from breastai.data.duplicates import near_duplicates
from breastai.data.sources.class_folders import scan

from ..data.test_dicom import content, dataset

Image = Any


def tissue(seed: int) -> Image:
    generator = np.random.default_rng(seed)
    speckle = cv2.GaussianBlur(generator.rayleigh(size=(120, 140)), (0, 0), 1.5)
    layers = cv2.GaussianBlur(generator.normal(size=(120, 140)), (0, 0), sigmaX=30, sigmaY=4) * 6
    return np.clip(50 * (speckle + layers), 0, 180).astype(np.uint8)


def write(folder: Path, first: int, count: int, change: Callable[[Image], Image] = lambda image: image) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + count):
        cv2.imwrite(str(folder / f"{number:04}.png"), change(tissue(number)))


def run(root: Path, *splits: str, **options: Any) -> Audit:
    found = audit({split: scan(root / split) for split in splits}, **options)
    json.dumps([to_jsonable_python(vars(finding)) for finding in found.findings], allow_nan=False)
    return found


def codes(found: Audit) -> set[str]:
    return {finding.code for finding in found.findings}


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    write(tmp_path / "train" / "benign", 0, 40)
    write(tmp_path / "train" / "malignant", 100, 40)
    return tmp_path


def test_sound_images_have_no_fault(sound: Path) -> None:
    found = run(sound, "train")
    assert (found.findings, found.groups, found.images) == ((), (), 80)


def test_twins_are_told_by_their_labels_and_their_splits(sound: Path) -> None:
    write(sound / "train" / "benign", 90, 1, lambda _: tissue(100)[:, ::-1])
    write(sound / "train" / "benign", 91, 1, lambda _: cv2.resize(tissue(5), None, fx=0.7, fy=0.7))
    write(sound / "val" / "benign", 200, 40)
    write(sound / "val" / "malignant", 300, 40)
    write(sound / "val" / "malignant", 400, 1, lambda _: np.clip(tissue(107) * 1.2, 0, 255).astype(np.uint8))
    found = run(sound, "train", "val")
    by_code = {finding.code: finding for finding in found.findings}
    assert set(by_code) == {"twins.contradicting", "twins.same_label", "twins.across_splits"}
    assert by_code["twins.contradicting"].files == ["train/benign/0090.png", "train/malignant/0100.png"]
    assert by_code["twins.across_splits"].files == ["val/malignant/0400.png"]
    assert by_code["twins.across_splits"].params == {"count": 1, "split": "val", "other": "train"}
    assert {tuple(group.files) for group in found.groups} == {
        ("train/benign/0005.png", "train/benign/0091.png"),
        ("train/benign/0090.png", "train/malignant/0100.png"),
        ("train/malignant/0107.png", "val/malignant/0400.png"),
    }
    assert found.findings[0].severity == "error" and found.findings[-1].severity == "warning"
    assert found.groups[-1].splits == ["train", "val"]


def marked(image: Image) -> Image:
    copy = image.copy()
    cv2.putText(copy, "R", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, 255, 1)
    return copy


def test_a_dicom_header_that_says_burned_in_is_believed(sound: Path) -> None:
    for number, said in enumerate(["YES", "NO"]):
        made = dataset(tissue(500 + number), BurnedInAnnotation=said)
        (sound / "train" / "benign" / f"d{number}.dcm").write_bytes(content(made))
    (finding,) = [finding for finding in run(sound, "train").findings if finding.code == "marks.burned_in"]
    assert finding.files == ["train/benign/d0.dcm"]


def framed(image: Image) -> Image:
    return cv2.copyMakeBorder(image, 8, 8, 8, 8, cv2.BORDER_CONSTANT, value=0)


def wide(image: Image) -> Image:
    return image[:100]


@pytest.mark.parametrize(
    ("change", "feature"),
    [(marked, "mark_at_place"), (marked, "marks"), (framed, "black_border"), (framed, "border"), (wide, "shape")],
)
def test_what_only_one_class_has_is_a_shortcut(tmp_path: Path, change: Callable[[Image], Image], feature: str) -> None:
    write(tmp_path / "train" / "benign", 0, 40)
    write(tmp_path / "train" / "malignant", 100, 40, change)
    shortcuts = {f.params["feature"].code: f for f in run(tmp_path, "train").findings if f.code == "shortcut"}
    feature = f"shortcut.{feature}"
    assert shortcuts[feature].params["auc"] > 0.95
    assert shortcuts[feature].params["low"] > 0.85
    if feature == "shortcut.mark_at_place":
        row, column = shortcuts[feature].params["place"]
        assert row <= 2 and column <= 2


def test_a_coloured_class_and_a_smaller_file_are_shortcuts(tmp_path: Path) -> None:
    def coloured(image: Image) -> Image:
        copy = np.stack([image] * 3, axis=2)
        copy[50:60, 50:70] = (0, 0, 255)
        return copy

    write(tmp_path / "train" / "benign", 0, 50, lambda image: image // 4)
    write(tmp_path / "train" / "malignant", 100, 40, coloured)
    found = run(tmp_path, "train")
    assert {"shortcut.colour", "shortcut.file_size"} <= {
        f.params["feature"].code for f in found.findings if f.code == "shortcut"
    }
    (finding,) = [finding for finding in found.findings if finding.code == "marks.colour"]
    assert finding.params["by_class"] == "benign 0, malignant 40"


def test_what_is_no_image_of_tissue_is_named(sound: Path) -> None:
    folder = sound / "train" / "benign"
    cv2.imwrite(str(folder / "blank.png"), np.full((100, 100), 3, dtype=np.uint8))
    cv2.imwrite(str(folder / "tiny.png"), tissue(50)[:20, :50])
    cv2.imwrite(str(folder / "squares.png"), np.where(tissue(51) > 80, 255, 0).astype(np.uint8))
    cv2.imwrite(str(folder / "0001_mask.png"), np.where(tissue(52) > 80, 255, 0).astype(np.uint8))
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "notes.txt").write_text("no image")
    by_code = {finding.code: set(finding.files) for finding in run(sound, "train").findings}
    assert by_code["images.blank"] == {"train/benign/blank.png"}
    assert by_code["images.tiny"] == {"train/benign/tiny.png"}
    assert by_code["masks.by_content"] == {"train/benign/squares.png"}
    assert by_code["masks.by_name"] == {"train/benign/0001_mask.png"}
    assert by_code["images.broken"] == {"train/benign/broken.png", "train/benign/notes.txt"}


def test_a_patient_on_both_sides_is_named(sound: Path) -> None:
    write(sound / "val" / "benign", 200, 40)
    write(sound / "val" / "malignant", 300, 40)
    patients = {"train": [f"P{number}" for number in range(80)], "val": [f"P{number}" for number in range(79, 159)]}
    (finding,) = run(sound, "train", "val", patients=patients).findings
    assert finding.code == "patients.across_splits"
    assert finding.files == ["val/benign/0200.png"]
    assert "P79" not in json.dumps(finding.params)


def test_too_few_and_uneven_cases_are_told_and_patients_count_once(sound: Path) -> None:
    write(sound / "val" / "benign", 200, 60)
    write(sound / "val" / "malignant", 300, 15)
    patients = {"train": [str(n) for n in range(80)], "val": [f"B{n // 2}" for n in range(60)] + ["M"] * 15}
    found = run(sound, "train", "val", patients=patients)
    (few,) = [finding for finding in found.findings if finding.code == "cases.too_few"]
    assert {(row["class_name"], row["n"]) for row in few.params["cases"]} == {("benign", 30), ("malignant", 1)}
    assert "val: benign 30, malignant 1" in few.message
    assert "classes.imbalanced" not in codes(found)
    write(sound / "train" / "benign", 500, 130)
    assert "classes.imbalanced" in codes(run(sound, "train"))


def test_as_many_cases_as_are_asked_for_are_enough_and_one_less_is_not() -> None:
    assert half_interval(cases_needed()) <= 0.1 < half_interval(cases_needed() - 1)
    assert half_interval(0) == 0.5


def test_every_fault_says_why_it_matters_and_what_to_do() -> None:
    for code in SEVERITIES:
        for part, template in finding_templates(code).items():
            text = template if isinstance(template, str) else template["other"]
            assert text.endswith((".", "?", "…", "{setting}")), (code, part)
    assert len(FEATURES) >= 8


def test_a_stained_slide_is_not_taken_for_a_marked_image(tmp_path: Path) -> None:
    def stained(image: Image) -> Image:
        return np.stack([220 - image // 2, 120 - image // 3, 200 - image // 2], axis=2)

    write(tmp_path / "train" / "benign", 0, 20, stained)
    write(tmp_path / "train" / "malignant", 100, 20, stained)
    assert run(tmp_path, "train").findings == ()


def test_when_no_file_can_be_read_that_is_the_finding(tmp_path: Path) -> None:
    for name in ("benign", "malignant"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "a.png").write_bytes(b"no image")
    found = run(tmp_path, "train")
    assert codes(found) == {"images.broken"}
    assert found.images == 0


def sides(root: Path) -> Path:
    """Return the folder of one class; the other holds one image of a patient of its own."""
    folder = root / "train" / "benign"
    folder.mkdir(parents=True)
    (root / "train" / "malignant").mkdir()
    cv2.imwrite(str(root / "train" / "malignant" / "X_0.png"), tissue(999))
    return folder


def with_patients(root: Path, *splits: str) -> Audit:
    folders = {split: scan(root / split) for split in splits}
    known = {split: [Path(file).name.split("_")[0] for file in folder.files] for split, folder in folders.items()}
    return audit(folders, known)


def test_images_of_two_known_patients_are_alike_only_when_their_content_is_the_same(tmp_path: Path) -> None:
    folder = sides(tmp_path)
    for patient in range(20):
        for view in range(2):
            cv2.imwrite(str(folder / f"P{patient}_{view}.png"), tissue(2 * patient + view))
    cv2.imwrite(str(folder / "P1_9.png"), tissue(2)[:, ::-1])
    cv2.imwrite(str(folder / "P3_8.png"), tissue(2) // 2 + 20)
    cv2.imwrite(str(folder / "P3_9.bmp"), tissue(10))
    found = with_patients(tmp_path, "train")
    assert {tuple(group.files) for group in found.groups} == {
        ("train/benign/P1_0.png", "train/benign/P1_9.png"),
        ("train/benign/P3_9.bmp", "train/benign/P5_0.png"),
    }
    (same,) = [finding for finding in found.findings if finding.code == "patients.same_image"]
    assert same.severity == "error" and set(same.files) == {"train/benign/P3_9.bmp", "train/benign/P5_0.png"}
    unknown = run(tmp_path, "train")
    assert ("train/benign/P1_0.png", "train/benign/P1_9.png", "train/benign/P3_8.png") in {
        tuple(group.files) for group in unknown.groups
    }
    assert "patients.same_image" not in codes(unknown)


def test_blank_images_of_two_patients_are_not_the_same_image(tmp_path: Path) -> None:
    folder = sides(tmp_path)
    for patient in range(2):
        cv2.imwrite(str(folder / f"P{patient}_0.png"), np.zeros((60, 60), np.uint8))
    assert "patients.same_image" not in codes(with_patients(tmp_path, "train"))


def test_an_audit_doubts_likeness_that_claims_more_than_a_tenth_but_not_within_known_patients(tmp_path: Path) -> None:
    folder = sides(tmp_path)
    for patient in range(15):
        cv2.imwrite(str(folder / f"P{patient}_0.png"), tissue(patient))
    for patient in range(3):
        cv2.imwrite(str(folder / f"P{patient}_1.png"), tissue(patient)[:, ::-1])
    (doubt,) = [finding for finding in run(tmp_path, "train").findings if finding.code == "twins.doubtful"]
    assert doubt.params == {"count": 6, "images": 19, "groups": 3, "largest": 2} and len(doubt.files) == 6
    assert "twins.doubtful" not in codes(with_patients(tmp_path, "train"))


def test_an_audit_of_very_many_images_says_that_it_compared_those_of_one_patient_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = sides(tmp_path)
    for patient in range(6):
        cv2.imwrite(str(folder / f"P{patient}_0.png"), tissue(patient))
    cv2.imwrite(str(folder / "P3_1.bmp"), tissue(3)[::-1, ::-1])
    assert "twins.of_one_patient" not in codes(with_patients(tmp_path, "train"))
    monkeypatch.setattr(near_duplicates, "MOST_COMPARED", 5)
    found = with_patients(tmp_path, "train")
    assert [group.files for group in found.groups] == [["train/benign/P3_0.png", "train/benign/P3_1.bmp"]]
    (told,) = [finding for finding in found.findings if finding.code == "twins.of_one_patient"]
    assert told.severity == "info" and told.params == {"images": found.images, "patients": found.images - 1}
    assert "twins.of_one_patient" not in codes(run(tmp_path, "train"))  # where patients are unknown all are compared


def test_how_far_an_audit_is_rises_from_looking_to_comparing(tmp_path: Path) -> None:
    for first, name in ((0, "benign"), (100, "malignant")):
        write(tmp_path / "train" / name, first, 4)
    shares: list[float] = []
    run(tmp_path, "train", progress=shares.append, threads=1)
    assert shares == sorted(shares) and 0.6 < shares[0] < shares[-1] <= 1  # of so few, looking tells nothing
