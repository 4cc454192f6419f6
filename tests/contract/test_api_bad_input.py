"""Bad input of every kind, made for each operation from its own description.

A body that the description does not allow is refused by 400 or 422 and writes nothing; whatever it
allows is answered as described. Bodies that are no JSON, odd queries, odd ids and odd sign-ins too.
"""

import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.api_desk import FORMATS, ApiDesk
from tests.api_samples import BOOKING, NEW_PAGE, NOBODY, SAMPLES, Ready, ready

VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    7,
    10**17,
    1.5,
    "",
    "x",
    "x" * 6000,
    "a\x00b",
    "\u202egnp.\u2028exe",
    "2026-02-30T25:61:00Z",
    "Europe/../../etc/passwd",
    [],
    [[]],
    [None],
    {},
    {"a": {"b": 1}},
)
RAW = {
    "empty": b"",
    "cut": b"{",
    "deep": b"[" * 100_000,
    "deep object": b'{"a":' * 50_000,
    "5,000 digits": b'{"title": ' + b"9" * 5000 + b"}",
    "NaN": b'{"title": NaN}',
    "Infinity": b'{"duration": -Infinity}',
    "1e999": b'{"duration": 1e999}',
    "twice": b'{"title": "a", "title": "b"}',
    "twice within": b'{"limits": {"per_day": 1, "per_day": 2}}',
    "half a character": b'{"title": "\\ud800"}',
    "half a name": b'{"\\udfff": 1}',
    "null": b"null",
    "array": b"[]",
    "string": b'"title"',
    "not UTF-8": b'{"title": "\xff\xfe"}',
    "UTF-16": '{"title": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"title": "a"}',
    "more after it": b'{"title": "a"} {}',
    "comment": b'{"title": "a" /* b */}',
    "form": b"title=a",
    "XML": b"<title>a</title>",
}
TYPES = {
    "text/plain; charset=nope": (400, 415),
    "text/plain": (415,),
    "": (415,),
    "application/x-www-form-urlencoded": (415,),
    "multipart/form-data": (415,),
    "application/json; charset=nope": (400,),
    "application/json; charset=utf-16": (400,),
    "application/jsonx": (415,),
    "json": (415,),
    "application/json, text/html": (400, 415),
}
WITH_BODY = sorted(name for name, sample in SAMPLES.items() if sample.body is not None)
SAME_BODY = {"updatePage", "replacePage"}
"""Operations that take what createPage takes: not every depth again."""
WITH_QUERY = sorted(name for name, sample in SAMPLES.items() if sample.query)
WITH_ID = sorted(name for name, sample in SAMPLES.items() if "{id}" in sample.path)
SIGNED_IN = sorted(name for name, sample in SAMPLES.items() if not sample.public)


class Watch:
    """Tells whether anything was committed to the database in the meantime."""

    def __init__(self, data_dir: Path) -> None:
        self._link = sqlite3.connect(data_dir / "calgate.db", isolation_level=None)
        self._seen = self._version()

    def _version(self) -> int:
        version: int = self._link.execute("PRAGMA data_version").fetchone()[0]
        return version

    def is_unchanged(self) -> bool:
        """Tell whether the database is as it was at the last look."""
        before, self._seen = self._seen, self._version()
        return before == self._seen

    def close(self) -> None:
        """Close it."""
        self._link.close()


@pytest.fixture
async def watch(api: ApiDesk, data_dir: Path) -> AsyncIterator[Watch]:
    """Watch the database of the API; the token's first use, which is noted, is behind it."""
    await api.call("GET", "/settings")
    made = Watch(data_dir)
    yield made
    made.close()


def spoiled(body: Any, depth: int = 9) -> Iterator[Any]:
    """Yield the body with one place changed: every value in every place, one less, one more."""
    yield from VALUES
    if depth and isinstance(body, dict):
        yield {**body, "surplus": 1}
        for name, inner in body.items():
            yield {key: value for key, value in body.items() if key != name}
            for worse in spoiled(inner, depth - 1):
                yield {**body, name: worse}
    elif depth and isinstance(body, list):
        yield [*body, *body, *body]
        for at, inner in enumerate(body[:1]):
            for worse in spoiled(inner, depth - 1):
                yield [*body[:at], worse, *body[at + 1 :]]


