"""Calendars and calendar object resources: the names the rest of the gateway uses."""

from gateway.model.component import CalendarObject, Component, parse, parse_many, serialize

__all__ = ["CalendarObject", "Component", "parse", "parse_many", "serialize"]
