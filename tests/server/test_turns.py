"""Whose message is taken next."""

import asyncio

from breastai.server import turns
from breastai.server.turns import BURST_S, GAINED_SHARE, GAINED_SHARE_OF_ALL, Allowance, Turns


def test_an_allowance_is_spent_and_comes_back_more_slowly_among_many():
    for clients in (1, 5, 600):
        now = [0.0]
        allowance = Allowance(lambda now=now: now[0])
        assert allowance.is_left(clients)
        allowance.spend(BURST_S)
        assert not allowance.is_left(clients)
        allowance.spend(0.01)
        share = min(GAINED_SHARE, GAINED_SHARE_OF_ALL / clients)
        now[0] = 0.009 / share
        assert not allowance.is_left(clients)
        now[0] = 0.011 / share
        assert allowance.is_left(clients)


def test_no_debt_is_for_ever_and_no_saving_without_end():
    now = [0.0]
    allowance = Allowance(lambda: now[0])
    allowance.spend(1e9)
    now[0] = 2 * BURST_S / GAINED_SHARE
    assert allowance.is_left(1)
    now[0] = 1e9
    assert allowance.is_left(1)
    allowance.spend(BURST_S)
    assert not allowance.is_left(1)


def test_who_is_beyond_the_allowance_waits_in_turn_and_who_is_not_goes_past():
    async def story():
        queue, order = Turns(), []
        spent, fresh = Allowance(lambda: 0.0), Allowance(lambda: 0.0)
        spent.spend(1e9)

        async def work(name, allowance):
            async with queue.of(allowance, 2):
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
    monkeypatch.setattr(turns, "BURST_S", 0.0001)

    async def story(stage):
        eager = await stage.connect()
        for _ in range(100):
            await eager.send("ping")
        for _ in range(100):
            assert (await eager.next())["type"] == "pong"

    play(story)
