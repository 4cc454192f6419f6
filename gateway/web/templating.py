"""Pages from templates: everything escaped, every text translated, an unknown name an error."""

from collections.abc import Mapping
from contextvars import ContextVar
from datetime import date, datetime, time
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import jinja2
from aiohttp import web
from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from markupsafe import Markup

from gateway.model.timerange import Instant, format_utc
from gateway.model.zones import UTC_ZONE, Zone, zone
from gateway.web.i18n import LOCALES, catalogue, translate
from gateway.web.keys import FORMATS, LOCALE, OWNER, SESSION
from gateway.web.static_files import asset

FOLDER = Path(__file__).parent / "templates"
_current: ContextVar[str] = ContextVar("locale", default="en")
_formats: ContextVar[str] = ContextVar("formats", default="en_GB")


@cache
def environment() -> jinja2.Environment:
    """Return the one environment of all pages."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.policies["ext.i18n.trimmed"] = True
    made.globals["asset"] = asset
    made.install_gettext_callables(  # type: ignore[attr-defined]  # added by the i18n extension
        lambda text: catalogue(_current.get()).gettext(text),
        lambda one, many, n: catalogue(_current.get()).ngettext(one, many, n),
        newstyle=True,
    )
    made.filters["day"] = day
    made.filters["clock"] = clock
    made.filters["moment"] = moment
    made.filters["said"] = said
    made.filters["utc"] = format_utc
    return made


def page(
    request: web.Request,
    name: str,
    facts: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Render a page in the reader's language."""
    locale = request[LOCALE]
    token, formats = _current.set(locale), _formats.set(request[FORMATS])
    try:
        text = (
            environment()
            .get_template(name)
            .render(
                locale=locale,
                locales=LOCALES,
                path=request.path,
                owner=request.get(OWNER),
                csrf=request[SESSION].csrf if SESSION in request else "",
                **(facts or {}),
            )
        )
    finally:
        _formats.reset(formats)
        _current.reset(token)
    return web.Response(
        status=status, text=text, content_type="text/html", charset="utf-8", headers=headers
    )


def part(locale: str, name: str, facts: Mapping[str, Any]) -> Markup:
    """Render a part of a page that depends on nothing but these facts."""
    token = _current.set(locale)
    try:
        return Markup(environment().get_template(name).render(facts))  # noqa: S704 - escaped there
    finally:
        _current.reset(token)


def zone_or_utc(name: str) -> Zone:
    """Return a zone by name; UTC for one that is not there any more."""
    return zone(name) or UTC_ZONE


def local(instant: Instant, zone_name: str) -> datetime:
    """Return the wall-clock time of an instant in a zone."""
    return zone_or_utc(zone_name).to_local(instant)


def said(sentence: str) -> str:
    """Translate a sentence that code made and that may hold foreign text.

    `_()` is for literals alone: it takes what it is given for safe markup and a format string.
    """
    return translate(_current.get(), sentence)


def day(value: Instant | date, zone_name: str = "UTC", form: str = "full") -> str:
    """Format a day as the reader writes it."""
    shown = local(value, zone_name).date() if isinstance(value, int) else value
    return _written_day(shown, form, _formats.get())


def clock(value: Instant, zone_name: str = "UTC") -> str:
    """Format a time of day as the reader writes it."""
    return _written_clock(local(value, zone_name).time(), _formats.get())


# A month shows a hundred of these, and the same ones to the next visitor.
@lru_cache(maxsize=4096)
def _written_day(shown: date, form: str, locale: str) -> str:
    return format_date(shown, form, locale=Locale.parse(locale))


@lru_cache(maxsize=4096)
def _written_clock(shown: time, locale: str) -> str:
    return format_time(shown, "short", locale=Locale.parse(locale))


def moment(value: Instant, zone_name: str = "UTC") -> str:
    """Format a day and time of day as the reader writes them."""
    return format_datetime(local(value, zone_name), "medium", locale=Locale.parse(_formats.get()))
