"""Push channels: events.watch, channels.stop, and the notifications that go out."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import aiohttp

from gateway.sandbox.google.call import ApiError, Call, Json, not_found
from gateway.sandbox.google.world import Channel, GoogleCalendar, World

USUAL_SECONDS = 7 * 86400
DELIVERY_SECONDS = 5


class Push:
    """Keeps channels and sends their notifications; `sync` comes before the answer to watch."""

    def __init__(self, world: World, *, https_only: bool = False) -> None:
        self.world = world
        self.https_only = https_only
        self.delivered: list[tuple[str, str, int]] = []
        """Channel id, state and the status it was answered with."""
        self.witnesses: list[Callable[[Channel, Mapping[str, str]], None]] = []
        """Told of the headers of each notification before it is sent; none has a body."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        world.changed.append(self._changed)

    def watch(self, world: World, call: Call) -> Json:
        """Answer events.watch."""
        calendar = world.calendar(call.path["calendarId"], call.email, "reader")
        body = call.body
        address = str(body.get("address", ""))
        if body.get("type") not in {"web_hook", "webhook"} or not body.get("id"):
            raise ApiError(400, "required", "Missing or invalid channel.")
        if not calendar.pushes:
            raise ApiError(
                400,
                "pushNotSupportedForRequestedResource",
                "Push notifications are not supported by this resource.",
            )
        if self.https_only and not address.startswith("https://"):
            raise ApiError(
                400, "webhookUrlNotHttps", "WebHook callback must be HTTPS.", domain="push"
            )
        if str(body["id"]) in world.channels:
            raise ApiError(400, "channelIdNotUnique", "Channel id not unique", domain="push")
        wanted = str(body.get("expiration", ""))
        expires = int(wanted) / 1000 if wanted.isdigit() else world.now() + USUAL_SECONDS
        channel = Channel(
            id=str(body["id"]),
            resource=secrets.token_urlsafe(18),
            email=call.email,
            calendar_id=calendar.id,
            address=address,
            token=str(body.get("token", "")),
            expiration=min(expires, world.now() + 4 * USUAL_SECONDS),
        )
        world.channels[channel.id] = channel
        self._send(channel, "sync")
        return {
            "kind": "api#channel",
            "id": channel.id,
            "resourceId": channel.resource,
            "resourceUri": f"https://www.googleapis.com/calendar/v3/calendars/{calendar.id}/events",
            "token": channel.token,
            "expiration": str(int(channel.expiration * 1000)),
        }

    def stop(self, world: World, call: Call) -> Json:
        """Answer channels.stop; another account's channel is not there."""
        channel = world.channels.get(str(call.body.get("id")))
        if channel is None or channel.email != call.email:
            raise not_found()
        if channel.resource != call.body.get("resourceId"):
            raise not_found()
        del world.channels[channel.id]
        return {}

    async def close(self) -> None:
        """Stop sending."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _changed(self, calendar: GoogleCalendar) -> None:
        for channel in list(self.world.channels.values()):
            if channel.calendar_id == calendar.id and channel.expiration > self.world.now():
                self._send(channel, "exists")

    def _send(self, channel: Channel, state: str) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # seeded before anybody serves
        channel.number += 1 if state == "sync" else 7  # increasing, not consecutive
        task = loop.create_task(self._deliver(channel, state, channel.number))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, channel: Channel, state: str, number: int) -> None:
        expires = datetime.fromtimestamp(channel.expiration, UTC)
        headers = {
            "X-Goog-Channel-ID": channel.id,
            "X-Goog-Channel-Token": channel.token,
            "X-Goog-Channel-Expiration": expires.strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "X-Goog-Resource-ID": channel.resource,
            "X-Goog-Resource-URI": f"https://www.googleapis.com/calendar/v3/calendars/{channel.calendar_id}/events",
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(number),
        }
        for witness in self.witnesses:
            witness(channel, headers)
        if self._session is None:
            self._session = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                async with self._session.post(channel.address, headers=headers) as answer:
                    self.delivered.append((channel.id, state, answer.status))
        except (TimeoutError, aiohttp.ClientError):
            self.delivered.append((channel.id, state, 0))
