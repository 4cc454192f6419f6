"""Contacts: the people whose meetings are kept together."""

from dataclasses import replace

from msgspec import UNSET

from gateway.model import contact as model
from gateway.web.api import shapes_contacts as shapes
from gateway.web.api.operation import Call, Operation, Parameter
from gateway.web.api.texts import text_of

SETTABLE = ("email", "name", "phone", "notes")


def shown(one: model.Contact) -> shapes.Contact:
    """Return a contact as its owner sees it."""
    return shapes.Contact(
        id=one.id,
        email=one.email,
        name=one.name,
        phone=one.phone,
        notes=one.notes,
        created_at=text_of(one.created_at),
        updated_at=text_of(one.updated_at),
    )


def changed(contact: model.Contact, wanted: shapes.ContactFields) -> model.Contact:
    """Return the contact with the members that the request sets."""
    given = {name: getattr(wanted, name) for name in SETTABLE}
    return replace(contact, **{name: value for name, value in given.items() if value is not UNSET})


async def list_contacts(call: Call) -> list[shapes.Contact]:
    """Return the owner's contacts by name, the first thousand."""
    found = await call.services.contacts.list(
        call.me.id, email=call.query("email"), after=call.query("after")
    )
    return [shown(one) for one in found]


async def create_contact(call: Call) -> shapes.Contact:
    """Make a contact; what calendars hold of it appears on its record."""
    blank = model.Contact(id="", owner_id=call.me.id, email="")
    return shown(await call.services.contacts.add(call.me, changed(blank, call.body)))


async def get_contact(call: Call) -> shapes.Contact:
    """Return a contact."""
    return shown(await call.services.contacts.get(call.me.id, call.id))


async def update_contact(call: Call) -> shapes.Contact:
    """Change a contact."""
    current = await call.services.contacts.get(call.me.id, call.id)
    return shown(await call.services.contacts.update(call.me, changed(current, call.body)))


async def remove_contact(call: Call) -> None:
    """Remove a contact with its record."""
    await call.services.contacts.remove(call.me, call.id)


OPERATIONS = (
    Operation(
        name="listContacts",
        method="GET",
        path="/contacts",
        about="The owner's contacts by name, at most 1000.",
        handler=list_contacts,
        gives=list[shapes.Contact],
        failures=("not_found",),
        parameters=(
            Parameter(name="email", about="Only the contact with this address."),
            Parameter(name="after", about="Go on after the contact with this id."),
        ),
    ),
    Operation(
        name="createContact",
        method="POST",
        path="/contacts",
        about="Make a contact.",
        handler=create_contact,
        takes=shapes.NewContact,
        gives=shapes.Contact,
        status=201,
        failures=("contact_exists", "too_many_contacts"),
    ),
    Operation(
        name="getContact",
        method="GET",
        path="/contacts/{id}",
        about="One contact.",
        handler=get_contact,
        gives=shapes.Contact,
    ),
    Operation(
        name="updateContact",
        method="PATCH",
        path="/contacts/{id}",
        about="Change a contact.",
        handler=update_contact,
        takes=shapes.ContactFields,
        gives=shapes.Contact,
        failures=("contact_exists",),
    ),
    Operation(
        name="removeContact",
        method="DELETE",
        path="/contacts/{id}",
        about="Remove a contact with its engagements; meetings that were booked stay booked.",
        handler=remove_contact,
    ),
)
