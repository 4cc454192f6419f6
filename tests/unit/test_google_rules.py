"""The rules that the simulated Google is held to: each takes what Google says, and refuses else."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.sandbox.google.call import ApiError
from gateway.sandbox.google.server import Answered
from gateway.sandbox.google.world import Channel
from tests.google_rules import faults_of, push_faults
from tests.spoiling import put

EVENT = {
    "id": "aaaa1",
    "start": {"dateTime": "2027-01-12T12:00:00Z"},
    "attendees": [{"self": True}],
}
GOOD = {
    "event": Answered(route="events.get", status=200, answer=EVENT),
    "list": Answered(route="events.list", status=200, answer={"items": [EVENT]}),
    "nothing": Answered(route="events.delete", status=204, answer={}),
    "error": Answered(route="events.get", status=410, answer=ApiError(410, "gone", "Gone").body),
}
CHANNEL = Channel("ch", "res", "jane@gmail.example", "cal", "https://meet.example.org/", "t", 0.0)
HEADERS = {
    "X-Goog-Channel-ID": "ch",
    "X-Goog-Channel-Token": "t",
    "X-Goog-Channel-Expiration": "Tue, 24 Nov 2026 12:00:00 GMT",
    "X-Goog-Resource-ID": "res",
    "X-Goog-Resource-URI": "https://www.googleapis.com/calendar/v3/calendars/cal/events",
    "X-Goog-Resource-State": "sync",
    "X-Goog-Message-Number": "1",
}


def test_what_google_says_is_taken() -> None:
    """The validator refuses nothing of it."""
    assert [fault for one in GOOD.values() for fault in faults_of(one)] == []
    assert list(push_faults(CHANNEL, HEADERS)) == []


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("event", put("subject", "Series"), "not in Google's description"),
        ("event", put("start", "dateTime", "12.1.2027"), "12.1.2027"),
        ("event", put("start", []), "is no object"),
        ("event", put("sequence", True), "is no integer"),
        ("event", put("attendees", 0, "self", "yes"), "is no boolean"),
        ("list", put("items", 0, "summary", 7), "is no string"),
        ("list", put("items", {}), "is no array"),
        ("nothing", put("kind", "calendar#event"), "a body"),
        ("error", put("error", "code", 404), "without its code"),
        ("error", put("error", "errors", 0, "reason", ...), "without reason"),
        ("error", put("kind", "x"), "no object"),
    ],
)
def test_what_google_does_not_say_is_refused(
    name: str, change: Callable[[Any], None], said: str
) -> None:
    """Each rule is one that fails."""
    answer = copy.deepcopy(GOOD[name].answer)
    change(answer)
    found = list(faults_of(replace(GOOD[name], answer=answer)))

    assert any(said in fault for fault in found), found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("X-Goog-Resource-URI", ...), "is missing"),
        (put("X-Goog-Changed", "content"), "no header of a notification"),
        (put("X-Goog-Channel-Token", "guess"), "another channel"),
        (put("X-Goog-Resource-State", "add"), "the state add"),
        (put("X-Goog-Message-Number", "8"), "with the number 8"),
        (put("X-Goog-Channel-Expiration", "1795521600"), "is no date"),
    ],
)
def test_a_wrong_notification_is_refused(change: Callable[[Any], None], said: str) -> None:
    """Each header has its rule."""
    headers = dict(HEADERS)
    change(headers)

    assert any(said in fault for fault in push_faults(CHANNEL, headers))
