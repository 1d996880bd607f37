"""Images on shared storage: copied whole, in step with what lies there, bounded, and told of without secrets."""

import dataclasses
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from breastai.clinical.audit_job import folders_below
from breastai.data.cases.run_folders import list_folders
from breastai.data.remote import remote_copy, remote_store
from breastai.data.remote.remote_copy import Mirrored, mirror
from breastai.data.remote.remote_inputs import copy_inputs
from breastai.data.sources.class_folders import scan
from breastai.domain.config import Config, parse_config
from breastai.domain.dataset_description import parse_description
from breastai.domain.errors import (
    BreastAIError,
    ConfigInvalid,
    DataNotFound,
    SplitFoldersAmbiguous,
    StoreNotCopied,
    StoreNotFound,
    StorePackageMissing,
    StoreRefused,
    StoreTooLarge,
    StoreUnknown,
    StoreUnreachable,
)
from breastai.domain.events import Error, Event, JobStopped, Log, ProgressUpdate, TrainingStopped
from breastai.domain.jobs import Audit, DescribeImages, Resume, Train
from breastai.storage.datasets import save_dataset
from breastai.storage.remote_mirror import as_written, copies_of, mirror_root, not_copied, read_index
from breastai.storage.workspace import Workspace
from breastai.worker import perform

fsspec = pytest.importorskip("fsspec")

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63680000008200811bc4e0b60000000049454e44ae426082"
)


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(remote_copy, "_PAUSES_S", (0.0, 0.0))


@pytest.fixture
def bucket() -> Iterator[Callable[[str, bytes], None]]:
    """Writes an object into memory://bucket."""
    files = fsspec.filesystem("memory")

    def put(name: str, content: bytes) -> None:
        files.pipe_file(f"/bucket/{name}", content)

    for folder in ("train/benign", "train/malignant", "val/benign", "val/malignant"):
        for number in range(3):
            put(f"{folder}/{number}.png", PNG + f"{folder}{number}".encode())
    yield put
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def mirrored(address: str = "memory://bucket", limit_gb: float = 1.0) -> Mirrored:
    return mirror(address, limit_gb, lambda done, total: None)


def training(workspace: Workspace, **data: Any) -> Train:
    values = {"train_dir": "memory://bucket/train", "val_dir": "memory://bucket/val", "test_dir": None, **data}
    return Train(workspace=str(workspace.root), run_id="r", config=parse_config({"data": values}))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "project")


# --- copies ---


def test_what_lies_at_an_address_is_copied_byte_for_byte_and_is_an_image_folder(bucket):
    assert mirrored() == Mirrored(copied=12)
    for folder, _, files in os.walk(copies_of("memory://bucket")):
        for name in files:
            if not name.startswith("."):
                path = Path(folder) / name
                key = "/" + path.relative_to(mirror_root() / "memory").as_posix()
                assert path.read_bytes() == fsspec.filesystem("memory").cat_file(key)
    found = folders_below(copies_of("memory://bucket"))
    assert {name: folder.counts() for name, folder in found.items()} == {
        "train": {"benign": 3, "malignant": 3},
        "val": {"benign": 3, "malignant": 3},
    }


def test_a_second_time_only_what_changed_is_copied_and_what_is_gone_goes(bucket):
    mirrored()
    bucket("train/benign/0.png", PNG + b"another")
    bucket("train/benign/new.png", PNG)
    fsspec.filesystem("memory").rm_file("/bucket/train/malignant/2.png")
    assert mirrored() == Mirrored(copied=2, here_already=10)
    folder = copies_of("memory://bucket/train")
    assert (folder / "benign/0.png").read_bytes().endswith(b"another")
    assert (folder / "benign/new.png").is_file()
    assert not (folder / "malignant/2.png").exists()
    assert mirrored() == Mirrored(here_already=12)


