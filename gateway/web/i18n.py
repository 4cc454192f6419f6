"""Languages: gettext catalogues read from their `.po` sources, and how a reader's is chosen.

English is the source language: a string without a translation is shown as it stands in the code.
"""

import io
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

FOLDER = Path(__file__).parent / "locale"
DOMAIN = "calgate"
SOURCE = "en"
LOCALES: Mapping[str, str] = {"en": "English", "nl": "Nederlands"}
REGIONS: Mapping[str, Sequence[str]] = {
    "en": ("GB", "US", "IE", "AU", "NZ", "CA", "IN", "ZA"),
    "nl": ("NL", "BE"),
}
"""Whose dates and times a language is shown with; the first where a reader names none of these."""
MAX_HEADER = 200
PLACE = re.compile(r"\{(\w+)\}")
"""Where a fact stands in a source string."""
PLACE_OR_TEXT = re.compile(r"\{\w+\}|(?:(?!\{\w+\}).)+", re.DOTALL)
LONGEST = 600
"""Longer texts are not sentences of ours."""


@cache
def catalogue(locale: str) -> NullTranslations:
    """Return the translations of a locale; no compiled file is kept anywhere."""
    compiled = io.BytesIO()
    entries = _entries(locale)
    if not len(entries):
        return NullTranslations()
    write_mo(compiled, entries)
    compiled.seek(0)
    return GNUTranslations(compiled)


@cache
def _entries(locale: str) -> Catalog:
    source = FOLDER / locale / "LC_MESSAGES" / f"{DOMAIN}.po"
    if locale == SOURCE or locale not in LOCALES or not source.exists():
        return Catalog()
    with source.open("rb") as file:
        return read_po(file, locale=locale)


def translate(locale: str, text: str) -> str:
    """Return an English text in a locale: a source string, or one with facts filled in."""
    if locale == SOURCE or not text:
        return text
    found = catalogue(locale).gettext(text)
    return found if found != text else _by_form(locale, text)


@lru_cache(maxsize=1024)
def _by_form(locale: str, text: str) -> str:
    """Return a text by the source string with `{fact}` places that it was made of, if one fits."""
    if len(text) > LONGEST:
        return text
    for form, parts in _forms(locale):
        facts = form.fullmatch(text)
        if facts is not None:
            return "".join(facts[part[1:-1]] if PLACE.fullmatch(part) else part for part in parts)
    return text


@cache
def _forms(locale: str) -> Sequence[tuple[re.Pattern[str], Sequence[str]]]:
    """Return what texts with facts look like, and the pieces of their translations."""
    made = {}
    for message in _entries(locale):
        if isinstance(message.id, str) and isinstance(message.string, str):
            words = PLACE.split(message.id)
            if len(words) > 1 and message.string:
                made[message.id] = _form(words), PLACE_OR_TEXT.findall(message.string)
    # The one that says most fits best.
    ordered = sorted(made, key=lambda text: len(PLACE.sub("", text)), reverse=True)
    return [made[text] for text in ordered]


def _form(words: Sequence[str]) -> re.Pattern[str]:
    """Return what matches a text, given its words and the names of its facts in turn."""
    pattern, known = "", set()
    for index, word in enumerate(words):
        if index % 2 == 0:
            pattern += re.escape(word)
        elif word in known:
            pattern += f"(?P={word})"
        else:
            known.add(word)
            pattern += f"(?P<{word}>.+?)"
    return re.compile(pattern, re.DOTALL)


def accepted(header: str, *, default: str = SOURCE) -> str:
    """Return the best locale for an Accept-Language header (RFC 9110 section 12.5.4)."""
    preferred = _ranked(header[:MAX_HEADER])
    return negotiate_locale(preferred, list(LOCALES), sep="-") or default


def formats(locale: str, header: str) -> str:
    """Return the locale of dates and times for a language and an Accept-Language header.

    A language is asked for by itself as often as with a region, and the plain `en` of the tables
    is American: 11/30 is no day anywhere else.
    """
    known = REGIONS[locale]
    for tag in _ranked(header[:MAX_HEADER]):
        language, *rest = tag.replace("_", "-").split("-")
        if language.lower() == locale:
            regions = [part.upper() for part in rest if part.upper() in known]
            return f"{locale}_{regions[0] if regions else known[0]}"
    return f"{locale}_{known[0]}"


def _ranked(header: str) -> Sequence[str]:
    ranked = []
    for position, part in enumerate(header.split(",")):
        tag, _, quality = part.partition(";")
        try:
            weight = float(quality.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if tag.strip() and weight > 0:
            ranked.append((-weight, position, tag.strip()))
    return [tag for _, _, tag in sorted(ranked)]
