"""The sync plan under random faults: busy time that is still upstream is never lost."""

import contextlib

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.errors import Unavailable
from gateway.freebusy.busytime import BusyPeriod, BusyType
from gateway.ports import UpstreamObject, UpstreamPage
from gateway.services.sync_plan import (
    MAX_PAGES,
    RECHECK_AFTER,
    Bookmark,
    Plan,
    Staging,
    Suspicion,
    Verdict,
    judge,
    object_name,
    plan,
    replacing_twins,
)

NOW = 1_764_000_000
HOUR = 3600


def an_object(key: str, etag: str = "1", *, gone: bool = False) -> UpstreamObject:
    """Return an object as a source hands it over."""
    return UpstreamObject(key=key, uid=key, etag=etag, data=None if gone else b"x")


def a_page(*objects: UpstreamObject, last: bool = True, **more: object) -> UpstreamPage:
    """Return a page; the last one carries the cursor."""
    return UpstreamPage(objects=objects, cursor="next" if last else None, **more)


def staged(*pages: UpstreamPage) -> Staging:
    """Return the staging of these pages."""
    staging = Staging()
    for page in pages:
        staging.add(page)
    return staging


def stored(**etags: str) -> dict[str, str]:
    """Return stored etags by object name."""
    return {object_name(key): etag for key, etag in etags.items()}


def busy(*hours: int) -> list[BusyPeriod]:
    """Return one-hour busy periods that begin so many hours from now."""
    return [BusyPeriod(NOW + hour * HOUR, NOW + (hour + 1) * HOUR, BusyType.BUSY) for hour in hours]


def removing(*keys: str) -> Plan:
    """Return a plan that removes these."""
    return Plan(puts={}, removes=tuple(sorted(map(object_name, keys))), changed=())


def test_a_read_without_its_last_page_counts_for_nothing() -> None:
    """Pages without a cursor at the end are an incomplete answer."""
    with pytest.raises(Unavailable, match="incomplete"):
        plan(staged(a_page(an_object("a"), last=False)), {})


def test_nothing_may_follow_the_last_page() -> None:
    """A page after the one with the cursor makes the whole read suspect."""
    with pytest.raises(Unavailable):
        staged(a_page(), a_page())


def test_endless_pages_are_cut() -> None:
    """A source that never ends is a failure, not a loop."""
    staging = staged(*[a_page(last=False)] * MAX_PAGES)

    with pytest.raises(Unavailable, match="more than"):
        staging.add(a_page(last=False))


def test_absence_deletes_only_in_a_complete_answer() -> None:
    """What a partial answer does not name stays."""
    assert plan(staged(a_page()), stored(a="1")).removes == ()
    assert plan(staged(a_page(complete=True)), stored(a="1")).removes == (object_name("a"),)


def test_an_unreadable_object_is_not_deleted() -> None:
    """An object that is there but makes no sense keeps its last good copy."""
    made = plan(staged(a_page(complete=True, unreadable=("a",))), stored(a="1", b="1"))

    assert made.removes == (object_name("b"),)


def test_only_changed_objects_are_written() -> None:
    """An object with the stored etag is left alone; a new and a changed one are written."""
    page = a_page(an_object("a"), an_object("b", "2"), an_object("c"), complete=True)
    made = plan(staged(page), stored(a="1", b="1"))

    assert made.puts.keys() == {object_name("b"), object_name("c")}
    assert made.changed == (object_name("b"),)


def test_a_tombstone_removes_what_is_stored() -> None:
    """An explicit deletion works in a partial answer and ignores what was never known."""
    page = a_page(an_object("a", gone=True), an_object("z", gone=True))

    assert plan(staged(page), stored(a="1", b="1")).removes == (object_name("a"),)


