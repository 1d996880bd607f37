"""The page for asking an exported model and reviewing its answers: Gradio, in a process of its own, without torch."""

import asyncio
import contextlib
import logging
import os
import socket
import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI

from breastai.apps.http_server import http_config
from breastai.apps.review_access import MOST_UPLOAD_BYTES, guard_review
from breastai.apps.review_answers import (
    MOST_IMAGES,
    ReviewedAnswer,
    ask,
    explain_answer,
    picture,
    rows,
    table,
    with_judgement,
)
from breastai.apps.review_texts import language_of, texts
from breastai.domain.catalog import IMAGE_SUFFIXES
from breastai.domain.server_settings import ServerSettings
from breastai.predictor.onnx_model import OnnxModel
from breastai.server.access.connection_rules import WILDCARDS
from breastai.server.access.security import make_security
from breastai.server.connections.sockets import listen
from breastai.storage.workspace import Workspace
from breastai.texts.catalogue import languages

# Gradio would tell its makers of each start, and look for newer versions. Read when it is imported.
SILENCE = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
_FORGOTTEN_AFTER_S = 8 * 3600


@dataclass(frozen=True)
class Reviewing:
    """A page that is served. `entry_url` lets whoever has it in: for the owner's eyes alone."""

    url: str
    entry_url: str
    port: int


def serve_review(
    model_path: Path,
    workspace: Workspace,
    settings: ServerSettings,
    host: str,
    port: int,
    announce: Callable[[Reviewing], None],
    stop_requested: Callable[[], bool],
) -> None:
    """Serve the page until asked to stop; raise ModelUnreadable, PortInUse, and what protecting an address can.

    Images come to a folder of the owner's alone, which goes at the end.
    """
    model = OnnxModel.open(model_path)
    listening = listen(host, port)
    try:
        with tempfile.TemporaryDirectory(prefix="breastai-review-") as folder:
            protection = make_security(workspace, host, settings, Path(folder))
            app = guard_review(application(model, Path(folder)), host, listening.port, protection)
            name = "localhost" if host in WILDCARDS else host
            bracketed = f"[{name}]" if ":" in name else name
            url = f"{protection.scheme}://{bracketed}:{listening.port}/"
            entry = f"{url}?token={protection.token}" if protection.token_required else url
            config = http_config(app, protection.tls, lifespan="on")
            server = _Server(config, stop_requested, lambda: announce(Reviewing(url, entry, listening.port)))
            asyncio.run(server.serve(sockets=list(listening.sockets)))
    finally:
        for each in listening.sockets:
            each.close()


def application(model: OnnxModel, folder: Path) -> FastAPI:
    """Return the page as an application; `folder` is where images and tables lie meanwhile."""
    gradio = quiet_gradio(folder)
    shown = gradio.I18n(**{language: texts(language) for language in languages()})
    page = _page(gradio, shown, model, folder)
    # What is mounted counts as launched nowhere, and only then does Gradio refuse files that were not sent to it.
    page.has_launched = True
    app: FastAPI = gradio.mount_gradio_app(
        FastAPI(openapi_url=None, docs_url=None, redoc_url=None),
        page,
        path="/",
        footer_links=[],
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        show_error=False,
        allowed_paths=[],
        max_file_size=MOST_UPLOAD_BYTES,
        i18n=shown,
        # The names of fonts that every system has: others would be fetched from elsewhere.
        theme=gradio.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
    )
    return app


def quiet_gradio(folder: Path) -> Any:
    """Import Gradio so that it tells nobody anything, fetches nothing, and keeps what it is sent in `folder`."""
    os.environ.update(SILENCE)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    import gradio
    from gradio import processing_utils

    logging.getLogger("httpx").setLevel(logging.WARNING)
    # A request may name an address in place of a file it sent, which Gradio would fetch.
    processing_utils.async_ssrf_protected_download = _nothing_fetched
    return gradio


async def _nothing_fetched(url: str, cache_dir: str) -> str:
    raise ValueError("images are sent, not fetched from elsewhere")


