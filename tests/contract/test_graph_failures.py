"""What the Graph adapter makes of faults: never a part for the whole, every wait bounded."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError
from gateway.sandbox.microsoft import Fault
from tests.conftest import FakeClock
from tests.graph_account import LEA, GraphSource, graph_source
from tests.graph_events import a_server, put, put_series
from tests.upstream_read import last_words as read


@pytest.fixture
async def lea() -> AsyncIterator[GraphSource]:
    """Run a simulated Microsoft with Lea's account."""
    async with graph_source() as made:
        yield made


@pytest.mark.parametrize(
    "fault",
    [
        {"lose_next": True},
        {"endless": True},
        {"body": "{}"},
        {"body": "[]"},
        {"body": '{"value": [], "@odata.nextLink": ""}'},
        {"body": '{"value": [{}], "@odata.deltaLink": "x"}'},
        {"body": '{"value": ["x"], "@odata.deltaLink": "x"}'},
        {"body": '{"value": [{"id": "a", "type": "occurrence"}], "@odata.deltaLink": "x"}'},
        {"body": '{"value": {}, "@odata.deltaLink": "x"}'},
        {"bad_gzip": True},
    ],
    ids=str,
)
async def test_half_a_round_is_nothing(lea: GraphSource, fault: dict[str, Any]) -> None:
    """Without its end, or with rows that make no sense, no page carries a cursor."""
    put(lea, "one")
    lea.server.world.page_size = 1
    put(lea, "two")
    lea.server.break_with(Fault(route="events.delta", skip=1, **fault))
    with pytest.raises(Unavailable):
        await read(lea.adapter(), lea.calendar_id)


async def test_a_page_that_fails_half_way_is_asked_for_again(lea: GraphSource) -> None:
    """What passes does not cost the round."""
    lea.server.world.page_size = 1
    for name in ("one", "two", "three"):
        put(lea, name)
    lea.server.break_with(Fault(route="events.delta", skip=1, times=2, status=503))
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert set(objects) == {"one", "two", "three"}


async def test_a_link_to_somewhere_else_is_not_followed(lea: GraphSource) -> None:
    """The token goes nowhere but to Graph."""
    asked: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"value": []})

    async with a_server(elsewhere) as address:
        body = json.dumps({"value": [], "@odata.nextLink": f"{address}/v1.0/me/x"})
        lea.server.break_with(Fault(route="events.delta", body=body))
        with pytest.raises(Unavailable):
            await read(lea.adapter(), lea.calendar_id)

    assert asked == []


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"status": 403, "reason": "ErrorAccessDenied"}, AccessLost),
        ({"status": 403, "reason": "MailboxInfoStale"}, Unavailable),
        ({"status": 403, "reason": "ApplicationThrottled"}, Unavailable),
        ({"status": 404, "reason": "ErrorFolderNotFound"}, AccessLost),
        ({"status": 404, "reason": "ResourceNotFound"}, Unavailable),
        ({"status": 404, "reason": "MailboxNotEnabledForRESTAPI"}, Unavailable),
        ({"status": 401, "reason": "MailboxNotEnabledForRESTAPI"}, Unavailable),
        ({"status": 504, "reason": "UnknownError"}, Unavailable),
        ({"status": 400, "reason": "ErrorInvalidRequest"}, Unavailable),
        ({"status": 412, "reason": "ErrorIrresolvableConflict"}, Unavailable),
    ],
    ids=str,
)
async def test_codes_mean_what_they_say(
    lea: GraphSource, fault: dict[str, Any], kind: type[UpstreamError]
) -> None:
    """One status has several meanings, and its code decides."""
    lea.fail(**fault)
    with pytest.raises(kind):
        await read(lea.adapter(), lea.calendar_id)


async def test_a_token_that_has_run_out_is_renewed_once(lea: GraphSource) -> None:
    """A 401 costs one more token and one more try."""
    put(lea, "one")
    lea.server.break_with(Fault(route="events.delta", times=1, status=401))
    objects, _ = await read(lea.adapter(), lea.calendar_id)

    assert set(objects) == {"one"}
    assert lea.tokens.renewed == 1


async def test_a_consent_that_is_gone_wants_a_sign_in(lea: GraphSource) -> None:
    """What nobody allows any more is for the owner to mend."""
    await lea.tokens.access_token()
    lea.server.world.revoke(LEA)
    with pytest.raises(SignInNeeded):
        await read(lea.adapter(), lea.calendar_id)


async def test_graph_is_left_in_peace_for_as_long_as_it_asks(lea: GraphSource) -> None:
    """Within Retry-After nothing is sent, by no adapter of the mailbox; then it goes on."""
    clock = lea.clock
    assert isinstance(clock, FakeClock)
    lea.server.break_with(Fault(route="events.delta", times=1, status=429, retry_after="60"))
    with pytest.raises(Unavailable) as raised:
        await read(lea.adapter(), lea.calendar_id)
    assert raised.value.retry_after == 60
    calls = len(lea.server.world.log)
    with pytest.raises(Unavailable) as raised:
        await read(lea.adapter(), lea.calendar_id)

    assert raised.value.retry_after == 60
    assert len(lea.server.world.log) == calls
    clock.advance(61)
    await read(lea.adapter(), lea.calendar_id)


@pytest.mark.parametrize("wait", ["0", "-1", "1000000000", "Mon, 01 Jan 2001 00:00:00 GMT", "abc"])
async def test_no_retry_after_is_too_odd(lea: GraphSource, wait: str) -> None:
    """Nonsense is as good as nothing, and nobody waits for thirty years."""
    lea.server.break_with(Fault(route="events.delta", status=429, retry_after=wait))
    with pytest.raises(Unavailable) as raised:
        await read(lea.adapter(), lea.calendar_id)

    assert raised.value.retry_after in {None, 1, 600}


async def test_one_mailbox_is_asked_four_things_at_a_time(lea: GraphSource) -> None:
    """However many series and adapters there are, Graph refuses none of the calls."""
    for number in range(12):
        put_series(lea, f"series-{number}")
    lea.server.break_with(Fault(route="events.get", delay=0.02))
    found = await asyncio.gather(*(read(lea.adapter(), lea.calendar_id) for _ in range(3)))

    assert [len(objects) for objects, _ in found] == [12, 12, 12]
    assert lea.server.world.most_at_once == 4
