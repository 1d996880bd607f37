"""A watched folder: each file answered once, whatever is killed; what is no image named; weeks compared."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from breastai.cli import run as command
from breastai.clinical.ledger_drift import summarise_weeks
from breastai.domain.errors import WatchInUse
from breastai.domain.watch_records import LedgerLine, WatchedAnswer
from breastai.predictor import watched_folder
from breastai.predictor.onnx_model import OnnxModel
from breastai.predictor.watched_folder import Watch, answer_arrivals
from breastai.storage.watch_ledger import LEDGER, MOST_ATTEMPTS, WatchLedger, read_ledger
from breastai.texts.catalogue import texts_below

from .test_onnx_model import METADATA, brightness_model

SIDE = 48


def dicom(path: Path, seed: int) -> Path:
    """Write a small ultrasound image as DICOM."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.Modality, data.PatientID = "US", f"P{seed:03d}"
    data.Rows = data.Columns = SIDE
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelData = np.random.default_rng(seed).integers(0, 250, (SIDE, SIDE), dtype=np.uint8).tobytes()
    data.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return brightness_model(tmp_path / "m.onnx", METADATA)


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


def watch_once(model: Path, inbox: Path, out: Path) -> list[str]:
    """Answer what lies in the folder; return what was told."""
    with WatchLedger.hold(out) as ledger:
        watch = Watch(inbox, "m.onnx", settle_s=0.0, every_s=0.01, once=True)
        return [str(event.type) for event in answer_arrivals(OnnxModel.open(model), watch, ledger, lambda: False)]


@pytest.mark.full
def test_two_hundred_files_and_five_kills_each_is_answered_once(tmp_path: Path, model: Path, inbox: Path) -> None:
    out, draw = tmp_path / "out", random.Random(0)
    arguments = [sys.executable, "-m", "breastai", "watch", str(inbox), str(out), "--model", str(model)]
    arguments += ["--settle", "0.3", "--every", "0.2", "--workspace", str(tmp_path / "w")]
    names: list[str] = []
    for part in range(5):
        with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            for number in range(40):
                (inbox / f"day{part}").mkdir(exist_ok=True)
                names.append(f"day{part}/{number:03d}.dcm")
                dicom(inbox / names[-1], 40 * part + number)
            wanted = 40 * part + draw.randint(3, 30)
            while len(read_ledger(out)[0]) < wanted:
                assert process.poll() is None
                time.sleep(0.02)
            process.send_signal(signal.SIGKILL)
    done = subprocess.run([*arguments, "--once"], capture_output=True, text=True, timeout=250, check=True)
    assert "Answered:" in done.stdout
    lines, unread = read_ledger(out)
    assert unread == 0
    assert Counter(line.file for line in lines) == Counter(names)
    assert len(list((out / "answers").glob("*.json"))) == 200
    for line in lines:
        assert line.error is None and line.answer is not None
        answer = WatchedAnswer.model_validate_json((out / line.answer).read_bytes())
        assert (answer.prediction.file, answer.sha256) == (line.file, line.sha256)
        assert "not a medical device" in answer.notice
    mode = (out / LEDGER).stat().st_mode & 0o777
    assert mode == 0o600


def test_a_torn_line_is_cut_off_and_its_file_answered_again(tmp_path: Path, model: Path, inbox: Path) -> None:
    out = tmp_path / "out"
    for number in range(3):
        dicom(inbox / f"{number}.dcm", number)
    watch_once(model, inbox, out)
    ledger = out / LEDGER
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[:-20])
    assert watch_once(model, inbox, out) == ["prediction"]
    assert sorted(line.file for line in read_ledger(out)[0]) == ["0.dcm", "1.dcm", "2.dcm"]
    assert watch_once(model, inbox, out) == []


