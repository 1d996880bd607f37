"""What arrives over one connection holds up no other."""

import pytest

from breastai.server.connections import throttled_connection
from breastai.server.connections.fair_queue import BURST_S

PING_FRAME = b"\x89\x80\0\0\0\0"
NONSENSE = b"\x81\x82\0\0\0\0{}"


def the_servers_end_of(stage, script):
    clients = stage.services.hub._clients
    return next(c.connection for c in clients if c.connection.remote_address == script.socket.local_address)


@pytest.mark.parametrize("frame", [PING_FRAME, NONSENSE], ids=["ping frames", "messages"])
@pytest.mark.parametrize("allowed", [True, False], ids=["within its allowance", "beyond it"])
def test_others_are_answered_while_a_flood_of_frames_still_waits(play, frame, allowed):
    async def story(stage):
        watcher, flooder = await stage.connect(), await stage.connect()
        connection = the_servers_end_of(stage, flooder)
        if not allowed:
            connection.allowance.spend(BURST_S * 2)
        flooder.socket.transport.write(frame * 20_000)
        for _ in range(3):
            assert (await watcher.ask("ping"))["type"] == "pong"
        assert connection._waiting or connection.recv_messages.frames
        connection.transport.abort()

    play(story)


def test_a_flood_is_taken_in_whole_and_in_its_order(play):
    async def story(stage):
        flooder = await stage.connect()
        flooder.socket.transport.write(PING_FRAME * 5_000 + NONSENSE * 100)
        for _ in range(100):
            assert (await flooder.next())["code"] == "request.unknown"
        assert (await flooder.ask("ping"))["type"] == "pong"
        connection = the_servers_end_of(stage, flooder)
        assert not connection._waiting and connection.transport.is_reading()

    play(story)


def test_one_who_has_the_server_answer_and_does_not_read_is_ended(play, monkeypatch):
    monkeypatch.setattr(throttled_connection, "_MOST_UNSENT_BYTES", 1000)

    async def story(stage):
        watcher, deaf = await stage.connect(), await stage.connect()
        deaf.socket.transport.pause_reading()
        while len(stage.services.hub) > 1:
            if not deaf.socket.transport.is_closing():
                deaf.socket.transport.write((b"\x89\xfd\0\0\0\0" + b"x" * 125) * 500)
            assert (await watcher.ask("ping"))["type"] == "pong"

    play(story)
