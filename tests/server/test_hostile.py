"""What must be refused whoever sends it, over real sockets: the server goes on, and its logs tell of it."""

import json
import struct
import zlib
from pathlib import Path

import pytest

from breastai.domain.requests import REQUESTS
from breastai.server.jobs.supervisor import WORKER_COMMAND

NAMES = (
    "..", "../..", "../secret", "../checkpoints/run/best", "run/../../secret", "/etc/passwd", "~/.ssh/id_rsa", "C:\\secret",
    "..\\secret", "run\0/best", "linked/best", "run/linked", "%2e%2e/secret", "run/best/../../../secret", "", "." * 300,
)  # fmt: skip
# Every request that takes a name, and where. `first` of two files of predictions is a path, and checked as one.
NAMED = {
    "load_checkpoint": "checkpoint",
    "delete_checkpoint": "checkpoint",
    "verify_checkpoint": "checkpoint",
    "show_errors": "run_id",
    "resume_training": "checkpoint",
    "export_model": "checkpoint",
    "export_onnx": "checkpoint",
    "evaluate_model": "checkpoint",
    "get_history": "run_id",
    "create_report": "run_id",
    "dismiss_run": "run_id",
    "annotate_run": "run_id",
    "delete_run": "run_id",
    "compare_models": "first",
    "predict_images": "checkpoint",
    "explain_images": "checkpoint",
    "show_run": "run_id",
    "list_results": "run_id",
    "show_evaluation": "run_id",
    "adapt_model": "checkpoint",
    "list_judged": "run_id",
    "show_judged": "run_id",
    "delete_config": "name",
    "get_document": "name",
}
ALSO_NEEDED = {
    "predict_images": {"images": ["data"]},
    "explain_images": {"images": ["data"]},
    "get_document": {"kind": "config"},
    "show_evaluation": {"name": "evaluation"},
    "adapt_model": {"data": "data", "local_sample": 10},
    "evaluate_model": {"data": "data"},
    "compare_models": {"second": "run/best", "data": "data"},
}


@pytest.fixture
def secret(workspace, tmp_path) -> Path:
    """A folder outside the workspace that looks like a checkpoint's, and links that lead there."""
    folder = tmp_path / "secret"
    folder.mkdir()
    for name in ("best.json", "best.safetensors", "events.jsonl", "image.png"):
        (folder / name).write_text("what nobody may read")
    run = workspace.checkpoints_dir / "run"
    run.mkdir(parents=True)
    (run / "linked.json").symlink_to(folder / "best.json")
    (run / "linked.safetensors").symlink_to(folder / "best.safetensors")
    (workspace.checkpoints_dir / "linked").symlink_to(folder)
    (workspace.root / "linked-data").symlink_to(folder)
    return folder


def audited(workspace) -> list[dict]:
    return [json.loads(line) for line in (workspace.logs_dir / "audit.log").read_text().splitlines()]


def test_every_name_that_leads_elsewhere_is_refused_and_written_down(play, workspace, secret):
    async def story(stage):
        script = await stage.connect()
        for kind, field in NAMED.items():
            for name in NAMES:
                answer = await script.ask(kind, **{field: name}, **ALSO_NEEDED.get(kind, {}))
                assert answer["type"] == "error", (kind, name)
                assert answer["code"].partition(".")[0] in (
                    "checkpoint",
                    "run",
                    "name",
                    "request",
                    "data",
                    "document",
                    "config",
                ), answer
                assert "what nobody" not in json.dumps(answer)
        assert stage.workers_begun == 0

    play(story)
    assert sorted(path.name for path in secret.iterdir()) == [
        "best.json", "best.safetensors", "events.jsonl", "image.png",
    ]  # fmt: skip
    written = {(line.get("asked"), line.get("checkpoint")) for line in audited(workspace)}
    assert {(kind, "../secret") for kind, field in NAMED.items() if field == "checkpoint"} <= written


def test_every_request_with_a_name_is_tried_above():
    taking = {kind for kind, model in REQUESTS.items() if {"checkpoint", "run_id"} & set(model.model_fields)}
    assert taking - {"get_status"} <= set(NAMED)


