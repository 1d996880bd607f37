"""The session's events as Server-Sent Events: a client of the hub for as long as somebody listens."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from breastai.domain.requests import GetStatus
from breastai.server.connections.broadcast import Client
from breastai.server.jobs.job_runner import status
from breastai.server.requests.connection import answer
from breastai.server.services import Services

MOST_LISTENERS = 100
_ROOM_BYTES = 2**18
_SIGN_OF_LIFE_S = 15.0


class Listener(Client):
    """Whoever listens to events; what was not fetched yet waits here, and the hub sees how much."""

    def __init__(self, peer: str, session_id: str | None) -> None:
        super().__init__(peer)
        self._session_id = session_id
        self._texts: deque[str] = deque()
        self._waiting_bytes = 0
        self._fetched = asyncio.Event()
        self._came = asyncio.Event()
        self._open = True

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def unsent_bytes(self) -> int:
        return self._waiting_bytes

    def put(self, text: str) -> None:
        self._texts.append(text)
        self._waiting_bytes += len(text)
        self._came.set()

    async def deliver(self, text: str) -> None:
        while self._open and self._waiting_bytes > _ROOM_BYTES:
            self._fetched.clear()
            await self._fetched.wait()
        self.put(text)

    def abort(self) -> None:
        """End the stream: the hub drops who does not read."""
        self._open = False
        self._came.set()
        self._fetched.set()

    async def close(self) -> None:
        self.abort()

    async def events(self) -> AsyncIterator[str]:
        """Yield events as Server-Sent Events, and a comment now and then, until the end."""
        while self._open or self._texts:
            if not self._texts:
                self._came.clear()
                try:
                    async with asyncio.timeout(_SIGN_OF_LIFE_S):
                        await self._came.wait()
                except TimeoutError:
                    yield ": still here\n\n"
                continue
            text = self._texts.popleft()
            self._waiting_bytes -= len(text)
            self._fetched.set()
            event = json.loads(text)
            if self._session_id in (None, event.get("session_id")) or event.get("session_id") is None:
                yield _told(event, text)


def _told(event: dict[str, Any], text: str) -> str:
    """Return an event as a block of lines; its id is what a client that comes back is to say."""
    place = f"id: {event['run_id']}:{event['seq']}\n" if event.get("run_id") and event.get("seq") else ""
    return f"event: {event['type']}\n{place}data: {text}\n\n"


class Listeners:
    """All who listen."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._listeners: set[Listener] = set()

    @property
    def is_full(self) -> bool:
        return len(self._listeners) >= MOST_LISTENERS

    async def stream(self, peer: str, session_id: str | None, after: tuple[str, int] | None) -> AsyncIterator[str]:
        """Yield what happens, from now or from what a client that comes back has missed: `after` a run's number."""
        listener = Listener(peer, session_id)
        self._listeners.add(listener)
        hub = self._services.hub
        session = self._services.sessions.get(session_id or "default")
        hub.add(listener, status(session, hub))
        catching_up: asyncio.Task[None] | None = None
        if after is not None:
            run_id, seq = after
            asked = GetStatus(session_id=session.session_id, run_id=run_id, last_seq=seq)
            catching_up = asyncio.create_task(answer(self._services, listener, asked), name="rest-catch-up")
        try:
            async for block in listener.events():
                yield block
        finally:
            listener.abort()
            hub.discard(listener)
            self._listeners.discard(listener)
            if catching_up is not None:
                catching_up.cancel()
                await asyncio.wait([catching_up])

    def close(self) -> None:
        """End all streams."""
        for listener in list(self._listeners):
            listener.abort()