def test_a_copy_that_was_cut_short_or_lost_is_made_again(bucket):
    mirrored()
    folder = copies_of("memory://bucket/train/benign")
    (folder / "0.png").write_bytes(b"short")
    (folder / "1.png").unlink()
    assert mirrored().copied == 2
    assert (folder / "0.png").read_bytes().startswith(PNG)


def test_addresses_below_one_another_share_their_copies(bucket):
    mirrored("memory://bucket/train")
    assert mirrored() == Mirrored(copied=6, here_already=6)
    assert mirrored("memory://bucket/val") == Mirrored(here_already=6)


def test_copying_that_ended_in_the_middle_goes_on_where_it_was(bucket):
    def killed(done: int, total: int) -> None:
        if done >= 5:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(remote_copy, "AT_ONCE", 1)
        mirror("memory://bucket", 1.0, killed)
    left = sum(len(read_index(path)) for path in copies_of("memory://bucket").rglob("*") if path.is_dir())
    assert left >= 5
    done = mirrored()
    assert done.here_already >= 5 and done.copied + done.here_already == 12
    assert not list(mirror_root().rglob("*.tmp"))


def test_an_object_that_cannot_be_read_is_a_skipped_row_with_its_reason(bucket, monkeypatch):
    refuse(monkeypatch, "train/benign/1.png", PermissionError("Access Denied"))
    bucket("train/benign/notes.docx", b"x")
    done = mirrored()
    assert (done.copied, done.not_copied) == (11, 2)
    folder = scan(copies_of("memory://bucket/train"))
    assert len(folder) == 5
    assert {(item.file, str(item.reason)) for item in folder.skipped} == {
        ("benign/1.png", "the storage does not let it be read"),
        ("benign/notes.docx", "not an image file (.docx)"),
    }


def test_an_object_that_can_no_longer_be_read_loses_its_old_copy_and_is_tried_again_next_time(bucket, monkeypatch):
    mirrored()
    bucket("train/benign/1.png", PNG + b"changed")
    with monkeypatch.context() as patch:
        refuse(patch, "train/benign/1.png", OSError("it broke"))
        assert mirrored().not_copied == 1
    assert not (copies_of("memory://bucket") / "train/benign/1.png").exists()
    assert mirrored() == Mirrored(copied=1, here_already=11)


def test_what_arrives_shorter_than_listed_is_no_copy(bucket, monkeypatch):
    def shortened(self: Any, item: Any, target: Path) -> None:
        target.write_bytes(PNG[:10])

    monkeypatch.setattr(remote_store.RemoteStore, "fetch", shortened)
    monkeypatch.setattr(remote_copy, "LOST_AFTER", 100)
    assert mirrored("memory://bucket/train/benign").not_copied == 3
    assert set(map(str, not_copied(copies_of("memory://bucket/train/benign")).values())) == {
        f"10 bytes of it arrived, {len(PNG) + 13} were expected"
    }


@pytest.mark.parametrize(("certain", "copied"), [(True, 0), (False, 1)])
def test_an_md5_is_held_against_a_copy_but_an_etag_only_until_a_second_copy_agrees(bucket, tmp_path, certain, copied):
    path = tmp_path / "cache" / "x.png"
    store = remote_store.RemoteStore.open("memory://bucket/val/benign")
    item = remote_store.RemoteObject("0.png", "/bucket/val/benign/0.png", None, "v", "0" * 32, certain)
    object.__setattr__(store, "looked_up", lambda item: item)
    copy = remote_copy._one(store, path, item)
    assert (copy.problem is None) == bool(copied) == path.exists()
    if certain:
        assert str(copy.problem) == "what arrived is not what the storage says it holds"


def test_the_md5_of_each_store_is_read_from_what_it_says_of_an_object():
    digest = hashlib.md5(b"x").digest()
    google = {"md5Hash": "nd0GnOvDBBRvyxTvPYG1XA=="}
    for facts, md5, certain in (
        ({"ETag": f'"{digest.hex()}"'}, digest.hex(), False),
        ({"ETag": '"9dd4e461268c8034f5c8564e155c67a6-2"'}, None, False),
        (google, "9ddd069cebc304146fcb14ef3d81b55c", True),
        ({"content_settings": {"content_md5": bytearray(digest)}}, digest.hex(), True),
        ({}, None, False),
    ):
        item = remote_store._described("n", "k", facts)
        assert (item.md5, item.md5_certain) == (md5, certain)


