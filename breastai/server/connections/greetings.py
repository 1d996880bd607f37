"""First messages: those who come together are greeted together, since each of them is told the same."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence

from breastai.server.connections.broadcast import Client
from breastai.server.connections.fair_queue import LONGEST_REST_S, REST

Greet = Callable[[Sequence[Client]], Awaitable[None]]


class Greetings:
    """After a restart hundreds come at once. Who comes while some are being greeted is greeted with the next."""

    def __init__(self) -> None:
        self._coming: list[tuple[Client, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def join(self, client: Client, greet: Greet) -> None:
        """Have a client greeted by `greet`, which is given all who came; raise what it raises."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._coming.append((client, done))
        if self._task is None:
            self._task = asyncio.create_task(self._greet_all(greet), name="greetings")
        await done

    async def _greet_all(self, greet: Greet) -> None:
        try:
            while self._coming:
                now, self._coming = self._coming, []
                began_cpu, began = time.thread_time(), time.perf_counter()
                fault: Exception | None = None
                try:
                    await greet([client for client, _ in now])
                except Exception as error:
                    fault = error
                for client, done in now:
                    client.allowance.spend((time.thread_time() - began_cpu) / len(now))
                    with contextlib.suppress(asyncio.InvalidStateError):  # its client is gone
                        done.set_result(None) if fault is None else done.set_exception(fault)
                if self._coming:
                    await asyncio.sleep(min(REST * (time.perf_counter() - began), LONGEST_REST_S))
        finally:
            self._task = None
