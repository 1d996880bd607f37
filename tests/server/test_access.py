"""Who may connect."""

import asyncio
import contextlib
import stat
from dataclasses import replace

import pytest
from pydantic import ValidationError
from websockets.asyncio.client import connect
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from breastai.domain.errors import TokenUnavailable
from breastai.domain.server_settings import ServerSettings
from breastai.server.access import connection_rules
from breastai.server.access.connection_rules import Access, allowed_hosts, is_loopback, origin_of

TOKEN = "t" * 43
RULE = Access(allowed_hosts("localhost"), 8765, token=TOKEN)


def refusal(rule: Access, path: str = "/", **headers: str) -> str | None:
    return rule.refusal(Headers({"Host": "localhost:8765", "Upgrade": "websocket"} | headers), path)


@pytest.mark.parametrize(
    "host",
    ["localhost:8765", "127.0.0.1:8765", "[::1]:8765", "LOCALHOST:8765", "localhost:19000", "localhost", "[::1]"],
)
def test_loopback_names_are_ours_whatever_port_was_forwarded(host):
    assert refusal(RULE, Host=host) is None
    assert refusal(RULE, Host=host, Origin=f"http://{host}") is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8765",
        "localhost.evil.example:8765",
        "",
        ":8765",
        "127.0.0.1.nip.io:8765",
        "[::1]x:8765",
        "localhost:8765:8765",
        "localhost:",
        "[::1",
        "0.0.0.0:8765",
    ],
)
def test_every_other_host_is_refused(host):
    assert refusal(RULE, Host=host) is not None
    assert refusal(RULE, f"/?token={TOKEN}", Host=host, Origin="null") is not None


def test_a_request_without_host_or_with_two_is_refused():
    assert RULE.refusal(Headers(), "/") is not None
    assert RULE.refusal(Headers([("Host", "localhost:8765"), ("Host", "evil.example")]), "/") is not None


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
def test_every_origin_but_the_page_itself_is_refused_whatever_it_brings(origin):
    assert refusal(RULE, Origin=origin) is not None
    assert refusal(RULE, f"/?token={TOKEN}", Origin=origin) is not None


@pytest.mark.parametrize("origin", ["null", "file://"])
def test_a_page_opened_as_a_file_needs_the_token_for_whatever_it_asks(origin):
    assert refusal(RULE, f"/?token={TOKEN}", Origin=origin) is None
    for headers in ({}, {"Upgrade": ""}):
        for path in (
            "/",
            "/?token=",
            f"/?token={TOKEN[:-1]}",
            f"/?token={TOKEN}x",
            f"/?token={TOKEN}&token={TOKEN}",
            f"/?Token={TOKEN}",
            f"/#token={TOKEN}",
            f"/{TOKEN}",
            "/?token=%ff%00%ed%a0%80",
            "/?" + "&".join(f"a{n}=" for n in range(1000)),
            "//[",
        ):
            reason = refusal(RULE, path, Origin=origin, **headers)
            assert reason is not None and TOKEN[:-1] not in reason
            assert "http://localhost:8765/" in reason


def test_where_no_token_can_be_kept_a_page_opened_as_a_file_is_sent_to_the_served_one():
    rule = Access(allowed_hosts("localhost"), 8765)
    for path in ("/", "/?token=None", "/?token="):
        assert "http://localhost:8765/" in (refusal(rule, path, Origin="null") or "")
    assert refusal(rule) is None


def test_a_server_that_requires_the_token_asks_scripts_and_the_served_page_for_it_too():
    rule = replace(RULE, token_required=True)
    for origin in ({}, {"Origin": "http://localhost:8765"}):
        assert refusal(rule, f"/?token={TOKEN}", **origin) is None
        assert refusal(rule, "/", **origin) is not None
        assert refusal(rule, "/?token=wrong", **origin) is not None
        report = "/reports/run-1/report.en.html"
        assert refusal(rule, report, Upgrade="", **origin) is not None
        assert refusal(rule, f"{report}?token={TOKEN}", Upgrade="", **origin) is None
        # The page's files hold nothing of anyone.
        assert refusal(rule, "/index.html", Upgrade="", **origin) is None
    assert refusal(replace(rule, token=None), "/?token=None") is not None


def test_with_tls_the_page_is_another_origin():
    rule = replace(RULE, scheme="https")
    assert refusal(rule, Origin="https://localhost:8765") is None
    assert refusal(rule, Origin="http://localhost:8765") is not None


def test_a_server_on_another_address_is_called_by_that_address():
    assert Access(allowed_hosts("192.168.1.20"), 80).refusal(Headers({"Host": "192.168.1.20"}), "/") is None
    assert Access(allowed_hosts("fd00::2"), 80).refusal(Headers({"Host": "[fd00::2]:80"}), "/") is None
    assert "127.0.0.1" in allowed_hosts("0.0.0.0")


def test_behind_a_proxy_its_address_is_ours_and_pages_of_it_may_ask():
    url = ServerSettings(public_url="https://Breast.example:443/breastai").public_url
    assert url == "https://breast.example/breastai/"
    rule = Access(allowed_hosts("localhost", url), 8765, token=TOKEN, public_origin=origin_of(url))
    for host in ("localhost:8765", "breast.example", "breast.example:443"):
        assert refusal(rule, Host=host) is None
        assert refusal(rule, Host=host, Origin="https://breast.example") is None
        for origin in ("http://breast.example:8080", "https://breast.example:8443", "https://evil.example"):
            assert refusal(rule, Host=host, Origin=origin) is not None
    assert refusal(rule, Host="evil.example", Origin="https://breast.example") is not None


