"""The token and TLS of a server that listens for more than this machine."""

import ssl

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from breastai.client import Client
from breastai.domain.errors import AccessRefused, MissingExtra, ServerUnreachable, TlsUnusable
from breastai.domain.server_settings import ServerSettings
from breastai.server.access import certificate
from breastai.server.access.certificate import fingerprint, make_certificate, tls_context
from breastai.server.access.rate_limit import MOST_IN_A_WINDOW, WINDOW_S, RateLimit

ANYWHERE = "0.0.0.0"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A certificate for this machine, and its key."""
    pytest.importorskip("cryptography")
    return make_certificate(tmp_path_factory.mktemp("tls"), {"localhost", "127.0.0.1", "[::1]"})


def test_on_another_address_there_is_tls_and_nobody_comes_in_without_the_token(play, own_configuration_folder):
    pytest.importorskip("cryptography")

    async def story(stage):
        url = f"wss://127.0.0.1:{stage.port}"
        trusted = own_configuration_folder / "breastai" / "tls" / "certificate.pem"
        assert stage.server.page_url.startswith("https://")
        async with Client(url, token=stage.server.protection.token, certificate=trusted) as client:
            await client.ping()
        for token in ("", "x" * 43):
            with pytest.raises(AccessRefused, match="token") as refused:
                await Client(url, token=token, certificate=trusted).connect()
            assert "x" * 43 not in str(refused.value)
        with pytest.raises(ServerUnreachable):
            await Client(url, token=stage.server.protection.token).connect()  # whose certificate nobody vouches for
        with pytest.raises(ServerUnreachable):
            await Client(f"ws://127.0.0.1:{stage.port}", token=stage.server.protection.token).connect()

    play(story, host=ANYWHERE)


def test_without_protection_only_by_an_explicit_setting_that_the_log_tells_of(play, workspace):
    async def story(stage):
        assert stage.server.protection.tls is None
        assert (await (await stage.connect()).ask("ping"))["type"] == "pong"

    play(story, host=ANYWHERE, settings=ServerSettings(allow_unprotected=True))
    assert "WARNING breastai.server server.allow_unprotected" in (workspace.logs_dir / "server.log").read_text()


def test_behind_a_proxy_that_speaks_tls_the_token_can_still_be_asked_for(play):
    async def story(stage):
        assert stage.server.protection.tls is None
        with pytest.raises(InvalidStatus):
            await stage.connect()
        assert (await (await stage.connect(f"?token={stage.server.protection.token}")).ask("ping"))["type"] == "pong"

    play(story, host=ANYWHERE, settings=ServerSettings(allow_unprotected=True, require_token=True))


def test_a_certificate_that_is_given_is_the_one_used(play, workspace, made):
    (workspace.root / "own.pem").write_bytes(made[0].read_bytes() + made[1].read_bytes())
    trust = ssl.create_default_context(cafile=made[0])

    async def story(stage):
        async with connect(f"wss://localhost:{stage.port}", ssl=trust) as socket:
            assert "connection_established" in await socket.recv()

    play(story, settings=ServerSettings(tls_certificate="own.pem"))
    assert fingerprint(made[0]) in (workspace.logs_dir / "server.log").read_text()


def test_a_certificate_is_made_once_its_key_is_its_owners_alone_and_it_is_renewed_in_time(made, monkeypatch):
    before = [path.read_bytes() for path in made]
    assert made[1].stat().st_mode & 0o077 == 0
    assert make_certificate(made[0].parent, {"localhost"}) == made
    assert [path.read_bytes() for path in made] == before
    make_certificate(made[0].parent, {"localhost", "127.0.0.1", "::1", "another.example"})
    assert made[0].read_bytes() != before[0]

    renewed = made[0].read_bytes()
    monkeypatch.setattr(certificate, "_RENEWED_BEFORE_DAYS", certificate._VALID_DAYS + 1)
    make_certificate(made[0].parent, {"localhost"})
    assert made[0].read_bytes() != renewed
    tls_context(*made)


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_certificate_that_is_none_is_named(tmp_path, content):
    file = tmp_path / "tls.pem"
    file.write_text(content)
    with pytest.raises(TlsUnusable, match=r"tls\.pem"):
        tls_context(file, file)


def test_without_the_package_that_makes_certificates_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    with pytest.raises(MissingExtra, match=r"breastai\[network\]"):
        make_certificate(tmp_path, {"localhost"})


def test_a_peer_elsewhere_that_guesses_is_locked_out_for_a_while_and_this_machine_never_is():
    now = [0.0]
    refusals = RateLimit(lambda: now[0])
    for number in range(1, MOST_IN_A_WINDOW + 1):
        assert not refusals.locks_out("192.168.1.9")
        assert refusals.note("192.168.1.9") == number
        refusals.note("127.0.0.1")
        refusals.note(f"fd00::{number}")
    assert refusals.locks_out("192.168.1.9")
    assert refusals.locks_out("fd00::ffff")  # one household has many addresses
    assert not refusals.locks_out("192.168.1.10")
    assert not refusals.locks_out("127.0.0.1")
    now[0] = WINDOW_S
    assert not refusals.locks_out("192.168.1.9")
    assert refusals.note("192.168.1.9") == 1


def test_the_table_of_peers_stays_small():
    refusals = RateLimit()
    for number in range(5000):
        refusals.note(f"10.0.{number // 256}.{number % 256}")
    assert len(refusals._windows) == 1000


def test_who_is_locked_out_gets_429_and_who_knocks_without_end_fills_no_log(play, workspace, monkeypatch):
    async def knock(stage, times: int) -> set[int]:
        statuses = set()
        for _ in range(times):
            with pytest.raises(InvalidStatus) as refused:
                await stage.connect(additional_headers={"Origin": "http://evil.example"})
            statuses.add(refused.value.response.status_code)
        return statuses

    async def story(stage):
        assert await knock(stage, MOST_IN_A_WINDOW + 10) == {403}
        assert (await (await stage.connect()).ask("ping"))["type"] == "pong"
        monkeypatch.setattr("breastai.server.access.rate_limit.is_loopback", lambda peer: False)
        assert await knock(stage, 1) == {429}

    play(story)
    for log in ("server.log", "audit.log"):
        assert (workspace.logs_dir / log).read_text().count("evil.example") == MOST_IN_A_WINDOW
