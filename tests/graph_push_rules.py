"""Graph's rules for what goes out to subscribers: handshakes, notifications, lifecycle (pure)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gateway.sandbox.microsoft.push import Sent
from gateway.sandbox.microsoft.world import Subscription
from tests.graph_event_rules import STAMP, id_faults

LIFECYCLE = {"reauthorizationRequired", "subscriptionRemoved", "missed"}
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
ALWAYS = {"subscriptionId", "clientState", "subscriptionExpirationDateTime", "tenantId"}
OF_A_CHANGE = {"changeType", "resource", "resourceData"}
DATA = {"@odata.type", "@odata.id", "@odata.etag", "id"}


def sent_faults(sent: Sent) -> Iterator[str]:
    """Yield what breaks a rule of Graph's in what is sent to a subscriber."""
    if sent.subscription is None:
        if sent.body is not None or not sent.query.get("validationToken"):
            yield "a handshake is a token to give back, and nothing else"
        return
    rows = sent.body.get("value") if sent.body is not None else None
    if (
        sent.query
        or not isinstance(rows, list)
        or not rows
        or (sent.body or {}).keys() != {"value"}
    ):
        yield "a notification is a list of changes, and nothing else"
        return
    for row in rows:
        yield from _row_faults(row, sent.subscription)
        if "lifecycleEvent" in row:
            yield from _lifecycle_faults(row, sent)
        else:
            yield from _change_faults(row, sent)


def _row_faults(row: Mapping[str, Any], subscription: Subscription) -> Iterator[str]:
    yield from (f"a row without {name}" for name in ALWAYS - row.keys())
    if row.get("subscriptionId") != subscription.id:
        yield "a row of another subscription"
    if row.get("clientState") != subscription.client_state:
        yield "a clientState that was not given"
    if not STAMP.fullmatch(str(row.get("subscriptionExpirationDateTime"))):
        yield "subscriptionExpirationDateTime is no time in UTC"
    if not GUID.fullmatch(str(row.get("tenantId"))):
        yield "tenantId is no GUID"


def _lifecycle_faults(row: Mapping[str, Any], sent: Sent) -> Iterator[str]:
    made = sent.subscription
    if row["lifecycleEvent"] not in LIFECYCLE:
        yield f"a lifecycle event {row['lifecycleEvent']!r}"
    if OF_A_CHANGE & row.keys():
        yield "a lifecycle event that is a change too"
    if made is not None and sent.url != (made.lifecycle_url or made.notification_url):
        yield "a lifecycle event to another address"


def _change_faults(row: Mapping[str, Any], sent: Sent) -> Iterator[str]:
    made = sent.subscription
    yield from (f"a change without {name}" for name in OF_A_CHANGE - row.keys())
    data = row.get("resourceData")
    if made is None or not isinstance(data, Mapping):
        yield "a change of nothing"
        return
    if row.get("changeType") not in made.change_types:
        yield f"a change that nobody asked for: {row.get('changeType')}"
    if sent.url != made.notification_url:
        yield "a change to another address"
    yield from (f"resourceData without {name}" for name in DATA - data.keys())
    yield from (f"{name} is in resourceData" for name in data.keys() - DATA)
    if not re.fullmatch(r'W/".+"', str(data.get("@odata.etag"))):
        yield "@odata.etag is no weak entity tag"
    where = re.fullmatch(r"Users/([^/]+)/Events/([^/]+)", str(row.get("resource")))
    if where is None or not GUID.fullmatch(where[1]) or where[2] != data.get("id"):
        yield f"a change of the resource {row.get('resource')}"
    if data.get("@odata.id") != row.get("resource"):
        yield "@odata.id names another resource"
    yield from id_faults(data, {"idtype": "ImmutableId"} if made.immutable else {})
