"""Whoever reads another language than English reads all of it."""

import re

import pytest
from babel import Locale

from gateway.web.i18n import LOCALES, REGIONS, SOURCE, catalogue, formats, translate
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


@pytest.mark.parametrize(
    ("locale", "header", "expected"),
    [
        ("en", "en-GB,en;q=0.9", "en_GB"),
        ("en", "nl;q=0.4, fr, en-US;q=0.9", "en_US"),
        ("en", "en", "en_GB"),
        ("en", "", "en_GB"),
        ("en", "en,en-US;q=0.5", "en_GB"),
        ("en", "en-XX", "en_GB"),
        ("en", "EN_ie", "en_IE"),
        ("en", "en-Latn-AU-x-private", "en_AU"),
        ("en", "nl-BE", "en_GB"),
        ("nl", "en-US,nl-BE;q=0.5", "nl_BE"),
        ("nl", "nl", "nl_NL"),
    ],
)
def test_dates_are_those_of_the_readers_region(locale: str, header: str, expected: str) -> None:
    """The region beside the language decides, and Europe's where none is asked for."""
    assert formats(locale, header) == expected


def test_every_region_has_dates() -> None:
    """A language that pages are in has regions, and each of them is known."""
    assert REGIONS.keys() == LOCALES.keys()
    for locale, regions in REGIONS.items():
        assert [Locale.parse(f"{locale}_{one}").territory for one in regions] == list(regions)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "The certificate of mail.corp.example has expired.",
            "Het certificaat van mail.corp.example is verlopen.",
        ),
        ("mail.corp does not speak HTTP.", "mail.corp spreekt geen HTTP."),
        (
            "mail.corp refuses connections on port 443.",
            "mail.corp weigert verbindingen op poort 443.",
        ),
        ("Google answered with status 418.", "Google antwoordde met status 418."),
        ("There is no server called {title}.", "Er is geen server met de naam {title}."),
        ("There is no server called %(x)s\\1.", "Er is geen server met de naam %(x)s\\1."),
        ("Something that nobody wrote.", "Something that nobody wrote."),
        ("", ""),
    ],
)
def test_a_sentence_with_facts_is_translated(text: str, told: str) -> None:
    """What a source said is found by its form, and its facts stay as they are."""
    assert translate("nl", text) == told
    assert translate("en", text) == text


def test_the_fuller_form_comes_first() -> None:
    """A sentence that fits two forms is the one that says more of it."""
    text = (
        "The server does not accept this user name and password (it offers NTLM, Basic)."
        " With two-factor authentication it wants an app password."
    )

    assert "(hij biedt NTLM, Basic)" in translate("nl", text)
    assert "app-wachtwoord" in translate("nl", text)
