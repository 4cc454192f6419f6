"""Subscriptions: https://learn.microsoft.com/graph/api/resources/subscription."""

from gateway.adapters._busy_only import is_schedule
from gateway.adapters.graph.answers import GraphRefusal
from gateway.adapters.graph.client import INCOMPLETE, GraphClient, path
from gateway.adapters.graph.fields import read_stamp, text_of
from gateway.errors import AccessLost, Unavailable
from gateway.model.timerange import DAY, MINUTE, format_rfc3339
from gateway.ports import Clock, Watch

LONGEST = 4_230 * MINUTE
"""What every version of the documentation allows for events; the answer says what was given."""
GONE = frozenset({404, 410})


class Push:
    """Opens and ends subscriptions; lifecycle events go to the same address."""

    def __init__(self, client: GraphClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def watch(self, calendar_id: str, *, channel: str, secret: str, address: str) -> Watch:
        """Subscribe to a calendar's events; Graph asks the address for its token meanwhile."""
        del channel  # Graph names subscriptions itself
        if is_schedule(calendar_id):
            raise AccessLost("Office 365 does not tell of changes here.")
        now = self._clock.now()
        body = {
            "changeType": "created,updated,deleted",
            "notificationUrl": address,
            "lifecycleNotificationUrl": address,
            "resource": f"/me/calendars/{calendar_id}/events",
            "expirationDateTime": format_rfc3339(now + LONGEST),
            "clientState": secret,
        }
        try:
            answer = await self._client.call("POST", "subscriptions", body=body)
        except GraphRefusal as refusal:
            if refusal.status == 400:  # noqa: PLR2004 - the handshake failed, or never for this one
                raise Unavailable("Office 365 cannot reach our address for changes.") from refusal
            raise
        name = text_of(answer, "id")
        if not name:
            raise Unavailable(INCOMPLETE)
        try:
            until = read_stamp(text_of(answer, "expirationDateTime"))
        except ValueError:
            until = now + DAY
        return Watch(id=name, resource=str(body["resource"]), expires_at=until)

    async def unwatch(self, watch: Watch) -> None:
        """End a subscription."""
        try:
            await self._client.call("DELETE", path("subscriptions", watch.id))
        except GraphRefusal as refusal:
            if refusal.status not in GONE:
                raise
