"""Push channels: https://developers.google.com/workspace/calendar/api/guides/push."""

from gateway.adapters.google.answers import GoogleRefusal
from gateway.adapters.google.client import GoogleClient
from gateway.adapters.google.people import text_of
from gateway.errors import AccessLost, Unavailable
from gateway.model.timerange import DAY
from gateway.ports import Clock, Watch

WEEK = 7 * DAY
GONE = frozenset({404, 410})


class Push:
    """Opens and ends channels; there is no way to list or to renew one."""

    def __init__(self, client: GoogleClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock

    async def watch(self, calendar_id: str, *, channel: str, secret: str, address: str) -> Watch:
        """Open a channel for a week, or for as long as Google gives; some calendars have none."""
        now = self._clock.now()
        body = {
            "id": channel,
            "type": "web_hook",
            "address": address,
            "token": secret,
            "expiration": str((now + WEEK) * 1000),
        }
        try:
            answer = await self._client.call(
                lambda service: service.events().watch(calendarId=calendar_id, body=body)
            )
        except GoogleRefusal as refusal:
            if refusal.status == 400:  # noqa: PLR2004 - not for this calendar or address, ever
                raise AccessLost("Google does not tell of changes here.") from refusal
            raise
        resource = text_of(answer, "resourceId")
        if not resource:
            raise Unavailable("Google's answer was incomplete.")
        expires = str(answer.get("expiration", ""))
        until = int(expires) // 1000 if expires.isdigit() else now + DAY
        return Watch(id=text_of(answer, "id") or channel, resource=resource, expires_at=until)

    async def unwatch(self, watch: Watch) -> None:
        """End a channel."""
        body = {"id": watch.id, "resourceId": watch.resource}
        try:
            await self._client.call(lambda service: service.channels().stop(body=body))
        except GoogleRefusal as refusal:
            if refusal.status not in GONE:
                raise
