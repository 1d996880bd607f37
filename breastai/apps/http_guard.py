"""What every HTTP request of a door meets first: the rule of who may come in, sizes, and headers on each answer."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from time import monotonic

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.datastructures import Headers

from breastai.server.access.admission import Admission
from breastai.server.access.connection_rules import MOST_MESSAGE_BYTES
from breastai.server.connections.static_files import SAFETY
from breastai.server.logs.audit_log import tell

BODY_WITHIN_S = 120.0
_TELL_EVERY_S = 60.0
_MOST_TALLIES = 1000


class Guard:
    """ASGI middleware around a door's application. `bigger_bodies`: by path, how many bytes may come there."""

    def __init__(self, app: ASGIApp, gate: Admission, bigger_bodies: Mapping[str, int]) -> None:
        self._app, self._gate, self._bigger_bodies = app, gate, bigger_bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers([(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]])
        target = scope["path"] + ("?" + scope["query_string"].decode("latin-1") if scope["query_string"] else "")
        refusal = self._gate.refusal(scope["client"][0] if scope["client"] else "", headers, target)
        guarded = _with_safety(send)
        if refusal is not None:
            wait = {} if refusal.retry_after_s is None else {"Retry-After": str(refusal.retry_after_s)}
            answer = problem(refusal.status.value, "access.refused", refusal.text.strip(), wait)
            await answer(scope, receive, guarded)
            return
        most = self._bigger_bodies.get(scope["path"], MOST_MESSAGE_BYTES)
        length = headers.get_all("Content-Length")
        if any(not re.fullmatch(r"\d{1,18}", value) or int(value) > most for value in length):
            answer = problem(413, "request.too_large", f"The body may have at most {most} bytes.")
            await answer(scope, receive, guarded)
            return
        await self._app(scope, _bounded(receive, most), guarded)


def problem(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a refusal in the shape of an error event."""
    content = {"type": "error", "code": code, "message": message, "params": {}}
    return JSONResponse(content, status, dict(headers or {}))


def _bounded(receive: Receive, most: int) -> Receive:
    """Return `receive` with a bound on what comes, also where no length was said, and on how long it takes."""
    came, until = 0, monotonic() + BODY_WITHIN_S
    whole = False

    async def bounded() -> Message:
        nonlocal came, whole
        if whole:
            return await receive()  # what is still to come is that the client goes
        try:
            async with asyncio.timeout(max(0.0, until - monotonic())):
                message = await receive()
        except TimeoutError:
            raise HTTPException(408, "The body did not come in time.") from None
        came += len(message.get("body", b""))
        if came > most:
            raise HTTPException(413, f"The body may have at most {most} bytes.")
        whole = not message.get("more_body", False)
        return message

    return bounded


def _with_safety(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            named = {name.lower() for name, _ in message["headers"]}
            extra = {"Cache-Control": "no-store", **SAFETY}
            message["headers"] = [
                *message["headers"],
                *(
                    (name.lower().encode(), value.encode())
                    for name, value in extra.items()
                    if name.lower().encode() not in named
                ),
            ]
        await send(message)

    return guarded


class Looks:
    """How often each peer only looked: told to the audit log together, once a minute, or polling would fill it."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._told_at = monotonic()

    def note(self, peer: str, asked: str) -> None:
        """Count a look of the address `peer`."""
        self._counts.setdefault(peer, Counter())[asked] += 1
        if monotonic() - self._told_at > _TELL_EVERY_S or len(self._counts) > _MOST_TALLIES:
            self.tell()

    def tell(self) -> None:
        """Write down what was counted."""
        for peer, counts in self._counts.items():
            tell("looked", peer, looked=dict(counts))
        self._counts.clear()
        self._told_at = monotonic()