def test_a_storage_that_fails_again_and_again_is_gone_and_not_a_folder_of_skipped_rows(bucket, monkeypatch):
    mirrored("memory://bucket/val")
    monkeypatch.setattr(remote_copy, "LOST_AFTER", 4)
    refuse(monkeypatch, "", ConnectionError("no route"))
    with pytest.raises(StoreUnreachable, match="no route"):
        mirrored()
    assert mirrored("memory://bucket/val").here_already == 6, "what was copied is kept"


def test_the_copies_keep_to_their_limit_the_longest_unused_going_first(bucket):
    content = b"\0" * 700_000
    for name in ("old/a/0.png", "old/b/0.png", "new/a/0.png", "new/b/0.png"):
        bucket(name, PNG + content)
    limit_gb = 3_000_000 / 2**30
    mirrored("memory://bucket/old", limit_gb)
    for path in copies_of("memory://bucket/old").rglob("*.png"):
        os.utime(path, (1, 1))
    mirrored("memory://bucket/val", limit_gb)
    assert len(list(copies_of("memory://bucket/old").rglob("*.png"))) == 2
    mirrored("memory://bucket/new", limit_gb * 0.6)
    assert not list(copies_of("memory://bucket/old").rglob("*.png"))
    assert len(list(copies_of("memory://bucket/new").rglob("*.png"))) == 2
    with pytest.raises(StoreTooLarge, match="remote_cache_gb"):
        mirrored("memory://bucket/new", 1e-4)


def test_two_processes_do_not_copy_at_once_and_whoever_waits_can_be_stopped(bucket):
    waits = 0

    def report(done: int, total: int) -> None:
        nonlocal waits
        waits += 1
        raise InterruptedError

    with remote_copy._alone(lambda done, total: None), pytest.raises(InterruptedError):
        thread_of_its_own(lambda: mirror("memory://bucket", 1.0, report))
    assert waits == 1


