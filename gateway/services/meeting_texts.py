"""A booking as the meeting that an invitation or a calendar's event tells of."""

from gateway.model.booking import Booking
from gateway.model.itip import Meeting, Participant
from gateway.model.page import SchedulingPage
from gateway.model.principal import Owner
from gateway.services.letters import answers


def meeting_of(booking: Booking, page: SchedulingPage, owner: Owner) -> Meeting:
    """Return the meeting as its attendees see it: nothing in it was typed by a stranger."""
    place = page.location.value if page.location else ""
    return Meeting(
        uid=booking.uid,
        sequence=booking.sequence,
        stamp=booking.updated_at,
        start=booking.start,
        end=booking.end,
        summary=page.title if booking.is_on_record else f"{page.title}: {owner.name}",
        location=place,
        organizer=Participant(email=owner.email, name=owner.name),
        attendees=tuple(Participant(email=one) for one in (booking.email, *booking.guests)),
        asks=booking.is_on_record,
    )


def meeting_for_owner(booking: Booking, page: SchedulingPage, owner: Owner) -> Meeting:
    """Return the meeting as the owner's calendar keeps it: who, and what they answered.

    Never the link that manages it: guests may see this event at a provider.
    """
    said = [f"{booking.name} <{booking.email}>"]
    said += [f"{label}: {answer}" for label, answer in answers(page, booking)]
    place = page.location.value if page.location else ""
    visitor = Participant(email=booking.email, name=booking.name)
    return Meeting(
        uid=booking.uid,
        sequence=booking.sequence,
        stamp=booking.updated_at,
        start=booking.start,
        end=booking.end,
        summary=page.title if booking.is_on_record else f"{page.title}: {booking.name}",
        # What a contact is invited to says nothing that the invitation does not.
        description="" if booking.is_on_record else "\n".join(said),
        location=place,
        organizer=Participant(email=owner.email, name=owner.name),
        attendees=(visitor, *(Participant(email=one) for one in booking.guests)),
        asks=booking.is_on_record,
    )
