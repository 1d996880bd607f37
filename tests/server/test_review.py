"""Reviewing without its page: what is said of an answer, the table of judgements, and who may come to the page."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from breastai.apps.review_access import COOKIE, POLICY, guard_review
from breastai.apps.review_answers import ReviewedAnswer, ask, explain_answer, picture, rows, table, with_judgement
from breastai.apps.review_texts import language_of, share, texts
from breastai.data.cases.predictions_table import read_predictions
from breastai.domain.events import Prediction
from breastai.domain.text import Text
from breastai.server.access.security import Security
from breastai.server.entry_points import ENTRY_POINTS
from breastai.texts.catalogue import languages
from breastai.texts.renderer import render

TOKEN = "t" * 43


def answered(file: str, bright: float, **values: Any) -> ReviewedAnswer:
    label = "bright" if bright >= 0.5 else "dark"
    found = {"dark": 1 - bright, "bright": bright}
    return ReviewedAnswer(Path(file), Prediction(file=file, label=label, probabilities=found, **values))


UNREAD = ReviewedAnswer(
    Path("x"),
    Prediction(
        file="x.png", label=None, probabilities=None, error="it is no longer there", error_text=Text("reason.no_longer")
    ),
)


# --- texts ---


@pytest.mark.parametrize("language", languages())
def test_the_page_says_that_it_is_no_medical_device(language: str) -> None:
    assert texts(language)["notice"] == render(Text("page.research_use"), language)
    assert texts(language)["title"]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [("fr-CH, fr;q=0.9, en;q=0.8", "fr"), ("de, fr;q=0.5", "fr"), ("en-GB,fr", "en"), ("de", "en"), (None, "en")],
)
def test_the_language_is_the_first_of_ours_that_the_browser_names(accepted, language):
    assert language_of(accepted) == language


def test_a_share_is_written_as_the_language_does():
    assert (share(0.1234, "en"), share(0.1234, "fr")) == ("12.3%", "12,3\u00a0%")


# --- answers and judgements ---


def test_an_answer_is_told_with_its_operating_point_and_why_a_human_is_to_see_it():
    answer = answered("a.png", 0.7, target_class="bright", threshold=0.4, called=True, refer=True).answer
    for reason, words in (("several_classes", "dark, bright"), ("no_class", "no class"), ("unlike", "unlike")):
        image = answer.model_copy(update={"refer_reason": reason, "plausible": ["dark", "bright"]})
        lines = explain_answer(image, "en").splitlines()
        assert lines[0].startswith("bright, with a probability of 70.0%")
        assert "reaches the threshold of bright (40.0%)" in lines[1]
        assert words in lines[-1]
        assert "dark, bright" in "".join(lines[2:])
        assert len(explain_answer(image, "fr").splitlines()) == len(lines)
    assert "is below its threshold" in explain_answer(answer.model_copy(update={"called": False}), "en")


def test_an_image_that_could_not_be_read_has_its_reason_in_both_languages():
    assert explain_answer(UNREAD.answer, "en") == "No answer: it is no longer there."
    assert explain_answer(UNREAD.answer, "fr") == "Pas de réponse\u00a0: elle n’y est plus."
    assert rows([UNREAD, answered("a.png", 0.9)], "en") == [
        ["x.png", "", "", "not read"],
        ["a.png", "bright", "90.0%", "answered"],
    ]


def test_judgements_make_a_table_that_an_evaluation_reads(tmp_path):
    classes = ["dark", "bright"]
    images = [answered("a.png", 0.9), answered("=b.png", 0.3), UNREAD, answered("c.png", 0.5)]
    assert table(images, classes) is None
    for number, judged in ((0, "dark"), (1, "bright"), (2, "dark"), (3, "bright"), (3, ""), (9, "dark")):
        images = with_judgement(images, number, judged, classes)
    (tmp_path / "review.csv").write_text(table(images, classes) or "", encoding="utf-8")
    found = read_predictions(tmp_path / "review.csv")
    assert found.files == ("a.png", "=b.png"), "what is no class takes a judgement back, an unread image has none"
    assert [found.class_names[label] for label in found.labels] == ["dark", "bright"]
    assert found.probabilities[:, list(found.class_names).index("bright")].tolist() == [0.9, 0.3]


class NeverAsked:
    """A model that must not be asked."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")


