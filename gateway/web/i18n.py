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
