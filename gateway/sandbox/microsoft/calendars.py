"""Who somebody is, their settings and calendars, and getSchedule."""

from gateway.model.timerange import DAY, TimeRange
from gateway.sandbox.microsoft.call import Call, GraphError, Json
from gateway.sandbox.microsoft.events import in_view, paged
from gateway.sandbox.microsoft.times import home_of, in_zone, instant_of, span_of
from gateway.sandbox.microsoft.world import GraphCalendar, World

MAX_SCHEDULES, MAX_ENTRIES = 100, 1000
LONGEST = 62 * DAY
DIGITS = {"free": "0", "tentative": "1", "busy": "2", "oof": "3", "workingElsewhere": "4"}


def me(world: World, call: Call) -> Json:
    """Answer GET /me."""
    mailbox = world.mailboxes[call.address]
    return {
        "id": mailbox.object_id,
        "displayName": mailbox.name,
        "mail": mailbox.address,
        "userPrincipalName": mailbox.address,
    }


def settings(world: World, call: Call) -> Json:
    """Answer GET /me/mailboxSettings."""
    mailbox = world.mailboxes[call.address]
    if not mailbox.has_settings:
        raise GraphError(403, "ErrorAccessDenied", "Access is denied.")
    return {"timeZone": mailbox.time_zone, "language": {"locale": "en-US"}}


def list_calendars(world: World, call: Call) -> Json:
    """Answer GET /me/calendars, shared ones included."""
    rows = [_entry(world, one, call.address) for one in world.seen_by(call.address)]
    return paged(world, call, "calendars", rows)


def _entry(world: World, calendar: GraphCalendar, address: str) -> Json:
    owner = world.mailboxes.get(calendar.owner)
    own = calendar.owner == address
    role = "write" if own else calendar.shared[address]
    return {
        "id": calendar.id,
        "name": calendar.name,
        "color": "auto",
        "hexColor": "#0078d4",
        "isDefaultCalendar": own and calendar.is_default,
        "canEdit": calendar.can_edit and role == "write",
        "canShare": own,
        "canViewPrivateItems": own,
        "isRemovable": not calendar.is_default,
        "owner": {"name": owner.name if owner else "", "address": calendar.owner},
    }


def get_schedule(world: World, call: Call) -> Json:
    """Answer getSchedule: 200 also where somebody's time cannot be told, with an error in it."""
    if world.mailboxes[call.address].is_personal:
        raise GraphError(403, "ErrorAccessDenied", "Not for personal accounts.")
    wanted = call.body.get("schedules")
    if not isinstance(wanted, list) or len(wanted) > MAX_SCHEDULES:
        raise GraphError(400, "ErrorMailboxDataArrayTooBig", "Too many schedules.")
    low, high = instant_of(call.body.get("startTime", {})), instant_of(call.body.get("endTime", {}))
    if high <= low:
        raise GraphError(400, "ErrorInvalidTimeInterval", "The interval is empty.")
    if high - low > LONGEST:
        raise GraphError(400, "ErrorTimeIntervalTooBig", "The interval is too big.")
    zone = call.prefer.get("outlook.timezone", "UTC")
    window = TimeRange(low, high)
    return {"value": [_schedule(world, str(one), window, zone) for one in wanted]}


def _schedule(world: World, address: str, window: TimeRange, zone: str) -> Json:
    if address not in world.mailboxes:
        return _failed(address, "5009", "ErrorMailRecipientNotFound")
    calendar = world.default_calendar(address)
    home = home_of(world, calendar)
    items = []
    for one in in_view(world, calendar, window):
        span = span_of(one, home)
        if span is not None and not one.get("isCancelled"):
            times = {"start": in_zone(span.start, zone), "end": in_zone(span.end, zone)}
            items.append({"status": one.get("showAs", "busy"), **times})
    if len(items) > MAX_ENTRIES:
        return _failed(
            address,
            "5006",
            "The result set contains too many calendar entries. The allowed size = 1000",
        )
    return {
        "scheduleId": address,
        "availabilityView": "".join(DIGITS.get(str(one["status"]), "2") for one in items),
        "scheduleItems": items,
    }


def _failed(address: str, code: str, message: str) -> Json:
    return {
        "scheduleId": address,
        "availabilityView": "",
        "error": {"message": message, "responseCode": code},
    }
