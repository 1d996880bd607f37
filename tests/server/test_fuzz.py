"""Whatever a client sends, it gets an answer that is a sound event, and the server goes on."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, InvalidMessage

from breastai.domain.errors import BreastAIError
from breastai.domain.event_messages import decode_event, encode_event, error_event
from breastai.domain.request_messages import decode_request, request_id_of
from breastai.domain.requests import REQUESTS

EXAMPLES = 300
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # lone surrogates too
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)
FIELDS = sorted({info.alias or name for model in REQUESTS.values() for name, info in model.model_fields.items()})


@st.composite
def near_requests(draw: st.DrawFn) -> str:
    """A request with some of its fields, or others', set to anything."""
    values = draw(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
    values["type"] = draw(st.sampled_from(sorted(REQUESTS)) | ANY_TEXT)
    text = json.dumps(values)
    return text[: draw(st.integers(0, len(text)))] if draw(st.integers(0, 4)) == 0 else text


MESSAGES = st.one_of(
    ANY_TEXT.map(lambda text: text.encode("utf-8", "replace").decode()),
    st.binary(max_size=60),
    VALUES.map(json.dumps),
    near_requests(),
    st.sampled_from(
        [
            "[" * 100_000,
            '{"a":' * 50_000,
            "1" * 10_000,
            '{"type": "\\ud800"}',
            '{"type": "ping", "request_id": "\\ud800"}',
            '{"type": "ping", "session_id": "\\udc00"}',
            '{"type": "start_training", "config": {"\\ud800": 1}}',
            '{"type": "ping", "request_id": ' + "9" * 4000 + "}",
            '{"type": "ping", ' + ",".join(f'"{n}": 1' for n in range(20_000)) + "}",
            '{"type": "ping", "' + "k" * 100_000 + '": 1}',
            "\x00",
            "NaN",
            "{}",
            "",
        ]
    ),
)


@given(MESSAGES)
@settings(max_examples=EXAMPLES)
def test_a_message_is_a_request_or_an_error_that_can_be_sent(message):
    try:
        request = decode_request(message)
    except BreastAIError as error:
        answer = error_event(error, request_id_of(message))
    else:
        assert type(request) in REQUESTS.values()
        answer = error_event(BreastAIError(), request.request_id, request.session_id)
    text = encode_event(answer)
    assert len(text.encode()) < 20_000
    assert encode_event(decode_event(text)) == text


def test_hundreds_of_odd_messages_leave_the_server_as_it_was(play):
    @given(messages=st.lists(MESSAGES, min_size=40, max_size=40))
    @settings(max_examples=5, suppress_health_check=list(HealthCheck))
    def messages_of(messages):
        collected.extend(messages)

    collected: list[str | bytes] = []
    messages_of()
    # Starting, backing up and the like are asked for elsewhere; here they would take the time.
    harmless = [message for message in collected if not _would_work(message)]
    assert len(harmless) > 100

    async def story(stage):
        watcher = await stage.connect()
        fuzzer = await stage.connect()
        before = len(asyncio.all_tasks())
        for message in harmless:
            await fuzzer.socket.send(message)
            assert json.loads(await fuzzer.socket.recv())["type"] == "error"
        assert (await fuzzer.ask("ping"))["type"] == "pong"
        assert (await watcher.ask("ping"))["type"] == "pong"
        assert len(asyncio.all_tasks()) <= before + 2
        assert len(stage.services.hub) == 2

    play(story)


def _would_work(message: str | bytes) -> bool:
    try:
        decode_request(message)
    except BreastAIError:
        return False
    return True


@pytest.mark.parametrize(
    "bytes_sent", [b"", b"GET", b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\x01", b"\x00" * 5000]
)
def test_half_an_opening_is_no_client_and_leaves_nothing_behind(play, bytes_sent):
    async def story(stage):
        _, writer = await asyncio.open_connection("127.0.0.1", stage.port)
        writer.write(bytes_sent)
        await writer.drain()
        script = await stage.connect()
        assert (await script.ask("ping"))["type"] == "pong"
        assert len(stage.services.hub) == 1
        writer.transport.abort()
        while len(stage.server.doorway) > 1:
            await script.ask("ping")

    play(story)


def test_frames_that_break_the_protocol_end_that_connection_alone(play):
    async def story(stage):
        watcher = await stage.connect()
        for frame in (
            b"\xff" * 50,
            b"\x81\x05hello",
            b"\x81\xff" + b"\xff" * 8,
            b"\x83\x80\0\0\0\0",
            b"\x81\x82\0\0\0\0\xff\xfe",
        ):
            broken = await stage.connect()
            broken.socket.transport.write(frame)
            with pytest.raises(ConnectionClosed):
                await broken.next()
        assert (await watcher.ask("ping"))["type"] == "pong"
        while len(stage.services.hub) > 1:
            await watcher.ask("ping")

    play(story)


def test_one_more_silent_connection_than_there_may_be_ends_the_oldest(play, monkeypatch):
    monkeypatch.setattr("breastai.server.connections.open_connections.MOST_SILENT", 5)

    async def story(stage):
        silent = [await asyncio.open_connection("127.0.0.1", stage.port) for _ in range(8)]
        for reader, _ in silent[:3]:
            with pytest.raises(ConnectionResetError):
                assert await reader.read() == b""
                raise ConnectionResetError
        script = await stage.connect()
        assert (await script.ask("ping"))["type"] == "pong"
        assert stage.server.doorway.silent <= 5
        for _, writer in silent:
            writer.transport.abort()

    play(story)


def test_beyond_the_most_open_connections_a_new_one_is_ended_and_the_others_stay(play, monkeypatch):
    monkeypatch.setattr("breastai.server.connections.open_connections.MOST_OPEN", 2)

    async def story(stage):
        one, other = await stage.connect(), await stage.connect()
        with pytest.raises((ConnectionClosed, InvalidMessage, OSError)):
            await stage.connect()
        assert (await one.ask("ping"))["type"] == (await other.ask("ping"))["type"] == "pong"

    play(story)
