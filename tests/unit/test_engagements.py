"""What events mean for contacts, and what follows for engagements: pure, in any order."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gateway.model.address import address_key
from gateway.model.engagement import (
    Changes,
    Engagement,
    EngagementOrigin,
    EngagementState,
    Meeting,
    Seen,
    follow,
    meetings,
)
from gateway.model.objects import read_one
from gateway.model.recurrence import compile_object
from gateway.model.timerange import DAY, HOUR
from gateway.model.zone import UTC_ZONE
from tests.builders import NOON, an_event

COR, ANN = "cor@example.net", "ann@example.net"
NINE = 1796115600
"""2026-12-01T09:00:00Z."""


def told(data: bytes, *, now: int = NOON, wanted: tuple[str, ...] = (COR,)) -> dict[str, Meeting]:
    """Return what an object means for these addresses."""
    found = read_one(data)
    times = compile_object(found, UTC_ZONE, lenient=True)
    return meetings(found, times, wanted, owner_address="jane@example.org", now=now)


def with_cor(**lines: str) -> bytes:
    """Return an event of one hour with Cor among its attendees."""
    return an_event(**({"end": "20261201T100000Z", "attendee": f"mailto:{COR}"} | lines))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("mailto:Cor@Example.NET", COR),
        ("MAILTO:cor@example.net ", COR),
        (COR, COR),
        ("cor+work@example.net", "cor+work@example.net"),
        ("mailto:cor@bücher.example", "cor@xn--bcher-kva.example"),
        ("urn:uuid:1", ""),
        ("/o=Exchange/cn=cor", ""),
    ],
)
def test_addresses_are_compared_without_case(written: str, key: str) -> None:
    """Two spellings of an address are one; a tag makes another person of it."""
    assert address_key(written) == key


def test_an_attendee_and_an_organizer_meet() -> None:
    """The contact may be invited or may have called the meeting."""
    assert told(with_cor(summary="Fair")).keys() == {COR}
    assert told(an_event(end="20261201T100000Z", organizer=f"MAILTO:{COR.upper()}")).keys() == {COR}
    assert told(an_event(end="20261201T100000Z", attendee=f"mailto:{ANN}")) == {}


def test_a_meeting_tells_title_place_and_time() -> None:
    """Title, place and time are the event's."""
    (met,) = told(with_cor(summary="The fair\\, again", location="Hall 3")).values()

    assert (met.title, met.place, met.times) == (
        "The fair, again",
        "Hall 3",
        ((NINE, NINE + HOUR),),
    )


@pytest.mark.parametrize("kind", ["PRIVATE", "CONFIDENTIAL", "private"])
def test_a_private_event_keeps_its_text(kind: str) -> None:
    """Of a private event only the time is told."""
    (met,) = told(with_cor(summary="Surgery", location="Clinic", **{"class": kind})).values()

    assert (met.title, met.place, met.is_private) == ("", "", True)


@pytest.mark.parametrize(
    "lines",
    [
        {"status": "CANCELLED"},
        {"x_calgate_answer": "DECLINED"},
    ],
)
def test_what_is_called_off_or_declined_is_no_meeting(lines: dict[str, str]) -> None:
    """A cancelled event, and one that the owner declined, is no meeting."""
    assert told(with_cor(**lines)) == {}


def test_a_series_tells_its_next_times() -> None:
    """A series is one meeting with its next five times; the first tells when to look again."""
    (met,) = told(with_cor(rrule="FREQ=DAILY"), now=NINE + 30).values()

    assert met.recurring
    assert [start for start, _ in met.times] == [NINE + day * DAY for day in range(5)]
    assert met.due_at == NINE + HOUR


def test_a_series_that_is_over_tells_its_last_time() -> None:
    """Of a series in the past the last time is told, and nothing is due."""
    (met,) = told(with_cor(rrule="FREQ=DAILY;COUNT=3"), now=NINE + 900 * DAY).values()

    assert (met.times, met.due_at) == (((NINE + 2 * DAY, NINE + 2 * DAY + HOUR),), None)


