"""The interleavings of google_interleavings, around a booking's event in Office 365."""

from gateway.adapters.graph import client
from gateway.sandbox.microsoft.call import Json
from tests.google_interleavings import Run


class GraphRun(Run):
    """One booking's life in Lea's default calendar."""

    routes = ("events.create", "events.patch", "events.delete", "events.list", "events.*")
    clock_of = client

    @property
    def calendar(self) -> str:
        """Return the default calendar."""
        return str(self.source.calendar_id)

    def at(self, hour: int) -> Json:
        """Return the times of an event at the provider."""
        return {
            "start": {"dateTime": f"2026-12-01T{hour:02}:00:00", "timeZone": "UTC"},
            "end": {"dateTime": f"2026-12-01T{hour + 1:02}:00:00", "timeZone": "UTC"},
        }

    def marked(self, item: Json) -> object:
        """Return the booking that an event is marked with."""
        marks = item.get("singleValueExtendedProperties") or [{}]
        return marks[0].get("value")