async def send(api: ApiDesk, good: Ready, **options: Any) -> Any:
    """Send the request of a sample with another body, query or path."""
    options.setdefault("params", good.query)
    options.setdefault("token", None if good.sample.public else "")
    path = options.pop("path", good.path)
    return await api.call(good.sample.method, path, **options)


@pytest.mark.parametrize("name", WITH_BODY)
async def test_only_what_is_described_is_taken(api: ApiDesk, watch: Watch, name: str) -> None:
    """A body outside the described schema is 400 or 422; no refused body leaves a trace."""
    good = await ready(api, name)
    schema = api.description.body(good.sample.method, good.path)
    whole = {**schema, "components": api.description.document["components"]}
    allowed = Draft202012Validator(whole, format_checker=FORMATS)
    watch.is_unchanged()
    for body in spoiled(good.body, 1 if name in SAME_BODY else 9):
        data = json.dumps(body).encode()
        answer = await send(api, good, data=data, headers={"Content-Type": "application/json"})

        refused = answer.told in ((400, "malformed"), (422, "invalid"))
        assert refused or allowed.is_valid(body), (data[:300], answer)
        if answer.status >= 400:
            assert watch.is_unchanged(), data[:300]
        else:
            watch.is_unchanged()


async def test_what_is_no_json_object_is_malformed(api: ApiDesk, watch: Watch) -> None:
    """Whatever is not one unambiguous JSON object in UTF-8 is 400 and changes nothing."""
    for name in WITH_BODY:
        good = await ready(api, name)
        watch.is_unchanged()
        for kind, data in RAW.items():
            answer = await send(api, good, data=data, headers={"Content-Type": "application/json"})

            assert answer.told == (400, "malformed"), (name, kind, answer)
        assert watch.is_unchanged(), name


async def test_only_json_is_taken(api: ApiDesk, watch: Watch) -> None:
    """Another type of content is 415, a charset that is not UTF-8 is 400: no form can be sent."""
    for name in WITH_BODY:
        good = await ready(api, name)
        data = json.dumps(good.body).encode()
        watch.is_unchanged()
        for kind, statuses in TYPES.items():
            answer = await send(api, good, data=data, headers={"Content-Type": kind})

            assert answer.status in statuses, (name, kind, answer)
        assert watch.is_unchanged(), name


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "nonsense"])
async def test_broken_codings_are_malformed(api: ApiDesk, coding: str) -> None:
    """A body that is not what its coding says is 400 or 415."""
    headers = {
        "Authorization": f"Bearer {api.token}",
        "Content-Type": "application/json",
        "Content-Encoding": coding,
    }
    async with api.client.post("/api/v1/pages", data=b"\x1f\x8b\x08no", headers=headers) as answer:
        assert answer.status in (400, 415)
        assert b"install" not in await answer.read()


QUERIES = (
    "",
    "x",
    "-1",
    "1e3",
    "\uff11\uff12",
    "NaN",
    "null",
    "\x00",
    "a\r\nb",
    "x" * 501,
    "9" * 400,
)


@pytest.mark.parametrize("name", WITH_QUERY)
async def test_odd_queries_are_named(api: ApiDesk, watch: Watch, name: str) -> None:
    """A parameter that is wrong is 422 with its name, or 404; surplus ones are ignored."""
    good = await ready(api, name)
    watch.is_unchanged()
    for parameter in good.query:
        for value in QUERIES:
            answer = await send(api, good, params={**good.query, parameter: value})

            assert answer.status in (200, 404, 422), (parameter, value, answer)
            if answer.status == 422:
                assert answer.body["fields"].keys() == {parameter} or value == "", answer
        pairs = [*good.query.items(), (parameter, good.query[parameter])]
        doubled = await send(api, good, params=pairs)
        assert doubled.body["fields"].keys() == {parameter}
    assert (await send(api, good, params={**good.query, "surplus": "1"})).status == 200
    assert watch.is_unchanged(), name


@pytest.mark.parametrize("name", sorted({"pageBySlug", "slots", "explain"}))
async def test_required_parameters_are_required(api: ApiDesk, name: str) -> None:
    """Without a required parameter the answer names it."""
    good = await ready(api, name)
    described = api.description.operation(good.sample.method, good.path)["parameters"]
    for parameter in described:
        if parameter["required"] and parameter["in"] == "query":
            rest = {key: value for key, value in good.query.items() if key != parameter["name"]}
            answer = await send(api, good, params=rest)

            assert answer.status in (404, 422), answer
            if answer.status == 422:
                assert parameter["name"] in answer.body["fields"]