def test_a_kill_between_an_answer_and_its_line_leaves_one_of_each(
    tmp_path: Path, model: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def kill(self: WatchLedger, line: LedgerLine) -> None:
        raise Killed

    dicom(inbox / "a.dcm", 1)
    with monkeypatch.context() as patch:
        patch.setattr(WatchLedger, "append", kill)
        with pytest.raises(Killed):
            watch_once(model, inbox, tmp_path / "out")
    assert watch_once(model, inbox, tmp_path / "out") == ["prediction"]
    assert len(list((tmp_path / "out/answers").iterdir())) == len(read_ledger(tmp_path / "out")[0]) == 1


def test_a_kill_between_two_frames_leaves_the_others_to_be_answered(tmp_path: Path) -> None:
    def line(file: str) -> LedgerLine:
        return LedgerLine(
            file=file, sha256="0", size_bytes=5, changed_ns=7, time="2026-11-30T10:00:00+00:00", model="m.onnx"
        )

    with WatchLedger.hold(tmp_path) as ledger:
        for name in ("whole.dcm", "scan#final.png"):
            assert ledger.attempt(name, "0") == 1
            ledger.append(line(name))
            ledger.finish(name, 5, 7)
        assert ledger.attempt("frames.dcm", "0") == 1
        ledger.append(line("frames.dcm#1"))
    with WatchLedger.hold(tmp_path) as ledger:
        assert ledger.is_as_it_was("whole.dcm", 5, 7) and ledger.is_as_it_was("scan#final.png", 5, 7)
        assert not ledger.is_as_it_was("frames.dcm", 5, 7)
        assert ledger.knows("frames.dcm#1", "0") and not ledger.knows("frames.dcm#2", "0")
        assert ledger.attempt("frames.dcm", "0") == 2
        ledger.append(line("frames.dcm#2"))
        ledger.finish("frames.dcm", 5, 7)
        assert ledger.attempt("frames.dcm", "0") == 1


def test_a_file_that_crashes_whatever_reads_it_is_given_up(
    tmp_path: Path, model: Path, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*given: object) -> None:
        raise Crash

    dicom(inbox / "bad.dcm", 1)
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(watched_folder, "_ask", crash)
        for _ in range(MOST_ATTEMPTS):
            with pytest.raises(Crash):
                watch_once(model, inbox, out)
        assert watch_once(model, inbox, out) == ["prediction"]
    (line,) = read_ledger(out)[0]
    assert "never ended" in str(line.error)


def test_a_file_is_answered_when_it_is_whole_and_not_before(tmp_path: Path, model: Path, inbox: Path) -> None:
    whole = dicom(tmp_path / "whole.dcm", 1).read_bytes()
    arriving = inbox / "a.dcm"
    arriving.write_bytes(whole[:500])
    out = tmp_path / "out"
    looks = 0

    def grows() -> bool:
        """Let the file grow at each look; it stays as it is after the third, and the watch ends after the answer."""
        nonlocal looks
        looks += 1
        if looks <= 3:
            arriving.write_bytes(whole[: 500 + looks * 100])
        elif looks == 4:
            arriving.write_bytes(whole)
        return bool(read_ledger(out)[0])

    with WatchLedger.hold(out) as ledger:
        watch = Watch(inbox, "m", settle_s=0.5, every_s=0.05)
        told = list(answer_arrivals(OnnxModel.open(model), watch, ledger, grows))
    assert [getattr(event, "error", None) for event in told] == [None]


def test_what_is_no_image_or_can_not_be_read_is_named_once(tmp_path: Path, model: Path, inbox: Path) -> None:
    (inbox / "note.txt").write_text("hello")
    (inbox / "broken.dcm").write_bytes(dicom(tmp_path / "x.dcm", 1).read_bytes()[:400])
    (inbox / "link.dcm").symlink_to(tmp_path / "x.dcm")
    (inbox / ".hidden.png").write_bytes(b"x")
    (inbox / "empty.dcm").write_bytes(b"")
    out = tmp_path / "out"
    assert sorted(watch_once(model, inbox, out)) == ["log", "prediction"]
    by_name = {line.file: line for line in read_ledger(out)[0]}
    assert by_name["note.txt"].is_skipped and by_name["broken.dcm"].error
    assert set(by_name) == {"note.txt", "broken.dcm"}
    assert watch_once(model, inbox, out) == []


def test_a_name_whose_content_changed_is_answered_anew(tmp_path: Path, model: Path, inbox: Path) -> None:
    out = tmp_path / "out"
    dicom(inbox / "a.dcm", 1)
    watch_once(model, inbox, out)
    os.utime(inbox / "a.dcm", ns=(1, 1))
    assert watch_once(model, inbox, out) == []  # touched, and the same
    dicom(inbox / "a.dcm", 2)
    assert watch_once(model, inbox, out) == ["prediction"]
    assert len({line.answer for line in read_ledger(out)[0]}) == 2


def test_two_never_answer_into_one_folder(tmp_path: Path, model: Path, inbox: Path) -> None:
    with WatchLedger.hold(tmp_path / "out"), pytest.raises(WatchInUse), WatchLedger.hold(tmp_path / "out"):
        pass


@pytest.mark.parametrize("out", ["in", "in/out", "."])
def test_answers_are_never_written_where_they_would_be_read(
    tmp_path: Path, model: Path, inbox: Path, out: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["watch", str(inbox), str(tmp_path / out), "--model", str(model), "--once"]) == 2
    assert "must lie apart" in capsys.readouterr().err


def test_answers_are_written_as_dicom_and_what_has_no_study_is_told_of(
    tmp_path: Path, model: Path, inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = dcmread(dicom(inbox / "a.dcm", 1))
    made.StudyInstanceUID, made.SeriesInstanceUID = generate_uid(), generate_uid()
    made.save_as(inbox / "a.dcm")
    dicom(inbox / "b.dcm", 2)
    arguments = ["watch", str(inbox), str(tmp_path / "out"), "--model", str(model), "--once", "--settle", "0"]
    assert command([*arguments, "--dicom", str(inbox / "objects"), "--workspace", str(tmp_path / "w")]) == 2
    capsys.readouterr()
    assert command([*arguments, "--dicom", str(tmp_path / "objects"), "--workspace", str(tmp_path / "w")]) == 0
    found = [dcmread(path) for path in sorted((tmp_path / "objects").iterdir())]
    assert [each.Modality for each in found] == ["SR", "OT"]
    assert {each.StudyInstanceUID for each in found} == {made.StudyInstanceUID}
    shown = capsys.readouterr()
    assert "b.dcm: no DICOM objects" in shown.out + shown.err


def lines(week: int, count: int, mean: float, referred: float) -> list[LedgerLine]:
    draw = np.random.default_rng(week)
    start = datetime(2026, 1, 5, tzinfo=UTC) + timedelta(weeks=week)
    return [
        LedgerLine(
            file=f"{week}/{number}", sha256="", size_bytes=1, changed_ns=1, time=start.isoformat(), model="m",
            decision="b", target_class="b", probabilities={"a": 1 - score, "b": score}, called=score >= 0.5,
            refer=bool(draw.random() < referred), width=100, height=100, brightness=90.0 + draw.normal(), contrast=20.0,
        )
        for number, score in enumerate(np.clip(draw.normal(mean, 0.1, count), 0, 1).tolist())
    ]  # fmt: skip


def test_a_week_of_other_scores_and_referrals_is_told_and_the_others_are_not() -> None:
    told = [line for week in range(6) for line in lines(week, 80, 0.3, 0.2)] + lines(6, 80, 0.6, 0.7)
    found = summarise_weeks(told, 3)
    assert [week.is_reference for week in found.weeks] == [True] * 3 + [False] * 4
    differing = {(week.week, name) for week in found.weeks for name, value in week.values.items() if value.differs}
    assert differing == {("2026-W08", "score"), ("2026-W08", "referred"), ("2026-W08", "called")}


def test_weeks_that_are_alike_differ_by_chance_alone() -> None:
    falsely = 0
    for study in range(100):
        told = [line for week in range(8) for line in lines(1000 * study + week, 40, 0.3, 0.2)]
        falsely += any(value.differs for week in summarise_weeks(told, 4).weeks for value in week.values.values())
    assert falsely <= 5  # at most one in a hundred studies is expected


def test_the_weeks_are_a_table_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(line.model_dump_json() for week in range(3) for line in lines(week, 20, 0.3, 0.2))
    (tmp_path / LEDGER).write_text(text + "\n")
    assert command(["drift", str(tmp_path), "--first-weeks", "2"]) == 0
    shown = capsys.readouterr().out
    assert "2026-W02*" in shown and "2026-W04 " in shown and "without labels" in shown
    assert command(["drift", str(tmp_path), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["weeks"]) == 3


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_weeks_are_a_page_that_needs_nothing_else_and_says_what_it_can_not(
    tmp_path: Path, language: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = [line for week in range(4) for line in lines(week, 40, 0.3, 0.2)]
    told += [line.model_copy(update={"model": "<b>n</b>"}) for line in lines(4, 40, 0.7, 0.8)]
    (tmp_path / LEDGER).write_text("\n".join(line.model_dump_json() for line in told) + "\n")
    page = tmp_path / "drift.html"
    assert command(["--lang", language, "drift", str(tmp_path), "--first-weeks", "3", "--html", str(page)]) == 0
    assert page.name in capsys.readouterr().out
    text = page.read_text()
    words = texts_below("report.drift", language)
    assert f'<html lang="{language}">' in text and text.count("<img ") == 7  # no novelty is known
    assert texts_below("page", language)["research_use"] in text
    assert words["no_labels"] in text and words["models_changed"].split(":")[0] in text
    assert "<b>n" not in text and "&lt;b&gt;n" in text
    assert text.count("<li>2026-W06") == 3
    assert re.findall(r"(?:src|href)=\"(?!data:)", text) == [] and "<script" not in text
    assert page.stat().st_mode & 0o077 == 0


def test_a_ledger_without_images_is_a_page_that_says_so(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text("")
    assert command(["drift", str(tmp_path), "--html", str(tmp_path / "drift.html")]) == 0
    assert "holds no image yet" in (tmp_path / "drift.html").read_text()