def _page(gradio: Any, i18n: Any, model: OnnxModel, folder: Path) -> Any:
    classes = model.class_names
    with gradio.Blocks(
        analytics_enabled=False, title="BreastAI", delete_cache=(600, _FORGOTTEN_AFTER_S), fill_width=True
    ) as page:
        images, place = gradio.State([]), gradio.State(0)
        gradio.Markdown(i18n("title"), elem_id="title")
        gradio.Markdown(i18n("notice"), elem_id="notice")
        facts = gradio.Markdown(elem_id="model")
        with gradio.Row():
            with gradio.Column():
                files = gradio.File(label=i18n("images"), file_count="multiple", file_types=list(IMAGE_SUFFIXES))
                answers = gradio.Dataframe(label=i18n("table"), headers=["", "", "", ""], interactive=False)
            with gradio.Column():
                where = gradio.Markdown(elem_id="place")
                shown = gradio.HTML(elem_id="picture")
                with gradio.Row():
                    back, forth = (
                        gradio.Button(i18n("before"), elem_id="before"),
                        gradio.Button(i18n("after"), elem_id="after"),
                    )
                bars = gradio.Label(label=i18n("probabilities"))
                verdict = gradio.Textbox(label=i18n("verdict"), interactive=False, lines=3, elem_id="verdict")
                judged = gradio.Radio(
                    [*classes, (i18n("cannot_say"), "")],
                    elem_id="judged",
                    label=i18n("yours"),
                    info=i18n("yours_help"),
                )
                count = gradio.Markdown(elem_id="judged-count")
                save = gradio.DownloadButton(i18n("save"), elem_id="save")
                gradio.Markdown(i18n("saved_help"))
        view = [place, where, shown, bars, verdict, judged]
        quiet = {"api_visibility": "private", "show_progress": "minimal"}

        def begin(request: gradio.Request) -> str:
            said = texts(_language(request))["model"]
            return said.format(
                name=model.path.name, architecture=model.metadata.architecture, classes=", ".join(classes)
            )

        def asked(paths: list[str] | None, request: gradio.Request) -> tuple[Any, ...]:
            language = _language(request)
            found = [ask(model, Path(path), folder) for path in (paths or [])[:MOST_IMAGES]]
            if len(paths or []) > MOST_IMAGES:
                gradio.Warning(texts(language)["too_many"].format(most=MOST_IMAGES))
            headers = [texts(language)[name] for name in ("file", "answer", "probability", "state")]
            return found, gradio.Dataframe(value=rows(found, language), headers=headers), *_view(found, 0, request)

        def before(found: list[ReviewedAnswer], number: int, request: gradio.Request) -> tuple[Any, ...]:
            return _view(found, max(0, number - 1), request)

        def after(found: list[ReviewedAnswer], number: int, request: gradio.Request) -> tuple[Any, ...]:
            return _view(found, max(0, min(len(found) - 1, number + 1)), request)

        def decided(
            found: list[ReviewedAnswer], number: int, choice: str | None, request: gradio.Request
        ) -> tuple[list[ReviewedAnswer], str, str | None]:
            """Return the images, how many are judged, and the table of those: together, so that they agree."""
            changed = with_judgement(found, number, choice, classes)
            text = table(changed, classes)
            if text is None:
                return changed, texts(_language(request))["nothing_judged"], None
            file = Path(tempfile.mkdtemp(dir=folder)) / "review.csv"
            file.write_text(text, encoding="utf-8")
            judged_now = sum(image.judged is not None for image in changed)
            said = texts(_language(request))["judged"].format(judged=judged_now, count=len(changed))
            return changed, said, str(file)

        page.load(begin, None, facts, **quiet)
        files.change(asked, files, [images, answers, *view], **quiet)
        back.click(before, [images, place], view, **quiet)
        forth.click(after, [images, place], view, **quiet)
        judged.input(decided, [images, place, judged], [images, count, save], **quiet)
    return page


def _view(found: Sequence[ReviewedAnswer], number: int, request: Any) -> tuple[Any, ...]:
    """Return what the right half shows of an image: its number, where it stands, picture, bars, words, judgement."""
    if not found:
        return 0, "", "", {}, "", None
    language, image = _language(request), found[number]
    where = texts(language)["place"].format(number=number + 1, count=len(found), file=_plain(image.answer.file))
    return (
        number,
        where,
        picture(image.path, language),
        image.answer.probabilities or {},
        explain_answer(image.answer, language),
        image.judged,
    )


def _plain(name: str) -> str:
    """Return a file's name as text that Markdown leaves as it is."""
    return "".join(f"&#{ord(sign)};" if not sign.isalnum() and sign != " " else sign for sign in name)


def _language(request: Any) -> str:
    return language_of(request.headers.get("accept-language"))


class _Server(uvicorn.Server):
    """Tells that it listens, and ends when asked to; signals are the command's to hear."""

    def __init__(self, config: uvicorn.Config, stop_requested: Callable[[], bool], begun: Callable[[], None]) -> None:
        super().__init__(config)
        self._stop_requested, self._begun = stop_requested, begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._begun()

    async def on_tick(self, counter: int) -> bool:
        return self._stop_requested() or await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield
