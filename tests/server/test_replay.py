"""A client that comes back gets what it missed, each event once and in order."""

import asyncio

import pytest

from breastai.domain.event_messages import encode_event
from breastai.domain.events import Log
from breastai.server.jobs import session as session_module


async def numbers_until(script, last: int) -> list[int]:
    """Return the numbers of the run's events as they come, up to `last`."""
    seen: list[int] = []
    while not seen or seen[-1] != last:
        event = await script.next()
        if "seq" in event:
            seen.append(event["seq"])
    return seen


def test_a_client_that_comes_back_gets_exactly_what_it_missed(play):
    async def story(stage):
        watcher = await stage.connect()
        worker = await stage.training(watcher)
        for number in range(1, 10):
            worker.epoch(number)
        assert await numbers_until(watcher, 10) == list(range(2, 11))
        back = await stage.connect()
        await back.send("get_status", run_id=worker.job["run_id"], last_seq=4)
        status = await back.until("status")
        assert (status["missed"], status["snapshot"]["seq"]) == (6, 10)
        worker.epoch(10)
        assert await numbers_until(back, 11) == list(range(5, 12))
        assert (await back.ask("get_status", last_seq=11))["missed"] == 0

    play(story)


def test_without_last_seq_or_with_another_run_only_the_status_comes(play):
    async def story(stage):
        script = await stage.connect()
        await stage.training(script)
        assert (await script.ask("get_status"))["missed"] is None
        assert (await script.ask("get_status", run_id="other", last_seq=0))["missed"] is None
        assert (await script.ask("ping"))["type"] == "pong"

    play(story)


def test_a_status_that_waited_for_its_turn_tells_how_it_is_then(play):
    """Else a page hears that a run ended, and after that that it goes on, and shows it as running for good."""

    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        async with stage.services.turns._answering:
            await script.send("get_status", request_id="waits")
            await script.send("get_queue", request_id="too")
            await script.ask("ping")  # so both are asked by now
            worker.complete()
            await script.until("training_complete")
        told = [await script.next()]
        while told[-1].get("request_id") != "too":
            told.append(await script.next())
        states = [event["snapshot"]["state"] for event in told if event["type"] == "status"]
        assert len(states) >= 2
        assert set(states) == {"idle"}

    play(story)


@pytest.mark.parametrize("last_seq", [0, 3, 40, 59])
def test_events_too_old_for_memory_come_from_the_journal_without_gap_or_repeat(play, monkeypatch, last_seq):
    monkeypatch.setattr(session_module, "RECENT_EVENTS", 8)

    async def story(stage):
        watcher = await stage.connect()
        worker = await stage.training(watcher)
        journal = stage.workspace.journal_file(worker.job["run_id"])
        lines = ["torn li"]
        for seq in range(1, 61):
            event = Log(level="info", message=f"line {seq}", run_id=worker.job["run_id"], seq=seq)
            lines.append(encode_event(event))
            if seq > 1:
                worker.emit(Log(level="info", message=f"line {seq}"))
        journal.write_text("\n".join(lines) + '\n{"type":"log","seq":61,"mess')
        assert await numbers_until(watcher, 60) == list(range(2, 61))
        back = await stage.connect()
        # New events arrive while the old ones are read and sent.
        await back.send("get_status", last_seq=last_seq)
        for _ in range(5):
            worker.emit(Log(level="info", message="new"))
        assert await numbers_until(back, 65) == list(range(last_seq + 1, 66))

    play(story)


def test_two_replays_at_once_to_one_client_do_not_mix(play):
    async def story(stage):
        script = await stage.connect()
        worker = await stage.training(script)
        for number in range(1, 20):
            worker.epoch(number)
        await numbers_until(script, 20)
        await asyncio.gather(*(script.send("get_status", last_seq=0, request_id=n) for n in (1, 2)))
        for _ in (1, 2):
            assert (await script.until("status"))["missed"] == 20
            assert await numbers_until(script, 20) == list(range(1, 21))

    play(story)


def test_a_new_client_misses_nothing_between_its_welcome_and_the_live_events(play):
    async def story(stage):
        watcher = await stage.connect()
        worker = await stage.training(watcher)

        async def join() -> None:
            script = await stage.connect()
            at = script_seq(stage.welcome)
            assert await numbers_until(script, 101) == list(range(at + 1, 102))

        def script_seq(welcome) -> int:
            return welcome["snapshot"]["seq"]

        for number in range(1, 100):
            worker.epoch(number)
        joined = asyncio.create_task(join())
        await numbers_until(watcher, 100)
        while stage.welcome["snapshot"]["seq"] is None:
            await watcher.ask("ping")
        worker.epoch(100)
        await joined

    play(story)


def test_the_history_comes_a_page_at_a_time_and_a_repeated_epoch_counts_once(play, epoch_update):
    async def story(stage):
        script = await stage.connect()
        assert (await script.ask("get_history"))["epochs"] == []
        worker = await stage.training(script)
        run_id = worker.job["run_id"]
        journal = stage.workspace.journal_file(run_id)
        for seq, epoch in enumerate([1, 2, 3, 3, *range(4, 251)], start=1):
            event = epoch_update(epoch).model_copy(update={"run_id": run_id, "seq": seq})
            with journal.open("a") as file:
                file.write(encode_event(event) + "\n")
        page = await script.ask("get_history")
        assert [epoch["epoch"] for epoch in page["epochs"]] == list(range(1, 201))
        assert page["total"] == 250
        rest = await script.ask("get_history", run_id=run_id, **{"from": 201})
        assert (rest["first"], rest["last"]) == (201, 250)
        third = await script.ask("get_history", run_id=run_id, **{"from": 3, "to": 3})
        assert [epoch["seq"] for epoch in third["epochs"]] == [4]
        assert (await script.ask("get_history", run_id="none"))["code"] == "run.not_found"

    play(story)


@pytest.mark.parametrize(("remembered", "last_seq", "first"), [(100, 0, 51), (4, 0, 51), (4, 55, 56), (10, 50, 51)])
def test_of_many_missed_events_only_the_latest_come_and_the_client_is_told(
    play, monkeypatch, remembered, last_seq, first
):
    monkeypatch.setattr(session_module, "RECENT_EVENTS", remembered)

    async def story(stage):
        watcher = await stage.connect()
        worker = await stage.training(watcher)
        run_id = worker.job["run_id"]
        events = [Log(level="info", message="é" * 999, run_id=run_id, seq=seq) for seq in range(1, 61)]
        for event in events[1:]:
            worker.emit(event.model_copy(update={"seq": None}))
        stage.workspace.journal_file(run_id).write_text(
            "".join(f"{encode_event(event)}\n" for event in events), encoding="utf-8"
        )
        assert await numbers_until(watcher, 60) == list(range(2, 61))
        back = await stage.connect()
        await back.send("get_status", run_id=run_id, last_seq=last_seq, most=10)
        status = await back.until("status")
        assert (status["missed"], status["left_out"]) == (61 - first, last_seq < first - 1)
        assert await numbers_until(back, 60) == list(range(first, 61))

    play(story)
