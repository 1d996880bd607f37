"""Texts are filled in by the rules of their language, and the values in them stay what they are."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from breastai.domain.text import Text
from breastai.texts.catalogue import choose_language, find_template, languages, read_catalogue
from breastai.texts.page_script import page_script
from breastai.texts.renderer import fill_template, render

# A template, its parameters, and what stands there in English and in French; spaces of any width count as one.
FILLED: list[tuple[Any, dict[str, Any], str, str]] = [
    ("{a}", {"a": 0.5}, "0.5", "0,5"),
    ("{a}", {"a": 12345}, "12345", "12345"),
    ("{a:integer}", {"a": 12345}, "12,345", "12 345"),
    ("{a:number}", {"a": 3.25}, "3.2", "3,2"),
    ("{a:fixed.2}", {"a": 3}, "3.00", "3,00"),
    ("{a:percent}", {"a": 0.5}, "50%", "50 %"),
    ("{a:percent.1}", {"a": 0.1234}, "12.3%", "12,3 %"),
    ("{a}", {"a": None}, "—", "—"),
    ("{a}", {"a": []}, "—", "—"),
    ("{a}", {"a": True}, "true", "true"),
    ("{a}", {"a": ["x", 2]}, "x, 2", "x, 2"),
    ("{a:and}", {"a": ["x", "y", "z"]}, "x, y and z", "x, y et z"),
    ("{a:date}", {"a": "2026-11-01T10:02:00+00:00"}, "1 November 2026", "1er novembre 2026"),
    ("{a} {b}", {"a": "{b}", "b": "x"}, "{b} x", "{b} x"),
    ("{a}", {}, "{a}", "{a}"),
    ("{n} image{n?|s} {n?is|are} left", {"n": 0}, "0 images are left", "0 image is left"),
    ("{n} image{n?|s} {n?is|are} left", {"n": 1}, "1 image is left", "1 image is left"),
    ("{n:integer} of {a} image{a?|s}", {"n": 1, "a": "{n?x|y}"}, "1 of {n?x|y} images", "1 of {n?x|y} images"),
    ({"plural": "n", "one": "{n} image", "other": "{n} images"}, {"n": 0}, "0 images", "0 image"),
    ({"plural": "n", "one": "{n} image", "other": "{n} images"}, {"n": 1}, "1 image", "1 image"),
    ({"plural": "n", "one": "{n} image", "other": "{n} images"}, {"n": 2}, "2 images", "2 images"),
]  # fmt: skip


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("template", "params", "english", "french"), FILLED)
def test_a_template_is_filled_in_by_the_rules_of_the_language(
    template: Any, params: dict[str, Any], english: str, french: str
) -> None:
    assert plain(fill_template(template, params, "en")) == english
    assert plain(fill_template(template, params, "fr")) == french


def test_a_text_within_a_text_is_in_the_same_language() -> None:
    text = Text("job.waits", {"a": [Text("audit.more", {"count": 2}), "w"]})
    assert fill_template("{a}", text.params, "fr") == "et 2 de plus, w"


def test_a_text_comes_back_from_json_as_it_was() -> None:
    class Told(BaseModel):
        text: Text | str

    text = Text("x.y", {"s": "a", "i": 1, "f": 1.0, "b": True, "n": None, "t": Text("z"), "l": [Text("z"), 1, "a"]})
    again = Told.model_validate_json(Told(text=text).model_dump_json()).text
    assert isinstance(again, Text) and again == text
    assert [type(value) for value in again.params.values()] == [type(value) for value in text.params.values()]
    assert Told.model_validate_json('{"text": "words of an old record"}').text == "words of an old record"


def test_a_text_without_a_template_is_its_code_and_one_unknown_to_a_language_is_english(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert str(Text("of.tomorrow")) == "of.tomorrow"
    monkeypatch.setattr("breastai.texts.catalogue.read_catalogue", {"en": {"k": "words"}, "fr": {}}.get)
    assert find_template("k", "fr") == "words"


def test_a_language_is_chosen_by_the_tags_of_browsers_and_systems() -> None:
    assert [choose_language(tag) for tag in ("fr_FR.UTF-8", "FR-ca", "de", "", None, "C.UTF-8")] == [
        "fr",
        "fr",
        "en",
        "en",
        "en",
        "en",
    ]
    assert choose_language("de", "fr") == "fr"


def test_every_form_of_every_text_is_there_in_each_language() -> None:
    for language in languages():
        for key, template in read_catalogue(language).items():
            assert isinstance(template, str) or {"plural", "one", "other"} <= set(template), key


def test_a_language_is_one_file(tmp_path: Path, project_root: Path) -> None:
    package = tmp_path / "breastai"
    shutil.copytree(project_root / "breastai", package, ignore=shutil.ignore_patterns("__pycache__"))
    english = json.loads((package / "texts" / "en.json").read_text(encoding="utf-8"))
    other = {**english, "language.name": "Xhosa", "nav.training": "Uqeqesho"}
    (package / "texts" / "xx.json").write_text(json.dumps(other), encoding="utf-8")
    code = (
        "from breastai.texts.catalogue import languages; from breastai.domain.text import Text; "
        "from breastai.texts.renderer import render; import json; "
        "print(json.dumps([languages(), render(Text('nav.training'), 'xx'), render(Text('audit.more', {'count': 2}), 'xx')]))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert json.loads(done.stdout) == [["en", "fr", "xx"], "Uqeqesho", "and 2 more"], done.stderr
    assert "Uqeqesho" in page_script(package / "texts")


def test_rendering_needs_no_knowledge_of_what_is_rendered() -> None:
    assert render(Text("nav.training"), "xx") == render(Text("nav.training"), "en") == "Training"
