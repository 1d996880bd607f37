"""A whole session on images full of a patient's particulars: no log tells of the patient, of a pixel or of the token."""

import asyncio
import contextlib
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

pytest.importorskip("torch", reason="training needs the extra train")
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid
from websockets.asyncio.client import ClientConnection, connect

from breastai.server.app import Options, running_server
from breastai.storage.workspace import Workspace

PLANTED = ("PLANTED", "19610203", "31.02.1961")
WITHIN_S = 120.0
SMALL = {
    "data": {"train_dir": "data/train", "image_size": 32, "batch_size": 4, "num_workers": 0},
    "model": {"architecture": "tiny_cnn", "pretrained": "none"},
    "training": {"epochs": 1, "use_amp": False},
    "evaluation": {"patient_id": {"dicom": "patient_id"}},
    "system": {"num_threads": 1, "autotune": False, "download_weights": False},
}


def write_image(path: Path, number: int, patient: str, cut: int | None = None, **odd: Any) -> None:
    """Write a DICOM image of a planted patient, with attributes that a reader may remark on; `cut` to so many bytes."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = made.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    made.PatientName, made.PatientID, made.PatientComments = "PLANTED^Name", patient, "PLANTED " * 40
    made.PatientBirthDate, made.InstitutionName = "19610203", "PLANTED " * 20
    for name, value in odd.items():
        setattr(made, name, value)
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation = 8, 8, 7, 0
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    pixels = np.random.default_rng(number).integers(0, 256, (48, 48), dtype=np.uint8)
    made.Rows, made.Columns = pixels.shape
    made.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue()[:cut])


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.IGNORE)
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.IGNORE)
    workspace = Workspace.open(tmp_path / "workspace")
    for number in range(20):
        folder = workspace.root / "data" / "train" / ("benign", "malignant")[number % 2]
        write_image(folder / f"{number:02d}.dcm", number, f"PLANTED-{number // 4}")
    folder = workspace.root / "data" / "train" / "benign"
    write_image(folder / "long.dcm", 30, "PLANTED-" * 20)
    write_image(folder / "cut.dcm", 31, "PLANTED-9", cut=1500)
    write_image(folder / "no_pixels.dcm", 32, "PLANTED-9", cut=900)
    (workspace.root / "data" / "odd" / "benign").mkdir(parents=True)
    (workspace.root / "data" / "odd" / "benign" / "odd.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"PLANTED^Name" * 50)
    write_image(
        folder / "dates.dcm", 33, "PLANTED-9", StudyDate="31.02.1961", PatientAge="PLANTED", PatientSex="PLANTED"
    )
    workspace.config_file.write_text(json.dumps(SMALL))
    return workspace


async def asked(socket: ClientConnection, heard: list[str], type: str, **fields: Any) -> dict[str, Any]:
    """Ask, keep all that is heard, and return the answer."""
    await socket.send(json.dumps({"type": type, "request_id": len(heard), **fields}))
    wanted = len(heard)
    while True:
        heard.append(str(await socket.recv()))
        event: dict[str, Any] = json.loads(heard[-1])
        if event.get("request_id") == wanted:
            return event


async def session(workspace: Workspace) -> tuple[str, list[str]]:
    """Do what a user does in a day, and what an attacker and a clumsy hand do; return the token and what was heard."""
    heard: list[str] = []
    async with asyncio.timeout(WITHIN_S), running_server(Options(workspace=workspace, port=0)) as server:
        token = server.protection.token
        assert token is not None
        for query, headers in (
            (token, {}),
            (token, {"Host": f"x{token}"}),
            (token, {"Origin": f"http://x{token}"}),
            (f"{token}x", {"Origin": "null"}),
        ):
            with contextlib.suppress(Exception):
                async with connect(f"ws://127.0.0.1:{server.port}/?token={query}", additional_headers=headers):
                    pass
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(f"GET /?token={token} HTTP/7.3\r\nHost {token}\r\n\r\n".encode())
        await reader.read()
        writer.close()
        async with connect(f"ws://127.0.0.1:{server.port}/?token={token}", max_size=None) as socket:
            await asked(socket, heard, "describe_data", config={})
            await asked(socket, heard, "start_training")
            while '"training_complete"' not in heard[-1]:
                heard.append(str(await socket.recv()))
                assert '"training_stopped"' not in heard[-1], heard[-5:]
            for type, fields in (
                ("predict_images", {"images": ["data/train", "data/odd"]}),
                ("audit_data", {"data": "data/odd"}),
                ("load_checkpoint", {"checkpoint": token}),
                ("audit_data", {"data": token}),
                ("create_backup", {}),
            ):
                await asked(socket, heard, type, **fields)
    return token, heard


def test_no_log_holds_the_token_a_patient_or_a_pixel(workspace: Workspace) -> None:
    token, heard = asyncio.run(session(workspace))
    logs = {path: path.read_text(errors="replace") for path in workspace.logs_dir.rglob("*") if path.is_file()}
    names = {path.name for path in logs}
    assert {"server.log", "audit.log", "worker.log", "events.jsonl", "split.json"} <= names
    told = "".join(text for path, text in logs.items() if path.name in ("server.log", "audit.log"))
    assert "(the token)" in told and "training_complete" in told
    for path, text in logs.items():
        assert token not in text, path
        assert not [word for word in PLANTED if word in text], path
        assert "data:image" not in text and not re.search(r"[A-Za-z0-9+/]{200}", text), path
    errors = [text for text in heard if '"type":"error"' in text or '"level":"' in text]
    assert len(errors) > 3
    assert any('"type":"prediction' in text and "odd.dcm" in text for text in heard)
    assert not [word for word in PLANTED if any(word in text for text in heard)]
