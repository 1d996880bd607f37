"""Folders looked through, and folders, archives and files handed over to stay: bounded, gone on with, refused by name."""

import base64
import io
import os
import stat
import time
import zipfile
import zlib

import pytest

from breastai.domain.errors import ArchiveRefused, UploadNameUnsafe, UploadNotFound, UploadOutOfStep, UploadTooLarge
from breastai.domain.requests import BeginUpload, UploadPart
from breastai.domain.server_settings import ServerSettings
from breastai.server.jobs.dataset_uploads import ABANDONED_AFTER_S, IN_PROGRESS, DatasetUploads


def part(path: str, content: bytes, start: int = 0, end: int | None = None) -> UploadPart:
    chosen = content[start:end]
    return UploadPart(
        path=path, size=len(content), start=start, part=base64.b64encode(chosen).decode(), crc32=zlib.crc32(chosen)
    )


def wanted(files: dict[str, bytes], name: str = "my set", fingerprint: str = "f") -> BeginUpload:
    return BeginUpload(name=name, files=len(files), size_bytes=sum(map(len, files.values())), fingerprint=fingerprint)


def send(uploads: DatasetUploads, files: dict[str, bytes], name: str = "my set"):
    upload = uploads.begin(wanted(files, name, name)).upload
    for path, content in files.items():
        for start in range(0, max(1, len(content)), 300_000):
            uploads.add(upload, [part(path, content, start, start + 300_000)])
    return uploads.finish(upload)


def zipped(files: dict[str, bytes], **links: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
        for name, leads in links.items():
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, leads)
    return content.getvalue()


@pytest.fixture
def uploads(workspace):
    return DatasetUploads(workspace, ServerSettings(upload_gb=0.01, upload_files=50, upload_keep_free_gb=0))


def files_of(workspace, path: str) -> dict[str, bytes]:
    root = workspace.root / path
    return {found.relative_to(root).as_posix(): found.read_bytes() for found in root.rglob("*") if found.is_file()}


def nothing_in_progress(workspace) -> bool:
    folder = workspace.root / IN_PROGRESS
    return not folder.exists() or not list(folder.iterdir())


def test_a_dropped_folder_keeps_its_structure_and_is_its_owners_alone(uploads, workspace):
    files = {"Été 1/benign (1)/a é.png": b"a" * 1000, "Été 1/malignant/b.png": b"", "Été 1/Info.txt": b"x"}
    done = send(uploads, files, "Été 1")
    assert (done.path, done.files, done.size_bytes) == ("datasets/uploads/Ete_1", 3, 1001)
    assert files_of(workspace, done.path) == {path.removeprefix("Été 1/"): content for path, content in files.items()}
    if os.name != "nt":
        for found in (workspace.root / "datasets").rglob("*"):
            assert stat.S_IMODE(found.stat().st_mode) & 0o077 == 0, found
    assert nothing_in_progress(workspace)
    assert send(uploads, files, "Été 1 ").path == "datasets/uploads/Ete_1-2", "what is there stays"


def test_a_broken_upload_goes_on_where_it_was_also_in_a_server_started_anew(uploads, workspace):
    files = {"a.png": bytes(range(256)) * 4, "b.png": b"bb"}
    upload = uploads.begin(wanted(files)).upload
    uploads.add(upload, [part("a.png", files["a.png"], 0, 300)])
    again = DatasetUploads(workspace, ServerSettings())
    there = again.begin(wanted(files))
    assert (there.upload, there.files_received, there.received, there.bytes_received) == (upload, 0, 300, 300)
    with pytest.raises(UploadOutOfStep) as refused:
        again.add(upload, [part("a.png", files["a.png"], 200, 300)])
    assert refused.value.received == 300
    again.add(upload, [part("a.png", files["a.png"], 300), part("b.png", files["b.png"])])
    done = again.finish(upload)
    assert files_of(workspace, done.path) == files
    assert again.finish(upload) == done, "an answer lost on its way comes again"
    with pytest.raises(UploadNotFound):
        again.add(upload, [part("c.png", b"c")])


def test_a_part_damaged_on_its_way_is_not_written(uploads, workspace):
    upload = uploads.begin(wanted({"a.png": b"abc"})).upload
    damaged = part("a.png", b"abc").model_copy(update={"crc32": 1})
    with pytest.raises(UploadOutOfStep):
        uploads.add(upload, [damaged])
    assert uploads.begin(wanted({"a.png": b"abc"})).received == 0


