"""What arrives over a connection, taken in little by little: no flood of frames holds up the other clients."""

import asyncio
import time
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection

from breastai.server.connections.fair_queue import CpuBudget, FairQueue

# One look at a connection takes in so many bytes: as many as take about PIECE_S, between these two.
_LEAST_PIECE_BYTES = 256
_MOST_PIECE_BYTES = 2**16
_FIRST_PIECE_BYTES = 2**12
PIECE_S = 0.001
# Who sends what must be answered (the protocol's own pings) and does not read the answers is ended.
_MOST_UNSENT_BYTES = 2**24


class ThrottledConnection(ServerConnection):
    """A connection whose bytes wait here until it is their turn; `allowance` is what they, and its requests, use up."""

    turns: FairQueue

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.allowance = CpuBudget()
        self._waiting = bytearray()
        self._piece_bytes = _FIRST_PIECE_BYTES
        self._next: asyncio.Handle | None = None
        self._full = self._over = False
        super().connection_made(transport)
        # The protocol's own queue of messages: when it is full, and when there is room again.
        self.recv_messages.pause = self._hold
        self.recv_messages.resume = self._go_on

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        if self._next is not None or self._full:
            return
        if self.turns.is_left(self.allowance):
            self._take_in()
        else:
            self._continue(PIECE_S)

    def eof_received(self) -> None:
        # With TLS the end may come while bytes wait; one who has no turn left is not waited for.
        if self._waiting:
            self.transport.abort()
        else:
            super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._over = True
        self._waiting.clear()
        if self._next is not None:
            self._next.cancel()
        super().connection_lost(exc)

    def _take_in(self) -> None:
        """Give the protocol one piece, and see when the next one may come."""
        self._next = None
        if self._over or self._full:
            return
        piece = bytes(self._waiting[: self._piece_bytes])
        del self._waiting[: self._piece_bytes]
        began, cpu = time.perf_counter(), time.thread_time()
        super().data_received(piece)
        took_s = time.perf_counter() - began
        self.allowance.spend(time.thread_time() - cpu)
        if took_s > PIECE_S:
            self._piece_bytes = max(self._piece_bytes // 2, _LEAST_PIECE_BYTES)
        elif len(piece) == self._piece_bytes and took_s < PIECE_S / 4:
            self._piece_bytes = min(self._piece_bytes * 2, _MOST_PIECE_BYTES)
        if self.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            self.transport.abort()
        elif not self._waiting:
            if not self._full:
                self.transport.resume_reading()
        elif not self._full:
            self._continue(took_s)

    def _continue(self, took_s: float) -> None:
        """Have the next piece taken in: at the loop's next look, or, beyond the allowance, in turn with its like."""
        self.transport.pause_reading()
        wait_s = 0.0 if self.turns.is_left(self.allowance) else self.turns.wait_s(took_s)
        self._next = self.loop.call_later(wait_s, self._take_in) if wait_s else self.loop.call_soon(self._take_in)

    def _hold(self) -> None:
        self._full = True
        self.transport.pause_reading()

    def _go_on(self) -> None:
        self._full = False
        if self._next is None and not self._over:
            self._next = self.loop.call_soon(self._take_in)


def throttled_connection(
    turns: FairQueue, made: Callable[[ServerConnection], None], lost: Callable[[ServerConnection], None]
) -> type[ThrottledConnection]:
    """Return what `serve` makes its connections of; `made` and `lost` are told of each."""

    class Metered(ThrottledConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            made(self)

        def connection_lost(self, exc: Exception | None) -> None:
            lost(self)
            super().connection_lost(exc)

    Metered.turns = turns
    return Metered
