"""Meeting engagements: that a contact and the owner meet, found in a calendar or made on a record.

What a calendar's event means for a contact is told here, and what follows for what is stored of
it: pure, so that any order of edits, reads and changes of contacts comes to the same.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from gateway.errors import Refused
from gateway.model.component import CalendarObject, Component
from gateway.model.occurrence import Occurrence
from gateway.model.participants import answer_of, participants
from gateway.model.recurrence import ObjectTimes
from gateway.model.timerange import DAY, MAX_INSTANT, MIN_INSTANT, Instant, TimeRange

MOST_TIMES = 5
"""How many of a series' next times are told."""
TEXT_LENGTH = 500
PRIVATE = frozenset({"PRIVATE", "CONFIDENTIAL"})
LOOK_BACK = 400 * DAY
"""How far before its end a series that is over is looked through for its last time."""


class EngagementOrigin(StrEnum):
    """Where an engagement comes from: an event of a calendar (S10), or the record (S11, S12)."""

    CALENDAR = "calendar"
    RECORD = "record"


class EngagementState(StrEnum):
    """Whether the meeting stands; `PENDING` waits for the calendar it is written to."""

    PENDING = "pending"
    SCHEDULED = "scheduled"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engagement:
    """A meeting of one contact; `times` are the next ones, `start` and `end` the first of them.

    From a calendar: `collection_id`, `uid` and `object_name` say which event it is, `address` under
    which address the contact was found there, and at `due_at` its next time is another. Made on
    the record: `booking_id` is the booking that carries it out, empty where no calendar was
    connected (S12).
    """

    id: str
    owner_id: int
    contact_id: str
    origin: EngagementOrigin
    state: EngagementState = EngagementState.SCHEDULED
    title: str = ""
    place: str = ""
    is_private: bool = False
    start: Instant
    end: Instant
    all_day: bool = False
    recurring: bool = False
    times: tuple[tuple[Instant, Instant], ...] = ()
    collection_id: int | None = None
    uid: str = ""
    object_name: str = ""
    address: str = ""
    due_at: Instant | None = None
    booking_id: str = ""
    created_at: Instant = 0
    updated_at: Instant = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Meeting:
    """What one event means for one contact now."""

    title: str
    place: str
    is_private: bool
    all_day: bool
    recurring: bool
    times: tuple[tuple[Instant, Instant], ...]
    due_at: Instant | None


def meetings(
    found: CalendarObject,
    times: ObjectTimes,
    wanted: Iterable[str],
    *,
    invited: frozenset[str] = frozenset(),
    owner_address: str,
    now: Instant,
) -> dict[str, Meeting]:
    """Return what an event means for each of the wanted addresses; nothing for most.

    `invited` take part whatever the event says: those of a booking of ours. An instance counts
    unless it is cancelled, or the calendar's own user has declined it.
    """
    if found.component != "VEVENT":
        return {}
    is_private = any(one.value("CLASS").strip().upper() in PRIVATE for one in found.members)
    standing = [one for one in found.members if _stands(one, owner_address)]
    people = {id(one): participants(one) | invited for one in standing}
    told: dict[str, Meeting] = {}
    for address in wanted:
        theirs = frozenset(key for key, who in people.items() if address in who)
        if not theirs:
            continue
        upcoming = _next(times, theirs, now)
        chosen = upcoming or _last(times, theirs, now)
        if chosen:
            event = chosen[0].component
            told[address] = Meeting(
                title="" if is_private else event.text("SUMMARY")[:TEXT_LENGTH].strip(),
                place="" if is_private else event.text("LOCATION")[:TEXT_LENGTH].strip(),
                is_private=is_private,
                all_day=chosen[0].all_day,
                recurring=times.recurring,
                times=tuple((one.start, max(one.start, one.end)) for one in chosen),
                # Once its first time is over, the next one is told.
                due_at=upcoming[0].end if upcoming and times.recurring else None,
            )
    return told


def _stands(component: Component, owner_address: str) -> bool:
    cancelled = component.value("STATUS").strip().upper() == "CANCELLED"
    return not cancelled and answer_of(component, owner_address) != "DECLINED"


