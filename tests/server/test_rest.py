"""REST: the same requests, by the same rules, over plain HTTP."""

import asyncio
import base64
import http.client
import json
import re
import ssl
import sys
import threading
from contextlib import contextmanager
from io import BytesIO
from urllib.parse import urljoin

import numpy as np
import onnx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from onnx import TensorProto, helper
from PIL import Image
from schemathesis.checks import CHECKS, load_all_checks
from websockets.exceptions import InvalidStatus

from breastai.apps import http_uploads, openapi
from breastai.apps.http_status import STATUSES, status_of
from breastai.apps.prometheus import FIGURES
from breastai.apps.rest import Rest
from breastai.domain.errors import InputError, MissingExtra, SessionError, all_errors
from breastai.domain.events import EVENTS, ImageAnswer, ImagesAnswered, ModelAnswer, Prediction
from breastai.domain.requests import MOST_IMAGES_ASKED, REQUESTS
from breastai.domain.server_settings import ServerSettings
from breastai.server import entry_points
from breastai.server.access.rate_limit import MOST_IN_A_WINDOW
from breastai.server.app import Options, running_server
from breastai.server.jobs.supervisor import WORKER_COMMAND
from breastai.server.jobs.uploads import FOLDER
from breastai.server.requests import prediction_requests
from breastai.storage.workspace import Workspace

# A worker whose every job ends at once.
IDLER = """
import json, sys
for line in sys.stdin:
    job = json.loads(line)
    if "--light" in sys.argv:
        print(json.dumps({"type": "error", "code": "data.not_found", "message": "none", "params": {"path": "none"}}), flush=True)
    elif job.get("type") != "stop":
        print(json.dumps({"type": "job_stopped", "job": job["kind"]}), flush=True)
        break
"""


class Http:
    """A script that asks over HTTP: one connection for each request."""

    def __init__(self, port, certificate=None):
        self.port = port
        self.tls = ssl.create_default_context(cafile=certificate) if certificate else None

    async def ask(self, method, path, body=None, **headers):
        """Return status, headers and body."""
        return await asyncio.to_thread(self._ask, method, path, body, headers)

    async def post(self, kind, query="", **fields):
        """Return status and answer of a request's twin."""
        status, _, body = await self.ask("POST", f"/requests/{kind}{query}", json.dumps(fields))
        return status, json.loads(body)

    def _ask(self, method, path, body, headers):
        if self.tls:
            connection = http.client.HTTPSConnection("localhost", self.port, timeout=20, context=self.tls)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): text for name, text in headers.items()})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()