@pytest.mark.parametrize(
    "name",
    ["../a.png", "/etc/a.png", "a/../../b.png", "C:/a.png", "a\\b.png", "a//b.png", "nul.png", "a\x00.png", "x./a.png", "a/" * 40 + "b.png"],
)  # fmt: skip
def test_unsafe_names_are_refused_by_name_sent_or_packed(uploads, workspace, name):
    upload = uploads.begin(wanted({name: b"a"})).upload
    with pytest.raises(UploadNameUnsafe) as refused:
        uploads.add(upload, [part(name, b"a")])
    assert refused.value.file == name
    if "\x00" in name or "\\" in name:  # zipfile itself cuts and turns these
        return
    with pytest.raises(UploadNameUnsafe) as refused:
        send(uploads, {"x.zip": zipped({"fine.png": b"1", name: b"a"})})
    assert refused.value.file == name
    assert not (workspace.root / "datasets" / "uploads").exists()
    assert [path.name for path in workspace.root.parent.rglob("*.png")] == []


def test_a_zip_becomes_the_folder_in_it_and_archives_within_stay_out(uploads, workspace):
    inside = {"BUSI/benign/a.png": b"1", "BUSI/malignant/b.png": b"2", "BUSI/more.zip": b"PK", "__MACOSX/._a": b"x"}
    done = send(uploads, {"BUSI.zip": zipped(inside)}, "BUSI.zip")
    assert done.path == "datasets/uploads/BUSI"
    assert set(files_of(workspace, done.path)) == {"benign/a.png", "malignant/b.png"}
    assert [(left.file, left.reason.code) for left in done.left_out] == [("BUSI/more.zip", "reason.archive_in_archive")]
    assert done.files == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zipped({"zeros.png": bytes(5_000_000)}), "reason.archive_bomb"),
        (zipped({f"{n}.png": os.urandom(2_000_000) for n in range(6)}), None),
        (zipped({f"{n}.png": os.urandom(1_200_000).hex().encode() for n in range(6)}), "reason.archive_too_large"),
        (zipped({f"{n}.png": b"" for n in range(60)}), "reason.archive_files"),
        (zipped({"a.png": b"1"}, **{"b.png": "/etc/passwd"}), "reason.archive_link"),
        (b"no zip at all", "reason.archive_damaged"),
        (zipped({"a.png": os.urandom(5000)}).replace(b"\x00\x00\x00a.png", b"\x00\x00\x00b.png", 1), "reason.archive_damaged"),
    ],
    ids=["bomb", "noise", "too large", "many files", "link", "no zip", "two names"],
)  # fmt: skip
def test_archives_that_are_bombs_or_damaged_are_refused_and_leave_nothing(uploads, workspace, content, reason):
    with pytest.raises(ArchiveRefused if reason else UploadTooLarge) as refused:
        send(uploads, {"x.zip": content})
    if reason:
        assert refused.value.reason.code == reason
    assert not (workspace.root / "datasets" / "uploads").exists()
    assert nothing_in_progress(workspace)


def test_what_is_too_large_is_refused_before_a_byte_comes(workspace):
    full = DatasetUploads(workspace, ServerSettings(upload_gb=1, upload_files=2, upload_keep_free_gb=100_000))
    for files, size, reason in ((1, 2**31, "upload_bytes"), (3, 1, "upload_files"), (1, 1, "upload_disk")):
        with pytest.raises(UploadTooLarge) as refused:
            full.begin(BeginUpload(name="x", files=files, size_bytes=size, fingerprint="f"))
        assert refused.value.reason.code == f"reason.{reason}"
    assert nothing_in_progress(workspace)


def test_more_than_was_announced_is_refused(uploads):
    upload = uploads.begin(BeginUpload(name="x", files=1, size_bytes=3, fingerprint="f")).upload
    with pytest.raises(UploadTooLarge):
        uploads.add(upload, [part("a.png", b"abcd")])


def test_what_nobody_goes_on_with_is_deleted_after_a_day(uploads, workspace):
    upload = uploads.begin(wanted({"a.png": b"abc"})).upload
    uploads.add(upload, [part("a.png", b"abc", 0, 2)])
    uploads.clear_abandoned()
    assert not nothing_in_progress(workspace)
    long_ago = time.time() - ABANDONED_AFTER_S - 60
    for path in (workspace.root / IN_PROGRESS / upload, workspace.root / IN_PROGRESS / upload / "part"):
        os.utime(path, (long_ago, long_ago))
    uploads.clear_abandoned()
    assert nothing_in_progress(workspace)
    with pytest.raises(UploadNotFound):
        uploads.cancel(upload)


