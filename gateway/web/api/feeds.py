"""Merged feeds: listed, made and revoked by their owner."""

from gateway.model.feed import Feed, Visibility
from gateway.services.registry import Services
from gateway.web.api import shapes
from gateway.web.api.operation import Call, Operation
from gateway.web.api.texts import text_of


def shown(services: Services, feed: Feed, token: str) -> shapes.Feed:
    """Return a feed with its secret addresses."""
    base = f"{services.edge.public_url.rstrip('/')}/feeds/{token}"
    return shapes.Feed(
        id=feed.id,
        label=feed.label,
        visibility=feed.visibility.value,
        calendars=list(feed.calendars),
        created_at=text_of(feed.created_at),
        ics_url=f"{base}.ics",
        ifb_url=f"{base}.ifb",
    )


async def list_feeds(call: Call) -> list[shapes.Feed]:
    """Return the owner's feeds."""
    feeds = call.services.feeds
    return [shown(call.services, feed, feeds.token(feed)) for feed in await feeds.list(call.me.id)]


async def create_feed(call: Call) -> shapes.Feed:
    """Make a feed."""
    feed, token = await call.services.feeds.add(
        call.me,
        label=call.body.label,
        visibility=Visibility(call.body.visibility),
        calendars=call.body.calendars,
    )
    return shown(call.services, feed, token)


async def remove_feed(call: Call) -> None:
    """Revoke a feed: its addresses are dead at once."""
    await call.services.feeds.remove(call.me.id, call.id)


OPERATIONS = (
    Operation(
        name="listFeeds",
        method="GET",
        path="/feeds",
        about="The owner's merged feeds with their secret addresses.",
        handler=list_feeds,
        gives=list[shapes.Feed],
    ),
    Operation(
        name="createFeed",
        method="POST",
        path="/feeds",
        about="Make a merged feed.",
        handler=create_feed,
        takes=shapes.NewFeed,
        gives=shapes.Feed,
        status=201,
    ),
    Operation(
        name="removeFeed",
        method="DELETE",
        path="/feeds/{id}",
        about="Revoke a feed.",
        handler=remove_feed,
    ),
)
