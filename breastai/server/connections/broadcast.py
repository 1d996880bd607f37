"""The connected clients: sending to one and to all without ever waiting, so that a slow client costs the run nothing."""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable

from websockets.asyncio.server import ServerConnection, broadcast
from websockets.protocol import State

from breastai.domain.event_messages import encode_event
from breastai.domain.events import Event
from breastai.domain.v3_events import Version3Events
from breastai.server.connections.fair_queue import CpuBudget
from breastai.server.logs.server_log import LOG

# A client whose unsent bytes pass the first mark gets no more events of runs, until they are below the second; then
# it gets the latest state. One that stays behind, or lets answers pile up beyond the last mark, is dropped.
BEHIND_ABOVE_BYTES = 2**20
CAUGHT_UP_BELOW_BYTES = 2**16
DROP_ABOVE_BYTES = 2**24
# What may wait for all clients together; beyond it, those for whom most waits are dropped.
UNSENT_AT_MOST_BYTES = 2**28
BEHIND_AT_MOST_S = 30.0
_REVIEW_EVERY_S = 0.5
# While missed events are being read and sent, new ones are held back in order; so many at most.
_HELD_AT_MOST = 20_000


class Client(ABC):
    """Whoever is sent events, and what it has not been sent yet. `peer`: its address and port."""

    def __init__(self, peer: str, allowance: CpuBudget | None = None) -> None:
        self.peer = peer
        # Whose images, handed over, it may ask about.
        self.owner: Hashable = self
        self.behind_since: float | None = None
        self.missed_sessions: set[str] = set()
        self.held: list[str] | None = None
        self.replay_lock = asyncio.Lock()
        self.allowance = allowance or CpuBudget()

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether it still listens."""

    @property
    @abstractmethod
    def unsent_bytes(self) -> int:
        """What waits for it."""

    @abstractmethod
    def put(self, text: str) -> None:
        """Send one encoded event, without waiting."""

    @abstractmethod
    async def deliver(self, text: str) -> None:
        """Send one encoded event meant for it alone; wait while too much is unsent."""

    @abstractmethod
    def abort(self) -> None:
        """End it at once."""

    @abstractmethod
    async def close(self) -> None:
        """Say goodbye."""

    def __repr__(self) -> str:
        return f"client {self.peer}"


class SocketClient(Client):
    """A client at the other end of a WebSocket."""

    def __init__(self, connection: ServerConnection, allowance: CpuBudget | None = None) -> None:
        address = connection.remote_address  # gone with the connection
        super().__init__(f"{address[0]}:{address[1]}" if address else "", allowance)
        self.connection = connection

    @property
    def is_open(self) -> bool:
        return self.connection.state is State.OPEN

    @property
    def unsent_bytes(self) -> int:
        return self.connection.transport.get_write_buffer_size()

    def put(self, text: str) -> None:
        broadcast([self.connection], text)

    async def deliver(self, text: str) -> None:
        await self.connection.send(text)

    def abort(self) -> None:
        self.connection.transport.abort()

    async def close(self) -> None:
        await self.connection.close()


class Version3Client(SocketClient):
    """Version 3's page, or another that reads what it read."""

    def __init__(self, connection: ServerConnection, allowance: CpuBudget | None = None) -> None:
        super().__init__(connection, allowance)
        self._events = Version3Events()

    def put(self, text: str) -> None:
        for shown in self._translated(text):
            super().put(shown)

    async def deliver(self, text: str) -> None:
        for shown in self._translated(text):
            await super().deliver(shown)

    def _translated(self, text: str) -> list[str]:
        return [json.dumps(shown, ensure_ascii=False) for shown in self._events.translate(json.loads(text))]


