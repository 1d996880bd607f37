"""De-identification: nothing of the patient is left, the pixels are the same, and patients stay together."""

import csv
import json
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset

from breastai.cli import run
from breastai.data.decode import read_image
from breastai.data.deidentify import TABLE, stripped
from breastai.data.patients import patient_ids
from breastai.domain.config import PatientTable
from breastai.storage.salt import hashed

from .test_dicom import RAMP, content, dataset, with_voi_lut

SECRETS = ("Secret", "SECRET-ID", "19610203", "Dr^Who", "Hidden", "ACC-77")


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """Two DICOM images of one patient, one with burned-in text, one with a window, and a PNG with a comment."""
    folder = tmp_path / "hospital"
    (folder / "benign" / "Secret Name").mkdir(parents=True)
    for number, burned_in in enumerate(("NO", "NO", "YES")):
        made = with_voi_lut(dataset(RAMP, BitsStored=12, BurnedInAnnotation=burned_in))
        made.VOILUTSequence[0].LUTExplanation = "Hidden"
        made.PatientBirthDate, made.ReferringPhysicianName, made.AccessionNumber = "19610203", "Dr^Who", "ACC-77"
        made.ImageLaterality, made.ViewPosition = "L", "MLO"
        made.add_new(0x00091001, "LO", "Hidden")
        nested = Dataset()
        nested.PatientID = "SECRET-ID"
        made.OtherPatientIDsSequence = [nested]
        (folder / "benign" / "Secret Name" / f"Secret{number}.dcm").write_bytes(content(made))
    picture = Image.fromarray((RAMP >> 4).astype(np.uint8))
    picture.save(folder / "benign" / "Secret Name" / "Hidden.jpg", comment=b"Hidden", quality=95)
    return folder


def test_nothing_of_the_patient_is_left_and_the_pixels_are_the_same(
    hospital: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["deidentify", str(hospital), str(out), "--json", "--workspace", str(tmp_path / "w")]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["written"] == 3
    assert told["left_out"] == {"it says that there is text burned into its pixels": 1}
    files = [path for path in out.rglob("*") if path.is_file()]
    for path in files:
        assert not any(word.encode() in path.read_bytes() for word in SECRETS), path
        assert not any(word.lower() in path.as_posix()[len(out.as_posix()) :].lower() for word in SECRETS)
    expected = read_image(hospital / "benign/Secret Name/Secret0.dcm")
    shared = [path for path in files if path.suffix == ".dcm"]
    assert len(shared) == 2
    assert all(np.array_equal(read_image(path), expected) for path in shared)
    assert pydicom.dcmread(shared[0]).PatientIdentityRemoved == "YES"
    # The same salt, so the same hashes; another project's are others.
    assert run(["deidentify", str(hospital), str(tmp_path / "again"), "--workspace", str(tmp_path / "w")]) == 0
    assert run(["deidentify", str(hospital), str(tmp_path / "other"), "--workspace", str(tmp_path / "v")]) == 0
    tables = [(tmp_path / name / TABLE).read_text() for name in ("out", "again", "other")]
    assert tables[0] == tables[1] != tables[2]
    assert (tmp_path / "w/.salt").stat().st_mode & 0o077 == 0


def test_the_table_keeps_a_patients_images_together(hospital: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(["deidentify", str(hospital), str(out), "--workspace", str(tmp_path)]) == 0
    with (out / TABLE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    dicoms = [row for row in rows if row["file"].endswith(".dcm")]
    assert [(row["laterality"], row["view"], row["burned_in"]) for row in dicoms] == [("L", "MLO", "NO")] * 2
    names = [row["file"] for row in rows]
    found = patient_ids(names, PatientTable(csv=TABLE), out)
    assert found is not None
    assert len({patient for name, patient in zip(names, found, strict=True) if name.endswith(".dcm")}) == 1


def test_a_folder_with_something_in_it_is_not_written_to(hospital: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    assert run(["deidentify", str(hospital), str(tmp_path / "out"), "--workspace", str(tmp_path)]) == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_a_hash_needs_the_salt() -> None:
    assert hashed(b"a", "SECRET-ID") != hashed(b"b", "SECRET-ID")
    assert hashed(b"a", "SECRET-ID") == hashed(b"a", "SECRET-ID")


def test_the_real_files_are_shown_alike_after_stripping(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "dicom/US1_RLE.dcm"
    stripped(pydicom.dcmread(path), "x").save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert np.array_equal(read_image(tmp_path / "a.dcm"), read_image(path))
