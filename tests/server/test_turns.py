"""Whose message is taken next."""

import asyncio
from itertools import pairwise

from breastai.server.connections import fair_queue
from breastai.server.connections.fair_queue import (
    BURST_S,
    GAINED_SHARE,
    GAINED_SHARE_OF_ALL,
    OPENING_S,
    REST,
    STORE_GAINED_SHARE,
    STORE_S,
    CpuBudget,
    FairQueue,
)


def test_an_allowance_is_spent_and_comes_back_more_slowly_among_many():
    for clients in (1, 5, 600):
        now = [0.0]
        allowance = CpuBudget(lambda now=now: now[0], BURST_S)
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
    allowance = CpuBudget(lambda: now[0], BURST_S)
    allowance.spend(1e9)
    now[0] = 2 * BURST_S / GAINED_SHARE
    assert allowance.is_left(1)
    now[0] = 1e9
    assert allowance.is_left(1)
    allowance.spend(BURST_S)
    assert not allowance.is_left(1)


def test_who_is_beyond_the_allowance_waits_in_turn_and_who_is_not_goes_past():
    async def story():
        queue, order = FairQueue(lambda: 0.0), []
        spent, fresh = CpuBudget(lambda: 0.0), CpuBudget(lambda: 0.0)
        while queue.is_left(spent):
            spent.spend(1e9)

        async def work(name, allowance):
            async with queue.of(allowance):
                order.append(name)

        waiting = [asyncio.create_task(work(number, spent)) for number in range(3)]
        await asyncio.sleep(0)
        assert order == [0]  # the first holds the queue while it rests
        await work("fresh", fresh)
        assert order[1] == "fresh"
        await asyncio.gather(*waiting)
        assert order == [0, "fresh", 1, 2]

    asyncio.run(story())


def test_newcomers_share_one_store_and_give_back_what_they_leave():
    now = [0.0]
    fair_queue = FairQueue(lambda: now[0])

    def newcomer():
        allowance = CpuBudget(lambda: now[0])
        fair_queue.welcome(allowance)
        return allowance

    crowd = [newcomer() for _ in range(500)]
    assert crowd[0].left_s - OPENING_S == STORE_S / 4
    assert STORE_S * 0.99 < sum(one.left_s - OPENING_S for one in crowd) <= STORE_S
    # One that spends what it is given, goes, and comes again, gains no more than the store does.
    for one in crowd:
        one.spend(1e9)
        fair_queue.goodbye(one)
    spent = 0.0
    for _ in range(1000):
        now[0] += 0.01
        one = newcomer()
        spent += one.left_s - OPENING_S
        one.spend(1e9)
        fair_queue.goodbye(one)
    assert spent <= STORE_GAINED_SHARE * now[0] + 1e-9
    # One that spends nothing leaves the store as it was.
    for _ in range(1000):
        one = newcomer()
        had = one.left_s
        fair_queue.goodbye(one)
    assert newcomer().left_s == had


def test_one_that_asks_often_among_many_that_ask_nothing_does_not_wait_and_a_flood_does():
    def share_at_once(asked_share):
        now = [0.0]
        queue = FairQueue(lambda: now[0])
        for _ in range(300):
            queue.welcome(CpuBudget(lambda: now[0]))
        now[0] = STORE_S / STORE_GAINED_SHARE
        allowance = CpuBudget(lambda: now[0])
        at_once = 0
        for _ in range(20_000):
            now[0] += 0.01
            at_once += queue.is_left(allowance)
            allowance.spend(0.01 * asked_share)
        return at_once / 20_000

    assert share_at_once(0.01) == 1.0
    # A flood gets its own share and the store's, and the store keeps what newcomers need.
    assert share_at_once(0.5) < 2 * (STORE_GAINED_SHARE + GAINED_SHARE) / 0.5
    now = [0.0]
    queue, flood, newcomer = FairQueue(lambda: now[0]), CpuBudget(lambda: now[0]), CpuBudget(lambda: now[0])
    while queue.is_left(flood):
        flood.spend(1e9)
    queue.welcome(newcomer)
    assert newcomer.left_s - OPENING_S == STORE_S / 8


def test_work_beyond_all_allowances_shares_a_bounded_part_of_the_time():
    now = [0.0]
    fair_queue = FairQueue(lambda: now[0])
    begins = sorted(now[0] + fair_queue.wait_s(0.001) for _ in range(100))
    assert begins[0] > 0
    assert all(later - earlier >= (1 + REST) * 0.001 - 1e-9 for earlier, later in pairwise(begins))


def test_a_client_far_beyond_its_allowance_is_answered_all_the_same(play, monkeypatch):
    monkeypatch.setattr(fair_queue, "BURST_S", 0.0001)

    async def story(stage):
        eager = await stage.connect()
        for _ in range(100):
            await eager.send("ping")
        for _ in range(100):
            assert (await eager.next())["type"] == "pong"

    play(story)
