"""The page over plain HTTP."""

import asyncio
import base64
import hashlib
import re
from pathlib import Path

import pytest

from breastai.server.connections.static_files import JOINED_SCRIPTS, static_table

PAGE = """<!doctype html><title>page</title>
  <script src="node_modules/chart.js/dist/chart.umd.js"></script>
  <script src="js/views/log.js"></script>
  <script src="js/gone.js"></script>
  <script src="js/app.js"></script>
"""


@pytest.fixture
def frontend(tmp_path: Path) -> Path:
    folder = tmp_path / "frontend"
    (folder / "js" / "views").mkdir(parents=True)
    (folder / "node_modules" / "chart.js" / "dist").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "style.css").write_text("body {}")
    (folder / "session.js").write_text("token")
    (folder / "package.json").write_text("{}")
    (folder / "js" / "app.js").write_text("'use strict';")
    (folder / "js" / "views" / "log.js").write_text("'use strict';")
    (folder / "node_modules" / "chart.js" / "dist" / "chart.umd.js").write_text("c" * 300_000)
    (tmp_path / "secret.js").write_text("secret")
    return folder


async def fetch(port: int, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [f"{method} {path} HTTP/1.1", *(f"{k}: {v}" for k, v in ({"Host": f"127.0.0.1:{port}"} | headers).items())]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *rest = head.decode().split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in rest), body


def test_the_page_and_its_scripts_are_served_with_safe_headers(play, frontend):
    async def story(stage):
        status, headers, body = await fetch(stage.port, "/?x=1")
        assert (status, body.splitlines()[0]) == (200, b"<!doctype html><title>page</title>")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        for path, content_type in (("/js/views/log.js", "text/javascript"), ("/style.css", "text/css")):
            status, headers, _ = await fetch(stage.port, path)
            assert (status, headers["Content-Type"].split(";")[0]) == (200, content_type)

    play(story, frontend=frontend)


def test_the_scripts_that_the_page_names_are_served_as_one_in_its_order(play, frontend):
    (frontend / "js" / "app.js").write_text("second")
    (frontend / "js" / "views" / "log.js").write_text("first")

    async def story(stage):
        for path in ("/", "/index.html"):
            _, _, page = await fetch(stage.port, path)
            assert re.findall(r'src="(.+)"', page.decode()) == [
                "node_modules/chart.js/dist/chart.umd.js",
                JOINED_SCRIPTS,
            ]
        status, headers, body = await fetch(stage.port, f"/{JOINED_SCRIPTS}")
        assert (status, headers["Content-Type"]) == (200, "text/javascript; charset=utf-8")
        assert body.decode() == "/* log.js */\nfirst\n/* app.js */\nsecond\n"
        (frontend / "js" / "app.js").write_text("changed")
        status, _, body = await fetch(stage.port, f"/{JOINED_SCRIPTS}", **{"If-None-Match": headers["ETag"]})
        assert status == 200 and b"changed" in body

    play(story, frontend=frontend)


def test_a_big_file_arrives_whole(play, frontend):
    async def story(stage):
        status, headers, body = await fetch(stage.port, "/node_modules/chart.js/dist/chart.umd.js")
        assert (status, len(body)) == (200, 300_000)
        assert headers["Content-Length"] == "300000"

    play(story, frontend=frontend)


def test_an_unchanged_file_is_not_sent_again_and_head_sends_no_body(play, frontend):
    async def story(stage):
        _, headers, _ = await fetch(stage.port, "/js/app.js")
        status, _, body = await fetch(stage.port, "/js/app.js", **{"If-None-Match": headers["ETag"]})
        assert (status, body) == (304, b"")
        (frontend / "js" / "app.js").write_text("changed")
        status, _, body = await fetch(stage.port, "/js/app.js", **{"If-None-Match": headers["ETag"]})
        assert (status, body) == (200, b"changed")
        status, headers, body = await fetch(stage.port, "/js/app.js", method="HEAD")
        assert (status, headers["Content-Length"], body) == (200, "7", b"")

    play(story, frontend=frontend)


