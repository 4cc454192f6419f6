"""What owners save for themselves: meetings URL, default page, indexing, chat (S19 to S24)."""

import re
from dataclasses import replace

from gateway.errors import Conflict, Forbidden, Invalid
from gateway.model.page import PageState, SchedulingPage
from gateway.model.principal import Owner, OwnerSettings
from gateway.model.slug import fold_slug, slug_error
from gateway.ports import Store, Transaction

ROBOTS_LENGTH = 10_000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class SettingsService:
    """Saves settings as a whole: all of them are good, or none is stored."""

    def __init__(
        self, store: Store, *, hosts: tuple[str, ...] = (), custom_domains: bool = True
    ) -> None:
        self._store = store
        self._hosts = frozenset(host.lower() for host in hosts)
        self._custom_domains = custom_domains

    async def get(self, owner: Owner) -> OwnerSettings:
        """Return the owner's settings as stored now."""
        async with self._store.read() as tx:
            return (await tx.owners.get(owner.id) or owner).settings

    async def save(self, owner: Owner, wanted: OwnerSettings) -> OwnerSettings:
        """Store the settings; pages made earlier keep their addresses (S22)."""
        async with self._store.write(owner_id=owner.id) as tx:
            current = (await tx.owners.get(owner.id) or owner).settings
            wanted = replace(
                wanted,
                meetings_url=fold_slug(wanted.meetings_url.strip()),
                domain=wanted.domain.strip().lower(),
                robots_extra=wanted.robots_extra.replace("\r\n", "\n").strip(),
            )
            _check_seat(owner, current, wanted)
            self._check_plan(current, wanted)
            await self._check(tx, owner, current, wanted)
            await tx.owners.save_settings(owner.id, wanted)
            if wanted.calendar_sync and not current.calendar_sync:
                await tx.engagements.forget_marks(owner.id)
        return wanted

    def _check_plan(self, current: OwnerSettings, wanted: OwnerSettings) -> None:
        """Refuse a domain that is not built in where custom ones are switched off (S20)."""
        is_known = wanted.domain in ("", current.domain) or wanted.domain in self._hosts
        if not is_known and not self._custom_domains:
            raise Forbidden("custom_domains_off", "Domains of your own are not available here.")

    async def _check(
        self, tx: Transaction, owner: Owner, current: OwnerSettings, wanted: OwnerSettings
    ) -> None:
        errors: dict[str, str] = {}
        if wanted.meetings_url != current.meetings_url and wanted.meetings_url:
            if sentence := _base_error(wanted.meetings_url):
                errors["meetings_url"] = sentence
            else:
                await _check_free(tx, owner, wanted.meetings_url)
        pages = {page.id: page for page in await tx.pages.of_owner(owner.id)}
        if wanted.default_page and not _is_live(pages, wanted.default_page):
            errors["default_page"] = "Choose one of your live pages."
        if (wanted.chat_page or wanted.chat_include_link) and not _is_live(pages, wanted.chat_page):
            errors["chat"] = "Choose one of your live pages for the chat."
        if wanted.domain != current.domain and wanted.domain and wanted.domain not in self._hosts:
            errors["domain"] = "Choose one of the listed domains."
        if len(wanted.robots_extra) > ROBOTS_LENGTH or _CONTROL.search(wanted.robots_extra):
            errors["robots_extra"] = f"At most {ROBOTS_LENGTH} characters of plain text."
        if errors:
            raise Invalid(errors)


def _check_seat(owner: Owner, current: OwnerSettings, wanted: OwnerSettings) -> None:
    """Refuse a change of page URL or default page to an owner without a seat (S19)."""
    before = (current.meetings_url, current.default_page)
    if before != (wanted.meetings_url, wanted.default_page) and not owner.seat:
        raise Forbidden("needs_seat", "The page URL and the default page need a seat.")


def _base_error(base: str) -> str:
    if "/" in base:
        return "The meetings URL is one word, such as jane."
    return slug_error(base)


async def _check_free(tx: Transaction, owner: Owner, base: str) -> None:
    """Refuse a meetings URL under which another owner's pages are, or are going to be."""
    page = await tx.pages.by_slug(base)
    taken = page is not None and page.owner_id != owner.id
    if not taken:
        others = await tx.owners.all()
        taken = any(one.id != owner.id and one.settings.meetings_url == base for one in others)
    if taken:
        raise Conflict("slug_taken", f"The meetings URL {base} belongs to somebody else.")


def _is_live(pages: dict[str, SchedulingPage], page_id: str) -> bool:
    page = pages.get(page_id)
    return page is not None and page.state is PageState.LIVE
