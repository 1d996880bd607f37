"""Whose message is taken next: a client within its allowance at once, one that asks without end in turn with its like.

A message beyond its client's allowance waits in one queue for all such clients, and after each the queue rests, so that
they share a bounded part of one core, and whoever keeps within the allowance waits for one message at most.
"""

import asyncio
import time
from collections.abc import Callable

# What a client may send at once, and what it gains back: pages and scripts stay far below it.
BURST = 200.0
GAINED_PER_S = 5.0
# A big message costs as many as it takes as long to read.
BYTES_OF_ONE = 2**13
# The queue rests this many times as long as its last message took, but no longer than the second figure.
REST = 2.0
LONGEST_REST_S = 0.1


class Allowance:
    """What one client may still send without waiting."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left, self._at = BURST, clock()

    def take(self, size_bytes: int) -> bool:
        """Take a message out of the allowance; return False, and take nothing, when there is too little left."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._at) * GAINED_PER_S)
        self._at = now
        cost = 1.0 + size_bytes / BYTES_OF_ONE
        if cost > self._left:
            return False
        self._left -= cost
        return True


class Turns:
    """The queue of those beyond their allowance: `async with turns.of(allowance, size_bytes)` around the work."""

    def __init__(self) -> None:
        self._queue = asyncio.Lock()

    def of(self, allowance: Allowance, size_bytes: int) -> "_Turn":
        return _Turn(None if allowance.take(size_bytes) else self._queue)


class _Turn:
    def __init__(self, queue: asyncio.Lock | None) -> None:
        self._queue = queue
        self._began = 0.0

    async def __aenter__(self) -> None:
        if self._queue is not None:
            await self._queue.acquire()
            self._began = time.perf_counter()

    async def __aexit__(self, *_: object) -> None:
        if self._queue is not None:
            took_s = time.perf_counter() - self._began
            try:
                await asyncio.sleep(min(REST * took_s, LONGEST_REST_S))
            finally:
                self._queue.release()
