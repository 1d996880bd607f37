"""REST's connections: how many, how long one may say nothing, and that bad HTTP fills no log."""

import asyncio

import pytest

from breastai.apps import http_server
from breastai.apps.rest import MOST_LISTENERS
from breastai.domain.errors import PortInUse


async def connect(port):
    return await asyncio.open_connection("127.0.0.1", port)


def head(port, method="POST", path="/requests/ping", more="Content-Length: 0\r\n"):
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{more}\r\n".encode()


async def read(reader):
    """Return the status and the body of an answer that says its length."""
    top = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    length = int(top.split("content-length: ")[1].split("\r\n")[0])
    return int(top.split()[1]), await reader.readexactly(length)


async def end_of(reader):
    """Return what still comes before the end of a connection."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


@pytest.mark.parametrize("said", [b"", b"POST /requests/ping HTTP/1.1\r\nHost: 127.0"])
@pytest.mark.parametrize("asked_before", [False, True])
def test_who_asks_for_nothing_in_time_is_sent_away(play, monkeypatch, said, asked_before):
    monkeypatch.setattr(http_server, "ASKS_WITHIN_S", 0.2)

    async def story(stage):
        port = stage.server.rest_port
        reader, writer = await connect(port)
        if asked_before:
            writer.write(head(port))
            assert (await read(reader))[0] == 200
        writer.write(said)
        assert await end_of(reader) == b""
        writer.close()

    play(story, rest_port=0)


def test_who_was_refused_cannot_stay_by_sending_a_body_without_end(play, monkeypatch):
    monkeypatch.setattr(http_server, "ASKS_WITHIN_S", 0.2)

    async def story(stage):
        port = stage.server.rest_port
        reader, writer = await connect(port)
        writer.write(head(port, more="Origin: http://evil.example\r\nContent-Length: 1000000\r\n") + b"x")
        assert (await read(reader))[0] == 403
        assert await end_of(reader) == b""
        writer.close()

    play(story, rest_port=0)


def test_an_answer_that_takes_longer_than_that_is_waited_for(play, monkeypatch):
    monkeypatch.setattr(http_server, "ASKS_WITHIN_S", 0.2)
    over, look = asyncio.Event(), http_server.PatientHttp._end_silent

    def looked(connection):
        look(connection)
        over.set()

    monkeypatch.setattr(http_server.PatientHttp, "_end_silent", looked)

    async def story(stage):
        port = stage.server.rest_port
        reader, writer = await connect(port)
        writer.write(head(port, path="/requests/start_training"))
        puppet = await stage.worker()
        await over.wait()
        puppet.start_run()
        assert (await read(reader))[0] == 200
        writer.close()

    play(story, rest_port=0)


def test_one_connection_too_many_is_sent_away(play, monkeypatch):
    monkeypatch.setattr(http_server, "MOST_OPEN", 1)

    async def story(stage):
        port = stage.server.rest_port
        reader, writer = await connect(port)
        writer.write(head(port, path="/requests/start_training?wait=20"))
        puppet = await stage.worker()  # it is being answered: no connection that rests makes room
        second, other = await connect(port)
        assert await end_of(second) == b""
        puppet.start_run()
        assert (await read(reader))[0] == 200
        third, another = await connect(port)
        another.write(head(port))
        assert (await read(third))[0] == 200, "the one that rests now went"
        for each in (writer, other, another):
            each.close()

    play(story, rest_port=0)


def test_one_stream_too_many_is_refused(play, monkeypatch):
    monkeypatch.setattr("breastai.apps.event_stream.MOST_LISTENERS", 0)

    async def story(stage):
        port = stage.server.rest_port
        reader, writer = await connect(port)
        writer.write(head(port, "GET", "/events", ""))
        status, body = await read(reader)
        assert status == 429 and str(MOST_LISTENERS).encode() in body
        writer.close()

    play(story, rest_port=0)


def test_what_is_not_http_is_told_so_and_nothing_is_written_on_the_terminal(play, capfd):
    async def story(stage):
        for said in (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"x" * 70_000 + b"\r\n\r\n"):
            reader, writer = await connect(stage.server.rest_port)
            writer.write(said)
            assert (await end_of(reader)).startswith(b"HTTP/1.1 400 ")
            writer.close()

    play(story, rest_port=0)
    assert capfd.readouterr() == ("", "")


def test_a_taken_port_is_told_of_by_the_number_that_was_asked_for(play):
    async def story(stage):
        raise AssertionError("the server began")

    async def taken():
        return await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)

    loop = asyncio.new_event_loop()
    listener = loop.run_until_complete(taken())
    try:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)):
            play(story, rest_port=port, host="127.0.0.1")
    finally:
        listener.close()
        loop.run_until_complete(listener.wait_closed())
        loop.close()