def test_names_that_no_file_here_can_have_and_links_are_left_out(bucket, tmp_path):
    (tmp_path / "share" / "a").mkdir(parents=True)
    (tmp_path / "share" / "a" / "x.png").write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    (tmp_path / "share" / "a" / "link.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "share" / "a" / ("y" + "é" * 120 + ".png")).write_bytes(PNG)
    done = mirrored(f"file://{tmp_path}/share")
    assert (done.copied, done.not_copied) == (2, 1)
    copies = copies_of(f"file://{tmp_path}/share/a")
    assert {name: str(why) for name, why in not_copied(copies).items()} == {
        "link.png": "a link; links are not followed"
    }
    assert as_written(copies) == f"file://{tmp_path}/share/a"


def test_a_data_set_at_an_address_is_copied_with_its_table(bucket, tmp_path):
    bucket("set/images/1.png", PNG)
    bucket("set/images/2.png", PNG)
    bucket("set/list.csv", b"id,label,who\n1,benign,P1\n2,malignant,P2\n")
    values = {
        "name": "far",
        "root": "memory://bucket/set",
        "tables": [{"file": "list.csv", "join": [{"column": "id"}]}],
        "fields": {"label": "label", "patient": "who"},
    }
    workspace = Workspace.open(tmp_path / "project")
    save_dataset(workspace, parse_description(values))
    config = parse_config({"data": {"train_dir": "far", "val_dir": None, "test_dir": None}})
    list(copy_inputs(Train(workspace=str(workspace.root), run_id="r", config=config), workspace))
    found = list_folders(config, workspace.root).train
    assert found.files == ("images/1.png", "images/2.png")
    assert (found.column("patient"), found.labels.tolist()) == (("P1", "P2"), [0, 1])


def test_a_file_in_the_place_of_a_folder_does_not_end_the_copying(bucket, monkeypatch):
    # Object storage has no folders: odd/a/x.png and odd/a/x.png/y.png may both be there.
    bucket("odd/a/x.png", PNG)
    objects = remote_store.RemoteStore.objects

    def with_one_below(self: Any) -> Iterator[remote_store.RemoteObject]:
        for item in objects(self):
            yield item
            yield dataclasses.replace(item, name=f"{item.name}/y.png")

    monkeypatch.setattr(remote_store.RemoteStore, "objects", with_one_below)
    done = mirrored("memory://bucket/odd")
    assert (done.copied, done.not_copied) == (1, 1)


# --- faults of a storage ---


def test_an_address_with_nothing_at_it_is_told():
    with pytest.raises(StoreNotFound, match="memory://nowhere/train"):
        mirrored("memory://nowhere/train")


def test_an_unknown_kind_of_storage_is_told():
    with pytest.raises(StoreUnknown, match="nonsense://"):
        mirrored("nonsense://bucket/x")


def test_a_missing_package_is_told_with_its_name(monkeypatch):
    def missing(address: str) -> Any:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    for address, package in (("s3://b/x", "s3fs"), ("gs://b/x", "gcsfs"), ("az://b/x", "adlfs")):
        with pytest.raises(StorePackageMissing, match=f"pip install {package}"):
            mirrored(address)


def test_a_refusal_is_told_without_what_would_let_others_in(monkeypatch, bucket):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI")
    told = "Forbidden: key wJalrXUtnFEMI at https://user:pass@host/x?X-Amz-Signature=abc"
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "find", failing(PermissionError(told)))
    with pytest.raises(StoreRefused) as caught:
        mirrored()
    text = str(caught.value)
    assert "Forbidden" in text
    assert not any(secret in text for secret in ("wJalrXUtnFEMI", "pass@", "abc"))


# --- jobs ---


def test_a_training_copies_what_it_reads_before_it_begins_and_says_so(bucket, workspace):
    events = list(copy_inputs(training(workspace), workspace))
    assert any(isinstance(event, ProgressUpdate) and event.stage == "copying" for event in events)
    logs = [event for event in events if isinstance(event, Log)]
    assert [log.params["address"] for log in logs] == ["memory://bucket/val", "memory://bucket/train"]
    assert all(log.code == "data.copied" and log.params["copied"] == 6 for log in logs)


def test_a_folder_for_validation_that_is_not_there_is_none_and_its_copies_go(bucket, workspace):
    list(copy_inputs(training(workspace), workspace))
    fsspec.filesystem("memory").rm("/bucket/val", recursive=True)
    list(copy_inputs(training(workspace), workspace))
    assert not copies_of("memory://bucket/val").exists()
    fsspec.filesystem("memory").rm("/bucket", recursive=True)
    with pytest.raises(StoreNotFound):
        list(copy_inputs(training(workspace), workspace))


@pytest.mark.parametrize("name", ["validation", "Valid", "dev"])
def test_the_folder_of_a_split_is_copied_by_whichever_name_it_has_at_its_address(bucket, workspace, name):
    files = fsspec.filesystem("memory")
    files.mv("/bucket/val", f"/bucket/{name}", recursive=True)
    messages = [event.message for event in copy_inputs(training(workspace), workspace) if isinstance(event, Log)]
    assert f"Images copied from memory://bucket/{name}: 6; here already: 0." in messages
    assert len(scan(copies_of("memory://bucket/val"))) == 6
    bucket("val_data/benign/0.png", PNG)
    with pytest.raises(SplitFoldersAmbiguous, match="memory://bucket holds several folders for val"):
        mirrored("memory://bucket/val")


def test_an_audit_of_an_address_finds_what_an_audit_of_the_folder_finds(bucket, workspace):
    pytest.importorskip("sklearn")
    events = list(perform(Audit(workspace=str(workspace.root), data="memory://bucket")))
    assert events[-1].type == "audit", events[-1]
    assert events[-1].data == "memory://bucket" and events[-1].images == 12