@pytest.mark.parametrize(
    ("removes", "count", "before", "after", "verdict"),
    [
        (("a",), 3, busy(1, 2, 3), busy(1, 2), Verdict.APPLY),
        (("a",), 2, busy(1, 2), busy(1), Verdict.APPLY),
        (("a",), 1, busy(1), [], Verdict.LOOK_AGAIN),
        (("a", "b"), 3, busy(1, 2, 3), busy(1), Verdict.LOOK_AGAIN),
        (("a", "b"), 2, busy(1, 2), [], Verdict.HOLD),
        (tuple("abcde"), 9, busy(*range(9)), busy(*range(4)), Verdict.HOLD),
        ((), 9, busy(*range(9)), busy(*range(9)), Verdict.APPLY),
        (("a",), 9, busy(*range(9)), busy(0, 1), Verdict.LOOK_AGAIN),
        ((), 0, [], busy(1), Verdict.APPLY),
    ],
)
def test_a_large_loss_is_not_believed_at_once(
    removes: tuple[str, ...],
    count: int,
    before: list[BusyPeriod],
    after: list[BusyPeriod],
    verdict: Verdict,
) -> None:
    """More than half gone is looked at again; five or more objects, or all of several, wait."""
    made = judge(
        removing(*removes), stored=count, before=before, after=after, suspicion=None, now=NOW
    )

    assert made is verdict


@pytest.mark.parametrize(
    ("age", "same", "verdict"),
    [
        (0, True, Verdict.HOLD),
        (RECHECK_AFTER - 1, True, Verdict.HOLD),
        (RECHECK_AFTER, True, Verdict.APPLY),
        (RECHECK_AFTER, False, Verdict.HOLD),
    ],
)
def test_a_grave_loss_must_last(age: int, *, same: bool, verdict: Verdict) -> None:
    """The very same loss is believed after five minutes; another one starts to wait anew."""
    loss = removing(*"abcdef")
    seen = loss if same else removing(*"abcde")
    suspicion = Suspicion(fingerprint=seen.fingerprint, since=NOW - age)
    made = judge(loss, stored=6, before=busy(*range(6)), after=[], suspicion=suspicion, now=NOW)

    assert made is verdict


@pytest.mark.parametrize(
    "bookmark",
    [
        Bookmark(),
        Bookmark(cursor='{"etag": "x"}'),
        Bookmark(cursor="c", suspicion=Suspicion(fingerprint="f", since=5)),
    ],
)
def test_a_bookmark_survives_storage(bookmark: Bookmark) -> None:
    """A bookmark reads back as it was written, an empty field as a fresh start."""
    assert Bookmark.decode(bookmark.encode()) == bookmark
    assert Bookmark.decode("") == Bookmark()


def test_a_uid_under_another_name_replaces_what_had_it() -> None:
    """The stored object goes, whatever else is removed; the same name under its UID stays."""
    made = Plan(puts={"b": an_object("b")}, removes=("c",), changed=())
    plan_with = replacing_twins(made, {"a": "uid", "d": "other"}, {"b": "uid", "d": "other"})

    assert plan_with.removes == ("a", "c")
    assert replacing_twins(made, {"a": "x"}, {"b": "uid"}) is made


class FaultyUpstream(RuleBasedStateMachine):
    """A calendar with one-hour events, read through every fault a source can have.

    Each rule changes the calendar or ticks with one fault; the copy is changed only by the rules
    of sync_plan, used as the sync service uses them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.upstream: dict[str, int] = {}
        self.copy: dict[str, tuple[str, int]] = {}
        self.lying_since: int | None = None
        self.suspicion: Suspicion | None = None
        self.counter = 0

    @initialize(hours=st.lists(st.integers(0, 200), max_size=12))
    def begin(self, hours: list[int]) -> None:
        """Start with a synced calendar."""
        for hour in hours:
            self.add(hour)
        self.tick([self.last_page(self.upstream)])

    @rule(hour=st.integers(0, 200))
    def add(self, hour: int) -> None:
        """Add an event."""
        self.counter += 1
        self.upstream[f"event{self.counter}"] = hour

    @precondition(lambda self: self.upstream)
    @rule(data=st.data(), hour=st.integers(0, 200))
    def move(self, data: st.DataObject, hour: int) -> None:
        """Move an event."""
        self.upstream[data.draw(st.sampled_from(sorted(self.upstream)))] = hour

    @precondition(lambda self: self.upstream)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """Delete an event."""
        del self.upstream[data.draw(st.sampled_from(sorted(self.upstream)))]

    @rule(seconds=st.integers(1, 900))
    def wait(self, seconds: int) -> None:
        """Let time pass; a silent fault at the source is mended within five minutes."""
        self.now += seconds
        if self.lying_since is not None and self.now - self.lying_since >= RECHECK_AFTER:
            self.lying_since = None

    @rule()
    def honest_tick(self) -> None:
        """Read the calendar, unless a silent fault shows an empty one."""
        self.tick([self.last_page({} if self.lying_since is not None else self.upstream)])

    @rule(cut=st.integers(0, 12))
    def broken_tick(self, cut: int) -> None:
        """Read only the first events: the connection breaks before the last page."""
        some = dict(list(self.upstream.items())[:cut])
        self.tick([UpstreamPage(objects=self.objects(some))])

    @precondition(lambda self: self.lying_since is None)
    @rule(data=st.data())
    def tick_with_unreadable_events(self, data: st.DataObject) -> None:
        """Read a complete calendar in which some events make no sense."""
        bad = set(data.draw(st.lists(st.sampled_from(["", *sorted(self.upstream)]))))
        good = {key: hour for key, hour in self.upstream.items() if key not in bad}
        self.tick([self.last_page(good, unreadable=tuple(bad & self.upstream.keys()))])

    @precondition(lambda self: self.lying_since is None)
    @rule()
    def repeated_pages_tick(self) -> None:
        """Read the same page twice before the last one."""
        page = UpstreamPage(objects=self.objects(self.upstream))
        self.tick([page, page, self.last_page(self.upstream)])

    @precondition(
        lambda self: self.lying_since is None and self.suspicion is None and len(self.copy) > 1
    )
    @rule()
    def begin_to_lie(self) -> None:
        """Let the source answer "no events", with success, for under five minutes.

        It was read honestly since it last lied: two lies between which nobody looked are one long
        one to any reader.
        """
        self.lying_since = self.now

    def objects(self, events: dict[str, int]) -> list[UpstreamObject]:
        """Return events as objects whose etag is their hour."""
        return [an_object(key, str(hour)) for key, hour in events.items()]

    def last_page(self, events: dict[str, int], unreadable: tuple[str, ...] = ()) -> UpstreamPage:
        """Return a complete answer."""
        return UpstreamPage(
            objects=self.objects(events), cursor="c", complete=True, unreadable=unreadable
        )

    def tick(self, pages: list[UpstreamPage]) -> None:
        """Do what the service does; a second look sees what the first saw."""
        staging = Staging()
        with contextlib.suppress(Unavailable):
            for page in pages:
                staging.add(page)
            made = plan(staging, {name: etag for name, (etag, _) in self.copy.items()})
            after = {name: kept for name, kept in self.copy.items() if name not in made.removes}
            after |= {name: (item.etag, int(item.etag)) for name, item in made.puts.items()}
            verdict = self.judged(made, after, self.suspicion)
            if verdict is Verdict.LOOK_AGAIN:
                seen = Suspicion(fingerprint=made.fingerprint, since=self.now - RECHECK_AFTER)
                verdict = self.judged(made, after, seen)
            if verdict is Verdict.APPLY:
                self.copy, self.suspicion = after, None
            elif self.suspicion is None or self.suspicion.fingerprint != made.fingerprint:
                self.suspicion = Suspicion(fingerprint=made.fingerprint, since=self.now)

    def judged(
        self, made: Plan, after: dict[str, tuple[str, int]], suspicion: Suspicion | None
    ) -> Verdict:
        """Return the verdict on a plan."""
        return judge(
            made,
            stored=len(self.copy),
            before=busy(*(hour for _, hour in self.copy.values())),
            after=busy(*(hour for _, hour in after.values())),
            suspicion=suspicion,
            now=self.now,
        )

    @invariant()
    def nothing_upstream_was_lost(self) -> None:
        """Every event that was copied once and is still upstream is still in the copy."""
        known = getattr(self, "known", set())
        known = (known | {key for key in self.upstream if object_name(key) in self.copy}) & set(
            self.upstream
        )
        self.known = known
        assert all(object_name(key) in self.copy for key in known)

    def teardown(self) -> None:
        """In the end the copy equals the source: nothing is held for ever."""
        self.lying_since = None
        self.honest_tick()
        self.now += RECHECK_AFTER
        self.honest_tick()
        expected = {object_name(key): (str(hour), hour) for key, hour in self.upstream.items()}
        assert self.copy == expected


FaultyUpstream.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestFaultyUpstream = FaultyUpstream.TestCase
