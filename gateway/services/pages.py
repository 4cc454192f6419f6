"""Scheduling pages: made, changed and shown; connected calendars are not needed (S03)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count

from gateway.errors import Conflict, Forbidden, Invalid, NotFound
from gateway.model.page import WEEKDAYS, PageState, SchedulingPage
from gateway.model.page_rules import page_errors, tidy
from gateway.model.principal import Owner, OwnerSettings
from gateway.model.slug import fold_slug, slug_error, slugify
from gateway.ports import Clock, Store, Transaction
from gateway.services.tokens import new_id

MAX_PAGES = 200
"""How many pages an owner may have."""
OFFICE_HOURS = dict.fromkeys(WEEKDAYS[:5], (("09:00", "17:00"),))
SLUG_TRIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """A page with what follows from its owner's state."""

    page: SchedulingPage
    owner: Owner
    is_offline: bool
    is_default: bool


class PageService:
    """The use cases of pages; whoever calls has signed the owner in."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def draft(self, owner: Owner, title: str) -> SchedulingPage:
        """Return a page to start from: office hours in the owner's zone, nothing stored."""
        return SchedulingPage(
            id="",
            owner_id=owner.id,
            slug="",
            title=title,
            time_zone=owner.time_zone,
            weekly_hours=dict(OFFICE_HOURS),
        )

    async def create(self, owner: Owner, draft: SchedulingPage) -> PageView:
        """Store a new page; without a slug it gets one under the owner's meetings URL (S22)."""
        now = self._clock.now()
        page = replace(
            draft,
            id=new_id("pg_"),
            owner_id=owner.id,
            slug=fold_slug(draft.slug),
            created_at=now,
        )
        async with self._store.read() as tx:
            mine = await tx.pages.of_owner(owner.id)
        if len(mine) >= MAX_PAGES:
            raise Conflict("too_many_pages", f"You have {MAX_PAGES} pages; remove one first.")
        slugs = iter([page.slug]) if page.slug else _slugs(owner, page.title, is_first=not mine)
        _check(page if page.slug else replace(page, slug="checked-below"))
        return await self._add_under(owner, tidy(page), slugs, chosen=bool(page.slug))

    async def _add_under(
        self, owner: Owner, page: SchedulingPage, slugs: Iterator[str], *, chosen: bool
    ) -> PageView:
        """Store the page under the first slug that nobody has, which the database decides."""
        for slug in slugs:
            try:
                async with self._store.write(owner_id=owner.id) as tx:
                    await _claim_slug(tx, slug, owner)
                    page = replace(page, slug=slug)
                    await tx.pages.add(page)
                    owner = await _with_first_default(tx, owner, page)
                    return await _view(tx, page, owner)
            except Conflict:
                if chosen:
                    raise
        raise Conflict("slug_taken", "No address is left for this title; choose one yourself.")

    async def update(self, owner: Owner, changed: SchedulingPage) -> PageView:
        """Store a changed page; a new slug needs a seat (S19), an old one stays as it is (S22)."""
        page = tidy(replace(changed, slug=fold_slug(changed.slug)))
        async with self._store.write(owner_id=owner.id) as tx:
            current = await _owned(tx, owner, page.id)
            if page.slug != current.slug and not owner.seat:
                raise Forbidden("needs_seat", "Changing a page's address needs a seat.")
            _check(page)
            if page.slug != current.slug:
                await _claim_slug(tx, page.slug, owner)
            page = replace(page, owner_id=owner.id, created_at=current.created_at)
            await tx.pages.update(page)
            return await _view(tx, page, await _fresh(tx, owner))

    async def remove(self, owner: Owner, page_id: str) -> None:
        """Remove a page; settings that named it name the next one, or nothing (S40)."""
        async with self._store.write(owner_id=owner.id) as tx:
            await _owned(tx, owner, page_id)
            await tx.pages.remove(page_id)
            owner = await _fresh(tx, owner)
            rest = await tx.pages.of_owner(owner.id)
            settings = _without(owner.settings, page_id, rest[0].id if rest else "")
            if settings != owner.settings:
                await tx.owners.save_settings(owner.id, settings)

    async def of_owner(self, owner: Owner) -> list[PageView]:
        """Return the owner's pages, oldest first."""
        async with self._store.read() as tx:
            pages = sorted(await tx.pages.of_owner(owner.id), key=lambda one: one.created_at)
            owner = await _fresh(tx, owner)
            return [await _view(tx, page, owner) for page in pages]

    async def get(self, owner: Owner, page_id: str) -> PageView:
        """Return a page of the owner's."""
        async with self._store.read() as tx:
            return await _view(tx, await _owned(tx, owner, page_id), await _fresh(tx, owner))

    async def by_slug(self, slug: str) -> PageView:
        """Return a live page by its address, for anybody."""
        async with self._store.read() as tx:
            return await _public(tx, await tx.pages.by_slug(fold_slug(slug)))

    async def public(self, page_id: str) -> PageView:
        """Return a live page by its id, for anybody."""
        async with self._store.read() as tx:
            return await _public(tx, await tx.pages.get(page_id))


