"""A calendar program at one gateway of the chain: it lists, gets, puts, moves and asks."""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, unquote, urlsplit

from aiohttp import ClientSession, encode_basic_auth
from lxml import etree
from yarl import URL

DAV, CAL = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"
PERIODS = re.compile(rb"FREEBUSY;FBTYPE=([A-Z-]+):([0-9TZ/,P.\r\n A-Z]+?)\r\n(?! )")
Period = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A calendar as its home set shows it."""

    href: str
    name: str


@dataclass(slots=True, kw_only=True)
class Program:
    """Signed in at one gateway."""

    url: str
    email: str
    password: str
    session: ClientSession

    @property
    def home(self) -> str:
        """Return the path of the home set."""
        return f"/dav/calendars/{self.email}/"

    async def ask(
        self, method: str, path: str, body: bytes = b"", **headers: str
    ) -> tuple[int, bytes]:
        """Send a request; return status and body."""
        kind = "text/calendar" if method == "PUT" else "application/xml"
        sent = {
            "Authorization": encode_basic_auth(self.email, self.password),
            "Content-Type": f"{kind}; charset=utf-8",
            **{name.replace("_", "-").title(): value for name, value in headers.items()},
        }
        address = URL(self.url + path, encoded=True)
        async with self.session.request(method, address, data=body, headers=sent) as answer:
            return answer.status, await answer.read()

    async def move(self, path: str, to: str, *, overwrite: bool = True) -> int:
        """Move a resource; return the status."""
        flag = "T" if overwrite else "F"
        return (await self.ask("MOVE", path, destination=self.url + to, overwrite=flag))[0]

    async def make(self, path: str, name: str, zone: str) -> int:
        """Make a calendar with a name and a zone."""
        body = (
            '<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
            f"<D:displayname>{name}</D:displayname>"
            f"<C:calendar-timezone-id>{zone}</C:calendar-timezone-id>"
            "</D:prop></D:set></C:mkcalendar>"
        )
        return (await self.ask("MKCALENDAR", path, body.encode()))[0]

    async def change(self, path: str, prop: str) -> int:
        """Change a property of a calendar."""
        body = (
            '<D:propertyupdate xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">'
            f"<D:set><D:prop>{prop}</D:prop></D:set></D:propertyupdate>"
        )
        return (await self.ask("PROPPATCH", path, body.encode()))[0]

    async def calendars(self) -> list[Listed]:
        """Return the calendars."""
        props = "<D:resourcetype/><D:displayname/>"
        body = f'<D:propfind xmlns:D="DAV:"><D:prop>{props}</D:prop></D:propfind>'
        status, data = await self.ask("PROPFIND", self.home, body.encode(), depth="1")
        assert status == 207, (status, data[:300])
        return [
            Listed(
                href=one.findtext(f"{DAV}href") or "",
                name=one.findtext(f".//{DAV}displayname") or "",
            )
            for one in etree.fromstring(data).iterfind(f"{DAV}response")
            if one.find(f".//{DAV}resourcetype/{CAL}calendar") is not None
        ]

    async def objects(self, calendar: str) -> dict[str, bytes]:
        """Return every object of a calendar by its path."""
        body = b'<D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>'
        status, data = await self.ask("PROPFIND", calendar, body, depth="1")
        assert status == 207, (status, data[:300])
        hrefs = [one.text or "" for one in etree.fromstring(data).iter(f"{DAV}href")]
        found = {}
        for href in hrefs:
            if not href.endswith("/"):
                path = path_of(calendar, name_of(urlsplit(href).path))
                status, data = await self.ask("GET", href)
                assert status in (200, 404), (status, href)
                if status == 200:  # else it was removed since it was listed
                    found[path] = data
        return found

    async def busy(self, path: str, start: datetime, stop: datetime) -> list[Period]:
        """Ask what is busy at a calendar or at the home set."""
        body = (
            '<C:free-busy-query xmlns:C="urn:ietf:params:xml:ns:caldav">'
            f'<C:time-range start="{start:%Y%m%dT%H%M%SZ}" end="{stop:%Y%m%dT%H%M%SZ}"/>'
            "</C:free-busy-query>"
        )
        status, data = await self.ask("REPORT", path, body.encode(), depth="1")
        assert status == 200, (status, data[:300])
        periods = []
        for kind, listed in PERIODS.findall(data):
            for period in listed.replace(b"\r\n ", b"").decode().split(","):
                first, _, last = period.partition("/")
                periods.append((kind.decode(), first, last))
        return sorted(periods)


def path_of(calendar: str, name: str) -> str:
    """Return the path of a resource with a name."""
    return calendar + quote(name, safe="")


def name_of(path: str) -> str:
    """Return the name in a path."""
    return unquote(path.rpartition("/")[2])


def uid_of(data: bytes) -> str:
    """Return the UID of an object."""
    found = re.search(rb"(?m)^UID:(.*?)\r?$", unfolded(data))
    return found.group(1).decode() if found else ""


def unfolded(data: bytes) -> bytes:
    """Return an object with each content line in one piece."""
    return data.replace(b"\r\n ", b"").replace(b"\r\n\t", b"")


def united(answers: list[list[Period]]) -> list[Period]:
    """Return what several calendars say together: united per type."""
    told = []
    for kind in sorted({one[0] for answer in answers for one in answer}):
        spans = sorted((one[1], one[2]) for answer in answers for one in answer if one[0] == kind)
        merged: list[tuple[str, str]] = []
        for first, last in spans:
            if merged and first <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        told += [(kind, first, last) for first, last in merged]
    return sorted(told)
