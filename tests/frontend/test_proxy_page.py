"""The page behind a reverse proxy, under a path of another server: everything it asks for lies below that path."""

import http.client
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Browser, expect

from breastai.blocking_client import BlockingClient
from breastai.domain.server_settings import ServerSettings
from breastai.server.app import Options
from breastai.storage.workspace import Workspace

from .conftest import SCRIPTED_WORKER
from .cuttable_proxy import PathProxy
from .page_steps import begin

RunJs = Callable[..., Any]


@pytest.fixture
def scripted(tmp_path: Path) -> Callable[..., Options]:
    """Return the options of a server with the scripted worker, for a proxy's address."""

    def options(url: str, **more: Any) -> Options:
        command = [sys.executable, str(SCRIPTED_WORKER)]
        settings = ServerSettings(public_url=url)
        return Options(Workspace.open(tmp_path), port=0, worker_command=command, settings=settings, **more)

    return options


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_page_its_socket_its_links_and_its_downloads_work_under_a_path(
    browser: Browser, serving: Any, scripted: Callable[..., Options], language: str
) -> None:
    asked: list[str] = []
    with (
        PathProxy("/clinic/breastai/") as proxy,
        serving(scripted(proxy.url)) as server,
        browser.new_context(locale=language, accept_downloads=True) as context,
    ):
        proxy.to_port = server.port
        page = context.new_page()
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda line: faults.append(line.text) if line.type in ("error", "warning") else None)
        page.on("request", lambda request: asked.append(request.url))
        page.on("websocket", lambda socket: asked.append(socket.url.replace("ws", "http", 1)))
        page.goto(f"{proxy.url}#token={server.token}")
        page.wait_for_selector("#connection-state.phase-connected")
        assert page.input_value("#address") == proxy.url.replace("http", "ws", 1)
        words = page.evaluate("BreastAI.locales[BreastAI.i18n.current()]")

        begin(page, epochs=1)
        expect(page.locator("#run-state")).to_have_text(words["state.complete"])
        page.evaluate("location.hash = '#checkpoints'")
        link = page.locator("#checkpoints-list a[download]").first
        with page.expect_download() as caught:
            link.click()
        assert caught.value.path().stat().st_size > 0
        assert str(link.get_attribute("href")).startswith(f"{proxy.url}files/checkpoints/")

        page.evaluate("location.hash = '#editor'")
        expect(page.locator(".ace_editor").first).to_be_visible()
        page.reload()
        page.wait_for_selector("#connection-state.phase-connected")
        expect(page.locator("#view-editor")).to_be_visible()
    assert faults == []
    assert [url for url in asked if not url.startswith(proxy.url)] == []


def test_a_script_connects_under_a_path(serving: Any, scripted: Callable[..., Options]) -> None:
    with PathProxy("/breastai/") as proxy, serving(scripted(proxy.url)) as server:
        proxy.to_port = server.port
        with BlockingClient(proxy.url.replace("http", "ws", 1), token=server.token) as client:
            assert client.ping().type == "pong"


def test_an_answer_of_rest_says_where_it_is_also_under_a_path(
    browser: Browser, serving: Any, scripted: Callable[..., Options]
) -> None:
    pytest.importorskip("fastapi")
    with PathProxy("/rest/") as proxy, serving(scripted(proxy.url, rest_port=0)) as server:
        proxy.to_port = server.rest_port
        authorization = {"Authorization": f"Bearer {server.token}"}

        def ask(method: str, url: str, body: str | None = None) -> tuple[int, dict[str, str], Any]:
            connection = http.client.HTTPConnection("localhost", proxy.port, timeout=20)
            connection.request(method, urlsplit(url).path, body, authorization)
            answer = connection.getresponse()
            found = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
            connection.close()
            return found

        described = f"{proxy.url}openapi.json"
        status, _, document = ask("GET", described)
        door = urljoin(described, json.loads(document)["servers"][0]["url"])
        assert (status, door) == (200, proxy.url)
        asked = f"{door}requests/list_runs"
        status, headers, _ = ask("POST", f"{asked}?wait=0", "{}")
        if status == 202:
            status, _, _ = ask("GET", urljoin(asked, headers["location"]))
        assert status == 200
        page = browser.new_page(extra_http_headers=authorization)
        page.goto(proxy.url)
        assert urljoin(proxy.url, page.get_by_role("link", name="openapi.json").get_attribute("href")) == described
        page.close()


@pytest.mark.parametrize(
    ("page", "socket"),
    [
        ("http://localhost:8765/", "ws://localhost:8765"),
        ("https://host/breastai/", "wss://host/breastai/"),
        ("https://host/a/b/index.html#runs", "wss://host/a/b/"),
        ("file:///home/me/index.html", "ws://localhost:8765"),
    ],
)
def test_a_served_page_knows_its_servers_address(browser: Browser, stage: Any, page: str, socket: str) -> None:
    tab = browser.new_page()
    tab.goto(stage.http_url)
    assert tab.evaluate("(address) => BreastAI.connection.defaultUrl(new URL(address))", page) == socket
    tab.close()