def test_a_stop_while_images_are_copied_ends_a_training_without_a_trace_of_a_run(bucket, workspace):
    last = list(perform(training(workspace), lambda: True))[-1]
    assert isinstance(last, TrainingStopped) and last.reason == "user"
    assert workspace.runs() == []
    last = list(perform(Audit(workspace=str(workspace.root), data="memory://bucket"), lambda: True))[-1]
    assert isinstance(last, JobStopped)


def test_a_storage_that_is_not_there_is_the_answer_to_a_training(workspace):
    events = list(perform(training(workspace, train_dir="memory://nowhere/train", val_dir=None)))
    assert [event.type for event in events[-1:]] == ["error"]
    assert isinstance(events[-1], Error) and events[-1].code == "store.not_found"
    assert workspace.runs() == []


def test_a_run_that_is_not_there_is_told_as_before(workspace):
    events = list(perform(Resume(workspace=str(workspace.root), run_id="none")))
    assert events[0].code == "run.not_found"  # type: ignore[union-attr]


def test_images_not_copied_yet_cannot_be_looked_at_and_are_described_once_they_are(bucket, workspace):
    job = DescribeImages(workspace=str(workspace.root), config=training(workspace).config)

    def answer() -> Event:
        return list(perform(job))[-1]

    assert answer().code == StoreNotCopied.code  # type: ignore[union-attr]
    list(copy_inputs(training(workspace), workspace))
    described = answer()
    assert described.folders["train"] == "memory://bucket/train"  # type: ignore[union-attr]


def test_what_is_wrong_with_the_folders_of_an_address_is_told_by_the_address(bucket, workspace):
    bucket("flat/0.png", PNG)
    mirrored("memory://bucket/flat")
    with pytest.raises(BreastAIError, match="memory://bucket/flat"):
        scan(copies_of("memory://bucket/flat"))
    with pytest.raises(DataNotFound, match="memory://bucket/none"):
        scan(copies_of("memory://bucket/none"))


@pytest.mark.parametrize(
    "place",
    [
        "s3://key:secret@bucket/x",
        "https://user@host/x",
        "https://host/x?sig=abc",
        "simplecache::s3://bucket/x",
        "s3://bucket/../other",
        "s3://bucket/%2e%2e/other",
        "s3://bucket//x",
        "s3://",
        "sftp://me:secret@host/x",
    ],
)
def test_an_address_with_a_password_or_a_way_around_is_refused_and_not_repeated(place):
    with pytest.raises(ConfigInvalid) as caught:
        parse_config({"data": {"train_dir": place}})
    assert "secret" not in str(caught.value).partition("got")[2] and "sig=abc" not in str(caught.value)


def test_a_configuration_keeps_an_address_in_its_one_way_of_writing():
    data = parse_config({"data": {"train_dir": "S3://Bucket/x/", "val_dir": "abfs://c@account.dfs.core.windows.net/v"}})
    assert data.data.train_dir == "s3://Bucket/x"
    assert Config().data.train_dir == "data/train"


# --- what the tests use ---


def failing(fault: Exception) -> Callable[..., Any]:
    def fail(*arguments: Any, **options: Any) -> Any:
        raise fault

    return fail


def refuse(patch: pytest.MonkeyPatch, ending: str, fault: Exception) -> None:
    """Have a storage fail for objects whose key ends so."""
    fetch = remote_store.RemoteStore.fetch

    def refusing(self: Any, item: Any, target: Path) -> None:
        if item.key.endswith(ending):
            raise fault
        fetch(self, item, target)

    patch.setattr(remote_store.RemoteStore, "fetch", refusing)


def thread_of_its_own(function: Callable[[], Any]) -> None:
    """Run a function where no lock of this thread is its own, and raise what it raises."""
    faults: list[BaseException] = []

    def run() -> None:
        try:
            function()
        except BaseException as fault:
            faults.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if faults:
        raise faults[0]