async def lines(port, path="/events", **headers):
    """Yield the blocks of a stream of events."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    more = "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}\r\n".encode())
    try:
        await reader.readuntil(b"\r\n\r\n")
        text = ""
        while chunk := await reader.read(2**16):
            text += re.sub(r"\r\n[0-9a-f]+\r\n|^[0-9a-f]+\r\n|\r\n$", "", chunk.decode())
            *blocks, text = text.split("\n\n")
            for block in blocks:
                if not block.startswith(":"):
                    yield dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
    finally:
        writer.close()


def form(files, **fields):
    """Return a multipart body and its content type."""
    parts = [f'--xx\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    for name, content in files:
        head = f'--xx\r\nContent-Disposition: form-data; name="images"; filename="{name}"\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + b"--xx--\r\n", "multipart/form-data; boundary=xx"


def picture(value=200):
    buffer = BytesIO()
    Image.fromarray((value + np.tile([-5, 5], (16, 8))).clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


# --- by construction ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    return documented(Workspace.open(tmp_path_factory.mktemp("workspace")))


def documented(workspace):
    async def made():
        async with running_server(Options(workspace=workspace, port=0)) as server:
            return openapi.openapi_document(Rest(server.services).app)

    return asyncio.run(made())


def test_every_request_of_the_protocol_has_its_twin_and_there_are_no_others(document):
    twins = {path.removeprefix("/requests/") for path in document["paths"] if path.startswith("/requests/")}
    assert twins == set(REQUESTS)
    others = {path for path in document["paths"] if not path.startswith("/requests/")}
    assert others == {"/predict", "/answers/{ask_id}", "/events", "/metrics"}
    for kind in twins:
        assert list(document["paths"][f"/requests/{kind}"]) == ["post"]


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_twin_takes_the_requests_fields_and_is_answered_by_its_events(document, kind):
    operation = document["paths"][f"/requests/{kind}"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    schema = document["components"]["schemas"][body.rpartition("/")[2]]
    fields = {info.alias or name for name, info in REQUESTS[kind].model_fields.items()} - {"type"}
    assert set(schema["properties"]) == fields
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]["properties"]["answer"]
    named = {choice["$ref"].rpartition("/")[2] for choice in answer.get("anyOf", [answer])}
    expected = {EVENTS[name].__name__ for name in REQUESTS[kind].answered_by}
    assert expected <= named <= expected | {"JobStopped", "TrainingStopped", "StudyStopped"}


def test_every_reference_of_the_document_leads_somewhere(document):
    for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document))):
        node = document
        for part in reference.split("/"):
            node = node[part]


@pytest.mark.parametrize("code", all_errors())
def test_every_error_has_a_status_and_only_faults_of_ours_and_of_runs_are_the_servers(code):
    status = status_of(code)
    assert status in STATUSES.values()
    assert (status < 500) == issubclass(all_errors()[code], InputError | SessionError)


def test_the_page_lists_every_operation_and_loads_nothing(document):
    page = openapi.openapi_page(document)
    for path in document["paths"]:
        assert f"<code>{path}</code>" in page
    assert not re.search(r"<script|<link|<img|src=|https?://", page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style == openapi._STYLE


# --- a server -----------------------------------------------------------------------------------


def test_a_request_is_answered_as_over_a_websocket(play):
    async def story(stage):
        script, rest = await stage.connect(), Http(stage.server.rest_port)
        over_socket = await script.ask("list_runs", search="nothing")
        status, told = await rest.post("list_runs", search="nothing", request_id="mine")
        assert (status, told["events"]) == (200, [])
        assert told["answer"] == {**over_socket, "request_id": "mine"}
        status, told = await rest.post("ping", timestamp=7)
        assert (status, told["answer"]["timestamp"]) == (200, 7) and "request_id" not in told["answer"]

    play(story, rest_port=0)


BAD_REQUESTS = [
    ("list_runs", '{"limit": 0}', 400, "request.invalid"),
    ("list_runs", '{"nothing": 1}', 400, "request.invalid"),
    ("list_runs", "[]", 400, "request.invalid"),
    ("list_runs", "{", 400, "request.invalid"),
    ("list_runs", '{"search": "\\ud800"}', 400, "request.invalid"),
    ("list_runs", '{"type": "ping"}', 400, "request.invalid"),
    ("start_training", '{"config": {"training": {"epochs": -1}}}', 400, "config.invalid"),
    ("start_training", '{"config": {"data": {"train_dir": "/etc"}}}', 403, "data.outside_roots"),
    ("get_history", '{"run_id": "none"}', 404, "run.not_found"),
    ("stop_training", "", 409, "session.nothing_to_stop"),
    ("nothing", "", 404, "http"),
]


def test_a_bad_request_gets_the_error_and_a_status_that_fits(play):
    async def story(stage):
        for kind, body, status, code in BAD_REQUESTS:
            found, _, text = await Http(stage.server.rest_port).ask("POST", f"/requests/{kind}", body)
            assert (found, json.loads(text)["code"]) == (status, code), (kind, body)

    play(story, rest_port=0)


def test_who_does_not_wait_is_told_where_to_come_back_for_the_answer(play):
    async def story(stage):
        rest = Http(stage.server.rest_port)
        status, promise = await rest.post("start_training", "?wait=0")
        assert (status, promise["request"]) == (202, "start_training")
        puppet = await stage.worker()
        status, headers, _ = await rest.ask("GET", promise["location"] + "?wait=0")
        assert status == 202
        # Relative to what was asked, so that it leads there from under a proxy's path too.
        assert (
            urljoin(f"https://host/rest{promise['location']}", headers["location"])
            == f"https://host/rest{promise['location']}"
        )
        assert (await rest.post("start_training"))[1]["code"] == "session.busy"
        puppet.start_run()
        status, _, body = await rest.ask("GET", promise["location"])
        assert (status, json.loads(body)["answer"]["type"]) == (200, "training_started")
        assert (await rest.ask("GET", promise["location"]))[2] == body  # and again
        assert (await rest.ask("GET", "/answers/none"))[0] == 404

    play(story, rest_port=0)


def test_what_happens_is_heard_as_server_sent_events_and_what_was_missed_comes_first(play):
    async def story(stage):
        script = await stage.connect()
        heard = lines(stage.server.rest_port)
        assert json.loads((await anext(heard))["data"])["snapshot"]["state"] == "idle"
        puppet = await stage.training(script)
        puppet.epoch(1)
        seen = []
        async for block in heard:
            seen.append(block)
            if block["event"] == "training_update":
                break
        run_id = puppet.job["run_id"]
        assert block["id"] == f"{run_id}:2" and json.loads(block["data"])["epoch"] == 1
        assert [each["event"] for each in seen].count("training_started") == 1
        again = lines(stage.server.rest_port, Last_Event_ID=f"{run_id}:1")
        events = [(await anext(again))["event"] for _ in range(3)]
        assert events == ["status", "status", "training_update"]
        await heard.aclose()
        await again.aclose()

    play(story, rest_port=0)


def test_what_a_page_would_be_told_again_comes_with_the_status_asked_for(play):
    async def story(stage):
        script = await stage.connect()
        puppet = await stage.training(script)
        puppet.epoch(1)
        await script.until("training_update")
        run_id = puppet.job["run_id"]
        status, told = await Http(stage.server.rest_port).post("get_status", run_id=run_id, last_seq=1)
        assert (status, told["answer"]["type"], told["answer"]["snapshot"]["state"]) == (200, "status", "running")
        assert [(event["type"], event["seq"]) for event in told["events"]] == [("training_update", 2)]

    play(story, rest_port=0)


def test_what_others_are_told_is_no_part_of_an_answer(play):
    async def story(stage):
        rest = Http(stage.server.rest_port)
        asked = asyncio.create_task(rest.post("start_training", request_id="mine"))
        puppet = await stage.worker()
        script = await stage.connect()
        await script.send("create_backup", request_id="mine")
        await script.until("backup_created")
        puppet.start_run()
        status, told = await asked
        assert (status, told["events"]) == (200, [])
        assert (told["answer"]["type"], told["answer"]["request_id"]) == ("training_started", "mine")

    play(story, rest_port=0)


def test_a_stream_ends_with_the_server_and_as_a_whole_answer(play):
    came = []

    async def story(stage):
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.server.rest_port)
        writer.write(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{stage.server.rest_port}\r\n\r\n".encode())
        came.append(await reader.readuntil(b"\r\n\r\n"))

        async def listen():
            came.append(await reader.read())  # until the server closes the connection
            writer.close()

        stage.after.append(asyncio.create_task(listen()))

    play(story, rest_port=0)
    head, rest = came
    assert b"transfer-encoding: chunked" in head.lower()
    assert b"event: status" in rest and rest.endswith(b"\r\n0\r\n\r\n"), "it ended, and was not cut off"


def test_metrics_tell_of_the_run(play):
    async def story(stage):
        script = await stage.connect()
        puppet = await stage.training(script)
        puppet.epoch(2)
        await script.until("training_update")
        status, headers, body = await Http(stage.server.rest_port).ask("GET", "/metrics")
        text = body.decode()
        labels = f'{{session="default",run_id="{puppet.job["run_id"]}"}}'
        assert status == 200 and headers["content-type"].startswith("text/plain; version=0.0.4")
        assert f"breastai_epoch{labels} 2\n" in text and f"breastai_val_loss{labels} 0.5\n" in text
        assert 'breastai_session_state{session="default",state="running"} 1\n' in text
        assert "breastai_connected_clients 1\n" in text and "breastai_queue_length 0\n" in text
        assert 'memory_bytes{process="worker"}' in text
        for line in text.splitlines():
            assert re.fullmatch(r"# (HELP|TYPE) breastai_\w+ .+|breastai_\w+(\{[^{}]*\})? [-+.e\d]+", line), line
        assert all(f"# TYPE breastai_{name} gauge" in text for name in FIGURES)

    play(story, rest_port=0)


# --- uploads ------------------------------------------------------------------------------------


def kept(workspace):
    return [path for path in (workspace.root / FOLDER).rglob("*") if path.is_file()]


def test_a_bad_upload_is_refused_and_nothing_of_it_is_kept(play, workspace):
    async def story(stage):
        rest = Http(stage.server.rest_port)
        for files, fields, status in (
            ([("a.png", picture())], {"model": "latest"}, 404),
            ([], {"model": "latest"}, 400),
            ([("a.png", b"")], {"model": "latest"}, 400),
            ([("a.png", picture())], {}, 400),
            ([("a.png", picture())], {"model": "latest", "images": "/etc/passwd"}, 400),
            ([("a.png", picture())], {"model": "latest", "nothing": "1"}, 400),
            ([("a.png", picture())], {"model": "latest", "box": "1,2,x,4"}, 400),
            ([("a.png", picture())] * 2, {"model": "latest", "box": "1,2,3,4"}, 400),
            ([("a.png", picture())] * (MOST_IMAGES_ASKED + 1), {"model": "latest"}, 400),
            ([("a.png", picture())] * (MOST_IMAGES_ASKED + 2), {"model": "latest"}, 400),
        ):
            body, kind = form(files, **fields)
            found, _, text = await rest.ask("POST", "/predict", body, Content_Type=kind)
            assert found == status, text
        assert not kept(workspace) and len(stage.services.handed) == 0

    play(story, rest_port=0)


def test_a_form_that_was_cut_off_on_its_way_is_refused_and_nothing_of_it_is_kept(play, workspace):
    async def story(stage):
        rest = Http(stage.server.rest_port)
        body, kind = form([("a.png", picture())], model="latest")
        end = body.index(b"--xx--")
        for cut in (body[: end - 2], body[:end], body[: end + 4], body[:20], b""):
            found, _, text = await rest.ask("POST", "/predict", cut, Content_Type=kind)
            assert found == 400, text
            assert "cut off" in json.loads(text)["message"]
        for other in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data"):
            assert (await rest.ask("POST", "/predict", body, Content_Type=other))[0] == 400
        assert not kept(workspace) and len(stage.services.handed) == 0

    play(story, rest_port=0)


def test_a_body_is_bounded_whether_or_not_it_says_its_length(play, monkeypatch):
    monkeypatch.setattr(http_uploads, "MOST_UPLOAD_BYTES", 1000)

    async def story(stage):
        rest = Http(stage.server.rest_port)
        body, kind = form([("a.png", bytes(2000))], model="latest")
        assert (await rest.ask("POST", "/predict", body, Content_Type=kind))[0] == 413
        assert (await rest.ask("POST", "/predict", iter([body[:500], body[500:]]), Content_Type=kind))[0] == 413
        assert (await rest.ask("POST", "/requests/ping", bytes(2**20 + 1)))[0] == 413

    play(story, rest_port=0)


def brightness_model(path):
    """Write a model for which bright images are of the class bright."""
    weights = np.zeros((3, 2), np.float32)
    weights[:, 1] = 1 / (3 * 255)
    graph = helper.make_graph(
        [
            helper.make_node("GlobalAveragePool", ["images"], ["mean"]),
            helper.make_node("Flatten", ["mean"], ["flat"]),
            helper.make_node("Gemm", ["flat", "weights", "bias"], ["logits"]),
            helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        ],
        "brightness",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        [
            onnx.numpy_helper.from_array(weights, "weights"),
            onnx.numpy_helper.from_array(np.float32([0, -0.5]), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    about = {
        "architecture": "resnet50",
        "class_names": ["dark", "bright"],
        "image_size": 8,
        "preprocessing": {"clahe": False},
    }
    helper.set_model_props(model, {"breastai": json.dumps(about)})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())


def test_an_exported_model_answers_about_images_sent_along_which_are_gone_then(play, workspace):
    brightness_model(workspace.exports_dir / "onnx" / "bright.onnx")
    export = "exports/onnx/bright.onnx"

    async def story(stage):
        rest = Http(stage.server.rest_port)
        body, kind = form([("é.png", picture(250)), ("d.png", picture(3)), ("x.png", b"no image")], model=export)
        status, _, text = await rest.ask("POST", "/predict", body, Content_Type=kind)
        told = json.loads(text)
        assert (status, told["answer"]["count"], told["answer"]["failed"]) == (200, 3, 1)
        labels = [(event["name"], event["answers"][0]["prediction"]["label"]) for event in told["events"]]
        assert labels == [("é.png", "bright"), ("d.png", "dark"), ("x.png", None)]
        assert not kept(workspace) and len(stage.services.handed) == 0
        assert {event["picture"] for event in told["events"]} == {None}
        boxed, kind_of_boxed = form([("d.png", picture(3))], model=export, box="0,0,4,4")
        status, _, text = await rest.ask("POST", "/predict", boxed, Content_Type=kind_of_boxed)
        assert (status, json.loads(text)["answer"]["failed"]) == (200, 0)
        status, _, text = await rest.ask("POST", "/predict?pictures=true", body, Content_Type=kind)
        assert json.loads(text)["events"][0]["picture"].startswith("data:image/jpeg")

    play(story, rest_port=0, worker_command=WORKER_COMMAND)


def test_images_may_be_handed_over_by_requests_too_and_are_removed_when_nobody_asks(play, workspace, monkeypatch):
    monkeypatch.setattr("breastai.apps.http_requests.IMAGES_KEPT_S", 0.0)

    async def story(stage):
        rest = Http(stage.server.rest_port)
        part = base64.b64encode(picture()).decode()
        status, told = await rest.post("add_image", image="a", file="a.png", size=len(picture()), part=part)
        assert (status, told["answer"]["received"]) == (200, len(picture()))
        while len(stage.services.handed) or kept(workspace):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
        status, told = await rest.post("ask_images", images=["a"], models=["exports/onnx/none.onnx"])
        assert (status, told["code"]) == (404, "export.not_found")

    play(story, rest_port=0)


def test_a_checkpoint_answers_by_a_job_and_nobody_else_hears_of_it(play, monkeypatch):
    class Files:
        name = "run/best"

    monkeypatch.setattr(prediction_requests.checkpoints, "find_checkpoint", lambda workspace, name: Files)

    async def story(stage):
        script, rest = await stage.connect(), Http(stage.server.rest_port)
        body, kind = form([("Mme É.png", picture())], model="run/best", heat_maps="true")
        asked = asyncio.create_task(rest.ask("POST", "/predict", body, Content_Type=kind))
        puppet = await stage.worker()
        (image,) = puppet.job["images"]
        (file,) = kept(stage.workspace)
        assert puppet.job["heat_maps"] and image["path"] == str(file) and file.read_bytes() == picture()
        found = Prediction(file=image["name"], label="benign", probabilities={"benign": 1.0})
        said = [ModelAnswer(model="run/best", prediction=found, heat_map="data:image/png;base64,")]
        puppet.emit(ImageAnswer(image="1", name=image["name"], picture=None, answers=said), stamp=False)
        puppet.emit(ImagesAnswered(count=1, failed=0), stamp=False)
        puppet.order(exit=0)
        status, _, text = await asked
        (event,) = json.loads(text)["events"]
        assert (status, event["name"]) == (200, "Mme É.png")
        assert event["answers"][0]["prediction"]["label"] == "benign" and event["answers"][0]["heat_map"] is None
        await script.send("ping")
        assert all(told["type"] != "image_answer" for told in [await script.next() for _ in range(3)])
        assert not kept(stage.workspace)

    play(story, rest_port=0)


# --- who may come in ----------------------------------------------------------------------------


def test_foreign_hosts_and_origins_are_refused_at_this_door_too(play):
    async def story(stage):
        rest = Http(stage.server.rest_port)
        page = f"http://127.0.0.1:{stage.port}"  # the page's own port is another origin
        for path in ("/requests/ping", "/predict", "/metrics", "/events", "/answers/x", "/"):
            method = "POST" if path.startswith(("/requests", "/predict")) else "GET"
            for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
                status, answered, body = await rest.ask(method, path, **headers)
                assert (status, json.loads(body)["code"]) == (403, "access.refused")
                assert answered["x-frame-options"] == "DENY" and "access-control-allow-origin" not in answered
            assert (await rest.ask(method, path, Origin=page))[0] == 403

    play(story, rest_port=0)


def test_where_a_token_is_asked_for_all_but_the_description_needs_it(play):
    async def story(stage):
        rest, token = Http(stage.server.rest_port), stage.server.protection.token
        for path in ("/", "/openapi.json", "/health"):
            assert (await rest.ask("GET", path))[0] == 200
        for path in ("/metrics", "/answers/x", "/events", "/nothing"):
            assert (await rest.ask("GET", path))[0] == 403
        assert (await rest.ask("POST", "/requests/ping"))[0] == 403
        assert (await rest.ask("POST", "/requests/ping", Authorization=f"Bearer {token}"))[0] == 200
        assert (await rest.ask("POST", f"/requests/ping?token={token}"))[0] == 200
        for wrong in ({"Authorization": f"Basic {token}"}, {"Authorization": "Bearer x"}, {"Authorization": token}):
            assert (await rest.ask("POST", "/requests/ping", **wrong))[0] == 403
        twice = await rest.ask("POST", f"/requests/ping?token={token}", Authorization=f"Bearer {token}")
        assert twice[0] == 403

    play(story, rest_port=0, settings=ServerSettings(require_token=True))


def test_on_another_address_the_door_speaks_tls(play, own_configuration_folder):
    pytest.importorskip("cryptography")

    async def story(stage):
        assert stage.server.rest_url.startswith("https://")
        certificate = own_configuration_folder / "breastai" / "tls" / "certificate.pem"
        rest = Http(stage.server.rest_port, certificate)
        assert (await rest.ask("POST", "/requests/ping"))[0] == 403
        token = stage.server.protection.token
        assert (await rest.ask("POST", "/requests/ping", Authorization=f"Bearer {token}"))[0] == 200

    play(story, rest_port=0, host="0.0.0.0")


def test_the_audit_log_tells_who_asked_for_what_and_looks_together(play, workspace):
    async def story(stage):
        rest = Http(stage.server.rest_port)
        await rest.post("list_runs")
        await rest.post("list_runs")
        await rest.post("create_backup")
        await rest.ask("POST", "/requests/ping", Origin="http://evil.example")

    play(story, rest_port=0)
    rows = [json.loads(line) for line in (workspace.logs_dir / "audit.log").read_text().splitlines()]
    assert [row["asked"] for row in rows if row["happened"] == "asked"] == ["create_backup"]
    assert [row["looked"] for row in rows if row["happened"] == "looked"] == [{"list_runs": 2}]
    assert [row["reason"] for row in rows if row["happened"] == "refused"]


def test_refusals_are_counted_over_all_doors(play, monkeypatch):
    async def story(stage):
        rest = Http(stage.server.rest_port)
        for _ in range(MOST_IN_A_WINDOW + 5):
            await rest.ask("POST", "/requests/ping", Origin="http://evil.example")
        assert (await rest.post("ping"))[0] == 200  # this machine is never locked out
        monkeypatch.setattr("breastai.server.access.rate_limit.is_loopback", lambda peer: False)
        status, headers, body = await rest.ask("POST", "/requests/ping")
        assert (status, headers["retry-after"], json.loads(body)["code"]) == (429, "60", "access.refused")
        with pytest.raises(InvalidStatus, match="429"):
            await stage.connect()

    play(story, rest_port=0)


def test_a_server_without_the_extra_says_what_to_install(play, monkeypatch):
    monkeypatch.setitem(entry_points.ENTRY_POINTS, "rest", "breastai.apps.rest:open_door")
    monkeypatch.setitem(sys.modules, "fastapi", None)
    monkeypatch.delitem(sys.modules, "breastai.apps.rest", raising=False)
    with pytest.raises(MissingExtra, match=r"breastai\[rest\]"):
        play(None, rest_port=0)


def test_only_so_many_wait_at_once(play, monkeypatch):
    monkeypatch.setattr("breastai.apps.http_requests.MOST_AT_ONCE", 1)

    async def story(stage):
        rest = Http(stage.server.rest_port)
        assert (await rest.post("start_training", "?wait=0"))[0] == 202
        await stage.worker()
        status, told = await rest.post("ping")
        assert (status, told["code"]) == (429, "request.too_many")

    play(story, rest_port=0)


# --- by its own description ---------------------------------------------------------------------


@contextmanager
def served(workspace, worker_command):
    """Serve in a thread of its own while the block runs; give the port."""
    ready, over, loops, ports = threading.Event(), asyncio.Event(), [], []

    async def serve():
        loops.append(asyncio.get_running_loop())
        options = Options(workspace=workspace, port=0, rest_port=0, worker_command=worker_command)
        async with running_server(options) as server:
            ports.append(server.rest_port)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(20)
        yield ports[0]
    finally:
        loops[0].call_soon_threadsafe(over.set)
        thread.join(30)


@pytest.mark.standard
def test_nothing_that_the_description_allows_is_a_fault_of_the_server(tmp_path):
    load_all_checks()
    names = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance")
    checks = CHECKS.get_by_names(names)
    workspace = Workspace.open(tmp_path)
    asked = 0
    with served(workspace, (sys.executable, "-c", IDLER)) as port:
        schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
        for result in schema.get_all_operations():
            operation = result.ok()
            if operation.path == "/events":
                continue  # it has no end

            @settings(
                max_examples=3,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy())
            def holds(case):
                nonlocal asked
                if "wait" in (case.query or {}):
                    case.query["wait"] = 5
                response = case.call(base_url=f"http://127.0.0.1:{port}", timeout=20)
                case.validate_response(response, checks=checks)
                asked += 1

            holds()
    assert asked > len(REQUESTS)
