"""What a user named stands in every text as it was given, whatever the language and whatever else the word means there."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breastai.domain.text import Text
from breastai.texts.catalogue import find_template, languages, read_catalogue
from breastai.texts.renderer import render


def forms_of(key: str, language: str) -> list[str]:
    template = find_template(key, language)
    assert template is not None
    return [template] if isinstance(template, str) else [form for name, form in template.items() if name != "plural"]


def words_of_the_catalogue() -> list[str]:
    """Every word, sentence and key of every language: each may be the name of a class, a file or a tag."""
    found: set[str] = set()
    for language in languages():
        for key in read_catalogue(language):
            found.add(key)
            for form in forms_of(key, language):
                found |= {form, *re.findall(r"\w+", form)}
    return sorted(found)


# Texts that tell names, with the parameters that are names; {name} alone is a name, {name:form} a figure.
NAMES = {"class_name", "class_names", "file", "files", "folder", "tag", "tags", "path", "name", "found", "example"}
TOLD = sorted(
    (key, name)
    for key in read_catalogue("en")
    for name in {each for form in forms_of(key, "en") for each in re.findall(r"\{(\w+)\}", form)} & NAMES
)
WORDS = words_of_the_catalogue()


def params_of(key: str, name: str, value: object) -> dict[str, object]:
    names = {each for form in forms_of(key, "en") for each in re.findall(r"\{(\w+)", form)}
    return {**dict.fromkeys(names, 1), name: value}


def test_texts_that_tell_names_are_many() -> None:
    assert len(TOLD) > 100 and len(WORDS) > 3000


@pytest.mark.parametrize("language", languages())
@given(told=st.sampled_from(TOLD), word=st.sampled_from(WORDS))
def test_a_word_of_the_catalogue_given_as_a_name_comes_out_unchanged(
    language: str, told: tuple[str, str], word: str
) -> None:
    key, name = told
    marked = render(Text(key, params_of(key, name, "\ue000")), language)
    assert render(Text(key, params_of(key, name, word)), language) == marked.replace("\ue000", word)


@pytest.mark.parametrize("language", languages())
@given(words=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4))
def test_words_in_a_list_and_in_a_text_within_a_text_come_out_unchanged(language: str, words: Sequence[str]) -> None:
    within = Text("reason.has_classes", {"class_names": list(words)})
    said = render(Text("error.data.split_invalid", {"path": words[0], "reason": within}), language)
    assert ", ".join(words) in said and words[0] in said


@pytest.mark.parametrize("language", languages())
def test_every_word_of_the_catalogue_may_be_a_class(language: str) -> None:
    before, after = render(Text("progress.measuring", {"architecture": "\ue000"}), language).split("\ue000")
    for word in WORDS:
        assert render(Text("progress.measuring", {"architecture": word}), language) == f"{before}{word}{after}"
