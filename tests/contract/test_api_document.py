"""/api/openapi.json: valid, complete, and the same as what the server has."""

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.web.api import OPERATIONS
from gateway.web.api.operation import PREFIX
from gateway.web.api.problems import CODES
from tests.api_desk import ApiDesk
from tests.api_samples import SAMPLES, ready

PROMISED = {
    "GET /calendars",
    "PATCH /calendars/{id}",
    "GET /connections",
    "DELETE /connections/{id}",
    "POST /connections/{id}/check",
    "GET /pages",
    "POST /pages",
    "GET /pages/{id}",
    "PATCH /pages/{id}",
    "PUT /pages/{id}",
    "DELETE /pages/{id}",
    "GET /settings",
    "PATCH /settings",
    "GET /bookings",
    "POST /bookings/{id}/cancel",
    "POST /bookings/{id}/reschedule",
    "POST /bookings/{id}/accept",
    "POST /bookings/{id}/decline",
    "GET /contacts",
    "POST /contacts",
    "GET /contacts/{id}",
    "PATCH /contacts/{id}",
    "DELETE /contacts/{id}",
    "GET /engagements",
    "POST /engagements",
    "GET /engagements/{id}",
    "PATCH /engagements/{id}",
    "DELETE /engagements/{id}",
    "POST /engagements/{id}/cancel",
    "GET /feeds",
    "POST /feeds",
    "DELETE /feeds/{id}",
    "GET /tokens",
    "POST /tokens",
    "DELETE /tokens/{id}",
    "GET /explain",
    "GET /pages/by-slug",
    "GET /pages/{id}/slots",
    "POST /pages/{id}/bookings",
}
"""What integrations were promised so far; more may be there, never less."""


async def test_it_is_openapi(api: ApiDesk) -> None:
    """The document is valid OpenAPI 3.1, and anybody may read it from any site."""
    answer = await api.call("GET", "/api/openapi.json", token=None)

    assert [error.message for error in OpenAPIV31SpecValidator(answer.body).iter_errors()] == []
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


async def test_it_describes_what_was_promised(api: ApiDesk) -> None:
    """Every promised operation is described."""
    described = {
        f"{method.upper()} {path.removeprefix(PREFIX)}"
        for path, method, _ in api.description.operations()
    }

    assert described >= PROMISED


async def test_it_describes_every_route(api: ApiDesk) -> None:
    """The server has no route below /api/v1 that is not described, and the other way round."""
    routed = {
        (route.method.lower(), route.resource.canonical)
        for route in api.app.router.routes()
        if route.resource is not None
        and route.resource.canonical.startswith(f"{PREFIX}/")
        and route.method != "HEAD"
    }

    described = {(method, path) for path, method, _ in api.description.operations()}
    assert routed == described - {("get", "/api/openapi.json")}


def test_every_operation_has_a_sample() -> None:
    """The suites below send a good request to each operation; none is left out."""
    described = {one.name: (one.method, one.path, one.public) for one in OPERATIONS}

    assert {name: (s.method, s.path, s.public) for name, s in SAMPLES.items()} == described


def test_every_code_is_used() -> None:
    """No code is described that no operation can answer."""
    from gateway.web.api.openapi import failures

    used = {code for one in OPERATIONS for codes in failures(one).values() for code in codes}

    assert set(CODES) - used == {"method_not_allowed"}


async def test_good_requests_succeed(api_on: ApiDesk) -> None:
    """Each operation answers a good request with its success, in the shape described."""
    last = ("updatePage", "replacePage", "removePage")
    for name in [*(name for name in SAMPLES if name not in last), *last]:
        sample = SAMPLES[name]
        good = await ready(api_on, name)
        answer = await api_on.call(
            sample.method,
            good.path,
            good.body,
            token=None if sample.public else "",
            params=good.query,
        )

        assert answer.status in (200, 201, 204), (name, answer)


async def test_the_samples_are_what_is_described(api: ApiDesk) -> None:
    """The body of each good request has the schema that the document gives for it."""
    for name, sample in SAMPLES.items():
        if sample.body is not None:
            good = await ready(api, name)
            schema = api.description.body(sample.method, good.path)
            api.description.validate(schema, good.body, name)


async def test_head_tells_the_same_without_a_body(api: ApiDesk) -> None:
    """HEAD answers with the status and headers of GET."""
    headers = {"Authorization": f"Bearer {api.token}"}
    for name, sample in SAMPLES.items():
        if sample.method == "GET":
            good = await ready(api, name)
            async with api.client.head(good.path, params=good.query, headers=headers) as answer:
                found = (answer.status, await answer.read(), answer.content_type)
                assert found == (200, b"", "application/json"), name


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("DELETE", "/api/v1/settings", 405, "GET, HEAD, PATCH"),
        ("PUT", "/api/v1/pages", 405, "GET, HEAD, POST"),
        ("TRACE", "/api/v1/calendars", 405, "GET, HEAD"),
        ("POST", "/api/openapi.json", 405, "GET, HEAD"),
        ("GET", "/api/v1/nothing", 404, None),
        ("GET", "/api/v1", 404, None),
        ("GET", "/api/v1/pages/", 404, None),
        ("GET", "/api/v1/pages/a.b", 404, None),
        ("GET", f"/api/v1/pages/{'a' * 65}", 404, None),
        ("DELETE", "/api/v1/pages/a.b", 404, None),
    ],
)
async def test_other_addresses_and_methods(
    api: ApiDesk, method: str, path: str, status: int, allowed: str | None
) -> None:
    """What is not described is 404, or 405 with the methods there are; always as a problem."""
    async with api.client.request(method, path) as answer:
        body = await answer.json(content_type="application/problem+json")

    assert (answer.status, answer.headers.get("Allow")) == (status, allowed)
    assert body["code"] == {404: "not_found", 405: "method_not_allowed"}[status]
