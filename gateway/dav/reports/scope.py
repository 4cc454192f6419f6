"""Which reports a resource answers, and which calendars they are about."""

from gateway.dav.answers import fail
from gateway.dav.properties.webdav import REPORTS
from gateway.dav.tree import CalendarResource, Resource, calendar_resource
from gateway.errors import Condition
from gateway.model.principal import Owner
from gateway.ports import Transaction


def assert_answers(resource: Resource, report: str) -> None:
    """Refuse a report that this resource does not list in its supported-report-set."""
    if report not in REPORTS.get(resource.kind, ()):
        raise fail(403, "There is no such report here.", Condition.SUPPORTED_REPORT)


async def calendars_in(tx: Transaction, owner: Owner, resource: Resource) -> list[CalendarResource]:
    """Return the calendars that a calendar or a home set stands for."""
    if isinstance(resource, CalendarResource):
        return [resource]
    return [calendar_resource(owner, one) for one in await tx.collections.of_owner(owner.id)]
