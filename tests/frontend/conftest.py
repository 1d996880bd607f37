"""A stage for the page's tests: its scripts in node without a DOM, and the page in a real browser with a real server."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from breastai.script_order import read_scripts, script_order
from breastai.server.app import Options, RunningServer, running_server
from breastai.storage.workspace import Workspace

OpenPage = Callable[..., Page]
FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
SCRIPTED_WORKER = Path(__file__).with_name("scripted_worker.py")
SCRIPT_RUNNER = Path(__file__).with_name("script_runner.cjs")
CHROMIUM = Path(os.environ.get("BREASTAI_CHROMIUM", "/usr/bin/chromium"))
WITHIN_MS = 20_000
# Scripts that need no DOM.
PURE_SCRIPTS = (
    "i18n.js", "texts.js", "memory.js", "steps.js", "format.js", "series.js", "address.js", "json_places.js", "store/page_state.js", "store/refusals.js", "store/run_events.js", "store/study_events.js", "store/result_events.js", "store/data_events.js", "store/file_events.js", "store.js", "catalog.js", "settings.js", "actions.js", "views/train/form_values.js",
)  # fmt: skip

RunJs = Callable[..., Any]


def missing(what: str) -> None:
    """Skip for want of `what`; where the whole suite is promised (CI), fail."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is needed when CI is set")
    pytest.skip(f"no {what} on this machine")


@pytest.fixture(scope="session")
def run_js() -> Iterator[RunJs]:
    """Run JavaScript with the page's pure scripts loaded; `input` holds what was given, `output(value)` is returned."""
    node = shutil.which("node")
    if node is None:
        missing("node")
    scripts = [path for path in script_order(read_scripts()) if path.removeprefix("js/") in PURE_SCRIPTS]
    command = [str(node), str(SCRIPT_RUNNER), *(str(FRONTEND / path) for path in scripts)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin is not None and process.stdout is not None
        asked, answers = process.stdin, process.stdout

        def run(code: str, given: Any = None) -> Any:
            asked.write(json.dumps({"code": code, "given": given}) + "\n")
            asked.flush()
            answer = json.loads(answers.readline() or '{"error": "node has ended"}')
            assert "error" not in answer, answer["error"]
            return json.loads(answer["value"])

        yield run


# --- a server and a browser --------------------------------------------------------------------


@dataclass
class Stage:
    """A real server in a thread, whose worker plays a script; `file_url` is the page opened as a file."""

    port: int
    workspace: Workspace
    file_url: str
    token: str
    cut_connections: Callable[[], None]
    end_job: Callable[[], None]

    @property
    def http_url(self) -> str:
        return f"http://localhost:{self.port}/"

    @property
    def socket_url(self) -> str:
        return f"ws://localhost:{self.port}"


class ServerThread:
    """A server that runs while the block does."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="server")
        self.port = 0
        self.rest_port: int | None = None
        self.token = ""

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            async with running_server(self._options) as server:
                self._server = server
                self._began(server)
                await self._stop.wait()
                server.services.runner.kill()
        finally:
            self._ready.set()

    def _began(self, server: RunningServer) -> None:
        self.port, self.rest_port = server.port, server.rest_port
        self.token = server.protection.token or ""
        self._ready.set()

    def cut_connections(self) -> None:
        """Drop every connection as a lost network does: without a goodbye."""

        def cut() -> None:
            for client in list(self._server.services.hub._clients):
                client.connection.transport.abort()

        self._loop.call_soon_threadsafe(cut)

    def end_job(self) -> None:
        """Stop whatever job a test has left going, as one that fails does: the next test needs the server free."""

        async def ended() -> None:
            supervisor = self._server.services.runner._supervisor
            asked = None
            while (slot := supervisor.slot) is not None:
                if slot is not asked:
                    supervisor.ask_to_stop(slot)
                    asked = slot
                await asyncio.sleep(0.02)

        asyncio.run_coroutine_threadsafe(ended(), self._loop).result(30)

    def __enter__(self) -> "ServerThread":
        self._thread.start()
        assert self._ready.wait(30)
        assert self.port, "the server did not begin"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    options = Options(workspace=workspace, port=0, worker_command=[sys.executable, str(SCRIPTED_WORKER)])
    with ServerThread(options) as server:
        yield Stage(
            server.port,
            workspace,
            (FRONTEND / "index.html").as_uri(),
            server.token,
            server.cut_connections,
            server.end_job,
        )


@pytest.fixture(scope="session")
def serving() -> type[ServerThread]:
    """What serves while a block runs, for tests that need a server of their own."""
    return ServerThread


class Chromium:
    """One browser for all tests of this process, and profiles that are used again: a new one costs as much as the page."""

    def __init__(self) -> None:
        self._playwright = sync_playwright().start()
        # Playwright's loop stands still in this thread while nothing is asked of it; `asyncio.run` of other tests must not see it.
        self._loop = asyncio.get_running_loop()
        self.browser = self._playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        self._profiles: dict[tuple[str, int], Page] = {}
        asyncio._set_running_loop(None)

    @contextmanager
    def in_use(self) -> Iterator[None]:
        asyncio._set_running_loop(self._loop)
        try:
            yield
        finally:
            asyncio._set_running_loop(None)

    def profile(self, options: dict[str, Any], number: int) -> Page:
        """Return the empty page that keeps the `number`th profile of these options ready."""
        key = (json.dumps(options, sort_keys=True), number)
        if key not in self._profiles:
            self._profiles[key] = self.browser.new_context(**options).new_page()
        return self._profiles[key]

    def close(self) -> None:
        with self.in_use():
            self.browser.close()
            self._playwright.stop()


def clear(kept: Page, origin: str) -> None:
    """Close a profile's pages but the empty one, and forget what they stored."""
    for page in kept.context.pages:
        if page is not kept:
            page.close()
    kept.context.unroute_all()
    kept.context.clear_cookies()
    session = kept.context.new_cdp_session(kept)
    session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": "all"})
    session.detach()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Chromium]:
    if not CHROMIUM.exists():
        missing(f"browser at {CHROMIUM}")
    expect.set_options(timeout=WITHIN_MS)
    chromium = Chromium()
    yield chromium
    chromium.close()


