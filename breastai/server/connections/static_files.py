"""The page's files: a fixed table from request path to file, made at start, and their HTTP answers."""

import asyncio
import base64
import hashlib
import http
import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import unquote

from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from breastai import __version__
from breastai.storage import downloads
from breastai.storage.private_files import read_own
from breastai.storage.reports import report_at
from breastai.storage.workspace import Workspace
from breastai.texts.page_script import SCRIPT, write_page_script
from breastai.texts.shown_name import show_name

LOG = logging.getLogger(__name__)

_CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
}
_REPORT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".md": "text/markdown; charset=utf-8",
    ".pdf": "application/pdf",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}
_MOST_DOWNLOADED_BYTES = 2**29
# Patterns below the frontend folder. Nothing else is ever served: not session.js, not package.json.
_SERVED = (
    "index.html",
    "style.css",
    "favicon.*",
    "js/**/*.js",
    "node_modules/chart.js/dist/chart.umd.js",
    "node_modules/chart.js/dist/chart.umd.min.js",
    "node_modules/ace-builds/src-min-noconflict/*.js",
    "node_modules/ace-builds/css/ace.css",
    "node_modules/ace-builds/css/main-*",
)
# index.html names the page's scripts one by one, which serves a page opened as a file. Served, they come as one script:
# a hundred requests take longer than all the rest of an opening.
JOINED_SCRIPTS = "js/scripts.js"
SCRIPT_TAGS = re.compile(r'(?: *<script src="js/[^"]+"></script>\n)+')
_SCRIPT = re.compile(r'<script src="(js/[^"]+)"></script>')
# The page opened as a file may talk to a server on another port of this machine; the served page to its own.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' ws://localhost:* ws://127.0.0.1:*",
        "worker-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
SAFETY = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@dataclass(frozen=True)
class StaticFile:
    path: Path
    content_type: str

    def read(self) -> bytes:
        """Return what is sent; raise OSError."""
        return self.path.read_bytes()


class ServedPage(StaticFile):
    """The page as it is served: with one script in place of those it names."""

    def read(self) -> bytes:
        tag = f'  <script src="{JOINED_SCRIPTS}"></script>\n'
        return SCRIPT_TAGS.sub(tag, self.path.read_text(encoding="utf-8"), count=1).encode()


@dataclass(frozen=True)
class JoinedScripts(StaticFile):
    """The scripts that the page at `path` names, in its order."""

    scripts: tuple[Path, ...]

    def read(self) -> bytes:
        return b"".join(b"/* %b */\n%b\n" % (path.name.encode(), path.read_bytes()) for path in self.scripts)


def frontend_dir() -> Path:
    """Return where the page lies: in the package of an installed copy, beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "frontend"
    return packaged if packaged.is_dir() else package.parent / "frontend"


def write_texts(folder: Path) -> None:
    """Make the page's texts anew from the catalogue, where they are not there or of another time."""
    if not (folder / SCRIPT).parent.is_dir():
        return
    try:
        write_page_script(folder)
    except OSError as error:
        LOG.warning("%s can't be written (%s)", folder / SCRIPT, error.strerror or error)


def static_table(folder: Path) -> Mapping[str, StaticFile]:
    """Return what is served, by request path. A file that leads out of `folder` is left out."""
    root = folder.resolve()
    table: dict[str, StaticFile] = {}
    for pattern in _SERVED:
        for path in sorted(root.glob(pattern)):
            content_type = _CONTENT_TYPES.get(path.suffix)
            if content_type and path.is_file() and path.resolve().is_relative_to(root):
                table["/" + path.relative_to(root).as_posix()] = StaticFile(path, content_type)
    if "/index.html" in table:
        index = root / "index.html"
        named = [f"/{script}" for script in _SCRIPT.findall(index.read_text(encoding="utf-8"))]
        scripts = tuple(table[script].path for script in named if script in table)
        table["/"] = table["/index.html"] = ServedPage(index, _CONTENT_TYPES[".html"])
        table[f"/{JOINED_SCRIPTS}"] = JoinedScripts(index, _CONTENT_TYPES[".js"], scripts)
    return table


def _method(request: Request) -> str:
    """Return the method of a request; websockets before version 17 lets nothing but GET come here."""
    method: str = getattr(request, "method", "GET")
    return method


