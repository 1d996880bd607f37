"""uvicorn's reading of HTTP, with bounds on how many connections are open and how long one may say nothing."""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_OPEN = 200
ASKS_WITHIN_S = 10.0


class PatientHttp(H11Protocol):
    """A connection that has not asked for anything in time is ended, as is one too many."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= MOST_OPEN:
            transport.abort()
            return
        super().connection_made(transport)
        self._silence = self.loop.call_later(ASKS_WITHIN_S, self._end_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._silence is not None:
            self._silence.cancel()
            super().connection_lost(exc)

    def _end_silent(self) -> None:
        asked: object = getattr(self, "cycle", None)
        if asked is None:
            self.transport.abort()