def test_an_upload_goes_over_the_socket_and_on_over_another(play, workspace):
    content = os.urandom(1000)

    async def story(stage):
        script = await stage.connect()
        asked = {"name": "set", "files": 2, "size_bytes": 1001, "fingerprint": "f"}
        begun = await script.ask("begin_upload", **asked)
        first = part("set/a.png", content, 0, 600).model_dump()
        await script.ask("add_upload_parts", upload=begun["upload"], parts=[first])
        await script.socket.close()
        script = await stage.connect()
        begun = await script.ask("begin_upload", **asked)
        assert (begun["files_received"], begun["received"]) == (0, 600)
        rest = [part("set/a.png", content, 600).model_dump(), part("set/b.csv", b"x").model_dump()]
        got = await script.ask("add_upload_parts", upload=begun["upload"], parts=rest)
        assert (got["type"], got["files_received"], got["bytes_received"]) == ("upload_received", 2, 1001)
        done = await script.ask("finish_upload", upload=begun["upload"])
        assert (done["path"], done["files"]) == ("datasets/uploads/set", 2)
        again = await script.ask("begin_upload", **asked)
        assert (await script.ask("cancel_upload", upload=again["upload"]))["type"] == "upload_cancelled"
        assert (await script.ask("cancel_upload", upload=again["upload"]))["code"] == "upload.not_found"

    play(story)
    assert files_of(workspace, "datasets/uploads/set") == {"a.png": content, "b.csv": b"x"}


# --- folders looked through ---------------------------------------------------------------------


@pytest.fixture
def folders(workspace, tmp_path):
    """A workspace with images, links that lead out and in, and another root beside it."""
    for name in ("data/train/benign/a.png", "data/train/malignant/b.dcm", "data/labels.csv", "data/.hidden/c.png"):
        path = workspace.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    other, secret = tmp_path / "other", tmp_path / "secret"
    (other / "benign").mkdir(parents=True)
    (other / "benign" / "d.png").write_bytes(b"x")
    secret.mkdir()
    (secret / "passwd").write_text("x")
    (workspace.root / "data" / "out").symlink_to(secret)
    (workspace.root / "data" / "in").symlink_to(other)
    (workspace.root / "data" / "gone").symlink_to(tmp_path / "nothing")
    return other, secret


def test_folders_are_looked_through_within_the_roots_and_never_above(play, workspace, folders):
    other, secret = folders

    async def story(stage):
        script = await stage.connect()
        roots = await script.ask("browse_folder")
        assert roots["path"] is None
        assert [(entry["path"], entry["kind"]) for entry in roots["entries"]] == [
            (".", "folder"),
            (str(other), "folder"),
        ]
        top = await script.ask("browse_folder", path=".")
        assert [entry["path"] for entry in top["entries"]] == ["data"], "not what BreastAI itself keeps there"
        assert (top["entries"][0]["images"], top["entries"][0]["more"]) == (2, False)
        data = await script.ask("browse_folder", path="data")
        assert [step["path"] for step in data["steps"]] == [".", "data"]
        told = {entry["name"]: entry for entry in data["entries"]}
        assert list(told) == ["in", "out", "train", "gone", "labels.csv"]
        assert told["labels.csv"]["kind"] == "table"
        assert (told["in"]["link"], told["in"]["problem"]) == (str(other), None)
        assert told["out"]["problem"]["code"] == "reason.link_leads_out"
        assert told["gone"]["problem"] is not None
        for path in ("..", "data/..//..", "/", str(secret), "data/out", "~root", "/etc/passwd", "data/../.."):
            answer = await script.ask("browse_folder", path=path)
            assert answer["type"] == "error", path
            assert "passwd" not in str(answer.get("entries"))
        inside = await script.ask("browse_folder", path="data/in/benign")
        assert (inside["images"], [entry["kind"] for entry in inside["entries"]]) == (1, ["image"])
        assert [step["name"] for step in inside["steps"]][-3:] == ["data", "in", "benign"]
        beside = await script.ask("browse_folder", path=str(other))
        assert [step["path"] for step in beside["steps"]] == [str(other)]
        assert (await script.ask("browse_folder", path="data/none"))["code"] == "data.path_not_found"

    play(story, data_roots=[str(other)])


def test_the_workspace_alone_is_shown_at_once(play, workspace, folders):
    async def story(stage):
        shown = await (await stage.connect()).ask("browse_folder")
        assert (shown["path"], [entry["name"] for entry in shown["entries"]]) == (".", ["data"])

    play(story)


def test_a_huge_folder_is_told_in_part(play, workspace):
    folder = workspace.root / "data" / "many"
    folder.mkdir(parents=True)
    for number in range(600):
        (folder / f"{number}.png").touch()

    async def story(stage):
        shown = await (await stage.connect()).ask("browse_folder", path="data/many")
        assert (len(shown["entries"]), shown["total"], shown["images"]) == (500, 600, 600)

    play(story)
