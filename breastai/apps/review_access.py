"""Who may come to the page for reviewing, and what that page may do in a browser: the server's own rules around it."""

import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from breastai.apps.http_guard import Guard
from breastai.server.access.admission import Admission
from breastai.server.access.connection_rules import Access, allowed_hosts
from breastai.server.access.rate_limit import RateLimit
from breastai.server.access.security import Security

COOKIE = "breastai_review"
MOST_UPLOAD_BYTES = 2**28
# Gradio's page writes scripts and styles into itself; nothing of it comes from, or goes to, another host.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'self'",
        "frame-ancestors 'none'",
    )
)
# What Gradio's page never asks for here: its description for programs, and its fetching of files from elsewhere.
_CLOSED = ("/gradio_api/info", "/gradio_api/openapi.json", "/gradio_api/proxy=", "/gradio_api/mcp", "/openapi.json")


def nothing_is_public(headers: object, path: str) -> bool:
    """Return False: with a token required, no request passes without it."""
    return False


def guard_review(app: ASGIApp, host: str, port: int, protection: Security) -> ASGIApp:
    """Return the page behind the rule of a server that listens on `host`, and its token and TLS."""
    access = Access(
        allowed_hosts(host),
        port,
        protection.token,
        protection.token_required,
        protection.scheme,
        nothing_is_public,
    )
    gate = Admission(access, RateLimit())
    door: ASGIApp = Guard(_WithPolicy(app), gate, {"/gradio_api/upload": MOST_UPLOAD_BYTES})
    if protection.token_required:
        door = _Entry(door, protection)

    async def entered(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope["type"] == "lifespan" else door)(scope, receive, send)

    return entered


class _Entry:
    """Lets a browser that came once with the token come again: by a cookie of this process, which is not the token."""

    def __init__(self, app: ASGIApp, protection: Security) -> None:
        self._app, self._protection = app, protection
        self._secret = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        token = self._protection.token
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        headers = [(name, value) for name, value in scope["headers"]]
        if self._has_cookie(headers) and token is not None and not any(name == "token" for name, _ in query):
            scope = {**scope, "headers": [*headers, (b"authorization", f"Bearer {token}".encode())]}
        elif scope["method"] == "GET" and any(name == "token" for name, _ in query):
            send = self._sent_on(scope["path"], [pair for pair in query if pair[0] != "token"], scope, receive, send)
        await self._app(scope, receive, send)

    def _has_cookie(self, headers: list[tuple[bytes, bytes]]) -> bool:
        for name, value in headers:
            if name == b"cookie":
                try:
                    found = SimpleCookie(value.decode("latin-1")).get(COOKIE)
                except CookieError:
                    continue
                if found is not None and secrets.compare_digest(found.value.encode(), self._secret.encode()):
                    return True
        return False

    def _sent_on(self, path: str, query: list[tuple[str, str]], scope: Scope, receive: Receive, send: Send) -> Send:
        """Return `send` for a request with the token in its address: let in, it is sent on without it, with a cookie."""
        over = False

        async def sent(message: Message) -> None:
            nonlocal over
            if message["type"] == "http.response.start" and message["status"] < 400:
                over = True
                answer = RedirectResponse(path.replace("//", "/") + (f"?{urlencode(query)}" if query else ""), 303)
                answer.set_cookie(
                    COOKIE, self._secret, httponly=True, samesite="strict", secure=self._protection.tls is not None
                )
                await answer(scope, receive, send)
            elif not over:
                await send(message)

        return sent


class _WithPolicy:
    """Adds what a browser may do to each answer, and closes what the page does not need."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if path.startswith(_CLOSED):
            scope = {**scope, "path": "/closed", "raw_path": b"/closed"}

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["Content-Security-Policy"] = POLICY
            await send(message)

        await self._app(scope, receive, sent)
