"""Subscriptions: the validation handshake, notifications, lifecycle events."""

import asyncio
import secrets
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from gateway.sandbox.microsoft.call import Call, GraphError, Json
from gateway.sandbox.microsoft.world import TENANT, GraphCalendar, Subscription, World

LONGEST_SECONDS = 10_080 * 60
MAX_STATE = 128
DELIVERY_SECONDS = 5


class Push:
    """Keeps subscriptions and sends their notifications."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.delivered: list[tuple[str, str, int]] = []
        """Subscription id, change type or lifecycle event, and the status it was answered with."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        world.changed.append(self._changed)

    async def subscribe(self, call: Call) -> Json:
        """Answer POST /subscriptions: first both addresses must give the token back."""
        body = call.body
        calendar = self._resource(call, str(body.get("resource", "")))
        expires = _moment(str(body.get("expirationDateTime", "")))
        now = self.world.now()
        if not now < expires <= now + LONGEST_SECONDS:
            raise GraphError(400, "ValidationError", "Subscription expiration is out of range.")
        state = str(body.get("clientState", ""))
        if len(state) > MAX_STATE:
            raise GraphError(400, "ValidationError", "clientState is too long.")
        url = str(body.get("notificationUrl", ""))
        lifecycle = str(body.get("lifecycleNotificationUrl", ""))
        for address in dict.fromkeys(one for one in (url, lifecycle) if one or one == url):
            await self._validate(address)
        made = Subscription(
            id=secrets.token_hex(16),
            address=call.address,
            calendar_id=calendar.id,
            resource=str(body["resource"]),
            notification_url=url,
            lifecycle_url=lifecycle,
            client_state=state,
            change_types=frozenset(str(body.get("changeType", "")).split(",")),
            expires=expires,
            immutable=call.immutable,
        )
        self.world.subscriptions[made.id] = made
        return _shown(made)

    async def renew(self, call: Call) -> Json:
        """Answer PATCH /subscriptions/{id}."""
        made = self._own(call)
        made.expires = _moment(str(call.body.get("expirationDateTime", "")))
        return _shown(made)

    async def unsubscribe(self, call: Call) -> Json:
        """Answer DELETE /subscriptions/{id}."""
        del self.world.subscriptions[self._own(call).id]
        return {}

    def lifecycle(self, subscription_id: str, event: str) -> None:
        """Tell a subscriber reauthorizationRequired, subscriptionRemoved or missed."""
        made = self.world.subscriptions[subscription_id]
        if event == "subscriptionRemoved":
            del self.world.subscriptions[subscription_id]
        row = _row(made) | {"lifecycleEvent": event}
        self._send(made.lifecycle_url or made.notification_url, made.id, event, row)

    async def settle(self) -> None:
        """Wait until everything that was to be told has been."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Stop sending."""
        for task in list(self._tasks):
            task.cancel()
        await self.settle()
        if self._session is not None:
            await self._session.close()

    def _own(self, call: Call) -> Subscription:
        made = self.world.subscriptions.get(call.path["subscriptionId"])
        if made is None or made.address != call.address or made.expires < self.world.now():
            raise GraphError(404, "ResourceNotFound", "The object was not found.")
        return made

    def _resource(self, call: Call, resource: str) -> GraphCalendar:
        parts = resource.strip("/").split("/")
        if parts == ["me", "events"]:
            return self.world.default_calendar(call.address)
        if parts[:2] != ["me", "calendars"] or parts[3:] != ["events"]:
            raise GraphError(400, "ExtensionError", "The resource is not supported.")
        return self.world.calendar(parts[2], call.address)

    async def _validate(self, address: str) -> None:
        token = f"Validation: Testing client application reachability {secrets.token_hex(4)} & <b>"
        if urlsplit(address).scheme not in {"http", "https"}:
            raise GraphError(400, "InvalidRequest", "The notification address is not valid.")
        try:
            async with self._opened().post(address, params={"validationToken": token}) as answer:
                text = await answer.text()
                good = answer.status == 200 and text == token  # noqa: PLR2004 - OK
                good = good and answer.content_type == "text/plain"
        except (aiohttp.ClientError, TimeoutError) as error:
            raise GraphError(400, "ValidationError", "The endpoint does not answer.") from error
        if not good:
            raise GraphError(400, "ValidationError", "The endpoint does not give the token back.")

    def _changed(self, calendar: GraphCalendar, event_id: str, kind: str) -> None:
        for made in list(self.world.subscriptions.values()):
            alive = made.expires > self.world.now()
            if made.calendar_id == calendar.id and kind in made.change_types and alive:
                data = {"@odata.type": "#Microsoft.Graph.Event", "id": event_id}
                row = _row(made) | {
                    "changeType": kind,
                    "resource": f"Users/{made.address}/Events/{event_id}",
                    "resourceData": data,
                }
                self._send(made.notification_url, made.id, kind, row)

    def _send(self, url: str, subscription_id: str, what: str, row: Json) -> None:
        async def deliver() -> None:
            status = 0
            try:
                async with self._opened().post(url, json={"value": [row]}) as answer:
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError):
                pass
            self.delivered.append((subscription_id, what, status))

        task = asyncio.get_running_loop().create_task(deliver())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=DELIVERY_SECONDS)
            self._session = aiohttp.ClientSession(timeout=timeout)
        return self._session


def _row(made: Subscription) -> Json:
    return {
        "subscriptionId": made.id,
        "clientState": made.client_state,
        "subscriptionExpirationDateTime": _text(made.expires),
        "tenantId": TENANT,
    }


def _shown(made: Subscription) -> Json:
    return {
        "id": made.id,
        "resource": made.resource,
        "changeType": ",".join(sorted(made.change_types)),
        "notificationUrl": made.notification_url,
        "lifecycleNotificationUrl": made.lifecycle_url,
        "clientState": None,
        "expirationDateTime": _text(made.expires),
    }


def _moment(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError as error:
        raise GraphError(400, "InvalidRequest", "expirationDateTime is no time.") from error


def _text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat().replace("+00:00", "Z")