def test_an_invitation_to_one_instance_counts_for_that_instance() -> None:
    """Who is invited to one instance of a series meets at that time only."""
    series = an_event(end="20261201T100000Z", rrule="FREQ=DAILY").decode()
    one = with_cor(
        recurrence_id="20261203T090000Z", start="20261203T140000Z", end="20261203T150000Z"
    )
    override = one.decode().split("BEGIN:VEVENT")[1].split("END:VEVENT")[0]
    both = series.replace("END:VCALENDAR", f"BEGIN:VEVENT{override}END:VEVENT\r\nEND:VCALENDAR")

    (met,) = told(both.encode()).values()

    assert met.times == ((NINE + 2 * DAY + 5 * HOUR, NINE + 2 * DAY + 6 * HOUR),)


def test_an_all_day_event_is_told_as_one() -> None:
    """An all-day event has its days, and says that they are whole."""
    (met,) = told(an_event(start=";VALUE=DATE:20261201", attendee=f"mailto:{COR}")).values()

    assert (met.all_day, met.times) == (True, ((NINE - 9 * HOUR, NINE + 15 * HOUR),))


# --- what follows


BLANK = Engagement(
    id="",
    owner_id=1,
    contact_id="",
    origin=EngagementOrigin.CALENDAR,
    start=0,
    end=0,
    collection_id=7,
    created_at=NOON,
    updated_at=NOON,
)
CONTACTS = {COR: "ct_cor", ANN: "ct_ann"}


def seen(uid: str, data: bytes, *, now: int = NOON) -> Seen:
    """Return what a look sees of an object."""
    return Seen(uid=uid, object_name=f"{uid}.ics", meetings=told(data, now=now, wanted=(COR, ANN)))


def stored(changes: Changes) -> list[Engagement]:
    """Return the new engagements as they are stored."""
    return [replace(one, id=f"en_{number}") for number, one in enumerate(changes.new)]


def test_one_event_makes_one_engagement_for_each_contact() -> None:
    """Several contacts on one event have one engagement each; a second look makes no second."""
    both = with_cor(organizer=f"mailto:{ANN}")
    first = follow([], [seen("a", both)], CONTACTS, BLANK)
    second = follow(stored(first), [seen("a", both)], CONTACTS, BLANK)

    assert sorted(one.contact_id for one in first.new) == ["ct_ann", "ct_cor"]
    assert second == Changes(new=[], changed=[], removed=[])


@pytest.mark.parametrize(
    "after",
    [
        [],
        [seen("a", with_cor(status="CANCELLED"))],
        [seen("a", an_event(end="20261201T100000Z", attendee=f"mailto:{ANN}"))],
    ],
    ids=["deleted", "cancelled", "no longer invited"],
)
def test_what_is_called_off_is_cancelled(after: list[Seen]) -> None:
    """An engagement whose event is deleted, cancelled or without the contact is cancelled."""
    before = stored(follow([], [seen("a", with_cor())], CONTACTS, BLANK))
    made = follow(before, after, CONTACTS, BLANK)

    assert [(one.id, one.state) for one in made.changed] == [("en_0", EngagementState.CANCELLED)]


def test_what_took_place_stays_when_its_event_is_tidied_away() -> None:
    """A meeting that is over was held: that its event goes from the calendar changes nothing."""
    before = stored(follow([], [seen("a", with_cor())], CONTACTS, BLANK))
    later = replace(BLANK, created_at=NINE + DAY)

    assert follow(before, [], CONTACTS, later).changed == []


def test_an_event_nobody_can_read_changes_nothing() -> None:
    """What was known of an event stays while it cannot be read."""
    before = stored(follow([], [seen("a", with_cor())], CONTACTS, BLANK))
    unread = Seen(uid="a", object_name="a.ics", meetings=None)

    assert follow(before, [unread], CONTACTS, BLANK) == Changes(new=[], changed=[], removed=[])


def test_under_another_address_nothing_was_called_off() -> None:
    """A contact whose address changes loses what is to come under the old one, uncancelled."""
    before = stored(follow([], [seen("a", with_cor())], CONTACTS, BLANK))
    nobody = Seen(uid="a", object_name="a.ics", meetings={})
    made = follow(before, [nobody], {ANN: "ct_cor"}, BLANK)

    assert ([one.id for one in made.removed], list(made.changed)) == (["en_0"], [])


