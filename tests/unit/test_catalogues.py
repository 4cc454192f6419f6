"""Whoever reads another language than English reads all of it."""

import re

import pytest

from gateway.web.i18n import LOCALES, SOURCE, catalogue
from tests.catalogue import Message, messages, read

TRANSLATED = [locale for locale in LOCALES if locale != SOURCE]
PLACE = re.compile(r"%\(\w+\)[sd]|\{\w*\}")


def _known(locale: str) -> dict[Message, tuple[str, ...]]:
    """Return a catalogue's texts with their translations: one, or one a plural form."""
    return {
        message.id if isinstance(message.id, str) else (message.id[0], message.id[1]): (
            (message.string,) if isinstance(message.string, str) else tuple(message.string)
        )
        for message in read(locale)
        if message.id
    }


@pytest.mark.parametrize("locale", TRANSLATED)
def test_every_text_is_translated(locale: str) -> None:
    """No text that a person may read lacks a translation (`python -m tests.catalogue` lists)."""
    known = _known(locale)
    lacking = [message for message in messages() if not all(known.get(message, ("",)))]

    assert lacking == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_no_translation_outlives_its_text(locale: str) -> None:
    """A catalogue holds nothing that no template and no code says any more."""
    stale = set(_known(locale)) - messages()

    assert stale == set()


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_translation_has_the_places_of_its_text(locale: str) -> None:
    """What is filled into a text has its place in each translation, and nothing else has."""
    wrong = []
    for message, translations in _known(locale).items():
        texts = (message,) if isinstance(message, str) else message
        for text, translation in zip(texts, translations, strict=True):
            if set(PLACE.findall(text)) != set(PLACE.findall(translation)):
                wrong.append(text)

    assert wrong == []


@pytest.mark.parametrize("locale", TRANSLATED)
def test_a_catalogue_works_as_it_stands(locale: str) -> None:
    """The source of a catalogue is read directly: there is no compiled file to forget."""
    found = catalogue(locale)

    assert found.gettext("Sign out") != "Sign out"
    assert found.ngettext("%(num)d minute", "%(num)d minutes", 2) != "%(num)d minutes"
