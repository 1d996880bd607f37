"""Serving HTTP by uvicorn, with bounds on how many connections are open and how long one may say nothing."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Literal

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

MOST_OPEN = 200
ASKS_WITHIN_S = 10.0
END_WITHIN_S = 5


class PatientHttp(H11Protocol):
    """A connection that says nothing whole in time, at first or after an answer, is ended.

    With one too many the one that has been asking for nothing for longest goes, or else the new one.
    """

    resting: "dict[PatientHttp, None]"  # of one server, in the order of their last answers

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        if len(self.connections) >= MOST_OPEN and not self._end_idle():
            transport.abort()
            return
        super().connection_made(transport)
        self.resting[self] = None
        self._wait_for_request()

    def on_response_complete(self) -> None:
        # What is left of a body that nobody reads, or half a head, is no request either.
        self._wait_for_request()
        if self in self.resting:  # the last of those who rest
            self.resting[self] = self.resting.pop(self)
        super().on_response_complete()

    def _end_idle(self) -> bool:
        """End the connection that has asked for nothing for longest; return whether there was one."""
        for each in self.resting:
            if each.cycle is None or each.cycle.response_complete:
                each.transport.abort()
                self.connections.discard(each)
                del self.resting[each]
                return True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.resting.pop(self, None)
        if self._silence is not None:
            self._silence.cancel()
            super().connection_lost(exc)

    def _wait_for_request(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
        self._silence = self.loop.call_later(ASKS_WITHIN_S, self._end_silent)

    def _end_silent(self) -> None:
        asked: RequestResponseCycle | None = self.cycle
        if asked is not None and not asked.response_complete:
            return
        if self.transport.get_write_buffer_size():  # an answer still on its way
            self._wait_for_request()
        else:
            self.transport.abort()


def http_config(app: Callable[..., Any], tls: ssl.SSLContext | None, lifespan: Literal["on", "off"]) -> uvicorn.Config:
    """Return how uvicorn serves each of our doors over HTTP: by our own sockets, logs and TLS."""
    return uvicorn.Config(
        app,
        http=type("PatientHttp", (PatientHttp,), {"resting": {}}),
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who asks is who connects, whatever a header says
        timeout_graceful_shutdown=END_WITHIN_S,
        ssl_context_factory=None if tls is None else lambda *_: tls,
    )
