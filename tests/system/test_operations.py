"""/healthz, /readyz and /metrics as watchmen read them."""

import json

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway import errors
from gateway.telemetry import Metrics
from gateway.web.app import build_app
from tests.owner_desk import OwnerDesk
from tests.raw_http import ask, request


async def test_a_living_process_says_so(port: int) -> None:
    """/healthz answers without the database."""
    told = await ask(port, request(target="/healthz"))

    assert (told.status, json.loads(told.body)["status"]) == (200, "ok")


async def test_readiness_follows_the_database(
    port: int, desk: OwnerDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/readyz is 503 while the database does not answer, and 200 again when it does."""
    assert (await ask(port, request(target="/readyz"))).status == 200

    async def gone() -> None:
        raise errors.Overloaded("canary")

    with monkeypatch.context() as patch:
        patch.setattr(desk.services.store, "ping", gone)
        told = await ask(port, request(target="/readyz"))
        assert told.status == 503
        assert b"canary" not in told.raw
        assert (await ask(port, request(target="/healthz"))).status == 200
    assert (await ask(port, request(target="/readyz"))).status == 200


async def test_numbers_name_nobody(port: int, desk: OwnerDesk) -> None:
    """The numbers count by area and outcome; no address, path, token or host is in them."""
    await desk.owner("canary@example.org")
    for target in ("/meetings/canary", "/feeds/canary-canary-canary-canary.ics", "/dav/canary"):
        await ask(port, request(target=target))
    told = await ask(port, request(target="/metrics"))

    assert told.status == 200
    assert b'calgate_requests_total{area="meetings",status="4xx"} 1.0' in told.body
    assert b"canary" not in told.raw


@pytest.mark.parametrize("name", ["X-Forwarded-For", "x-forwarded-for", "FORWARDED", "x-real-ip"])
async def test_numbers_are_for_this_machine_alone(port: int, name: str) -> None:
    """What a proxy on this machine passes on is not a request of this machine."""
    told = await ask(port, request("GET", "/metrics", f"{name}: 192.0.2.1"))

    assert told.status == 404


@pytest.mark.parametrize(("whose", "status"), [("loopback", 200), ("all", 200), ("none", 404)])
async def test_who_may_read_the_numbers_is_configured(
    desk: OwnerDesk, whose: str, status: int
) -> None:
    """`metrics` says loopback, all or none."""
    app = build_app(desk.services, Metrics(), metrics_for=whose)
    async with TestClient(TestServer(app)) as client, client.get("/metrics") as answer:
        assert answer.status == status
    async with TestClient(TestServer(app)) as client:
        forwarded = await client.get("/metrics", headers={"x-forwarded-for": "192.0.2.1"})
        assert forwarded.status == (200 if whose == "all" else 404)


@pytest.mark.parametrize("path", ["/debug", "/admin", "/_profiler", "/server-status", "/.env"])
async def test_there_is_no_back_door(port: int, path: str) -> None:
    """Nothing else looks into the process."""
    assert (await ask(port, request(target=path))).status == 404
