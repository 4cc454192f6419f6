"""docs/api.md against the description: every example, every operation, every code."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from gateway.web.api import OPERATIONS
from gateway.web.api.openapi import document
from gateway.web.api.problems import CODES
from tests.api_desk import Description

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text(encoding="utf-8")
DESCRIPTION = Description(document(OPERATIONS, "https://cal.example.org"))
BLOCKS = re.findall(r"```http\n(.*?)```", TEXT, re.DOTALL)


def _split(block: str) -> tuple[str, Any]:
    head, _, body = block.partition("\n\n")
    return head.splitlines()[0], json.loads(body) if body.strip() else None


REQUESTS = [block for block in BLOCKS if not block.startswith("HTTP/")]
EXCHANGES = [
    (asked, told)
    for asked, told in pairwise(BLOCKS)
    if told.startswith("HTTP/") and not asked.startswith("HTTP/")
]


def test_there_are_examples() -> None:
    """The guide shows requests, and an answer never stands without its request."""
    assert len(REQUESTS) >= 8
    assert len(EXCHANGES) == sum(block.startswith("HTTP/") for block in BLOCKS)


@pytest.mark.parametrize("block", REQUESTS, ids=lambda block: block.splitlines()[0][:60])
def test_requests_are_as_described(block: str) -> None:
    """Each example asks an operation that exists, with a body of its schema and its sign-in."""
    line, body = _split(block)
    method, target = line.split(" ")
    operation = DESCRIPTION.operation(method, target.partition("?")[0])
    if "requestBody" in operation:
        DESCRIPTION.validate(DESCRIPTION.body(method, target.partition("?")[0]), body, line)
    else:
        assert body is None

    assert ("Authorization: Bearer" in block) == bool(operation["security"])


@pytest.mark.parametrize(
    ("asked", "told"), EXCHANGES, ids=[asked.splitlines()[0][:60] for asked, _ in EXCHANGES]
)
def test_answers_are_as_described(asked: str, told: str) -> None:
    """Each example answer is one that the description names for its operation."""
    line, _ = _split(asked)
    method, target = line.split(" ")
    status, body = _split(told)
    described = DESCRIPTION.operation(method, target.partition("?")[0])["responses"]
    (content,) = described[status.split(" ")[1]]["content"].values()

    DESCRIPTION.validate(content["schema"], body, line)


def test_every_operation_and_code_is_named() -> None:
    """An operation or code that the guide does not name does not get past this test."""
    unnamed = [f"{one.method} {one.path}" for one in OPERATIONS]

    assert [name for name in unnamed if f"`{name}`" not in TEXT] == []
    assert [code for code in CODES if f"`{code}`" not in TEXT] == []
