"""Who may connect."""

import asyncio

import pytest
from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from breastai.server import access
from breastai.server.access import Access, allowed_hosts

RULE = Access(allowed_hosts("localhost"), 8765)


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST:8765"])
def test_loopback_names_with_our_port_are_ours(host):
    assert RULE.refusal(Headers({"Host": host}), "127.0.0.1") is None
    assert RULE.refusal(Headers({"Host": host, "Origin": f"http://{host}"}), "127.0.0.1") is None


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:80",
        "localhost:8766",
        "evil.example:8765",
        "localhost.evil.example:8765",
        "",
        ":8765",
        "127.0.0.1.nip.io:8765",
        "[::1]",
        "[::1]x:8765",
        "localhost:8765:8765",
        "localhost:",
        "[::1",
        "0.0.0.0:8765",
    ],
)
def test_every_other_host_is_refused(host):
    assert RULE.refusal(Headers({"Host": host}), "127.0.0.1") is not None


def test_a_request_without_host_or_with_two_is_refused():
    assert RULE.refusal(Headers(), "127.0.0.1") is not None
    assert RULE.refusal(Headers([("Host", "localhost:8765"), ("Host", "evil.example")]), "127.0.0.1") is not None


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "http://localhost:8766",
        "http://127.0.0.1:8765",
        "https://localhost:8765",
        "http://localhost",
        "",
        "file:///etc/passwd",
        "http://localhost:8765.evil.example",
        "chrome-extension://abc",
    ],
)
def test_every_origin_but_the_page_itself_is_refused(origin):
    headers = Headers({"Host": "localhost:8765", "Origin": origin})
    assert RULE.refusal(headers, "127.0.0.1") is not None


@pytest.mark.parametrize("origin", ["null", "file://"])
def test_a_page_opened_as_a_file_may_connect_from_this_machine_alone(origin):
    headers = Headers({"Host": "localhost:8765", "Origin": origin})
    for own in ("127.0.0.1", "::1", "::ffff:127.0.0.1"):
        assert RULE.refusal(headers, own) is None
    assert RULE.refusal(headers, "192.168.1.20") is not None


def test_a_server_on_another_address_is_called_by_that_address():
    assert Access(allowed_hosts("192.168.1.20"), 80).refusal(Headers({"Host": "192.168.1.20"}), "192.168.1.9") is None
    assert Access(allowed_hosts("fd00::2"), 80).refusal(Headers({"Host": "[fd00::2]:80"}), "fd00::3") is None
    assert "127.0.0.1" in allowed_hosts("0.0.0.0")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "https://localhost"},
        {"Host": "evil.example"},
    ],
)
def test_a_foreign_origin_or_host_gets_403_and_is_logged(play, workspace, headers):
    async def story(stage):
        with pytest.raises(InvalidStatus) as refused:
            await stage.connect(additional_headers=headers)
        assert refused.value.response.status_code == 403

    play(story)
    assert "refused 127.0.0.1" in (workspace.logs_dir / "server.log").read_text()


def test_the_served_page_the_file_page_and_scripts_may_connect(play):
    async def story(stage):
        for origin in (f"http://127.0.0.1:{stage.port}", "null", None):
            script = await stage.connect(origin=origin)
            assert (await script.ask("ping"))["type"] == "pong"

    play(story)


def test_localhost_is_both_loopback_addresses_on_one_port(play):
    async def story(stage):
        async with connect(f"ws://localhost:{stage.port}") as by_name:
            assert "connection_established" in await by_name.recv()
        async with connect(f"ws://127.0.0.1:{stage.port}") as by_number:
            assert "connection_established" in await by_number.recv()

    play(story)


def test_a_message_beyond_the_limit_closes_that_connection_alone(play):
    async def story(stage):
        big, other = await stage.connect(), await stage.connect()
        await big.socket.send("x" * (access.MOST_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosedError) as closed:
            await big.next()
        assert closed.value.rcvd.code == 1009
        assert (await other.ask("ping"))["type"] == "pong"

    play(story)


def test_one_connection_too_many_gets_503(play, monkeypatch):
    monkeypatch.setattr("breastai.server.app.MOST_CONNECTIONS", 1)

    async def story(stage):
        script = await stage.connect()
        with pytest.raises(InvalidStatus) as refused:
            await stage.connect()
        assert refused.value.response.status_code == 503
        assert (await script.ask("ping"))["type"] == "pong"
        await asyncio.wait_for(script.socket.close(), 10)

    play(story)