def test_a_file_that_was_not_sent_to_the_page_is_neither_read_nor_shown(tmp_path):
    sent, private = tmp_path / "sent", tmp_path / "private"
    for folder in (sent, private):
        folder.mkdir()
    Image.new("L", (8, 8), 200).save(private / "x.png")
    (sent / "link.png").symlink_to(private / "x.png")
    (sent / "folder").symlink_to(private)
    others = tmp_path / "sent-not"
    others.mkdir()
    Image.new("L", (8, 8)).save(others / "x.png")
    for path in (
        private / "x.png",
        sent / ".." / "private" / "x.png",
        sent / "link.png",
        sent / "folder" / "x.png",
        others / "x.png",
        sent / "absent.png",
        Path("x\0.png"),
        sent,
    ):
        found = ask(NeverAsked(), path, sent)
        assert found.answer.label is None and found.answer.error == "it was not sent to this page"
        assert picture(found.path, "en") == ""
    assert explain_answer(found.answer, "fr").endswith("elle n’a pas été envoyée à cette page.")


# --- who may come ---


async def page(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})


class Visitor:
    """Asks the page behind its door as a browser does."""

    def __init__(self, token_required: bool) -> None:
        self._door = guard_review(page, "localhost", 8767, Security(TOKEN, token_required, None))

    def ask(self, target: str = "/", method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        path, _, query = target.partition("?")
        named = {"host": "localhost:8767", **{name.lower(): value for name, value in headers.items()}}
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "client": ("127.0.0.1", 1),
        }
        told: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            told.append(message)

        asyncio.run(self._door(scope, receive, send))  # type: ignore[arg-type]
        begins = [message for message in told if message["type"] == "http.response.start"]
        assert len(begins) == 1
        found = {name.decode().lower(): value.decode() for name, value in begins[0]["headers"]}
        return begins[0]["status"], found, b"".join(message.get("body", b"") for message in told)


def test_on_this_machine_its_own_pages_may_come_and_no_others():
    visitor = Visitor(token_required=False)
    status, headers, body = visitor.ask()
    assert (status, body) == (200, b"/")
    assert headers["content-security-policy"] == POLICY and headers["x-content-type-options"] == "nosniff"
    # A port that is forwarded is another than the server's; a page of another port is another page.
    assert visitor.ask(host="localhost:1")[0] == 200
    for refused in (
        {"host": "evil.example"},
        {"origin": "http://localhost:2"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        assert visitor.ask(**refused)[0] == 403


def test_the_policy_lets_the_page_ask_no_other_host():
    sources = {source for rule in POLICY.split("; ") for source in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:"}
    assert POLICY.startswith("default-src 'none'")


def test_what_the_page_does_not_need_is_closed():
    visitor = Visitor(token_required=False)
    for path in ("/gradio_api/info", "/gradio_api/proxy=https://example.org", "/gradio_api/mcp/sse", "/openapi.json"):
        assert visitor.ask(path)[2] == b"/closed"


def test_where_a_token_is_asked_for_nothing_passes_without_and_a_cookie_stands_for_it():
    visitor = Visitor(token_required=True)
    for target in ("/", "/gradio_api/upload", "/?token=wrong", f"/?token={TOKEN}&token={TOKEN}"):
        assert visitor.ask(target)[0] == 403, target
    status, headers, _ = visitor.ask(f"/?token={TOKEN}&view=x")
    assert (status, headers["location"]) == (303, "/?view=x")
    cookie = headers["set-cookie"]
    assert TOKEN not in cookie and "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert visitor.ask(cookie=cookie.partition(";")[0])[0] == 200
    assert visitor.ask(cookie=f"{COOKIE}=wrong")[0] == 403
    assert Visitor(token_required=True).ask(cookie=cookie.partition(";")[0])[0] == 403, "of this process alone"
    assert visitor.ask(cookie=cookie.partition(";")[0], origin="https://evil.example")[0] == 403
    assert visitor.ask(authorization=f"Bearer {TOKEN}")[0] == 200


def test_too_large_an_upload_is_refused_before_it_is_read():
    visitor = Visitor(token_required=False)
    assert visitor.ask("/gradio_api/upload", "POST", **{"content-length": str(2**28 + 1)})[0] == 413
    assert visitor.ask("/gradio_api/queue/join", "POST", **{"content-length": str(2**20 + 1)})[0] == 413


def test_the_command_names_a_module_that_is_there():
    assert (
        Path(__file__)
        .parents[2]
        .joinpath(*ENTRY_POINTS["gradio"].partition(":")[0].split("."))
        .with_suffix(".py")
        .is_file()
    )
