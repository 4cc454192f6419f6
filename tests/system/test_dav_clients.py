"""Real CalDAV clients against a gateway in a process of its own: python-caldav and vdirsyncer."""

import base64
import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import an_event
from tests.served import Served

EMAIL = "jane@example.org"
BY_CALDAV = """
import json, sys, warnings
warnings.simplefilter("ignore")
from caldav import DAVClient
from datetime import datetime, timezone

url, user, password = sys.argv[1:]
with DAVClient(url=url, username=user, password=password) as client:
    principal = client.principal()
    calendar = principal.make_calendar(name="Made by a client", cal_id="made")
    event = calendar.save_event(
        uid="one@example.org",
        dtstart=datetime(2026, 12, 1, 9, tzinfo=timezone.utc),
        dtend=datetime(2026, 12, 1, 10, tzinfo=timezone.utc),
        rrule={"FREQ": "DAILY", "COUNT": 3},
        summary="First",
    )
    token = calendar.get_objects_by_sync_token().sync_token
    event.icalendar_component["SUMMARY"] = "Second"
    event.save()
    changed = calendar.get_objects_by_sync_token(token, load_objects=True)
    found = calendar.search(
        event=True,
        expand=True,
        start=datetime(2026, 12, 2, tzinfo=timezone.utc),
        end=datetime(2026, 12, 4, tzinfo=timezone.utc),
    )
    busy = calendar.freebusy_request(
        datetime(2026, 12, 2, tzinfo=timezone.utc), datetime(2026, 12, 3, tzinfo=timezone.utc)
    )
    told = {
        "names": sorted(one.get_display_name() or "" for one in principal.calendars()),
        "changed": [str(one.icalendar_component["SUMMARY"]) for one in changed],
        "found": [str(one.icalendar_component["DTSTART"].dt) for one in found],
        "busy": "20261202T090000Z/20261202T100000Z" in busy.data,
    }
    event.delete()
    told["left"] = len(calendar.events())
    print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a gateway with one owner."""
    with Served(tmp_path_factory.mktemp("clients")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def password(served: Served) -> str:
    """Make the owner; give an app password."""
    return served.owner(EMAIL)


def test_python_caldav(served: Served, password: str) -> None:
    """It finds its way, makes a calendar, stores, syncs, searches, asks when busy, and removes."""
    done = subprocess.run(
        [sys.executable, "-c", BY_CALDAV, f"{served.url}/dav/", EMAIL, password],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout)
    assert "Made by a client" in told["names"]
    assert told["changed"] == ["Second"]
    assert told["found"] == ["2026-12-02 09:00:00+00:00", "2026-12-03 09:00:00+00:00"]
    assert (told["busy"], told["left"]) == (True, 0)


CONFIG = """
[general]
status_path = "{folder}/status"
[pair both]
a = "files"
b = "gateway"
collections = ["from a", "from b"]
conflict_resolution = "b wins"
metadata = ["displayname", "color"]
[storage files]
type = "filesystem"
path = "{folder}/files"
fileext = ".ics"
[storage gateway]
type = "caldav"
url = "{url}/"
username = "{email}"
password = "{password}"
"""


def test_vdirsyncer(served: Served, password: str, tmp_path: Path) -> None:
    """It discovers, makes a calendar, and syncs additions, changes and removals both ways."""
    config = tmp_path / "config"
    text = CONFIG.format(folder=tmp_path, url=served.url, email=EMAIL, password=password)
    config.write_text(text, encoding="utf-8")
    files = tmp_path / "files" / "mine"
    files.mkdir(parents=True)
    (files / "a.ics").write_bytes(an_event("a@example.org", summary="Here"))

    def vdirsyncer(*words: str) -> None:
        done = subprocess.run(
            [str(Path(sys.executable).parent / "vdirsyncer"), "-c", str(config), *words],
            input="y\n" * 20,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    def stored() -> str:
        path = f"{served.url}/dav/calendars/{EMAIL}/mine/"
        signed = base64.b64encode(f"{EMAIL}:{password}".encode()).decode()
        request = urllib.request.Request(path, headers={"Authorization": f"Basic {signed}"})
        with urllib.request.urlopen(request) as answer:
            return str(answer.read().decode())

    vdirsyncer("discover")
    vdirsyncer("sync")
    first = stored()
    (files / "a.ics").write_bytes(an_event("a@example.org", summary="Changed"))
    (files / "b.ics").write_bytes(an_event("b@example.org"))
    vdirsyncer("sync")
    second = stored()
    (files / "a.ics").unlink()
    vdirsyncer("sync")
    third = stored()

    assert "SUMMARY:Here" in first
    assert "SUMMARY:Changed" in second
    assert "b@example.org" in second
    assert "a@example.org" not in third
    assert "b@example.org" in third
