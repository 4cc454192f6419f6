"""Engagements: the meetings of contacts, found in calendars or made on a record."""

from collections.abc import Mapping, Sequence

from msgspec import UNSET

from gateway.errors import Invalid
from gateway.model import engagement as model
from gateway.model.timerange import MAX_INSTANT, MIN_INSTANT, TimeRange
from gateway.services.meetings import MeetingWish
from gateway.web.api import shapes_contacts as shapes
from gateway.web.api.operation import KEY, Call, Operation, Parameter
from gateway.web.api.texts import read_instant, text_of

INVITATIONS: Mapping[model.EngagementState, shapes.Invitation] = {
    model.EngagementState.PENDING: "pending",
    model.EngagementState.SCHEDULED: "sent",
    model.EngagementState.CANCELLED: "none",
}
"""What became of the invitation to a meeting that a booking carries out."""


async def shown(call: Call, found: Sequence[model.Engagement]) -> list[shapes.Engagement]:
    """Return engagements as their owner sees them."""
    async with call.services.store.read() as tx:
        calendars = {one.id: one.public_id for one in await tx.collections.of_owner(call.me.id)}
    return [_shown(one, calendars) for one in found]


def _shown(one: model.Engagement, calendars: Mapping[int, str]) -> shapes.Engagement:
    return shapes.Engagement(
        id=one.id,
        contact=one.contact_id,
        origin=one.origin.value,
        state=one.state.value,
        title=one.title,
        location=one.place,
        private=one.is_private,
        start=text_of(one.start),
        end=text_of(one.end),
        all_day=one.all_day,
        recurring=one.recurring,
        occurrences=[
            shapes.Span(start=text_of(start), end=text_of(end)) for start, end in one.times
        ],
        calendar=calendars.get(one.collection_id or 0),
        invitation=INVITATIONS[one.state] if one.booking_id else "none",
        created_at=text_of(one.created_at),
        updated_at=text_of(one.updated_at),
    )


async def list_engagements(call: Call) -> list[shapes.Engagement]:
    """Return the owner's engagements by start, the first thousand."""
    first, last = call.query("from"), call.query("to")
    start = read_instant("from", first) if first else MIN_INSTANT
    end = read_instant("to", last) if last else MAX_INSTANT
    if end <= start:
        raise Invalid({"to": "The end must come after the start."})
    found = await call.services.contacts.engagements(
        call.me.id, contact_id=call.query("contact"), window=TimeRange(start, end)
    )
    return await shown(call, found)


async def get_engagement(call: Call) -> shapes.Engagement:
    """Return an engagement."""
    found = await call.services.contacts.engagement(call.me.id, call.id)
    return (await shown(call, [found]))[0]


async def create_engagement(call: Call) -> shapes.Engagement:
    """Make a meeting on a contact's record."""
    body: shapes.NewEngagement = call.body
    wish = MeetingWish(
        contact_id=body.contact,
        title=body.title,
        start=read_instant("start", body.start),
        duration=body.duration,
        place=body.location,
        time_zone=body.time_zone,
        guests=tuple(body.guests),
        despite_busy=body.despite_busy,
    )
    made = await call.services.meetings.make(call.me, wish, call.key)
    return (await shown(call, [made]))[0]


async def update_engagement(call: Call) -> shapes.Engagement:
    """Change a meeting that was made on a record; whoever was invited is told its new time."""
    body: shapes.EngagementFields = call.body
    given = {"title": body.title, "place": body.location, "duration": body.duration}
    changes: dict[str, object] = {
        name: value for name, value in given.items() if value is not UNSET
    }
    changes["despite_busy"] = body.despite_busy
    if body.start is not UNSET:
        changes["start"] = read_instant("start", str(body.start))
    return (await shown(call, [await call.services.meetings.change(call.me, call.id, changes)]))[0]


async def cancel_engagement(call: Call) -> shapes.Engagement:
    """Cancel a meeting; whoever was invited is told."""
    return (await shown(call, [await call.services.meetings.cancel(call.me, call.id)]))[0]


async def remove_engagement(call: Call) -> None:
    """Take a meeting off the record, cancelled if it is still to come."""
    await call.services.meetings.remove(call.me, call.id)


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        name="listEngagements",
        method="GET",
        path="/engagements",
        about="The meetings of the owner's contacts by start, at most 1000.",
        handler=list_engagements,
        gives=list[shapes.Engagement],
        failures=("not_found",),
        parameters=(
            Parameter(name="contact", about="Only those of the contact with this id."),
            Parameter(name="from", about="An instant.", example="2026-12-01T00:00:00+01:00"),
            Parameter(name="to", about="An instant.", example="2027-01-01T00:00:00+01:00"),
        ),
    ),
    Operation(
        name="createEngagement",
        method="POST",
        path="/engagements",
        about="Make a meeting on a contact's record; with a connected calendar, invite to it.",
        handler=create_engagement,
        takes=shapes.NewEngagement,
        gives=shapes.Engagement,
        status=201,
        parameters=(KEY,),
        failures=(
            "not_found",
            "busy",
            "slot_taken",
            "calendar_unavailable",
            "idempotency_mismatch",
        ),
    ),
    Operation(
        name="updateEngagement",
        method="PATCH",
        path="/engagements/{id}",
        about="Change a meeting on a record; of one that was invited to only the time.",
        handler=update_engagement,
        takes=shapes.EngagementFields,
        gives=shapes.Engagement,
        failures=(
            "from_calendar",
            "invited",
            "over",
            "busy",
            "slot_taken",
            "calendar_unavailable",
            "not_confirmed",
            "moving",
        ),
    ),
    Operation(
        name="cancelEngagement",
        method="POST",
        path="/engagements/{id}/cancel",
        about="Cancel a meeting that was made on a record, and tell whoever was invited.",
        handler=cancel_engagement,
        gives=shapes.Engagement,
        failures=("from_calendar", "over", "booking_changed"),
    ),
    Operation(
        name="removeEngagement",
        method="DELETE",
        path="/engagements/{id}",
        about="Take a meeting that was made on a record off it; one to come is cancelled first.",
        handler=remove_engagement,
        failures=("from_calendar", "booking_changed"),
    ),
    Operation(
        name="getEngagement",
        method="GET",
        path="/engagements/{id}",
        about="One engagement.",
        handler=get_engagement,
        gives=shapes.Engagement,
    ),
)
