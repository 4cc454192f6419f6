"""Restrictions (search expressions of types.xsd): which items or folders they let through."""

import operator
from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from gateway.sandbox.exchange.occurrences import moment
from gateway.sandbox.exchange.properties import Path, path_of, searchable
from gateway.sandbox.exchange.soap import EwsError, T

COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "IsEqualTo": operator.eq,
    "IsNotEqualTo": operator.ne,
    "IsGreaterThan": operator.gt,
    "IsGreaterThanOrEqualTo": operator.ge,
    "IsLessThan": operator.lt,
    "IsLessThanOrEqualTo": operator.le,
}
PLACES: dict[str, Callable[[str, str], bool]] = {
    "FullString": lambda found, wanted: found == wanted,
    "Prefixed": lambda found, wanted: found.startswith(wanted),
    "Substring": lambda found, wanted: wanted in found,
}
Values = Callable[[Path], str | None]


def lets_through(restriction: ET.Element | None, values: Values) -> bool:
    """Tell whether a thing with these values passes; everything does where nothing is asked."""
    return restriction is None or _passes(restriction[0], values)


def _passes(one: ET.Element, values: Values) -> bool:
    kind = one.tag.rpartition("}")[2]
    if kind == "And":
        return all(_passes(part, values) for part in one)
    if kind == "Or":
        return any(_passes(part, values) for part in one)
    if kind == "Not":
        return not _passes(one[0], values)
    found = values(searchable(path_of(one[0])))
    if kind == "Exists":
        return found is not None
    if kind == "Contains":
        return found is not None and _contains(one, found)
    if kind not in COMPARED:
        raise EwsError("ErrorInvalidRestriction", "The restriction is invalid.")
    constant = one.find(f"{T}FieldURIOrConstant/{T}Constant")
    if constant is None:
        raise EwsError("ErrorUnsupportedPathForQuery", "Two properties can not be compared here.")
    if found is None:
        return kind == "IsNotEqualTo"
    wanted = constant.get("Value", "")
    return COMPARED[kind](*_alike(found, wanted))


def _contains(one: ET.Element, found: str) -> bool:
    constant = one.find(f"{T}Constant")
    wanted = constant.get("Value", "") if constant is not None else ""
    if one.get("ContainmentComparison", "Exact") != "Exact":
        found, wanted = found.lower(), wanted.lower()
    return PLACES[one.get("ContainmentMode", "FullString")](found, wanted)


def _alike(found: str, wanted: str) -> tuple[Any, Any]:
    """Return two values as what both of them are: instants, numbers, or texts."""
    for read in (_instant, float):
        try:
            return read(found), read(wanted)
        except ValueError:
            continue
    return found.lower(), wanted.lower()


def _instant(text: str) -> datetime:
    if "T" not in text:
        raise ValueError("no instant")
    return moment(text)
