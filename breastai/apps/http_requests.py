"""Requests asked over HTTP: each is a client of the hub that waits for one answer, and may be come back for."""

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

from breastai.domain.errors import TooManyRequests
from breastai.domain.events import Event, Prediction, UnitPrediction
from breastai.domain.requests import AddImage, Request
from breastai.server.connections.broadcast import Client
from breastai.server.connections.fair_queue import CpuBudget
from breastai.server.requests.connection import answer
from breastai.server.services import Services

MOST_AT_ONCE = 64
MOST_KEPT = 200
MOST_PARTS = 20_000
_MOST_PEERS = 1000
# Images handed over by requests, which no connection outlives, are removed when nobody asks about them for so long.
IMAGES_KEPT_S = 600.0


class Ask(Client):
    """One request: its answer once there is one, and what came with it."""

    def __init__(self, peer: str, request: Request) -> None:
        super().__init__(peer)
        self.id = secrets.token_hex(8)
        self.kind: str = getattr(request, "type", "")
        # The hub tells an answer by its request_id; that of the sender, or none, comes in its place.
        self._given_id = request.request_id
        # Events that belong to an answer: one for each image, before the event that says all were looked at.
        told: list[type[Event]] = [] if request.told_each is None else [request.told_each]
        told += [UnitPrediction] if Prediction in told else []
        self._parts = {str(event.model_fields["type"].default) for event in told}
        # What is told to all is only looked into when it can concern this request.
        self._signs = (self.id, *(f'"{part}"' for part in self._parts))
        self.request = request.model_copy(update={"request_id": self.id})
        self.with_pictures = True
        self.answer: dict[str, Any] | None = None
        self.events: list[dict[str, Any]] = []
        self._heard, self._answered = asyncio.Event(), asyncio.Event()
        self._open = True

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def unsent_bytes(self) -> int:
        return 0

    @property
    def is_answered(self) -> bool:
        return self._answered.is_set()

    def put(self, text: str) -> None:
        if any(sign in text for sign in self._signs):
            self._take(json.loads(text), to_all=True)

    async def deliver(self, text: str) -> None:
        self._take(json.loads(text), to_all=False)

    def abort(self) -> None:
        self._open = False
        self._heard.set()

    async def close(self) -> None:
        """Nothing is left open by a request."""

    async def answered_within(self, wait_s: float) -> bool:
        """Wait for the answer, but no longer; return whether it is there."""
        if not self.is_answered and wait_s > 0:
            try:
                async with asyncio.timeout(wait_s):
                    await self._answered.wait()
            except TimeoutError:
                pass
        return self.is_answered

    def _take(self, event: dict[str, Any], to_all: bool) -> None:
        if self.answer is None and event.get("request_id") == self.id:
            del event["request_id"]
            self.answer = event if self._given_id is None else {**event, "request_id": self._given_id}
            self._heard.set()
        elif (not to_all or event["type"] in self._parts) and len(self.events) < MOST_PARTS:
            self.events.append(event if self.with_pictures else _without_pictures(event))

    async def over(self) -> None:
        """Wait until the answer is whole."""
        await self._answered.wait()

    async def heard(self) -> None:
        """Wait for the event that answers."""
        await self._heard.wait()

    def finish(self) -> None:
        """The answer is whole: what else the hub sends is no part of it."""
        self._open = False
        self._answered.set()


class Asks:
    """The requests under way, and the answers nobody has come for yet."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept: OrderedDict[str, Ask] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._allowances: OrderedDict[str, CpuBudget] = OrderedDict()
        self._removals: dict[Hashable, asyncio.TimerHandle] = {}

    def get(self, ask_id: str) -> Ask | None:
        """Return a request that was told to be come back for, None when it is not known any more."""
        return self._kept.get(ask_id)

    def keep(self, ask: Ask) -> None:
        """Remember a request for those who come back; the oldest answered ones are forgotten."""
        self._kept[ask.id] = ask
        for old in [name for name, each in self._kept.items() if each.is_answered][: len(self._kept) - MOST_KEPT]:
            del self._kept[old]

    async def begin(self, peer: str, request: Request, owner: Hashable = None) -> Ask:
        """Ask; the answer comes to what is returned. `owner`: of the images it asks about. Raise TooManyRequests."""
        if len(self._tasks) >= MOST_AT_ONCE:
            raise TooManyRequests(MOST_AT_ONCE)
        ask = Ask(peer, request)
        ask.owner = owner or f"rest {_address(peer)}"
        ask.allowance = self._allowance(peer)
        async with self._services.turns.of(ask.allowance):
            task = asyncio.create_task(self._answer(ask), name=f"rest-{ask.kind}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return ask

    async def close(self, wait_s: float) -> None:
        """Let what was asked for finish, within `wait_s`."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=wait_s)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        for removal in self._removals.values():
            removal.cancel()  # the server removes all there is

    def _drop_later(self, owner: Hashable) -> None:
        """Have images that nobody asks about removed after a while."""
        before = self._removals.pop(owner, None)
        if before is not None:
            before.cancel()
        loop, drop = asyncio.get_running_loop(), self._services.handed.drop

        def remove() -> None:
            self._removals.pop(owner, None)
            loop.run_in_executor(None, drop, owner)

        self._removals[owner] = loop.call_later(IMAGES_KEPT_S, remove)

    async def _answer(self, ask: Ask) -> None:
        """Have the request answered as any client's; a job's answer comes later, from the hub."""
        hub = self._services.hub
        hub.join(ask)
        try:
            await answer(self._services, ask, ask.request)
            await ask.heard()
        finally:
            hub.discard(ask)
            if isinstance(ask.request, AddImage):
                self._drop_later(ask.owner)
            ask.finish()

    def _allowance(self, peer: str) -> CpuBudget:
        """Return what the address of `peer` may use without waiting: each request is a client of its own."""
        address = _address(peer)
        allowance = self._allowances.get(address)
        if allowance is None:
            allowance = self._allowances[address] = CpuBudget()
            self._services.turns.welcome(allowance)
        self._allowances.move_to_end(address)
        while len(self._allowances) > _MOST_PEERS:
            _, oldest = self._allowances.popitem(last=False)
            self._services.turns.goodbye(oldest)
        return allowance


def _address(peer: str) -> str:
    return peer.rpartition(":")[0]


def _without_pictures(event: dict[str, Any]) -> dict[str, Any]:
    """Return an answer about an image without what makes it long."""
    answers = [{**each, "heat_map": None} if "heat_map" in each else each for each in event.get("answers", [])]
    return {**event, "picture": None, "answers": answers}