async def test_odd_ids_are_not_there(api: ApiDesk, watch: Watch) -> None:
    """An id of any other form or of nothing is 404, one that hides something is 400."""
    for name in WITH_ID:
        good = await ready(api, name)
        headers = {"Authorization": f"Bearer {api.token}", "Content-Type": "application/json"}
        odd = {NOBODY: 404, "-": 404, "a.b": 404, "a b": 404, "ü": 404, "a" * 65: 404}
        data = None if good.body is None else json.dumps(good.body)
        watch.is_unchanged()
        for identifier, status in odd.items():
            async with api.client.request(
                good.sample.method,
                good.path_of(identifier),
                data=data,
                headers=headers,
                params=good.query,
            ) as answer:
                assert answer.status == status, (name, identifier, await answer.text())
                assert (await answer.json(content_type=None))["code"] == "not_found"
        assert watch.is_unchanged(), name


SIGN_INS = (
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    "Bearer ****************",
    "Bearer " + "x" * 4000,
    "Bearer \u00ff\u00fe0123456789",
    "Basic !!!!",
    "Basic bm9jb2xvbg==",
    "Basic /////w==",
    "Digest username=jane",
    "{token}",
    "Token {token}",
    "Bearer {token} {token}",
    "Bearer {token},Bearer {token}",
    "Bearer {half}",
    "Bearer {token}x",
)


async def test_odd_sign_ins_are_all_alike(api: ApiDesk) -> None:
    """Whatever is not one right bearer token gets the same 401 with its challenge."""
    seen = set()
    for text in SIGN_INS:
        header = text.format(token=api.token, half=api.token[:-1])
        answer = await api.call("GET", "/pages", token=None, headers={"Authorization": header})
        seen.add((answer.told, str(answer.body), answer.headers["WWW-Authenticate"]))

    assert len(seen) == 1
    assert next(iter(seen))[0] == (401, "not_signed_in")


async def test_two_sign_ins_are_none(api: ApiDesk) -> None:
    """Two Authorization headers are refused, also where both are right."""
    headers = [("Authorization", f"Bearer {api.token}")] * 2
    async with api.client.get("/api/v1/pages", headers=headers) as answer:
        assert answer.status in (400, 401)


async def test_a_token_opens_one_request(api: ApiDesk) -> None:
    """On one connection a request without a token is 401 after one with it."""
    assert (await api.call("GET", "/pages")).status == 200

    assert (await api.call("GET", "/pages", token=None)).told == (401, "not_signed_in")


async def test_nothing_happens_without_a_sign_in(api: ApiDesk, watch: Watch) -> None:
    """Without a token no operation of owners does anything, whatever else is right."""
    for name in SIGNED_IN:
        good = await ready(api, name)
        watch.is_unchanged()
        cookie = {"Cookie": "calgate=anything"}
        answer = await send(api, good, body=good.body, token=None, headers=cookie)

        assert answer.told == (401, "not_signed_in"), name
        assert watch.is_unchanged(), name


TEXTS = ("a\x00b", "\x00", "a\x0bb\x0c\x1c\x85", "\u2028", "\u202e", "e\u0301", "\U0001f600" * 50)


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
async def test_odd_text_is_the_same_on_both_engines(api_on: ApiDesk, text: str) -> None:
    """NUL and other control characters are refused or cleaned, in every field, on both engines."""
    told = {
        "page": await api_on.call("POST", "/pages", NEW_PAGE | {"title": text, "slug": "jane/x"}),
        "description": await api_on.call(
            "POST", "/pages", NEW_PAGE | {"description": text, "slug": "jane/y"}
        ),
        "feed": await api_on.call("POST", "/feeds", {"label": text}),
        "token": await api_on.call("POST", "/tokens", {"label": text}),
        "robots": await api_on.call("PATCH", "/settings", {"robots_extra": text}),
        "booking": await api_on.call(
            "POST",
            f"/pages/{api_on.desk.page.id}/bookings",
            BOOKING | {"name": f"Vera{text}"},
            token=None,
        ),
    }
    statuses = {name: answer.status for name, answer in told.items()}

    assert set(statuses.values()) <= {200, 201, 422}, statuses
    if "\x00" in text:
        assert {name for name, status in statuses.items() if status == 422} >= {
            *("page", "description", "token", "robots")
        }
    for answer in told.values():
        assert "\x00" not in json.dumps(answer.body, ensure_ascii=False)
