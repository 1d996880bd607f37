"""The page fills in the same templates as the server, by the same rules, in any language that has a file."""

from collections.abc import Callable
from typing import Any

import pytest

from breastai.texts.renderer import fill_template

RunJs = Callable[..., Any]
TEMPLATES: list[tuple[Any, dict[str, Any]]] = [
    ("{a}", {"a": 0.5}),
    ("{a}", {"a": 12345}),
    ("{a:integer}", {"a": 12345}),
    ("{a:number.2}", {"a": 3.251}),
    ("{a:fixed.2}", {"a": 3}),
    ("{a:percent.1}", {"a": 0.1234}),
    ("{a}", {"a": None}),
    ("{a}", {"a": True}),
    ("{a}", {"a": ["x", 2]}),
    ("{a:and}", {"a": ["x", "y", "z"]}),
    ("{a:date}", {"a": "2026-11-01T10:02:00+00:00"}),
    ("{a} {b}", {"a": "$& {b}", "b": "x"}),
    ("{a}", {}),
    ("{a}", {"a": [{"code": "audit.more", "params": {"count": 0}}]}),
    ({"plural": "n", "one": "{n} image", "other": "{n} images"}, {"n": 0}),
    ({"plural": "n", "one": "{n} image", "other": "{n} images"}, {"n": 1.5}),
    ("{n} image{n?|s} {n?is|are} left, {m?a|b}", {"n": 0}),
    ("{n:integer} of {a} image{a?|s}", {"n": 1, "a": "{n?x|y}"}),
]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_page_and_server_write_a_text_alike(run_js: RunJs, language: str) -> None:
    code = """
      Object.defineProperty(globalThis, "navigator", { value: { languages: [input.language === "en" ? "en-GB" : "fr-FR"] }, configurable: true });
      BreastAI.i18n.set(input.language);
      output(input.templates.map(([template, params]) => {
        BreastAI.locales[input.language]["test.text"] = template;
        return BreastAI.i18n.t("test.text", params);
      }));
    """
    from breastai.domain.text import Text

    def with_texts(value: Any) -> Any:
        if isinstance(value, dict):
            return Text(**value)
        return [with_texts(each) for each in value] if isinstance(value, list) else value

    spoken = run_js(code, {"language": language, "templates": TEMPLATES})
    expected = [
        fill_template(template, {name: with_texts(value) for name, value in params.items()}, language)
        for template, params in TEMPLATES
    ]
    assert [" ".join(text.split()) for text in spoken] == [" ".join(text.split()) for text in expected]


def test_a_language_that_has_a_file_is_offered_and_one_unknown_to_it_is_english(run_js: RunJs) -> None:
    code = """
      BreastAI.locales.xx = { "nav.training": "Uqeqesho" };
      BreastAI.i18n.set("xx");
      output([BreastAI.i18n.languages(), BreastAI.i18n.choose("xx", []), BreastAI.i18n.t("nav.training"), BreastAI.i18n.plural("audit.more", 2), BreastAI.i18n.t("no.such")]);
    """
    assert run_js(code) == [["en", "fr", "xx"], "xx", "Uqeqesho", "and 2 more", "no.such"]


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_word_of_the_catalogue_may_be_a_name_on_the_page(run_js: RunJs, language: str) -> None:
    code = """
      BreastAI.i18n.set(input);
      const words = [...Object.keys(BreastAI.locales.en), ...Object.values(BreastAI.locales).flatMap((texts) => Object.values(texts).flatMap((text) => (typeof text === "string" ? [text, ...text.split(/\\\\s+/)] : Object.values(text)))).filter((word) => word !== "")];
      const say = (word) => BreastAI.i18n.say({ code: "reason.has_classes", params: { class_names: [word] } });
      const [before, after] = say("\\0").split("\\0");
      output([words.length, words.filter((word) => say(word) !== before + word + after)]);
    """
    count, changed = run_js(code, language)
    assert count > 3000 and changed == []