def _next(times: ObjectTimes, theirs: frozenset[int], now: Instant) -> list[Occurrence]:
    """Return the first times that are not over."""
    window = TimeRange(now, MAX_INSTANT)
    try:
        return list(islice(_within(times, theirs, window, after=now), MOST_TIMES))
    except Refused:
        return []  # more than anybody computes lies between two of them


def _last(times: ObjectTimes, theirs: frozenset[int], now: Instant) -> list[Occurrence]:
    """Return the last time of an event that is over; a series is looked through from its end."""
    if times.dense:
        return []
    over = now if times.last_end is None else min(now, times.last_end)
    for low in (max(MIN_INSTANT, over - LOOK_BACK), MIN_INSTANT):
        try:
            window = TimeRange(low, max(low, over))
            found = deque(_within(times, theirs, window, after=MIN_INSTANT - 1), maxlen=1)
        except Refused:
            return []
        if found:
            return list(found)
    return []


def _within(
    times: ObjectTimes, theirs: frozenset[int], window: TimeRange, *, after: Instant
) -> Iterable[Occurrence]:
    found = times.occurrences(window, wanted=lambda component, _has_length: id(component) in theirs)
    # What has just begun counts until it ends, what has no length until its moment.
    return (one for one in found if one.end > after or one.start >= after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was read of an object: for each contact what it means. `None` says it is unreadable."""

    uid: str
    object_name: str
    meetings: Mapping[str, Meeting] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What follows for the stored engagements of a calendar."""

    new: Sequence[Engagement] = ()
    changed: Sequence[Engagement] = ()
    removed: Sequence[Engagement] = ()


def follow(
    stored: Sequence[Engagement],
    seen: Iterable[Seen],
    contacts: Mapping[str, str],
    blank: Engagement,
) -> Changes:
    """Compare stored engagements with what their events say now; `contacts` are ids by address.

    `stored` are all engagements of the objects seen and of those that are gone. `blank` has what
    new ones share: the calendar, its owner, and the time of the look as `created_at`; ids are
    given by whoever stores them.
    """
    now = blank.created_at
    known = {(one.contact_id, one.uid): one for one in stored}
    new: list[Engagement] = []
    after: dict[tuple[str, str], Engagement] = {}
    readable: set[str] = set()
    for one in seen:
        if one.meetings is None:
            after |= {key: old for key, old in known.items() if old.uid == one.uid}
            continue
        readable.add(one.uid)
        for address, met in one.meetings.items():
            key = contacts[address], one.uid
            fresh = _told(known.get(key, replace(blank, contact_id=key[0])), one, address, met)
            if key in known:
                after[key] = fresh
            else:
                new.append(fresh)
    addresses = {contact: address for address, contact in contacts.items()}
    removed: list[Engagement] = []
    for key, old in known.items():
        if key in after:
            continue
        if addresses.get(old.contact_id) != old.address:
            # The contact goes by another address now: nothing was called off. What is over stays.
            after[key] = replace(old, due_at=None)
            if old.end > now and old.state is not EngagementState.CANCELLED:
                removed.append(old)
        else:
            after[key] = _ended(old, now, is_there=old.uid in readable)
    gone = {one.id for one in removed}
    changed = [
        replace(one, updated_at=now)
        for key, one in after.items()
        if one != known[key] and one.id not in gone
    ]
    return Changes(new=new, changed=changed, removed=removed)


def _told(base: Engagement, seen: Seen, address: str, met: Meeting) -> Engagement:
    return replace(
        base,
        state=EngagementState.SCHEDULED,
        title=met.title,
        place=met.place,
        is_private=met.is_private,
        start=met.times[0][0],
        end=met.times[0][1],
        all_day=met.all_day,
        recurring=met.recurring,
        times=met.times,
        uid=seen.uid,
        object_name=seen.object_name,
        address=address,
        due_at=met.due_at,
    )


def _ended(old: Engagement, now: Instant, *, is_there: bool) -> Engagement:
    """Return an engagement whose event is gone, called off, or without the contact.

    One that was over when its event was tidied away took place: that stays on the record.
    """
    if not is_there and old.end <= now:
        return replace(old, due_at=None)
    return replace(old, state=EngagementState.CANCELLED, due_at=None)
