"""Reading the values of EWS elements (types.xsd); what makes no sense is ValueError.

Servers write instants with Z, with an offset, with a fraction, or bare; dates with a zone's offset
behind them that means nothing.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from gateway.model.local_time import DayNumber, parse_day
from gateway.model.timerange import HOUR, MINUTE, Instant, to_instant

T = "{http://schemas.microsoft.com/exchange/services/2006/types}"
M = "{http://schemas.microsoft.com/exchange/services/2006/messages}"
_FRACTION = re.compile(r"\.\d+")
_BIAS = re.compile(r"(-?)P(?:0D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.\d+)?S)?")

Element = Any
"""An element of ElementTree's interface."""


def text_of(element: Element, name: str) -> str:
    """Return the text of a child by its name in the types' namespace; empty where it is missing."""
    if element is None:
        return ""
    found: str | None = element.findtext(f"{T}{name}")
    return (found or "").strip()


def child_of(element: Element, name: str) -> Element:
    """Return a child by its name in the types' namespace, or None."""
    return None if element is None else element.find(f"{T}{name}")


def children_of(element: Element, name: str) -> Iterator[Element]:
    """Yield the children of a child; nothing where it is missing."""
    found = child_of(element, name)
    if found is not None:
        yield from found


def is_true(element: Element, name: str) -> bool:
    """Tell whether a boolean is said to be true (XML Schema part 2, section 3.2.2)."""
    return text_of(element, name) in {"true", "1"}


def name_of(element: Element) -> str:
    """Return an element's name without its namespace."""
    return str(element.tag).rpartition("}")[2]


def item_id(element: Element) -> str:
    """Return the ItemId of an item or occurrence."""
    found = child_of(element, "ItemId")
    return "" if found is None else str(found.get("Id", ""))


def change_key(element: Element) -> str:
    """Return which version of an item was read."""
    found = child_of(element, "ItemId")
    return "" if found is None else str(found.get("ChangeKey", ""))


def read_instant(text: str) -> Instant:
    """Read an xs:dateTime; a bare one is UTC, as Exchange's own are."""
    moment = datetime.fromisoformat(_FRACTION.sub("", text.strip()))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return to_instant(moment)


def read_date(text: str) -> DayNumber:
    """Read an xs:date by its first ten characters, whatever zone is written behind it."""
    return parse_day(text.strip()[:10].replace("-", ""))


def read_bias(text: str) -> int:
    """Read an xs:duration of hours and minutes in seconds."""
    found = _BIAS.fullmatch(text.strip())
    if found is None:
        raise ValueError("no bias")
    seconds = int(found[2] or 0) * HOUR + int(found[3] or 0) * MINUTE + int(found[4] or 0)
    return -seconds if found[1] else seconds