@pytest.mark.parametrize(
    "url",
    ["", "breast.example", "ftp://breast.example", "https://", "https://user@breast.example/", "https://a:b/",
     "https://breast.example/?token=x", "https://breast.example/#x"],
)  # fmt: skip
def test_an_address_that_no_page_can_have_is_refused(url):
    with pytest.raises(ValidationError):
        ServerSettings(public_url=url)


def test_behind_a_proxy_everybody_needs_the_token_unless_it_is_the_proxy_that_asks(play, workspace):
    settings = ServerSettings(public_url="https://breast.example/breastai/")

    async def asked(stage):
        assert stage.server.page_url == "https://breast.example/breastai/"
        assert stage.server.protection.tls is None
        with pytest.raises(InvalidStatus):
            await stage.connect(origin="https://breast.example")
        script = await stage.connect(f"?token={stage.server.protection.token}", origin="https://breast.example")
        assert (await script.ask("ping"))["type"] == "pong"

    async def unasked(stage):
        script = await stage.connect(origin="https://breast.example")
        assert (await script.ask("ping"))["type"] == "pong"

    play(asked, settings=settings)
    play(unasked, settings=settings.model_copy(update={"allow_unprotected": True}))
    assert "for https://breast.example/breastai/" in (workspace.logs_dir / "server.log").read_text()


def test_a_forwarded_port_leads_to_the_page_and_its_socket(play):
    async def story(stage):
        async def forward(reader, writer):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", stage.port)

            async def pass_on(source, target):
                with contextlib.suppress(ConnectionError):
                    while data := await source.read(2**16):
                        target.write(data)
                        await target.drain()
                target.close()

            await asyncio.gather(pass_on(reader, there_writer), pass_on(there_reader, writer))

        async with await asyncio.start_server(forward, "127.0.0.1", 0) as forwarded:
            outside = forwarded.sockets[0].getsockname()[1]
            for name in ("localhost", "127.0.0.1"):
                reader, writer = await asyncio.open_connection("127.0.0.1", outside)
                writer.write(f"GET /health HTTP/1.1\r\nHost: {name}:{outside}\r\n\r\n".encode())
                assert b" 200 " in await reader.readline()
                writer.close()
                async with connect(
                    f"ws://127.0.0.1:{outside}/", additional_headers={"Origin": f"http://127.0.0.1:{outside}"}
                ) as socket:
                    assert "connection_established" in await socket.recv()

    play(story)


@pytest.mark.parametrize(
    ("address", "own"),
    [
        ("localhost", True), ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.20", False), ("fd00::2", False), ("127.evil.example", False),
        ("", False), ("::ffff:192.168.1.20", False),
    ],
)  # fmt: skip
def test_only_this_machines_own_addresses_are_loopback(address, own):
    assert is_loopback(address) is own


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


def test_the_served_page_and_scripts_may_connect(play):
    async def story(stage):
        for origin in (f"http://127.0.0.1:{stage.port}", None):
            script = await stage.connect(origin=origin)
            assert (await script.ask("ping"))["type"] == "pong"

    play(story)


def test_the_file_page_connects_with_the_token_beside_it_and_no_log_holds_it(play, workspace, tmp_path):
    page = tmp_path / "frontend"
    page.mkdir()
    (page / "index.html").write_text("<!doctype html>")

    async def story(stage):
        written = (page / "session.js").read_text()
        token = written.split('"')[1]
        assert token == stage.server.protection.token
        assert stat.S_IMODE((page / "session.js").stat().st_mode) == 0o600
        for wrong in ("", "?token=" + "x" * 43):
            with pytest.raises(InvalidStatus) as refused:
                await stage.connect(wrong, origin="null")
            assert refused.value.response.status_code == 403
        script = await stage.connect(f"?token={token}", origin="null")
        assert (await script.ask("ping"))["type"] == "pong"

    play(story, frontend=page)
    token = (page / "session.js").read_text().split('"')[1]
    for log in workspace.logs_dir.glob("*.log"):
        assert token not in log.read_text()
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_where_the_page_can_not_be_written_to_the_log_says_so_and_the_served_page_works(play, workspace, tmp_path):
    page = tmp_path / "frontend"
    page.mkdir()
    (page / "index.html").write_text("<!doctype html>")
    (page / "session.js").mkdir()

    async def story(stage):
        script = await stage.connect(origin=f"http://127.0.0.1:{stage.port}")
        assert (await script.ask("ping"))["type"] == "pong"

    play(story, frontend=page)
    assert "session.js can't be written" in (workspace.logs_dir / "server.log").read_text()


def test_where_the_configuration_folder_can_not_be_written_the_log_says_so_and_the_served_page_works(
    play, workspace, tmp_path, monkeypatch
):
    (tmp_path / "occupied").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "occupied"))

    async def story(stage):
        assert (await (await stage.connect(origin=f"http://127.0.0.1:{stage.port}")).ask("ping"))["type"] == "pong"
        with pytest.raises(InvalidStatus) as refused:
            await stage.connect("?token=None", origin="null")
        assert refused.value.response.status_code == 403
        assert b"open http://localhost" in refused.value.response.body

    play(story)
    assert "no token can be kept" in (workspace.logs_dir / "server.log").read_text()


def test_a_server_that_needs_its_token_and_can_not_keep_it_does_not_start(play, tmp_path, monkeypatch):
    (tmp_path / "occupied").write_text("a file where a folder should be")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "occupied"))
    with pytest.raises(TokenUnavailable):
        play(None, settings=ServerSettings(require_token=True))


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
        await big.socket.send("x" * (connection_rules.MOST_MESSAGE_BYTES + 1))
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
