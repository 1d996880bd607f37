"""Whose message is taken next: a client within its allowance at once, one that asks without end in turn with its like.

An allowance is time of the server's one thread. A message beyond its client's allowance waits in one queue for all such
clients, and after each the queue rests, so that they share a bounded part of one core, and whoever keeps within the
allowance waits for one message at most.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

# What a client may use at once, and what it gains back: a share for itself, and less when there are many.
BURST_S = 0.5
GAINED_SHARE = 0.02
GAINED_SHARE_OF_ALL = 0.2
# The queue rests this many times as long as its last message took, but no longer than the second figure.
REST = 2.0
LONGEST_REST_S = 0.1


class Allowance:
    """What one client may still use without waiting."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left_s, self._at = BURST_S, clock()

    def is_left(self, clients: int) -> bool:
        """Return whether anything is left to one of so many clients."""
        now = self._clock()
        share = min(GAINED_SHARE, GAINED_SHARE_OF_ALL / max(clients, 1))
        self._left_s = min(BURST_S, self._left_s + (now - self._at) * share)
        self._at = now
        return self._left_s > 0

    def spend(self, seconds: float) -> None:
        self._left_s = max(self._left_s - seconds, -BURST_S)


class Turns:
    """The queue of those beyond their allowance: `async with turns.of(allowance, clients)` around the work."""

    def __init__(self) -> None:
        self._queue = asyncio.Lock()
        self._answering = asyncio.Lock()

    @asynccontextmanager
    async def answering(self, allowance: Allowance) -> AsyncIterator[None]:
        """Make and send an answer that may be big: one between two looks at the sockets, at its client's expense."""
        async with self._answering:
            began = time.thread_time()
            try:
                yield
            finally:
                allowance.spend(time.thread_time() - began)
            await asyncio.sleep(0)

    def of(self, allowance: Allowance, clients: int) -> "_Turn":
        return _Turn(allowance, None if allowance.is_left(clients) else self._queue)


class _Turn:
    def __init__(self, allowance: Allowance, queue: asyncio.Lock | None) -> None:
        self._allowance, self._queue = allowance, queue
        self._began = 0.0

    async def __aenter__(self) -> bool:
        """Return whether the message had to wait."""
        if self._queue is not None:
            await self._queue.acquire()
        self._began = time.thread_time()
        return self._queue is not None

    async def __aexit__(self, *_: object) -> None:
        took_s = time.thread_time() - self._began
        self._allowance.spend(took_s)
        if self._queue is not None:
            try:
                await asyncio.sleep(min(REST * took_s, LONGEST_REST_S))
            finally:
                self._queue.release()
