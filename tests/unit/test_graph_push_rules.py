"""The rules that what Microsoft sends to subscribers is held to: each takes and each refuses."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from gateway.sandbox.microsoft.push import Sent
from gateway.sandbox.microsoft.world import TENANT, Subscription
from tests.graph_push_rules import sent_faults
from tests.spoiling import put

SUBSCRIBED = Subscription(
    id="s",
    address="lea@contoso.example",
    calendar_id="c",
    resource="/me/events",
    notification_url="https://meet.example.org/hooks",
    lifecycle_url="https://meet.example.org/lifecycle",
    client_state="secret",
    change_types=frozenset({"updated"}),
    expires=0,
    immutable=True,
)
ROW = {
    "subscriptionId": "s",
    "clientState": "secret",
    "subscriptionExpirationDateTime": "2026-12-01T12:00:00Z",
    "tenantId": TENANT,
}
RESOURCE = f"Users/{TENANT}/Events/AAkA1"
CHANGE = ROW | {
    "changeType": "updated",
    "resource": RESOURCE,
    "resourceData": {
        "@odata.type": "#Microsoft.Graph.Event",
        "@odata.id": RESOURCE,
        "@odata.etag": 'W/"1=="',
        "id": "AAkA1",
    },
}
HANDSHAKE = Sent(url=SUBSCRIBED.notification_url, query={"validationToken": "t"})
SENT: Mapping[str, Sent] = {
    "change": Sent(
        url=SUBSCRIBED.notification_url, body={"value": [CHANGE]}, subscription=SUBSCRIBED
    ),
    "lifecycle": Sent(
        url=SUBSCRIBED.lifecycle_url,
        body={"value": [ROW | {"lifecycleEvent": "missed"}]},
        subscription=SUBSCRIBED,
    ),
}


@pytest.mark.parametrize("sent", [HANDSHAKE, *SENT.values()])
def test_what_is_sent_by_the_rules_is_taken(sent: Sent) -> None:
    """The validator refuses nothing that Graph sends to subscribers."""
    assert list(sent_faults(sent)) == []


DATA = ("value", 0, "resourceData")
SENT_WRONG = [
    ("change", put("value", []), "a list of changes"),
    ("change", put("validationTokens", []), "a list of changes"),
    ("change", put("value", 0, "subscriptionId", "other"), "another subscription"),
    ("change", put("value", 0, "clientState", ...), "without clientState"),
    ("change", put("value", 0, "clientState", "guess"), "that was not given"),
    ("change", put("value", 0, "subscriptionExpirationDateTime", "soon"), "no time in UTC"),
    ("change", put("value", 0, "tenantId", "contoso"), "no GUID"),
    ("change", put("value", 0, "changeType", "created"), "nobody asked for"),
    (
        "change",
        put("value", 0, "resource", "Users/lea@contoso.example/Events/AAkA1"),
        "of the resource",
    ),
    ("change", put(*DATA, ...), "a change of nothing"),
    ("change", put(*DATA, "@odata.etag", ...), "without @odata.etag"),
    ("change", put(*DATA, "@odata.etag", "1"), "entity tag"),
    ("change", put(*DATA, "@odata.id", "Users/1/Events/2"), "another resource"),
    ("change", put(*DATA, "subject", "Series"), "subject is in resourceData"),
    ("change", put(*DATA, "id", "AAMkMUTABLE-1"), "not immutable"),
    ("lifecycle", put("value", 0, "lifecycleEvent", "gone"), "a lifecycle event"),
    ("lifecycle", put("value", 0, "changeType", "updated"), "that is a change too"),
]


@pytest.mark.parametrize(("name", "change", "said"), SENT_WRONG)
def test_what_is_sent_against_a_rule_is_refused(
    name: str, change: Callable[[Any], None], said: str
) -> None:
    """Each rule of what goes out is one that fails."""
    body = copy.deepcopy(SENT[name].body)
    change(body)
    found = list(sent_faults(replace(SENT[name], body=body)))

    assert any(said in fault for fault in found), found


@pytest.mark.parametrize("sent", SENT.values())
def test_what_is_sent_to_another_address_is_refused(sent: Sent) -> None:
    """Changes and lifecycle events have an address each."""
    assert list(sent_faults(replace(sent, url="https://meet.example.org/")))


@pytest.mark.parametrize("sent", [{"query": {}}, {"body": {}}])
def test_a_handshake_is_a_token_alone(sent: dict[str, Any]) -> None:
    """A body, or no token, is no handshake."""
    assert list(sent_faults(replace(HANDSHAKE, **sent)))