ADDRESSES = (COR, ANN, "eve@example.net")
UIDS = ("a", "b", "c")


class AnyOrder(RuleBasedStateMachine):
    """Events and contacts change in any order; looks see what has changed since the last one."""

    def __init__(self) -> None:
        super().__init__()
        self.events: dict[str, tuple[int, frozenset[str], bool]] = {}
        self.contacts: dict[str, str] = {}
        self.dirty: set[str] = set()
        self.rows: dict[str, Engagement] = {}
        self.made = 0

    @rule(
        uid=st.sampled_from(UIDS),
        day=st.integers(1, 20),
        who=st.frozensets(st.sampled_from(ADDRESSES)),
        cancelled=st.booleans(),
    )
    def put(self, uid: str, day: int, who: frozenset[str], cancelled: bool) -> None:
        """Make, move or change an event."""
        self.events[uid] = (day, who, cancelled)
        self.dirty.add(uid)

    @rule(uid=st.sampled_from(UIDS))
    def delete(self, uid: str) -> None:
        """Delete an event."""
        if self.events.pop(uid, None):
            self.dirty.add(uid)

    @rule(address=st.sampled_from(ADDRESSES))
    def add_contact(self, address: str) -> None:
        """Make a contact: everything is looked through again."""
        if address not in self.contacts:
            self.made += 1
            self.contacts[address] = f"ct_{self.made}"
            self.dirty |= {*UIDS}

    @rule(address=st.sampled_from(ADDRESSES))
    def remove_contact(self, address: str) -> None:
        """Remove a contact; its engagements go with it."""
        contact = self.contacts.pop(address, None)
        self.rows = {key: one for key, one in self.rows.items() if one.contact_id != contact}

    @rule(old=st.sampled_from(ADDRESSES), new=st.sampled_from(ADDRESSES))
    def rename(self, old: str, new: str) -> None:
        """Give a contact another address."""
        if old in self.contacts and new not in self.contacts:
            self.contacts[new] = self.contacts.pop(old)
            self.dirty |= {*UIDS}

    @rule(again=st.booleans())
    def look(self, again: bool) -> None:
        """Look at what has changed, or at everything once more."""
        uids = {*UIDS} if again else self.dirty
        read = [
            Seen(uid=uid, object_name=uid, meetings=self.meetings(uid))
            for uid in sorted(uids & self.events.keys())
        ]
        rows = [one for one in self.rows.values() if one.uid in uids]
        made = follow(rows, read, self.contacts, BLANK)
        for one in made.removed:
            del self.rows[one.id]
        for one in made.new:
            self.made += 1
            self.rows[f"en_{self.made}"] = replace(one, id=f"en_{self.made}")
        for one in made.changed:
            self.rows[one.id] = one
        self.dirty = set()

    def meetings(self, uid: str) -> dict[str, Meeting]:
        """Return what an event means, said anew."""
        day, who, cancelled = self.events[uid]
        start = NOON + day * DAY
        return {
            address: Meeting(
                title=uid,
                place="",
                is_private=False,
                all_day=False,
                recurring=False,
                times=((start, start + HOUR),),
                due_at=None,
            )
            for address in who & self.contacts.keys()
            if not cancelled
        }

    @invariant()
    def engagements_follow_from_events_and_contacts(self) -> None:
        """After a look the standing engagements are exactly events times contacts, once each."""
        if self.dirty:
            return
        expected = sorted(
            (self.contacts[address], uid, met.times[0][0])
            for uid in self.events
            for address, met in self.meetings(uid).items()
        )
        found = sorted(
            (one.contact_id, one.uid, one.start)
            for one in self.rows.values()
            if one.state is EngagementState.SCHEDULED
        )
        assert found == expected
        keys = [(one.contact_id, one.uid) for one in self.rows.values()]
        assert len(keys) == len(set(keys))


TestAnyOrder = AnyOrder.TestCase
