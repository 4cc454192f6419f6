"""A gateway as WebDAV clients meet it: signed requests, answers taken apart."""

import base64
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from lxml import etree
from yarl import URL

from gateway.model.principal import CredentialKind, Owner
from tests.owner_desk import OwnerDesk

NAMESPACES = {
    "D": "DAV:",
    "C": "urn:ietf:params:xml:ns:caldav",
    "CS": "http://calendarserver.org/ns/",
    "A": "http://apple.com/ns/ical/",
    "T": "http://twistedmatrix.com/xml_namespace/dav/",
}
DECLARED = " ".join(f'xmlns:{prefix}="{name}"' for prefix, name in NAMESPACES.items())


@dataclass
class Answer:
    """An answer; the properties of a multistatus are read with prefixes, `D:getetag`."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    tree: etree._Element | None = field(default=None, repr=False)

    @property
    def text(self) -> str:
        """Return the body as text."""
        return self.data.decode()

    def hrefs(self) -> list[str]:
        """Return the hrefs of the responses, in order."""
        return self._texts("/D:multistatus/D:response/D:href")

    def statuses(self) -> dict[str, int]:
        """Return the status of each response that has one for itself, by href."""
        assert self.tree is not None
        found = {}
        for one in self.tree.iterfind("D:response", NAMESPACES):
            status = one.findtext("D:status", namespaces=NAMESPACES)
            if status:
                found[one.findtext("D:href", namespaces=NAMESPACES)] = int(status.split()[1])
        return found

    def props(self, href: str | None = None, status: int = 200) -> dict[str, etree._Element]:
        """Return the properties of one response (the only one by default) with a status."""
        assert self.tree is not None, self.text
        found: dict[str, etree._Element] = {}
        responses = [
            one
            for one in self.tree.iterfind("D:response", NAMESPACES)
            if href in (None, one.findtext("D:href", namespaces=NAMESPACES))
        ]
        assert len(responses) == 1, f"{len(responses)} responses for {href}: {self.text}"
        for propstat in responses[0].iterfind("D:propstat", NAMESPACES):
            code = int(propstat.findtext("D:status", namespaces=NAMESPACES).split()[1])
            if code == status:
                found |= {_prefixed(one.tag): one for one in propstat.find("D:prop", NAMESPACES)}
        return found

    def prop(self, name: str, href: str | None = None) -> str:
        """Return the text of a property that was found."""
        return "".join(self.props(href)[name].itertext())

    def condition(self) -> str:
        """Return the precondition a `DAV:error` names, `C:valid-calendar-data`; "" for none."""
        if self.tree is None or self.tree.tag != "{DAV:}error":
            return ""
        names = [_prefixed(one.tag) for one in self.tree]
        return next((name for name in names if not name.startswith("T:")), "")

    def _texts(self, path: str) -> list[str]:
        assert self.tree is not None, self.text
        return [one.text for one in self.tree.xpath(path, namespaces=NAMESPACES)]


def _sent(body: str | bytes | AsyncIterator[bytes] | None) -> Any:
    data = body.encode() if isinstance(body, str) else body
    return io.BytesIO(data) if isinstance(data, bytes) else data


def _prefixed(tag: str) -> str:
    namespace, _, local = tag[1:].rpartition("}")
    prefix = next((one for one, name in NAMESPACES.items() if name == namespace), None)
    return f"{prefix}:{local}" if prefix else tag


@dataclass
class DavClient:
    """One signed-in client; paths are sent as they are given."""

    url: str
    owner: Owner
    secret: str
    session: aiohttp.ClientSession

    @property
    def home(self) -> str:
        """The path of the owner's home set."""
        return f"/dav/calendars/{self.owner.email}/"

    @property
    def principal(self) -> str:
        """The path of the owner's principal."""
        return f"/dav/principals/{self.owner.email}/"

    @property
    def authorization(self) -> str:
        """The header that signs a request."""
        return "Basic " + base64.b64encode(f"{self.owner.email}:{self.secret}".encode()).decode()

    async def request(
        self,
        method: str,
        path: str,
        body: str | bytes | AsyncIterator[bytes] | None = None,
        **headers: str | None,
    ) -> Answer:
        """Send a request; `if_match="…"` is the header If-Match, `None` leaves one out."""
        sent = {"Authorization": self.authorization} | {
            name.replace("_", "-").title(): value for name, value in headers.items()
        }
        kept = {name: value for name, value in sent.items() if value is not None}
        async with self.session.request(
            method,
            URL(self.url + path, encoded=True),
            data=_sent(body),
            headers=kept,
            allow_redirects=False,
            skip_auto_headers=() if "Content-Type" in kept else ("Content-Type",),
        ) as answer:
            data = await answer.read()
            is_xml = answer.content_type in ("application/xml", "text/xml") and data
            tree = etree.fromstring(data) if is_xml else None
            return Answer(answer.status, answer.headers, data, tree)

    async def propfind(self, path: str, *names: str, depth: str = "0", **headers: str) -> Answer:
        """Ask for properties by their prefixed names; for none in particular, allprop."""
        inner = f"<D:prop>{''.join(f'<{one}/>' for one in names)}</D:prop>" if names else ""
        body = f"<D:propfind {DECLARED}>{inner or '<D:allprop/>'}</D:propfind>"
        return await self.request("PROPFIND", path, body, depth=depth, **headers)

    async def proppatch(self, path: str, inner: str, **headers: str) -> Answer:
        """Change properties; `inner` holds `D:set` and `D:remove`."""
        body = f"<D:propertyupdate {DECLARED}>{inner}</D:propertyupdate>"
        return await self.request("PROPPATCH", path, body, **headers)

    async def put(self, path: str, data: bytes, **headers: str) -> Answer:
        """Put an object."""
        return await self.request(
            "PUT", path, data, **({"content_type": "text/calendar; charset=utf-8"} | headers)
        )

    async def mkcalendar(self, name: str, inner: str = "") -> str:
        """Make a calendar in the home set, with properties; return its path."""
        path = f"{self.home}{name}/"
        prop = f"<D:set><D:prop>{inner}</D:prop></D:set>"
        body = f"<C:mkcalendar {DECLARED}>{prop}</C:mkcalendar>" if inner else None
        answer = await self.request("MKCALENDAR", path, body)
        assert answer.status == 201, answer.text
        return path

    async def report(self, path: str, body: str, **headers: str) -> Answer:
        """Ask for a report; `body` may use the prefixes of this file once `{DECLARED}` is in it."""
        return await self.request("REPORT", path, body.replace("{DECLARED}", DECLARED), **headers)


@asynccontextmanager
async def dav_client(desk: OwnerDesk, owner: Owner) -> AsyncIterator[DavClient]:
    """Give a client that signs in as an owner with a fresh app password."""
    _, secret = await desk.services.owners.add_credential(
        owner.id, CredentialKind.APP_PASSWORD, "test"
    )
    async with aiohttp.ClientSession() as session:
        yield DavClient(desk.url, owner, secret, session)