def _check(page: SchedulingPage) -> None:
    if errors := page_errors(tidy(page)):
        raise Invalid(errors)


def _slugs(owner: Owner, title: str, *, is_first: bool) -> Iterator[str]:
    """Yield addresses to try: the meetings URL itself for the first page, then ones below it."""
    base = owner.settings.meetings_url or slugify(owner.email.partition("@")[0])
    if slug_error(base):
        base = f"{base}-meetings".strip("-")
    if is_first:
        yield base
    below = f"{base}/{slugify(title) or 'meeting'}"
    yield below
    for number in count(2):
        if number > SLUG_TRIES:
            return
        yield f"{below[:120]}-{number}"


async def _claim_slug(tx: Transaction, slug: str, owner: Owner) -> None:
    """Refuse a slug that any page on any host has (S38); the unique index has the last word."""
    other = await tx.pages.by_slug(slug)
    if other is not None:
        whose = f"your page {other.title}" if other.owner_id == owner.id else "another page"
        raise Conflict("slug_taken", f"The address {slug} belongs to {whose}.")


async def _with_first_default(tx: Transaction, owner: Owner, page: SchedulingPage) -> Owner:
    """Make the page the default one where the owner has none (S23)."""
    owner = await _fresh(tx, owner)
    if owner.settings.default_page:
        return owner
    settings = replace(owner.settings, default_page=page.id)
    await tx.owners.save_settings(owner.id, settings)
    return replace(owner, settings=settings)


def _without(settings: OwnerSettings, page_id: str, successor: str) -> OwnerSettings:
    if settings.default_page == page_id:
        settings = replace(settings, default_page=successor)
    if settings.chat_page == page_id:
        settings = replace(settings, chat_page="", chat_include_link=False)
    return settings


async def _fresh(tx: Transaction, owner: Owner) -> Owner:
    """Return the owner as stored now: what was read at sign-in may be old."""
    return await tx.owners.get(owner.id) or owner


async def _owned(tx: Transaction, owner: Owner, page_id: str) -> SchedulingPage:
    page = await tx.pages.get(page_id)
    if page is None or page.owner_id != owner.id:
        raise NotFound("page")
    return page


async def _public(tx: Transaction, page: SchedulingPage | None) -> PageView:
    owner = None if page is None else await tx.owners.get(page.owner_id)
    if page is None or owner is None or owner.disabled or page.state is not PageState.LIVE:
        raise NotFound("page")
    return await _view(tx, page, owner)


async def _view(tx: Transaction, page: SchedulingPage, owner: Owner) -> PageView:
    return PageView(
        page=page,
        owner=owner,
        is_offline=await is_offline(tx, owner),
        is_default=owner.settings.default_page == page.id,
    )


async def is_offline(tx: Transaction, owner: Owner) -> bool:
    """Tell whether the owner has no writable default calendar, so that nothing can be booked."""
    if owner.default_collection_id is None:
        return True
    default = await tx.collections.get(owner.default_collection_id)
    return default is None or default.owner_id != owner.id or not default.is_writable
