"""Writing events: create with a transactionId, PATCH and DELETE with If-Match, cancel."""

from collections.abc import Mapping

from gateway.sandbox.microsoft.call import Call, GraphError, Json
from gateway.sandbox.microsoft.events import find, show
from gateway.sandbox.microsoft.times import instant_of
from gateway.sandbox.microsoft.world import World

READ_ONLY = frozenset(
    {
        "id",
        "iCalUId",
        "uid",
        "changeKey",
        "createdDateTime",
        "lastModifiedDateTime",
        "transactionId",
    }
)
EMPTY: Mapping[str, object] = {
    "subject": "",
    "categories": [],
    "importance": "normal",
    "sensitivity": "normal",
    "isAllDay": False,
    "isOrganizer": True,
    "responseRequested": True,
    "seriesMasterId": None,
    "showAs": "busy",
    "isOnlineMeeting": False,
    "onlineMeeting": None,
    "isDraft": False,
    "hideAttendees": False,
    "isReminderOn": True,
    "reminderMinutesBeforeStart": 15,
    "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
    "body": {"contentType": "html", "content": ""},
    "location": {"displayName": ""},
    "locations": [],
    "recurrence": None,
    "attendees": [],
}


def create(world: World, call: Call) -> Json:
    """Answer POST events: one transactionId makes one event, whoever asks again."""
    calendar = world.calendar(call.path["calendarId"], call.address, writing=True)
    body = {name: value for name, value in call.body.items() if name not in READ_ONLY}
    _check(body)
    wanted = call.body.get("transactionId")
    if wanted and world.honours_transaction_ids:
        for item in calendar.events.values():
            if item.get("transactionId") == wanted:
                raise GraphError(409, "ErrorDuplicateTransactionId", "It was made before.")
    mailbox = world.mailboxes[call.address]
    organizer = {"emailAddress": {"name": mailbox.name, "address": mailbox.address}}
    zone = str(body["start"].get("timeZone") or "UTC")
    added = {
        "organizer": organizer,
        "transactionId": wanted,
        "originalStartTimeZone": zone,
        "originalEndTimeZone": str(body["end"].get("timeZone") or "UTC"),
    }
    made = world.put(calendar.id, {**EMPTY, **body, **added})
    _mail(world, made, "invitation")
    return show(made, call)


def patch(world: World, call: Call) -> Json:
    """Answer PATCH: what is not sent stays."""
    calendar, item = find(world, call, writing=True)
    _check_etag(call, item)
    body = {name: value for name, value in call.body.items() if name not in READ_ONLY}
    changed = {**item, **body}
    _check(changed)
    _mail(world, changed, "update")
    return show(world.put(calendar.id, changed), call)


def delete(world: World, call: Call) -> Json:
    """Answer DELETE."""
    calendar, item = find(world, call, writing=True)
    _check_etag(call, item)
    world.remove(calendar.id, item["id"])
    return {}


def cancel(world: World, call: Call) -> Json:
    """Answer cancel, which only an organizer of a meeting with attendees may do."""
    calendar, item = find(world, call, writing=True)
    if not item.get("isOrganizer", True) or not item.get("attendees"):
        raise GraphError(400, "ErrorInvalidRequest", "Your request can't be completed.")
    _mail(world, item, "cancellation")
    world.remove(calendar.id, item["id"])
    return {}


def _mail(world: World, item: Json, about: str) -> None:
    """Mail the attendees, as Exchange does unasked."""
    people = (one["emailAddress"]["address"] for one in item.get("attendees", ()))
    world.mails += [(about, address) for address in people]


def _check_etag(call: Call, item: Json) -> None:
    if call.if_match not in {"", "*", item["@odata.etag"]}:
        raise GraphError(412, "ErrorIrresolvableConflict", "The change key does not match.")


def _check(body: Json) -> None:
    start, end = body.get("start"), body.get("end")
    if not isinstance(start, dict) or not isinstance(end, dict):
        raise GraphError(400, "ErrorInvalidRequest", "start and end are needed.")
    try:
        reversed_ = instant_of(end) < instant_of(start)
    except (ValueError, KeyError, TypeError) as error:
        raise GraphError(400, "ErrorPropertyValidationFailure", "Invalid time.") from error
    if reversed_:
        raise GraphError(400, "ErrorPropertyValidationFailure", "The end is before the start.")
