"""Slow clients cost the run nothing."""

import asyncio
import json

from breastai.domain.events import ConfigShown, Log
from breastai.server.connections import broadcast

LINE = Log(level="info", message="x" * 100_000)


async def overflow(stage, worker, watcher, slow) -> int:
    """Have a run send more than fits between the server and a client that does not read; return how many events."""
    slow.socket.transport.pause_reading()
    client = next(c for c in stage.services.hub._clients if c.connection.remote_address == slow.socket.local_address)
    sent = 0
    while client.behind_since is None and client in stage.services.hub._clients:
        worker.emit(LINE)
        await watcher.until("log")
        sent += 1
        assert sent < 1000
    return sent


def test_a_slow_client_gets_the_latest_state_and_the_others_get_every_event(play):
    async def story(stage):
        watcher, slow = await stage.connect(), await stage.connect()
        worker = await stage.training(watcher)
        await overflow(stage, worker, watcher, slow)
        for number in range(1, 21):
            worker.epoch(number)
            assert (await watcher.until("training_update"))["epoch"] == number
        slow.socket.transport.resume_reading()
        # None of the twenty reached it; the state does.
        while True:
            event = await slow.next()
            assert event["type"] != "training_update"
            if event["type"] == "status" and event["snapshot"]["update"]:
                assert event["snapshot"]["update"]["epoch"] == 20
                break
        worker.epoch(21)
        assert (await slow.until("training_update"))["epoch"] == 21

    play(story)


def test_a_client_that_stays_behind_is_dropped(play, monkeypatch):
    monkeypatch.setattr(broadcast, "BEHIND_AT_MOST_S", 0.1)

    async def story(stage):
        watcher, slow = await stage.connect(), await stage.connect()
        worker = await stage.training(watcher)
        await overflow(stage, worker, watcher, slow)
        while len(stage.services.hub) > 1:
            await watcher.ask("ping")
        worker.epoch(1)
        assert (await watcher.until("training_update"))["epoch"] == 1

    play(story)


def test_a_client_that_asks_and_never_reads_is_dropped(play, monkeypatch):
    monkeypatch.setattr(broadcast, "DROP_ABOVE_BYTES", 2**20)

    async def story(stage):
        watcher, deaf = await stage.connect(), await stage.connect()
        deaf.socket.transport.pause_reading()
        question = json.dumps({"type": "get_config"})

        async def pester():
            while True:
                await deaf.socket.send(question)
                await asyncio.sleep(0)

        pestering = asyncio.create_task(pester())
        while len(stage.services.hub) > 1:
            await watcher.ask("ping")
        pestering.cancel()
        await asyncio.wait([pestering])
        assert pestering.cancelled() or pestering.exception()

    play(story)


def test_a_client_that_vanishes_in_mid_run_leaves_the_others_alone(play):
    async def story(stage):
        watcher, gone = await stage.connect(), await stage.connect()
        worker = await stage.training(gone, request_id="mine")
        gone.socket.transport.abort()
        while len(stage.services.hub) > 1:
            await watcher.ask("ping")
        worker.complete()
        assert (await watcher.until("training_complete"))["seq"] == 2

    play(story)


def test_when_too_much_waits_for_all_together_those_for_whom_most_waits_are_dropped(play, monkeypatch):
    monkeypatch.setattr(broadcast, "UNSENT_AT_MOST_BYTES", 2**20)
    monkeypatch.setattr(broadcast, "BEHIND_ABOVE_BYTES", 2**18)

    async def story(stage):
        watcher, deaf = await stage.connect(), await stage.connect()
        worker = await stage.training(watcher)
        deaf.socket.transport.pause_reading()
        client = next(
            c for c in stage.services.hub._clients if c.connection.remote_address == deaf.socket.local_address
        )
        config = await watcher.ask("get_config")
        for _ in range(1000):
            stage.services.hub.send(client, hub_event(config))
        while len(stage.services.hub) > 1:
            await watcher.ask("ping")
        worker.epoch(1)
        assert (await watcher.until("training_update"))["epoch"] == 1

    def hub_event(values):
        return ConfigShown(config=values["config"], config_schema=values["config_schema"])

    play(story)