@pytest.fixture(scope="module")
def browser(chromium: Chromium) -> Iterator[Browser]:
    """Give a module the browser; until the module ends no test of this thread may run an event loop."""
    with chromium.in_use():
        yield chromium.browser


class Watch:
    """What a page must not do: write errors to the console, fail, or ask another host for anything."""

    def __init__(self, page: Page, hosts: set[str]) -> None:
        self.faults: list[str] = []
        self.expected: tuple[str, ...] = ()
        self._hosts = hosts
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.faults.append(f"page error: {error}"))
        page.on("request", self._request)
        page.on("websocket", lambda socket: self._host(socket.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(text in message.text for text in self.expected):
            self.faults.append(f"console {message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        self._host(request.url)

    def _host(self, url: str) -> None:
        if url.startswith(("file:", "data:", "blob:")):
            return
        if url.split("/")[2] not in self._hosts:
            self.faults.append(f"request to another host: {url}")


Opening = Callable[..., AbstractContextManager[OpenPage]]


@pytest.fixture
def opening(browser: Browser, chromium: Chromium) -> Opening:
    """For the port of a server: what opens the page (`how`: file or http); afterwards nothing forbidden was done.

    Each page has a profile of its own, which nothing was stored in.
    """

    @contextmanager
    def pages(port: int, within_ms: int = WITHIN_MS) -> Iterator[OpenPage]:
        watches: list[Watch] = []
        kept: list[Page] = []
        contexts: list[BrowserContext] = []

        def opened(
            how: str = "http", connected: bool = True, expected: tuple[str, ...] = (), frontend: Path = FRONTEND,
            view: str = "", **options: Any,
        ) -> Page:  # fmt: skip
            options = {"locale": "en-GB", "reduced_motion": "reduce", **options}
            if how == "http":
                kept.append(chromium.profile(options, len(kept)))
                page = kept[-1].context.new_page()
            else:  # all files are of one origin
                contexts.append(browser.new_context(**options))
                page = contexts[-1].new_page()
            page.set_default_timeout(within_ms)
            watch = Watch(page, {f"localhost:{port}"})
            watch.expected = expected
            watches.append(watch)
            if how == "file":
                # A file page begins with its usual address; here the server has another port.
                page.add_init_script(f"localStorage.setItem('breastai.address', 'ws://localhost:{port}')")
            home = f"http://localhost:{port}/" if how == "http" else (frontend / "index.html").as_uri()
            page.goto(f"{home}#{view}" if view else home)
            if connected:
                page.wait_for_selector("#connection-state.phase-connected")
            return page

        yield opened
        for each in kept:
            clear(each, f"http://localhost:{port}")
        for context in contexts:
            context.close()
        assert [fault for watch in watches for fault in watch.faults] == []

    return pages


@pytest.fixture
def open_page(opening: Opening, stage: Stage) -> Iterator[OpenPage]:
    """Open the page, connected to the stage's server."""
    with opening(stage.port) as opened:
        yield opened
        stage.end_job()


@pytest.fixture(scope="session")
def require_or_skip() -> Callable[[str], None]:
    return missing