@pytest.mark.parametrize(
    "path",
    [
        "/secret.js",
        "/../secret.js",
        "/js/../../secret.js",
        "/js/..%2f..%2fsecret.js",
        "/%2e%2e/secret.js",
        "//index.html",
        "/session.js",
        "/package.json",
        "/js/",
        "/js",
        "/index.html/",
        "/js/app.js%00",
        "/etc/passwd",
        "/js\\app.js",
        "/config.json",
        "/logs/server.log",
    ],
)
def test_nothing_outside_the_table_is_served(play, frontend, path):
    async def story(stage):
        status, _, body = await fetch(stage.port, path)
        assert status == 404
        assert b"secret" not in body

    play(story, frontend=frontend)


def test_a_link_out_of_the_folder_is_not_in_the_table(frontend):
    (frontend / "js" / "leak.js").symlink_to(frontend.parent / "secret.js")
    table = static_table(frontend)
    assert "/js/leak.js" not in table
    assert "/js/app.js" in table


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_reading_is_allowed(play, frontend, method):
    async def story(stage):
        status, headers, _ = await fetch(stage.port, "/", method=method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")

    play(story, frontend=frontend)


def test_health_is_told_and_foreign_pages_get_403(play, frontend):
    async def story(stage):
        status, _, body = await fetch(stage.port, "/health")
        assert status == 200
        assert b'"status": "ok"' in body
        for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
            assert (await fetch(stage.port, "/health", **headers))[0] == 403
            assert (await fetch(stage.port, "/", **headers))[0] == 403

    play(story, frontend=frontend)


def test_without_a_page_the_server_says_so_and_works(play, tmp_path):
    async def story(stage):
        status, _, body = await fetch(stage.port, "/")
        assert (status, b"not installed" in body) == (404, True)
        assert (await (await stage.connect()).ask("ping"))["type"] == "pong"

    play(story, frontend=tmp_path / "none")


def test_a_report_is_served_by_its_run_alone_and_can_do_nothing(play, workspace):
    folder = workspace.run_dir("run-1") / "report"
    folder.mkdir(parents=True)
    workspace.journal_file("run-1").write_text("")
    page = b"<!doctype html><style>p { margin: 0 }</style><p>report</p>"
    (folder / "report.en.html").write_bytes(page)
    (folder / "report.en.pdf").write_bytes(b"%PDF-1.4")
    (folder / "report.en.md").write_text("# Report")
    (folder / "report.en.docx").write_bytes(b"PK")
    (folder / "secret.html").write_bytes(b"secret")
    (workspace.root / "config.json").write_text("{}")

    async def story(stage):
        status, headers, body = await fetch(stage.port, "/reports/run-1/report.en.html")
        assert (status, body) == (200, page)
        policy = headers["Content-Security-Policy"]
        digest = base64.b64encode(hashlib.sha256(b"p { margin: 0 }").digest()).decode()
        assert f"style-src 'sha256-{digest}'" in policy and "script-src" not in policy and "unsafe" not in policy
        assert "default-src 'none'" in policy and headers["X-Content-Type-Options"] == "nosniff"
        status, headers, _ = await fetch(stage.port, "/reports/run-1/report.en.pdf")
        assert (status, headers["Content-Type"]) == (200, "application/pdf")
        for ending, kind in (("md", "text/markdown; charset=utf-8"), ("docx", "application/vnd.openxml")):
            status, headers, _ = await fetch(stage.port, f"/reports/run-1/report.en.{ending}")
            assert status == 200 and headers["Content-Type"].startswith(kind)
        for path in (
            "/reports/run-1/secret.html",
            "/reports/run-1/report.fr.html",
            "/reports/run-2/report.en.html",
            "/reports/../config.json",
            "/reports/run-1/../../config.json",
            "/reports/%2e%2e/report.en.html",
            "/reports/run-1/report.en.html/",
            "/reports/",
        ):
            assert (await fetch(stage.port, path))[0] == 404, path

    play(story)
