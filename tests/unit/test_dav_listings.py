"""Listings are kept per revision and question, within a bound."""

from dataclasses import replace

import pytest

from gateway.dav.app import REPORTS
from gateway.dav.listings import ListingKey, Listings, key_of
from gateway.dav.properties.webdav import REPORTS as ADVERTISED
from gateway.dav.tree import calendar_resource
from gateway.dav.wire.requests import PropRequest
from tests.builders import a_collection, an_owner

CALENDAR = calendar_resource(an_owner(), a_collection(1, revision=3))
ETAGS = PropRequest(names=("{DAV:}getetag",))


@pytest.mark.parametrize(
    "other",
    [
        key_of(CALENDAR, ETAGS, minimal=True),
        key_of(CALENDAR, PropRequest(names=("{DAV:}displayname",)), minimal=False),
        key_of(CALENDAR, PropRequest(all=True, names=ETAGS.names), minimal=False),
        key_of(CALENDAR, PropRequest(names_only=True), minimal=False),
        key_of(
            replace(CALENDAR, collection=replace(CALENDAR.collection, revision=4)),
            ETAGS,
            minimal=False,
        ),
        key_of(
            replace(CALENDAR, collection=replace(CALENDAR.collection, public_id="cal_x")),
            ETAGS,
            minimal=False,
        ),
        key_of(replace(CALENDAR, href="/dav/other/"), ETAGS, minimal=False),
    ],
)
def test_another_question_is_not_answered(other: ListingKey) -> None:
    """A listing answers its own question about its own revision, no other."""
    listings = Listings()
    listings.keep(key_of(CALENDAR, ETAGS, minimal=False), "<listing/>", 10)

    assert listings.get(key_of(CALENDAR, ETAGS, minimal=False)) == "<listing/>"
    assert listings.get(other) is None


def test_the_longest_unused_goes() -> None:
    """Past the bound what was not asked for longest makes room; what is too large never stays."""
    listings = Listings(max_bytes=20, max_one=10)
    keys = [
        key_of(
            replace(CALENDAR, collection=replace(CALENDAR.collection, revision=number)),
            ETAGS,
            minimal=False,
        )
        for number in range(4)
    ]
    listings.keep(keys[0], "0" * 10, 10)
    listings.keep(keys[1], "1" * 10, 10)
    listings.get(keys[0])
    listings.keep(keys[2], "2" * 10, 10)
    listings.keep(keys[3], "3" * 11, 11)

    assert [listings.get(key) is not None for key in keys] == [True, False, True, False]


def test_advertised_reports_are_answered() -> None:
    """Every report that a resource claims to support is one the server has."""
    claimed = {name for names in ADVERTISED.values() for name in names}

    assert claimed == set(REPORTS)
