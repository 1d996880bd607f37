"""Whose message is taken next."""

import asyncio

from breastai.server import turns
from breastai.server.turns import BURST, BYTES_OF_ONE, GAINED_PER_S, Allowance, Turns


def spend(allowance: Allowance, size_bytes: int = 0) -> int:
    """Return how many messages go at once."""
    count = 0
    while allowance.take(size_bytes):
        count += 1
    return count


def test_an_allowance_is_spent_and_comes_back():
    now = [0.0]
    allowance = Allowance(lambda: now[0])
    assert spend(allowance) == BURST
    now[0] = 2.0
    assert spend(allowance) == 2 * GAINED_PER_S
    now[0] = 1e9
    assert spend(allowance) == BURST


def test_a_big_message_takes_more_of_it():
    assert spend(Allowance(lambda: 0.0), 9 * BYTES_OF_ONE) == BURST / 10


def test_who_is_beyond_the_allowance_waits_in_turn_and_who_is_not_goes_past(monkeypatch):
    monkeypatch.setattr(turns, "BURST", 1.0)

    async def story():
        queue, order = Turns(), []
        spent, fresh = Allowance(lambda: 0.0), Allowance(lambda: 0.0)
        spent._left = 0.0

        async def work(name, allowance):
            async with queue.of(allowance, 0):
                order.append(name)

        waiting = [asyncio.create_task(work(number, spent)) for number in range(3)]
        await asyncio.sleep(0)
        assert order == [0]  # the first holds the queue while it rests
        await work("fresh", fresh)
        assert order[1] == "fresh"
        await asyncio.gather(*waiting)
        assert order == [0, "fresh", 1, 2]

    asyncio.run(story())


def test_a_client_far_beyond_its_allowance_is_answered_all_the_same(play, monkeypatch):
    monkeypatch.setattr(turns, "BURST", 2.0)

    async def story(stage):
        eager = await stage.connect()
        for _ in range(100):
            await eager.send("ping")
        for _ in range(100):
            assert (await eager.next())["type"] == "pong"

    play(story)