class Broadcaster:
    """All clients. `latest_state` gives the event that brings a client up to date with a session."""

    def __init__(self, latest_state: Callable[[str], Event]) -> None:
        self._clients: set[Client] = set()
        self._latest_state = latest_state
        self._review: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._clients)

    def add(self, client: Client, welcome: Event) -> None:
        """Register a client and send its first message, with nothing in between that could be missed."""
        self.join(client)
        self.send(client, welcome)

    def join(self, client: Client) -> None:
        """Register a client that needs no welcome."""
        self._clients.add(client)

    def discard(self, client: Client) -> None:
        self._clients.discard(client)

    def send(self, client: Client, event: Event) -> None:
        """Send an event to one client. Nothing happens when it is gone."""
        self.send_text([client], encode_event(event))

    def broadcast(self, event: Event, answers: Iterable[tuple[Client, str | int | None]] = ()) -> str:
        """Send an event to all clients, and return it as it was sent.

        `answers`: the clients to whom the event is the answer, with the request_id each gave.
        """
        text = encode_event(event)
        answered: set[Client] = set()
        for client, request_id in answers:
            if request_id is not None and client in self._clients:
                answered.add(client)
                self._send_event(client, encode_event(event.model_copy(update={"request_id": request_id})), event)
        ready = [client for client in self._clients - answered if self._may_get(client, text, event)]
        self.send_text(ready, text)
        return text

    def send_text(self, clients: Iterable[Client], text: str) -> None:
        """Send one encoded event to some clients."""
        alive = [client for client in clients if self._is_alive(client)]
        broadcast([client.connection for client in alive if type(client) is SocketClient], text)
        for client in alive:
            if type(client) is not SocketClient:
                client.put(text)
        if any(client.unsent_bytes > BEHIND_ABOVE_BYTES for client in alive):
            self._review_soon()

    def hold(self, client: Client) -> None:
        """Keep back the events of runs for this client, in order, until `release`."""
        client.held = []

    def release(self, client: Client) -> None:
        """Go on sending events of runs to this client; what was held back is the caller's to send."""
        client.held = None

    def close(self) -> None:
        """Stop looking after slow clients."""
        if self._review is not None:
            self._review.cancel()

    def _send_event(self, client: Client, text: str, event: Event) -> None:
        if self._may_get(client, text, event):
            self.send_text([client], text)

    def _may_get(self, client: Client, text: str, event: Event) -> bool:
        """Return whether `client` gets `event` now; when not, note what it misses."""
        if client.held is not None and event.seq is not None:
            client.held.append(text)
            if len(client.held) > _HELD_AT_MOST:
                self._drop(client, "could not be brought up to date")
            return False
        if client.behind_since is None and client.unsent_bytes > BEHIND_ABOVE_BYTES:
            client.behind_since = asyncio.get_running_loop().time()
            LOG.warning("%r is too slow: it gets the latest state instead of every event", client)
            self._review_soon()
        if client.behind_since is None:
            return True
        if event.session_id is not None:
            client.missed_sessions.add(event.session_id)
        return False

    def _is_alive(self, client: Client) -> bool:
        if not client.is_open:
            return False
        if client.unsent_bytes > DROP_ABOVE_BYTES:
            self._drop(client, "does not read its answers")
            return False
        return True

    def _drop(self, client: Client, reason: str) -> None:
        LOG.warning("%r dropped: it %s", client, reason)
        self._clients.discard(client)
        client.abort()

    def _review_soon(self) -> None:
        if self._review is None:
            self._review = asyncio.get_running_loop().call_later(_REVIEW_EVERY_S, self._review_slow_clients)

    def _review_slow_clients(self) -> None:
        """Bring those who caught up to the latest state, and drop those who did not in time, or for whom most waits."""
        self._review = None
        unsent = {client: client.unsent_bytes for client in self._clients}
        total = sum(unsent.values())
        for client in sorted(unsent, key=lambda client: unsent[client], reverse=True):
            if total <= UNSENT_AT_MOST_BYTES:
                break
            total -= unsent[client]
            self._drop(client, "does not read, and too much waits for all clients together")
        now = asyncio.get_running_loop().time()
        for client in [client for client in self._clients if client.behind_since is not None]:
            if client.unsent_bytes <= CAUGHT_UP_BELOW_BYTES:
                client.behind_since = None
                sessions, client.missed_sessions = client.missed_sessions, set()
                for session_id in sorted(sessions):
                    self.send(client, self._latest_state(session_id))
            elif now - (client.behind_since or now) > BEHIND_AT_MOST_S:
                self._drop(client, f"was behind for {BEHIND_AT_MOST_S:g} s")
            else:
                self._review_soon()
