"""Objects as a report tells them: properties and calendar data, joined and counted.

Law: an answer has a bound; what does not fit is refused (number-of-matches-within-limits), never
cut off in silence, because a client would take what is missing for deleted.
"""

import time

from gateway.dav.properties.respond import Responder
from gateway.dav.tree import ObjectResource
from gateway.dav.wire.calendar_data import CALENDAR_DATA
from gateway.dav.wire.multistatus import Response, condition_xml
from gateway.dav.wire.names import escape_text
from gateway.errors import CalgateError, Condition, Refused
from gateway.model.calendar_data import CalendarData, Room
from gateway.model.content_line import as_text
from gateway.model.matching import Matcher
from gateway.model.objects import read_one
from gateway.model.retrieval import retrieve
from gateway.model.zone import Zone

MAX_ANSWER = 10 * 1024 * 1024
"""Characters of one answer."""
MAX_OBJECTS = 50_000
"""Objects one answer looks at or tells."""
BATCH = 500
"""Objects read, looked at and told at a time."""
INSUFFICIENT_STORAGE, NOT_FOUND = 507, 404


class Teller:
    """Tells objects one by one for one answer; may be used in a thread."""

    def __init__(self, responder: Responder, names: tuple[str, ...], data: CalendarData) -> None:
        self._responder = responder
        self._data = data
        self._room = Room()
        self.size = 0
        self.needs_data = CALENDAR_DATA in names

    def tell(self, resource: ObjectResource, home: Zone, found: Matcher | None = None) -> str:
        """Return the response of an object; `found` is what was read of it already."""
        if self.needs_data:
            text = escape_text(self._text(resource, home, found))
            response = self._responder.response(resource, computed={CALENDAR_DATA: text})
        else:
            response = self._responder.response(resource)
        told = response.xml()
        self.size += len(told)
        if self.size > MAX_ANSWER:
            raise too_many(f"The answer has more than {MAX_ANSWER // 1024**2} MiB; ask for less.")
        return told

    def _text(self, resource: ObjectResource, home: Zone, found: Matcher | None) -> str:
        stored = resource.record.data
        if self._data.is_plain:
            return as_text(stored)
        try:
            known = found or Matcher(read_one(stored), home)
            times = known.times
        except CalgateError:
            # Stored once, unreadable now: its owner gets it as it is.
            return as_text(stored)
        return retrieve(known.obj, times, self._data, home, self._room)


def give_way() -> None:
    """Let the event loop have its turn; a thread that computes would keep it waiting."""
    time.sleep(0)


def too_many(sentence: str) -> Refused:
    """Return the refusal of an answer that would be too large (RFC 4791 section 7.8)."""
    return Refused(Condition.NUMBER_OF_MATCHES, sentence)


def truncated(href: str) -> Response:
    """Return what says that the answer was cut off as asked (RFC 6578 section 3.6)."""
    return Response(
        href, status=INSUFFICIENT_STORAGE, error=condition_xml(Condition.NUMBER_OF_MATCHES)
    )


def missing(href: str) -> Response:
    """Return what says that nothing is there."""
    return Response(href, status=NOT_FOUND)
