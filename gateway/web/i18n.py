"""Languages: gettext catalogues read from their `.po` sources, and how a reader's is chosen.

English is the source language: a string without a translation is shown as it stands in the code.
"""

import io
from collections.abc import Mapping, Sequence
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

from babel import negotiate_locale
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


@cache
def catalogue(locale: str) -> NullTranslations:
    """Return the translations of a locale; no compiled file is kept anywhere."""
    source = FOLDER / locale / "LC_MESSAGES" / f"{DOMAIN}.po"
    if locale == SOURCE or locale not in LOCALES or not source.exists():
        return NullTranslations()
    with source.open("rb") as file:
        entries = read_po(file, locale=locale)
    compiled = io.BytesIO()
    write_mo(compiled, entries)
    compiled.seek(0)
    return GNUTranslations(compiled)


def translate(locale: str, text: str) -> str:
    """Return an English source string in a locale."""
    return catalogue(locale).gettext(text)


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