async def answer(table: Mapping[str, StaticFile], request: Request, workspace: Workspace) -> Response:
    """Return the answer to a plain HTTP request whose Host and Origin have been checked."""
    if _method(request) not in ("GET", "HEAD"):
        return text_response(
            http.HTTPStatus.METHOD_NOT_ALLOWED, "Only GET and HEAD are answered here.\n", Allow="GET, HEAD"
        )
    path = request.path.partition("?")[0]
    if path == "/health":
        body = json.dumps({"status": "ok", "version": __version__}).encode()
        return _response(request, http.HTTPStatus.OK, body, "application/json; charset=utf-8")
    if path.startswith("/reports/"):
        return await _report(workspace, path, request)
    if path.startswith(downloads.PREFIX):
        return await _download(workspace, unquote(path), request)
    file = table.get(path)
    if file is None:
        if path == "/":
            hint = "The page is not installed, but the server works: connect to it with a WebSocket.\n"
            return text_response(http.HTTPStatus.NOT_FOUND, hint)
        return text_response(http.HTTPStatus.NOT_FOUND, "No such page.\n")
    try:
        body = await asyncio.to_thread(file.read)
    except OSError:
        return text_response(http.HTTPStatus.NOT_FOUND, "This file is gone; restart the server.\n")
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if etag in [tag.strip() for value in request.headers.get_all("If-None-Match") for tag in value.split(",")]:
        return _response(request, http.HTTPStatus.NOT_MODIFIED, b"", file.content_type, ETag=etag)
    return _response(request, http.HTTPStatus.OK, body, file.content_type, ETag=etag)


async def _report(workspace: Workspace, path: str, request: Request) -> Response:
    """Answer with a run's report: looked up by the run, and shown under a policy that lets it do nothing."""
    file = await asyncio.to_thread(report_at, workspace, path)
    if file is None:
        return text_response(http.HTTPStatus.NOT_FOUND, "No such report.\n")
    body = await asyncio.to_thread(read_own, file)
    styles = [hashlib.sha256(style).digest() for style in re.findall(rb"<style>(.*?)</style>", body, re.DOTALL)]
    allowed = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in styles) or "'none'"
    policy = f"default-src 'none'; img-src data:; style-src {allowed}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    content_type = _REPORT_TYPES[file.suffix]
    return _response(request, http.HTTPStatus.OK, body, content_type, **{"Content-Security-Policy": policy})


async def _download(workspace: Workspace, path: str, request: Request) -> Response:
    """Answer with a file to keep: a checkpoint's weights, an export or a backup."""
    file = await asyncio.to_thread(downloads.download_at, workspace, path)
    if file is None:
        return text_response(http.HTTPStatus.NOT_FOUND, "No such file.\n")
    size = (await asyncio.to_thread(file.stat)).st_size
    if size > _MOST_DOWNLOADED_BYTES:  # it is sent from memory
        place = await asyncio.to_thread(workspace.relative, file)
        told = f"The file has {size >> 20} MiB, too many to send; copy {place} from the workspace.\n"
        return text_response(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, told)
    # Two checkpoints of different runs have the same name.
    name = f"{file.parent.name}_{file.name}" if file.parent.parent == workspace.checkpoints_dir else file.name
    body = await asyncio.to_thread(read_own, file)
    return _response(
        request,
        http.HTTPStatus.OK,
        body,
        "application/octet-stream",
        **{"Content-Disposition": f"attachment; {show_name(name, 'header')}"},
    )


def text_response(status: http.HTTPStatus, text: str, **headers: str) -> Response:
    """Return a short plain answer."""
    return _response(None, status, text.encode(), "text/plain; charset=utf-8", **headers)


def _response(
    request: Request | None, status: http.HTTPStatus, body: bytes, content_type: str, **extra: str
) -> Response:
    headers = Headers(
        {
            "Date": formatdate(usegmt=True),
            "Connection": "close",
            "Content-Type": content_type,
            "Cache-Control": "no-cache",
            **SAFETY,
            **extra,
        }
    )
    if status != http.HTTPStatus.NOT_MODIFIED:
        headers["Content-Length"] = str(len(body))
    if request is not None and _method(request) == "HEAD":
        body = b""
    return Response(status.value, status.phrase, headers, body)
