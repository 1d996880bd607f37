"""Clients that others made: each reads what the server says by its own idea of the standard."""

import asyncio
import http.client
import json
import shutil

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

# Node's own WebSocket: it asks for compression, masks with keys of its own, and closes politely.
NODE_CLIENT = """
const socket = new WebSocket(process.argv[1]);
const told = [];
socket.onmessage = (message) => {
  const event = JSON.parse(message.data);
  told.push(event.type);
  if (event.type === "connection_established") socket.send(JSON.stringify({ type: "ping", request_id: "é\\u{1F600}" }));
  else if (event.request_id === "é\\u{1F600}") socket.close(1000);
};
socket.onclose = (end) => console.log(JSON.stringify({ told, code: end.code, clean: end.wasClean }));
"""

# The JDK's own WebSocket, which hands a long text over in parts.
JAVA_CLIENT = """
import java.net.URI;
import java.net.http.*;
import java.util.concurrent.*;

public class Client {
    public static void main(String[] given) throws Exception {
        var end = new CompletableFuture<Integer>();
        var texts = new LinkedBlockingQueue<String>();
        var listener = new WebSocket.Listener() {
            private final StringBuilder text = new StringBuilder();
            public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean last) {
                text.append(part);
                if (last) { texts.add(text.toString()); text.setLength(0); }
                socket.request(1);
                return null;
            }
            public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
                end.complete(code);
                return null;
            }
        };
        var socket = HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(URI.create(given[0]), listener).join();
        System.out.println(texts.poll(20, TimeUnit.SECONDS).substring(0, 31));
        socket.sendText("{\\"type\\": \\"ping\\"", false).join();
        socket.sendText(", \\"request_id\\": 7}", true).join();
        System.out.println(texts.poll(20, TimeUnit.SECONDS));
        socket.sendClose(WebSocket.NORMAL_CLOSURE, "").join();
        System.out.println(end.get(20, TimeUnit.SECONDS));
    }
}
"""


def read(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_nodes_websocket_is_welcomed_answered_and_let_go(play):
    async def story(stage):
        node = await asyncio.create_subprocess_exec(
            "node",
            "--no-warnings",
            "--experimental-websocket",
            "-e",
            NODE_CLIENT,
            f"ws://127.0.0.1:{stage.port}/",
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await node.communicate()
        assert json.loads(said) == {"told": ["connection_established", "pong"], "code": 1000, "clean": True}

    play(story)


@pytest.mark.skipif(shutil.which("javac") is None, reason="no JDK is installed")
def test_javas_websocket_is_welcomed_answered_and_let_go(play, tmp_path):
    source = tmp_path / "Client.java"
    source.write_text(JAVA_CLIENT)

    async def story(stage):
        java = await asyncio.create_subprocess_exec(
            "java", str(source), f"ws://127.0.0.1:{stage.port}/", stdout=asyncio.subprocess.PIPE
        )
        welcome, pong, code = (await java.communicate())[0].decode().splitlines()
        assert welcome == '{"type":"connection_established'[: len(welcome)]
        assert (json.loads(pong)["type"], json.loads(pong)["request_id"], code) == ("pong", 7, "1000")

    play(story)


def test_prometheus_own_parser_reads_the_metrics_of_a_run(play):
    async def story(stage):
        script = await stage.connect()
        puppet = await stage.training(script)
        puppet.epoch(2)
        await script.until("training_update")
        text = await asyncio.to_thread(read, stage.server.rest_port, "/metrics")
        families = {family.name: family for family in text_string_to_metric_families(text)}
        (epoch,) = families["breastai_epoch"].samples
        assert (epoch.labels, epoch.value) == ({"session": "default", "run_id": puppet.job["run_id"]}, 2.0)
        assert {family.type for family in families.values()} == {"gauge"}
        assert all(family.documentation for family in families.values())

    play(story, rest_port=0)


@pytest.mark.standard
def test_the_description_is_openapi_by_the_standards_own_schema(play):
    async def story(stage):
        document = json.loads(await asyncio.to_thread(read, stage.server.rest_port, "/openapi.json"))
        assert document["openapi"].startswith("3.1")
        assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []

    play(story, rest_port=0)
