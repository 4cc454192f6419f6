"""Contacts: made, changed, listed, removed by their owner; and what is on their records.

Nobody's contacts are ever searched for anybody else, nor offered while somebody types.
"""

from collections.abc import Sequence
from dataclasses import replace

from gateway.errors import Conflict, Invalid, NotFound
from gateway.model.address import address_key
from gateway.model.contact import Contact, contact_errors, tidy_contact
from gateway.model.engagement import Engagement
from gateway.model.principal import Owner
from gateway.model.timerange import TimeRange
from gateway.ports import Clock, Store, Transaction
from gateway.services.engagement_look import Looking
from gateway.services.tokens import new_id

MAX_CONTACTS = 10_000
"""How many contacts an owner may have."""
MOST = 1_000
"""How many contacts or engagements one list holds."""


class ContactService:
    """The use cases of contacts; whoever calls has signed the owner in."""

    def __init__(self, store: Store, clock: Clock, looking: Looking) -> None:
        self._store = store
        self._clock = clock
        self.looking = looking

    async def add(self, owner: Owner, draft: Contact) -> Contact:
        """Store a new contact; what calendars hold of it appears on its record."""
        now = self._clock.now()
        contact = tidy_contact(
            replace(draft, id=new_id("ct_"), owner_id=owner.id, created_at=now, updated_at=now)
        )
        _check(owner, contact)
        async with self._store.write(owner_id=owner.id) as tx:
            if await tx.contacts.count(owner.id) >= MAX_CONTACTS:
                raise Conflict("too_many_contacts", f"You have {MAX_CONTACTS} contacts already.")
            await tx.contacts.add(contact)
            await tx.engagements.forget_marks(owner.id)
        await self.looking.of_owner(owner.id)
        return contact

    async def update(self, owner: Owner, changed: Contact) -> Contact:
        """Store a changed contact; under another address it is looked for anew."""
        contact = tidy_contact(changed)
        _check(owner, contact)
        async with self._store.write(owner_id=owner.id) as tx:
            current = await contact_of(tx, owner.id, contact.id)
            contact = replace(
                contact,
                owner_id=owner.id,
                created_at=current.created_at,
                updated_at=self._clock.now(),
            )
            await tx.contacts.update(contact)
            moved = contact.key != current.key
            if moved:
                await tx.engagements.forget_marks(owner.id)
        if moved:
            await self.looking.of_owner(owner.id)
        return contact

    async def remove(self, owner: Owner, contact_id: str) -> None:
        """Remove a contact with its record; meetings that were booked stay in the calendar."""
        async with self._store.write(owner_id=owner.id) as tx:
            await contact_of(tx, owner.id, contact_id)
            await tx.contacts.remove(contact_id)

    async def get(self, owner_id: int, contact_id: str) -> Contact:
        """Return a contact of the owner's."""
        async with self._store.read() as tx:
            return await contact_of(tx, owner_id, contact_id)

    async def list(
        self, owner_id: int, *, email: str = "", after: str = "", limit: int = MOST
    ) -> Sequence[Contact]:
        """Return the owner's contacts by name: the one with an address, or those after another."""
        async with self._store.read() as tx:
            if email:
                found = await tx.contacts.by_address(owner_id, address_key(email))
                return [found] if found else []
            last = await contact_of(tx, owner_id, after) if after else None
            return await tx.contacts.of_owner(owner_id, limit=limit, after=last)

    async def engagements(
        self,
        owner_id: int,
        *,
        contact_id: str = "",
        window: TimeRange | None = None,
        limit: int = MOST,
    ) -> Sequence[Engagement]:
        """Return the owner's engagements by start, or those of one contact."""
        async with self._store.read() as tx:
            if contact_id:
                await contact_of(tx, owner_id, contact_id)
            return await tx.engagements.of_owner(
                owner_id, contact_id=contact_id, window=window, limit=limit
            )

    async def engagement(self, owner_id: int, engagement_id: str) -> Engagement:
        """Return an engagement of the owner's."""
        async with self._store.read() as tx:
            return await engagement_of(tx, owner_id, engagement_id)


async def contact_of(tx: Transaction, owner_id: int, contact_id: str) -> Contact:
    """Return a contact of the owner's; another's looks like none."""
    contact = await tx.contacts.get(contact_id)
    if contact is None or contact.owner_id != owner_id:
        raise NotFound("contact")
    return contact


async def engagement_of(tx: Transaction, owner_id: int, engagement_id: str) -> Engagement:
    """Return an engagement of the owner's; another's looks like none."""
    engagement = await tx.engagements.get(engagement_id)
    if engagement is None or engagement.owner_id != owner_id:
        raise NotFound("engagement")
    return engagement


def _check(owner: Owner, contact: Contact) -> None:
    errors = contact_errors(contact)
    if "email" not in errors and contact.key == address_key(owner.email):
        errors["email"] = "This is your own address."
    if errors:
        raise Invalid(errors)
