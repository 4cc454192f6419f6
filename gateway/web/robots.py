"""`/robots.txt`, per host: what crawlers are told about booking pages (S37).

Law: a host shows the strictest mode among the owners whose pages answer there, so that nobody's
page is opened to search engines by somebody else.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum

from aiohttp import web

import robots
from gateway.model.page import PageState
from gateway.model.principal import Indexing, Owner
from gateway.ports import Transaction
from gateway.services.registry import Services
from robots import EVERYONE, Group, RobotsFile, Rule

HIDING = (Rule(allow=False, path="/meetings*"), Rule(allow=False, path="/meetings"))
"""The wildcard form, and the plain one for crawlers that know no wildcards."""
NOTHING = (Rule(allow=False, path=""),)
HEADERS = {"Cache-Control": "public, max-age=300", "X-Content-Type-Options": "nosniff"}


class _Strictness(IntEnum):
    PUBLIC = 0
    NOINDEX = 1
    HIDDEN = 2


STRICTNESS = {
    Indexing.PUBLIC: _Strictness.PUBLIC,
    Indexing.NOINDEX: _Strictness.NOINDEX,
    Indexing.HIDDEN: _Strictness.HIDDEN,
}


def routes(services: Services) -> list[web.RouteDef]:
    """Return the route of robots.txt."""

    async def show(request: web.Request) -> web.Response:
        host = request.host.rpartition(":")[0] if request.host.count(":") == 1 else request.host
        async with services.store.read() as tx:
            owners = await owners_on(tx, host.lower())
            mode = await strictest(tx, owners)
        text = robots_text(mode, [owner.settings.robots_extra for owner in owners])
        return web.Response(text=text, content_type="text/plain", charset="utf-8", headers=HEADERS)

    return [web.get("/robots.txt", show)]


async def owners_on(tx: Transaction, host: str) -> list[Owner]:
    """Return the owners whose pages answer on a host.

    Those who chose it as their domain; on a host that nobody chose, all owners.
    """
    everyone = [owner for owner in await tx.owners.all() if not owner.disabled]
    here = [owner for owner in everyone if owner.settings.domain.lower() == host]
    return here or everyone


async def strictest(tx: Transaction, owners: Sequence[Owner]) -> Indexing:
    """Return the strictest mode of the owners who have a live page; hidden where none has one.

    A single owner decides alone, with or without a page.
    """
    modes = {owner.settings.indexing for owner in owners}
    if len(modes) == 1:
        return modes.pop()
    for mode in sorted(modes, key=STRICTNESS.__getitem__, reverse=True):
        for owner in owners:
            if owner.settings.indexing is mode and await _has_live_page(tx, owner):
                return mode
    return Indexing.HIDDEN


async def _has_live_page(tx: Transaction, owner: Owner) -> bool:
    return any(page.state is PageState.LIVE for page in await tx.pages.of_owner(owner.id))


def robots_text(mode: Indexing, extras: Sequence[str]) -> str:
    """Return the file: our rules first, then the owners' own lines as they wrote them.

    A crawler obeys only the groups that name it (RFC 9309 section 2.2.1). So in hidden mode our
    rules are repeated for every crawler that an owner's lines name; otherwise a line about one
    crawler would open the pages to it. On a host of several owners an Allow of one of them would
    open the others' pages: there such lines are left out.
    """
    kept = [lines for extra in extras if (lines := _lines(extra, shared=len(extras) > 1))]
    named = _agents(kept) if mode is Indexing.HIDDEN else []
    rules = HIDING if mode is Indexing.HIDDEN else NOTHING
    ours = robots.render(RobotsFile(groups=(Group(agents=(*named, EVERYONE), rules=rules),)))
    return "\n".join([ours.rstrip("\n"), *("\n".join(lines) for lines in kept), ""])


def _lines(extra: str, *, shared: bool) -> list[str]:
    """Return an owner's lines; ones before any `User-agent` belong to our group for everyone."""
    lines = [line.strip() for line in extra.splitlines() if line.strip()]
    if shared:
        lines = [line for line in lines if line.partition(":")[0].strip().lower() != "allow"]
        # Another owner's last group must not swallow lines that are meant for everyone.
        lines = lines and _in_a_group(lines)
    return lines


def _in_a_group(lines: list[str]) -> list[str]:
    names = [line.partition(":")[0].strip().lower() for line in lines]
    rules = [at for at, name in enumerate(names) if name in ("disallow", "allow")]
    starts = [at for at, name in enumerate(names) if name == "user-agent"]
    if rules and (not starts or rules[0] < starts[0]):
        return [f"User-agent: {EVERYONE}", *lines]
    return lines


def _agents(extras: Iterable[list[str]]) -> list[str]:
    """Return the crawlers that the owners' lines name, each once."""
    groups = [group for lines in extras for group in robots.parse("\n".join(lines).encode()).groups]
    agents = [agent for group in groups for agent in group.agents if agent and agent != EVERYONE]
    return list({agent.lower(): agent for agent in agents}.values())
