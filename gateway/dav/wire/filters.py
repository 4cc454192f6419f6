"""CALDAV:filter (RFC 4791 section 9.7) into the values of `gateway.model.filter`.

What contradicts itself is refused (valid-filter), what we do not know too (supported-filter): a
filter that is half understood would give a wrong answer.
"""

from collections.abc import Iterator
from typing import NoReturn

from gateway.dav.wire import xml
from gateway.dav.wire.names import caldav
from gateway.dav.wire.time_ranges import read_time_range
from gateway.dav.wire.xml import Element
from gateway.errors import Condition, Refused
from gateway.model.filter import CompFilter, ParamFilter, PropFilter, TextMatch
from gateway.model.matching import DATES
from gateway.model.text_match import Collation
from gateway.model.timerange import TimeRange

MAX_FILTERS = 100
"""Elements in one filter."""
MAX_TEXT = 10_000
"""Characters of one text-match."""
_PLACES = {
    "VEVENT": "VCALENDAR",
    "VTODO": "VCALENDAR",
    "VJOURNAL": "VCALENDAR",
    "VFREEBUSY": "VCALENDAR",
    "VTIMEZONE": "VCALENDAR",
    "STANDARD": "VTIMEZONE",
    "DAYLIGHT": "VTIMEZONE",
}
"""The component that each may stand in; a VALARM stands in two."""
_HOLD_ALARMS = frozenset({"VEVENT", "VTODO"})
_TAKE_PLACE = frozenset({"VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY", "VALARM"})
_COMP, _PROP, _PARAM = caldav("comp-filter"), caldav("prop-filter"), caldav("param-filter")
_TIME_RANGE, _TEXT = caldav("time-range"), caldav("text-match")
_NOT_DEFINED = caldav("is-not-defined")


def read_filter(item: Element) -> CompFilter:
    """Read CALDAV:filter, section 9.7: one comp-filter, of VCALENDAR."""
    inside = list(xml.children(item))
    if len(inside) != 1 or xml.name_of(inside[0]) != _COMP:
        _invalid("A filter holds one comp-filter.")
    if sum(1 for _ in item.iter()) > MAX_FILTERS:
        raise Refused(Condition.SUPPORTED_FILTER, f"A filter has at most {MAX_FILTERS} elements.")
    return _comp(inside[0], "")


def _comp(item: Element, parent: str) -> CompFilter:
    name = _name(item)
    _check_place(name, parent)
    window: TimeRange | None = None
    props: list[PropFilter] = []
    comps: list[CompFilter] = []
    for kind, child in _known(item, _NOT_DEFINED, _TIME_RANGE, _PROP, _COMP):
        if kind == _NOT_DEFINED:
            _alone(item)
            return CompFilter(name=name, is_not_defined=True)
        if kind == _TIME_RANGE:
            if window is not None or name not in _TAKE_PLACE:
                _invalid(f"{name} takes one time-range, if it can take place at all.")
            window = _window(child)
        elif kind == _PROP:
            props.append(_prop(child))
        else:
            comps.append(_comp(child, name))
    return CompFilter(name=name, time_range=window, props=tuple(props), comps=tuple(comps))


def _check_place(name: str, parent: str) -> None:
    if name == "VALARM":
        fits = parent in _HOLD_ALARMS
    elif name == "VCALENDAR" or not parent:
        fits = name == "VCALENDAR" and not parent
    else:
        fits = name not in _PLACES or _PLACES[name] == parent
    if not fits:
        _invalid(f"{name[:40]} cannot stand in {parent or 'a filter'}.")


def _prop(item: Element) -> PropFilter:
    name = _name(item)
    window: TimeRange | None = None
    text: TextMatch | None = None
    params: list[ParamFilter] = []
    for kind, child in _known(item, _NOT_DEFINED, _TIME_RANGE, _TEXT, _PARAM):
        if kind == _NOT_DEFINED:
            _alone(item)
            return PropFilter(name=name, is_not_defined=True)
        if kind == _PARAM:
            params.append(_param(child))
            continue
        if window or text:
            _invalid(f"{name[:40]} takes one time-range or one text-match.")
        if kind == _TEXT:
            text = _text(child)
        elif name in DATES:
            window = _window(child)
        else:
            _invalid(f"{name[:40]} is no date, so no time-range can ask it.")
    return PropFilter(name=name, time_range=window, text_match=text, params=tuple(params))


def _param(item: Element) -> ParamFilter:
    name = _name(item)
    text: TextMatch | None = None
    for kind, child in _known(item, _NOT_DEFINED, _TEXT):
        if kind == _NOT_DEFINED:
            _alone(item)
            return ParamFilter(name=name, is_not_defined=True)
        if text:
            _invalid(f"{name[:40]} takes one text-match.")
        text = _text(child)
    return ParamFilter(name=name, text_match=text)


def _text(item: Element) -> TextMatch:
    """Read CALDAV:text-match, section 9.7.5; the collation `default` is the one without a name."""
    given = xml.attribute(item, "collation") or "default"
    try:
        collation = Collation.ASCII_CASEMAP if given == "default" else Collation(given)
    except ValueError:
        sentence = f"There is no collation {given[:40]} here."
        raise Refused(Condition.SUPPORTED_COLLATION, sentence) from None
    negate = xml.attribute(item, "negate-condition") or "no"
    if negate not in ("yes", "no"):
        _invalid("negate-condition is yes or no.")
    text = xml.text_of(item)
    if len(text) > MAX_TEXT:
        sentence = f"A text-match has at most {MAX_TEXT:,} characters."
        raise Refused(Condition.SUPPORTED_FILTER, sentence)
    return TextMatch(text, collation, negate == "yes")


def _window(item: Element) -> TimeRange:
    return read_time_range(item, closed=False, broken=Condition.VALID_FILTER)


def _name(item: Element) -> str:
    name = (xml.attribute(item, "name") or "").strip().upper()
    if not name:
        _invalid(f"{xml.name_of(item).rpartition('}')[2]} has a name.")
    if xml.attribute(item, "test") not in (None, "allof"):
        raise Refused(Condition.SUPPORTED_FILTER, "Every condition of a filter must hold.")
    return name


def _known(item: Element, *kinds: str) -> Iterator[tuple[str, Element]]:
    for child in xml.children(item):
        kind = xml.name_of(child)
        if kind not in kinds:
            where = xml.name_of(item).rpartition("}")[2]
            raise Refused(Condition.SUPPORTED_FILTER, f"{where} cannot hold {kind[:80]}.")
        yield kind, child


def _alone(item: Element) -> None:
    if sum(1 for _ in xml.children(item)) > 1:
        _invalid("What is not defined can have no other condition.")


def _invalid(sentence: str) -> NoReturn:
    raise Refused(Condition.VALID_FILTER, sentence)
