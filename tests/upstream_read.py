"""What an adapter read: the last word on each object, and the components of one."""

from gateway.model.component import Component, parse_many
from gateway.ports import Adapter, UpstreamObject, UpstreamPage


async def last_words(
    adapter: Adapter, calendar: str, cursor: str = ""
) -> tuple[dict[str, UpstreamObject], UpstreamPage]:
    """Read all changes; return the last word on each key, and the last page."""
    pages = [page async for page in adapter.changes(calendar, cursor)]
    objects = {item.key: item for page in pages for item in page.objects}
    return objects, pages[-1]


def members(item: UpstreamObject) -> list[Component]:
    """Return the components of an object."""
    assert item.data is not None
    return parse_many(item.data)[0].inside("VEVENT")
