"""Subscriptions: the validation handshake, notifications, lifecycle events."""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from gateway.sandbox.microsoft.call import Call, GraphError, Json
from gateway.sandbox.microsoft.events import id_shown
from gateway.sandbox.microsoft.world import TENANT, GraphCalendar, Subscription, World

LONGEST_SECONDS = 10_080 * 60
MAX_STATE = 128
DELIVERY_SECONDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What is sent to a subscriber: a token to give back, or a body for a subscription."""

    url: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Json | None = None
    subscription: Subscription | None = None


class Push:
    """Keeps subscriptions and sends their notifications."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.delivered: list[tuple[str, str, int]] = []
        """Subscription id, change type or lifecycle event, and the status it was answered with."""
        self.witnesses: list[Callable[[Sent], None]] = []
        """Told of everything before it is sent."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        world.changed.append(self._changed)

    async def subscribe(self, call: Call) -> Json:
        """Answer POST /subscriptions: first both addresses must give the token back."""
        body = call.body
        calendar = self._resource(call, str(body.get("resource", "")))
        expires = self._expiry(body)
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
        made.expires = self._expiry(call.body)
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
        self._send(made.lifecycle_url or made.notification_url, made, event, row)

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

    def _expiry(self, body: Json) -> float:
        expires = _moment(str(body.get("expirationDateTime", "")))
        now = self.world.now()
        if not now < expires <= now + LONGEST_SECONDS:
            raise GraphError(400, "ValidationError", "Subscription expiration is out of range.")
        return expires

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
        sent = Sent(url=address, query={"validationToken": token})
        self._tell(sent)
        try:
            async with self._opened().post(sent.url, params=sent.query) as answer:
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
                shown = id_shown(event_id, immutable=made.immutable)
                where = f"Users/{self.world.mailboxes[made.address].object_id}/Events/{shown}"
                gone = {"@odata.etag": f'W/"{len(calendar.changes)}=="'}
                row = _row(made) | {
                    "changeType": kind,
                    "resource": where,
                    "resourceData": {
                        "@odata.type": "#Microsoft.Graph.Event",
                        "@odata.id": where,
                        "@odata.etag": calendar.events.get(event_id, gone)["@odata.etag"],
                        "id": shown,
                    },
                }
                self._send(made.notification_url, made, kind, row)

    def _tell(self, sent: Sent) -> None:
        for witness in self.witnesses:
            witness(sent)

    def _send(self, url: str, made: Subscription, what: str, row: Json) -> None:
        sent = Sent(url=url, body={"value": [row]}, subscription=made)
        self._tell(sent)

        async def deliver() -> None:
            status = 0
            try:
                async with self._opened().post(url, json=sent.body) as answer:
                    status = answer.status
            except (aiohttp.ClientError, TimeoutError):
                pass
            self.delivered.append((made.id, what, status))

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