def test_no_folder_outside_the_workspace_is_read_however_it_is_named(play, workspace, secret):
    async def story(stage):
        script = await stage.connect()
        for path in ("..", "../secret", "/etc", "/", "~", "linked-data", "data/../../secret", str(secret), "a\0b"):
            settings = {"data": {"train_dir": path}}
            for kind, fields in (
                ("audit_data", {"data": path}),
                ("start_training", {"config": settings}),
                ("describe_data", {"config": settings}),
                ("list_images", {"config": settings}),
                ("preview_image", {"config": settings}),
                ("estimate_cost", {"config": settings}),
                ("start_training", {"config": {"model": {"weights_file": path}}}),
                ("start_training", {"config": {"data": {"split_file": path}}}),
                ("start_training", {"config": {"evaluation": {"patient_id": {"csv": path}}}}),
                ("compare_models", {"first": f"{path}/p.csv", "second": f"{path}/p.csv"}),
            ):
                answer = await script.ask(kind, **fields)
                assert answer.get("code") == "data.outside_roots", (kind, path, answer)
        assert stage.workers_begun == 0

    play(story)
    refused = [line for line in audited(workspace) if line.get("answer") == "data.outside_roots"]
    assert len(refused) > 50


def test_a_page_can_not_widen_what_the_server_may_do(play, workspace):
    async def story(stage):
        script = await stage.connect()
        for section in (
            {"data_roots": ["/"]},
            {"host": "0.0.0.0"},
            {"allow_unprotected": True},
            {"tls_key": "/etc/shadow"},
            {"require_token": True},
            {"public_url": "https://evil.example/"},
        ):
            assert (await script.ask("save_config", config={"server": section}))["code"] == "config.invalid"
        assert not workspace.config_file.exists()

    play(story)


BAD_JSON = {
    "deep": "[" * 200_000,
    "nested": '{"a":' * 100_000,
    "number": "9" * 100_000,
    "infinite": '{"epoch": 1e999, "best": NaN}',
    "prototype": '{"__proto__": {"x": 1}, "constructor": 1}',
    "list": "[1, 2]",
    "surrogate": '{"name": "\\ud800", "architecture": "\\udfff"}',
    "binary": "\x00\x01\x02",
    "bom": "\ufeff\ufeff{}",
}


def test_a_malicious_json_in_any_place_is_told_of_and_ends_nothing(play, workspace):
    run = workspace.checkpoints_dir / "run"
    run.mkdir(parents=True)
    for name, content in BAD_JSON.items():
        (run / f"{name}.json").write_text(content)
        (workspace.checkpoints_dir / name).mkdir()
        (workspace.checkpoints_dir / name / "best.json").write_text(content)
        (workspace.checkpoints_dir / name / "best.safetensors").write_text(content)
        (workspace.logs_dir / name).mkdir()
        (workspace.logs_dir / name / "events.jsonl").write_text(content + "\n" + content)

    async def story(stage):
        script = await stage.connect()
        entries = (await script.ask("list_checkpoints"))["checkpoints"]
        assert all(entry["problem"] for entry in entries)
        for name, content in BAD_JSON.items():
            assert (await script.ask("load_checkpoint", checkpoint=f"{name}/best"))["code"] == "checkpoint.damaged"
            assert (await script.ask("resume_training", checkpoint=f"{name}/best"))["type"] == "error"
            assert (await script.ask("get_history", run_id=name))["epochs"] == []
            workspace.config_file.write_text(content)
            answer = await script.ask("get_config")
            assert answer["code"] in ("config.unreadable", "config.invalid"), (name, answer)
        workspace.config_file.unlink()
        assert (await script.ask("create_backup"))["type"] == "backup_created"

    play(story)


def test_an_image_that_claims_to_be_enormous_is_named_in_the_audit_and_decoded_by_nobody(play, workspace):
    pytest.importorskip("scipy")
    for class_name in ("benign", "malignant"):
        folder = workspace.root / "data" / "train" / class_name
        folder.mkdir(parents=True)
        for number in range(2):
            pixels = bytes((13 * number + 7 * n + len(class_name)) % 256 for n in range(64 * 64))
            (folder / f"{number}.png").write_bytes(png(64, 64, pixels))
    bomb = png(60_000, 60_000, b"")
    (workspace.root / "data" / "train" / "benign" / "bomb.png").write_bytes(bomb)

    async def story(stage):
        script = await stage.connect()
        answer = await script.ask("audit_data", data="data")
        assert answer["type"] == "audit", answer
        assert answer["images"] == 4
        assert "bomb.png" in json.dumps(answer["findings"])

    play(story, worker_command=WORKER_COMMAND)


def png(width: int, height: int, pixels: bytes) -> bytes:
    """Return a grey PNG that states a size, whatever it holds."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))
    chunks = [header, b"IDAT" + zlib.compress(rows), b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )
