"""Counters, idempotency keys, notices, mails, feeds and pages, on both engines."""

import asyncio
from dataclasses import replace

import pytest

from gateway import errors
from gateway.model.feed import Feed, Visibility
from gateway.model.timerange import DAY
from gateway.ports import StoredAnswer, StoredMail
from tests.builders import NOON, a_page


async def test_a_counter_says_how_long_to_wait(store):
    """At the limit nothing is counted, and the answer is when the oldest event leaves."""
    async with store.write() as transaction:
        hits = [
            await transaction.counters.hit("k", NOON + second, window=100, limit=2)
            for second in (0, 40, 50, 99, 100, 101)
        ]

    assert hits == [0, 0, 50, 1, 0, 39]


async def test_a_limit_of_zero_is_off(store):
    """Without a limit every event is welcome."""
    async with store.write() as transaction:
        hits = [await transaction.counters.hit("k", NOON, window=100, limit=0) for _ in range(5)]

    assert hits == [0] * 5


async def test_simultaneous_hits_do_not_pass_the_limit(store):
    """Of 20 events at once, exactly as many pass as the limit says."""

    async def hit() -> int:
        async with store.write() as transaction:
            return await transaction.counters.hit("k", NOON, window=100, limit=5)

    hits = await asyncio.gather(*(hit() for _ in range(20)))

    assert hits.count(0) == 5


async def test_an_idempotency_key_is_answered_once(store):
    """A key keeps its first answer; a second one is a conflict."""
    answer = StoredAnswer(digest="d", booking_id="bk_1")
    async with store.write() as transaction:
        await transaction.keys.put("pg_1", "key", answer, NOON)
        found = await transaction.keys.get("pg_1", "key")
        elsewhere = await transaction.keys.get("pg_2", "key")
        with pytest.raises(errors.Conflict):
            await transaction.keys.put("pg_1", "key", answer, NOON)

        assert (found, elsewhere) == (answer, None)
        assert await transaction.keys.purge(NOON + 1) == 1


async def test_the_owner_is_told_once_for_each_loss(store, owner):
    """A notice is repeated only after the quiet time, and anew after it was settled."""
    async with store.write() as transaction:

        async def tell(now: int) -> bool:
            return await transaction.notices.first_since(
                owner.id, "lost", "cal_1", now, quiet=7 * DAY
            )

        told = [await tell(NOON), await tell(NOON + DAY), await tell(NOON + 7 * DAY)]
        settled = [await transaction.notices.settle(owner.id, "lost", "cal_1") for _ in range(2)]
        told.append(await tell(NOON + 8 * DAY))

    assert (told, settled) == ([True, False, True, True], [True, False])


async def test_the_trail_is_told_newest_first(store, owner):
    """The audit trail lists an owner's events, the last one first."""
    async with store.write() as transaction:
        for number in (1, 2):
            await transaction.notices.record(owner.id, "login", f"try {number}", NOON)
        trail = await transaction.notices.trail(owner.id)

    assert [detail for _, _, detail in trail] == ["try 2", "try 1"]


async def test_mails_are_kept_and_marked(store, owner):
    """A mail is kept as it is, and knows when it was sent."""
    mail = StoredMail(
        id="ml_1", owner_id=owner.id, recipient="v@example.net", subject="Hi", raw=b"\xff\x00",
        created_at=NOON,
    )  # fmt: skip
    async with store.write() as transaction:
        await transaction.mails.add(mail)
        await transaction.mails.mark("ml_1", sent_at=NOON + 5)
        found = await transaction.mails.get("ml_1")
        listed = await transaction.mails.of_owner(owner.id)
        purged = await transaction.mails.purge(NOON + 1)

    sent = replace(mail, sent_at=NOON + 5)
    assert (found, [*listed], purged) == (sent, [sent], 1)


async def test_a_feed_is_found_by_its_token(store, owner):
    """The digest of a token finds its feed; only its owner removes it."""
    feed = Feed(
        id="fd_1", owner_id=owner.id, label="phone", visibility=Visibility.BUSY,
        calendars=("cal_1",), token_digest="d", token_sealed=b"s", created_at=NOON,
    )  # fmt: skip
    async with store.write() as transaction:
        await transaction.feeds.add(feed)
        found = await transaction.feeds.by_digest("d")
        removed = [
            await transaction.feeds.remove(identifier, "fd_1")
            for identifier in (owner.id + 1, owner.id)
        ]

    assert (found, removed) == (feed, [False, True])


async def test_a_slug_names_one_page(store, owner):
    """A taken slug is a conflict when a page is added and when it is changed."""
    first, second = a_page(owner.id), a_page(owner.id, slug="jane/other")
    async with store.write() as transaction:
        for page in (first, second):
            await transaction.pages.add(page)
        for attempt in (
            transaction.pages.add(a_page(owner.id)),
            transaction.pages.update(replace(second, slug=first.slug)),
        ):
            with pytest.raises(errors.Conflict) as caught:
                await attempt
            assert caught.value.code == "slug_taken"

        assert await transaction.pages.by_slug("jane/intro") == first


async def test_of_many_pages_at_once_one_gets_the_slug(store, owner):
    """Sixteen pages that want one slug at once: one page, fifteen conflicts."""

    async def add() -> str:
        try:
            async with store.write() as transaction:
                await transaction.pages.add(a_page(owner.id))
        except errors.Conflict as conflict:
            return conflict.code
        return "added"

    outcomes = await asyncio.gather(*(add() for _ in range(16)))

    assert sorted(outcomes) == ["added"] + ["slug_taken"] * 15
