"""Calendars on any CalDAV server (RFC 4791): discovery, reading by sync-collection, writing."""

from gateway.adapters.caldav.adapter import SPEC, build

__all__ = ["SPEC", "build"]
