"""Contacts: the people an owner knows by their address, and the rules of what is kept of them."""

import re
from dataclasses import dataclass, replace

from gateway.model.address import addr_spec, address_key
from gateway.model.timerange import Instant

LINE_LENGTH, PHONE_LENGTH, NOTES_LENGTH = 200, 40, 5000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_IN_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """A person of an owner's; no two contacts of one owner share an address."""

    id: str
    owner_id: int
    email: str
    name: str = ""
    phone: str = ""
    notes: str = ""
    created_at: Instant = 0
    updated_at: Instant = 0

    @property
    def key(self) -> str:
        """The address as addresses are compared."""
        return address_key(self.email)

    @property
    def label(self) -> str:
        """What the contact is called: the name, else the address."""
        return self.name or self.email

    @property
    def sort_key(self) -> str:
        """What contacts are listed by."""
        return self.label.casefold()[:LINE_LENGTH]


def tidy_contact(contact: Contact) -> Contact:
    """Return the contact with the spaces and spellings that mean nothing taken out."""
    return replace(
        contact,
        email=addr_spec(contact.email) or contact.email,
        name=" ".join(contact.name.split()),
        phone=" ".join(contact.phone.split()),
        notes=contact.notes.replace("\r\n", "\n").strip(),
    )


def contact_errors(contact: Contact) -> dict[str, str]:
    """Return a sentence for each field that is wrong; an empty mapping says it is good."""
    errors: dict[str, str] = {}
    if addr_spec(contact.email) is None:
        errors["email"] = "Give one e-mail address, such as name@example.org."
    if len(contact.name) > LINE_LENGTH or _CONTROL.search(contact.name):
        errors["name"] = f"A name is one line of at most {LINE_LENGTH} characters."
    if len(contact.phone) > PHONE_LENGTH or _CONTROL.search(contact.phone):
        errors["phone"] = f"A telephone number is one line of at most {PHONE_LENGTH} characters."
    if len(contact.notes) > NOTES_LENGTH or _CONTROL_IN_TEXT.search(contact.notes):
        errors["notes"] = f"Notes have at most {NOTES_LENGTH} characters of plain text."
    return errors
