"""Whoever starts a simulated provider in a test, it is held to the provider's rules."""

import aiohttp
import pytest

from gateway.sandbox.google import GoogleServer
from gateway.sandbox.microsoft import MicrosoftServer
from gateway.sandbox.microsoft.server import Answered
from tests.sandbox_watch import WATCH, tolerate

LEA = "lea@contoso.example"


async def ask(url: str, token: str) -> None:
    """Read something."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        assert answer.status == 200


async def an_answer_of_microsoft() -> None:
    """Let a simulated Microsoft show an event in no known state."""
    async with MicrosoftServer() as server:
        world = server.world
        world.add_mailbox(LEA)
        time = {"dateTime": "2027-01-12T12:00:00.0000000", "timeZone": "UTC"}
        calendar = world.default_calendar(LEA).id
        made = world.put(calendar, {"showAs": "occupied", "start": time, "end": time})
        token = world.access_token(world.grant(LEA))
        await ask(f"{server.graph_url}/me/events/{made['id']}", token)


async def an_answer_of_google() -> None:
    """Let a simulated Google show an event with a field that there is not."""
    async with GoogleServer() as server:
        world = server.world
        world.add_account(LEA)
        world.put(LEA, {"id": "aaaa1", "showAs": "busy", "start": {}, "end": {}})
        token = world.access_token(world.grant(LEA))
        await ask(f"{server.url}/calendar/v3/calendars/primary/events/aaaa1", token)


@pytest.mark.parametrize("answer", [an_answer_of_google, an_answer_of_microsoft])
async def test_an_answer_against_the_rules_fails_its_test(answer: object) -> None:
    """A server that a test starts by hand is watched, unless the test says why it must not be."""
    assert callable(answer)
    await answer()
    with pytest.raises(AssertionError, match="showAs"):
        WATCH.end()
    await answer()
    tolerate("it is planted")
    WATCH.end()

    assert WATCH.tolerated == ""


async def test_a_subscription_without_a_handshake_fails_its_test() -> None:
    """An address that gets notifications was asked for its consent before, for each of them."""
    async with MicrosoftServer() as server:
        one = Answered(
            route="push.subscribe",
            url=server.graph_url,
            query={},
            prefer={},
            status=201,
            headers={},
            answer={
                "id": "s",
                "resource": "/me/events",
                "changeType": "created",
                "notificationUrl": "https://meet.example.org/hooks",
                "expirationDateTime": "2026-12-01T12:00:00Z",
            },
            at=1796040000,
        )
        for witness in server.witnesses:
            witness(one)
    with pytest.raises(AssertionError, match="was not asked before"):
        WATCH.end()
