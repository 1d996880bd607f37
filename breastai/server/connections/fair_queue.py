"""Whose message is taken next: a client within its allowance at once, one that asks without end in turn with its like.

An allowance is time of the server's one thread. What is beyond its client's allowance waits in turn with all such
clients' messages, and after each of them there is a rest, so that they share a bounded part of the time this process
gets, and whoever keeps within the allowance waits for one message at most. What newcomers may use at once comes out of
one store, so that nobody gains by leaving and coming back; what newcomers leave of it is for those beyond their allowance,
so that one that asks often among hundreds that ask nothing does not wait.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

Clock = Callable[[], float]

# What a client may use at once, and what it gains back: a share for itself, and less when there are many.
BURST_S = 0.25
GAINED_SHARE = 0.02
GAINED_SHARE_OF_ALL = 0.2
# What all newcomers may use at once: each is given a part of what is left.
STORE_S = 1.0
STORE_GAINED_SHARE = 0.05
_PART_OF_STORE = 0.25
_KEPT_FOR_NEWCOMERS_S = 0.5
# Before a connection has become a client: enough for its opening.
OPENING_S = 0.005
# The queue rests this many times as long as its last message took, but no longer than the second figure.
REST = 3.0
LONGEST_REST_S = 0.1


class CpuBudget:
    """What one client may still use without waiting."""

    def __init__(self, clock: Clock = time.monotonic, left_s: float = OPENING_S, most_s: float = BURST_S) -> None:
        self._clock, self._most_s = clock, most_s
        self.left_s, self._at = left_s, clock()

    def gain(self, share: float) -> None:
        """Gain back what the time since the last look brings, at so many seconds a second."""
        now = self._clock()
        self.left_s = min(self._most_s, self.left_s + (now - self._at) * share)
        self._at = now

    def is_left(self, clients: int) -> bool:
        """Return whether anything is left to one of so many clients."""
        self.gain(min(GAINED_SHARE, GAINED_SHARE_OF_ALL / max(clients, 1)))
        return self.left_s > 0

    def spend(self, seconds: float) -> None:
        self.left_s = max(self.left_s - seconds, -BURST_S)


class FairQueue:
    """The queue of those beyond their allowance: `async with turns.of(allowance)` around the work."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._queue = asyncio.Lock()
        self._answering = asyncio.Lock()
        self._store = CpuBudget(clock, STORE_S, STORE_S)
        self._free_at = 0.0
        self._clients = 0
        self.is_closing = False

    def close(self) -> None:
        """The server ends: nobody rests any more, so that those who wait do not hold it up."""
        self.is_closing = True

    def welcome(self, allowance: CpuBudget) -> None:
        """Give a newcomer its part of the store."""
        self._clients += 1
        self._store.gain(STORE_GAINED_SHARE)
        part = min(BURST_S, max(self._store.left_s, 0.0) * _PART_OF_STORE)
        self._store.spend(part)
        allowance.left_s += part

    def goodbye(self, allowance: CpuBudget) -> None:
        """Take back what a client has left: those who come and go use up nothing."""
        self._clients -= 1
        self._store.left_s = min(STORE_S, self._store.left_s + max(allowance.left_s, 0.0))

    def is_left(self, allowance: CpuBudget) -> bool:
        return allowance.is_left(self._clients) or self._spare(allowance)

    def _spare(self, allowance: CpuBudget) -> bool:
        """Return whether the store could lift an allowance above nothing again."""
        self._store.gain(STORE_GAINED_SHARE)
        part = min(OPENING_S - allowance.left_s, self._store.left_s - _KEPT_FOR_NEWCOMERS_S)
        if part > 0:
            self._store.spend(part)
            allowance.left_s += part
        return allowance.left_s > 0

    def wait_s(self, work_s: float) -> float:
        """Return how long a piece of work beyond an allowance, which takes about `work_s`, waits for its turn."""
        now = self._clock()
        begins_at = max(self._free_at, now + min(REST * work_s, LONGEST_REST_S))
        self._free_at = begins_at + work_s + min(REST * work_s, LONGEST_REST_S)
        return begins_at - now

    @asynccontextmanager
    async def answering(self, allowance: CpuBudget) -> AsyncIterator[None]:
        """Make and send an answer that may be big: one between two looks at the sockets, at its client's expense."""
        async with self._answering:
            began = time.thread_time()
            try:
                yield
            finally:
                allowance.spend(time.thread_time() - began)
            await asyncio.sleep(0)

    def of(self, allowance: CpuBudget) -> "_Turn":
        return _Turn(self, allowance, None if self.is_closing or self.is_left(allowance) else self._queue)


class _Turn:
    def __init__(self, turns: FairQueue, allowance: CpuBudget, queue: asyncio.Lock | None) -> None:
        self._turns = turns
        self._allowance, self._queue = allowance, queue
        self._began = self._began_cpu = 0.0

    async def __aenter__(self) -> bool:
        """Return whether the message had to wait."""
        if self._queue is not None:
            await self._queue.acquire()
        else:
            await asyncio.sleep(0)  # messages that came together are taken one at each look at the sockets
        self._began, self._began_cpu = time.perf_counter(), time.thread_time()
        return self._queue is not None

    async def __aexit__(self, *_: object) -> None:
        # The rest is as long as others had to wait, which on a busy machine is longer than what was computed.
        took_s = time.perf_counter() - self._began
        self._allowance.spend(time.thread_time() - self._began_cpu)
        if self._queue is not None:
            try:
                if not self._turns.is_closing:
                    await asyncio.sleep(min(REST * took_s, LONGEST_REST_S))
            finally:
                self._queue.release()
