"""Owner and visitor of a gateway that runs as a process of its own, with a mailbox behind it."""

import json
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from typing import Any
from urllib.error import HTTPError

from tests.exchange_account import ADDRESS, PASSWORD
from tests.served import Served

OPEN = "[security]\nallow_private_networks = true\n[sync]\npoll_seconds = 3600"
HOURS = {day: [["00:00", "24:00"]] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


TRIES = 8
"""How often a visitor asks where nothing was booked, as on a slow machine; a day has ten tries."""


class Visitor:
    """Owner and visitor at the API of a gateway."""

    def __init__(self, served: Served) -> None:
        self.served, self.token, self.page = served, "", ""

    def connect(self, url: str) -> None:
        """Make Jane, connect her mailbox, start the gateway, make a page that is always open."""
        cli = self.served.cli
        cli("user", "add", "jane@example.org", "--password-stdin", stdin="long enough pw\n")
        self.token = cli("api-token", "add", "jane@example.org", "test").split()[-1]
        words = ("connect", "exchange", "jane@example.org", "--address", ADDRESS, "--url", url)
        cli(*words, "--password-stdin", stdin=f"{PASSWORD}\n")
        self.served.start()
        page = {"title": "Intro", "durations": [30], "weekly_hours": HOURS, "min_notice": 0}
        self.page = self.call("POST", "pages", page)["id"]

    def book(self) -> dict[str, Any]:
        """Book the first time that is offered in three days, asking again where a look failed.

        Before a booking is stored the calendar is looked at once more, for two seconds at most; a
        slow machine has no answer by then, and refuses with nothing written.
        """
        for attempt in count(1):
            try:
                return self.book_once()
            except HTTPError as error:
                unread = (
                    error.code == HTTPStatus.CONFLICT and b"calendar_unavailable" in error.read()
                )
                if not unread or attempt == TRIES:
                    raise
                time.sleep(attempt / 2)
        raise AssertionError("it returns or raises")

    def book_once(self) -> dict[str, Any]:
        """Book the first time that is offered in three days."""
        start = self.first_free()
        visitor = {"time_zone": "UTC", "name": "Vera", "email": "vera@example.net", "answers": {}}
        body = {"start": start, "duration": 30, "guests": [], **visitor}
        return self.call("POST", f"pages/{self.page}/bookings", body)

    def first_free(self) -> str:
        """Return the first start that is offered in three days."""
        day = (datetime.now(UTC) + timedelta(days=3)).date()
        path = f"pages/{self.page}/slots?from={day}&to={day}&tz=UTC&duration=30"
        return str(self.call("GET", path)["slots"][0]["start"])

    def bookings(self) -> list[dict[str, Any]]:
        """Return the owner's bookings."""
        found = self.call("GET", "bookings")
        return found["bookings"] if isinstance(found, dict) else found

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Call the API."""
        request = urllib.request.Request(
            f"{self.served.url}/api/v1/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
