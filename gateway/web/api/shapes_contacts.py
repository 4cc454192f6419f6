"""The shapes of contacts and their engagements."""

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from gateway.web.api.shapes import Minutes, Shape, Time

EngagementOrigin = Literal["calendar", "record"]
EngagementStage = Literal["pending", "scheduled", "cancelled"]
Invitation = Literal["none", "pending", "sent"]


class ContactFields(Shape, frozen=True):
    """Members of a contact to be set; what is left out stays as it is."""

    email: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    phone: str | UnsetType = UNSET
    notes: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    created_at: Time | UnsetType = UNSET
    updated_at: Time | UnsetType = UNSET


class NewContact(ContactFields, frozen=True):
    """A contact to be made."""

    email: str


class Contact(Shape, frozen=True):
    """A person whom the owner knows by this address."""

    id: str
    email: str
    name: str
    phone: str
    notes: str
    created_at: Time
    updated_at: Time


class Span(Shape, frozen=True):
    """One time of a meeting."""

    start: Time
    end: Time


class EngagementFields(Shape, frozen=True):
    """Members of a meeting on a record to be set; what is left out stays as it is.

    `despite_busy` moves it although the owner is busy then, or a calendar cannot be read.
    """

    title: str | UnsetType = UNSET
    location: str | UnsetType = UNSET
    start: Time | UnsetType = UNSET
    duration: Minutes | UnsetType = UNSET
    despite_busy: bool = False


class NewEngagement(Shape, frozen=True):
    """A meeting to be made on a contact's record.

    With a connected calendar it is written there and the contact is invited. `despite_busy` makes
    it although the owner is busy then, or a calendar cannot be read.
    """

    contact: str
    title: str
    start: Time
    duration: Minutes = 30
    time_zone: str = ""
    location: str = ""
    guests: list[str] = msgspec.field(default_factory=list)
    despite_busy: bool = False


class Engagement(Shape, frozen=True):
    """A meeting with a contact: an event of a calendar, or made on the record.

    A series is one engagement; `occurrences` are its next times, five at most, and `start` and
    `end` are those of the first. A private event's text is not told.
    """

    id: str
    contact: str
    origin: EngagementOrigin
    state: EngagementStage
    title: str
    location: str
    private: bool
    start: Time
    end: Time
    all_day: bool
    recurring: bool
    occurrences: list[Span]
    calendar: str | None
    invitation: Invitation
    created_at: Time
    updated_at: Time
