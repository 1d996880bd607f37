"""The page of the REST door in a real browser: its policy allows all it needs, and it asks no other host."""

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from breastai.domain.requests import REQUESTS
from breastai.server.app import Options, running_server
from breastai.storage.workspace import Workspace


@pytest.fixture(scope="module")
def rest_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve in a thread; give the door's address."""
    workspace = Workspace.open(tmp_path_factory.mktemp("workspace"))
    ready, urls, ends = threading.Event(), [], []

    async def serve() -> None:
        over = asyncio.Event()
        ends.append((asyncio.get_running_loop(), over))
        async with running_server(Options(workspace=workspace, port=0, rest_port=0)) as server:
            urls.append(server.rest_url)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="server")
    thread.start()
    assert ready.wait(30)
    yield urls[0]
    loop, over = ends[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(60)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_description_is_shown_offline_under_its_policy(browser: Browser, rest_url: str, scheme: str) -> None:
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    faults, asked = [], []
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    answered = page.goto(rest_url)
    policy = answered.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-") and "unsafe" not in policy
    assert page.locator("details").count() == len(REQUESTS) + 4
    page.locator("#start_training summary").click()
    assert page.locator("#start_training td").first.is_visible()
    assert page.evaluate("getComputedStyle(document.querySelector('details')).borderRadius") != "0px"  # the style holds
    for details in page.locator("details").all():
        details.evaluate("each => each.open = true")
    assert [violation["id"] for violation in Axe().run(page).response["violations"]] == []
    assert faults == []
    assert set(asked) <= {rest_url, f"{rest_url}favicon.ico"}
    context.close()


def test_a_browsers_eventsource_hears_of_the_session(browser: Browser, rest_url: str) -> None:
    context = browser.new_context(bypass_csp=True)  # the door's own page may connect to nothing
    page = context.new_page()
    page.goto(rest_url)
    heard = page.evaluate(
        """() => new Promise((resolve, reject) => {
            const source = new EventSource("/events");
            source.addEventListener("status", (event) => { source.close(); resolve(event.data); });
            source.onerror = () => { source.close(); reject(new Error(`state ${source.readyState}`)); };
        })"""
    )
    assert json.loads(heard)["snapshot"]["state"] == "idle"
    context.close()
