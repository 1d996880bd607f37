"""Headers of DICOM files: which breast in which view, told in predictions and judged apart, and nothing else of them."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.sr.codedict import codes

from breastai.cli import run
from breastai.data.decoders.decoder import Header
from breastai.data.decoders.decoder_table import header_of
from breastai.data.decoders.dicom_headers import _VIEW_CODES, _VIEWS
from breastai.data.patients.patient_ids import patients_in
from breastai.data.patients.subgroups import subgroups_in
from breastai.data.sources.class_folders import scan
from breastai.domain.patient_settings import DicomHeader

from ..predictor.test_onnx_model import METADATA, brightness_model
from .test_dicom import content, dataset


def picture(path: Path, seed: int = 0, **attributes: object) -> Path:
    values = np.random.default_rng(seed).integers(0, 255, (16, 16), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(dataset(values, **attributes)))
    return path


def coded(value: str) -> Sequence:
    code = Dataset()
    code.CodeValue = value
    return Sequence([code])


def enhanced(side: str) -> Sequence:
    anatomy, group = Dataset(), Dataset()
    anatomy.FrameLaterality = side
    group.FrameAnatomySequence = Sequence([anatomy])
    return Sequence([group])


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"ImageLaterality": "R", "ViewPosition": "MLO"}, Header("R", "MLO")),
        ({"Laterality": "L", "ViewCodeSequence": coded("R-10242")}, Header("L", "CC")),
        ({"SharedFunctionalGroupsSequence": enhanced("R"), "ViewCodeSequence": coded("399368009")}, Header("R", "MLO")),
        ({"ImageLaterality": "", "Laterality": "B"}, Header("B", None)),
        # A name where a code belongs stays behind.
        ({"ImageLaterality": "U", "ViewPosition": "SECRET NAME"}, Header()),
        ({}, Header()),
    ],
)
def test_a_header_tells_the_breast_and_the_view_by_known_codes_alone(
    tmp_path: Path, attributes: dict[str, object], expected: Header
) -> None:
    path = picture(tmp_path / "a.dcm", **attributes)
    assert header_of(path) == expected
    assert header_of(path.with_name("a.dcm#1")) == expected


def test_what_is_no_dicom_file_has_no_header(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    (tmp_path / "b.dcm").write_bytes(b"no image")
    assert [header_of(tmp_path / name) for name in ("a.png", "b.dcm", "gone.dcm")] == [Header()] * 3


def test_the_codes_of_views_are_those_of_the_standard() -> None:
    views = codes.cid4014
    listed = {getattr(views, name).value for name in views.dir()} - {"127457009"}  # a specimen is no view
    assert {code for code in _VIEW_CODES if code.isdigit()} == listed
    assert set(_VIEW_CODES.values()) <= _VIEWS


def test_only_what_tells_parts_apart_is_a_subgroup(tmp_path: Path) -> None:
    paths = [
        picture(tmp_path / "1.dcm", ImageLaterality="L", ViewPosition="CC"),
        picture(tmp_path / "2.dcm", ImageLaterality="R", ViewPosition="CC"),
        picture(tmp_path / "3.dcm"),
    ]
    assert subgroups_in(paths) == {"laterality": ["L", "R", ""]}
    assert subgroups_in(paths[2:]) == {}


def test_the_breasts_of_a_patient_stay_in_one_group_whose_name_is_a_hash(tmp_path: Path) -> None:
    for number, (side, patient) in enumerate([("L", "SECRET-1"), ("R", "SECRET-1"), ("L", "SECRET-2")]):
        picture(tmp_path / f"train/benign/{number}.dcm", number, ImageLaterality=side, PatientID=patient)
    picture(tmp_path / "train/malignant/0.dcm", PatientID="SECRET-3")
    patients = patients_in(scan(tmp_path / "train"), DicomHeader(dicom="patient_id"), tmp_path)
    assert patients is not None
    left, right, other, _ = patients
    assert left == right != other
    assert "SECRET" not in "".join(patients)


def test_a_prediction_of_another_modality_than_the_training_images_is_referred_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(brightness_model(tmp_path / "m.onnx", METADATA | {"decision": {"modalities": ["US"], "n": 60}}))
    paths = [str(picture(tmp_path / f"{name}.dcm", Modality=name)) for name in ("US", "MG", "OT")]
    assert run(["predict", model, *paths, "--workspace", str(tmp_path), "--json"]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()][:3]
    assert [(each["refer"], each["refer_reason"], each["modality"]) for each in said] == [
        (None, None, "US"), (True, "modality", "MG"), (None, None, None),
    ]  # fmt: skip
    assert run(["predict", model, paths[1], "--workspace", str(tmp_path)]) == 0
    assert "REFER: its header says MG, and the model learnt from US images" in capsys.readouterr().out


def test_a_prediction_tells_breast_and_view_and_no_word_of_the_patient(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = str(brightness_model(tmp_path / "m.onnx"))
    path = str(picture(tmp_path / "a.dcm", ImageLaterality="L", ViewPosition="MLO"))
    said = {}
    for form in ("--json", "--csv", ""):
        assert run(["predict", model, path, "--workspace", str(tmp_path), *([form] if form else [])]) == 0
        said[form] = capsys.readouterr().out
        assert "secret" not in said[form].lower()
    first = json.loads(said["--json"].splitlines()[0])
    assert (first["laterality"], first["view"]) == ("L", "MLO")
    (row,) = csv.DictReader(said["--csv"].splitlines())
    assert (row["laterality"], row["view"]) == ("L", "MLO")
    assert "L MLO" in said[""]
