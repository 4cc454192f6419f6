"""The table from domain errors to WebDAV answers is total, and each condition has its namespace."""

import pytest
from lxml import etree

from gateway import errors
from gateway.dav.answers import TABLE, answer, failure_of
from gateway.dav.wire.multistatus import condition_name
from gateway.errors import CalgateError, Condition, Refused

DAV_ONLY = {
    "cannot-modify-protected-property",
    "need-privileges",
    "no-external-entities",
    "number-of-matches-within-limits",
    "propfind-finite-depth",
    "quota-not-exceeded",
    "resource-must-be-null",
    "supported-report",
    "valid-resourcetype",
    "valid-sync-token",
}


def concrete() -> list[type[CalgateError]]:
    """Return every error class of errors.py."""
    return [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, CalgateError)
    ]


@pytest.mark.parametrize("kind", concrete(), ids=lambda kind: kind.__name__)
def test_every_error_is_in_the_table(kind: type[CalgateError]) -> None:
    """Each error, or the class right above it, says what becomes of it; only ours are generic."""
    operators = (errors.SchemaTooNew, errors.BadKey, errors.ConfigError)
    found = next(one for one in kind.__mro__ if one in TABLE)

    assert found is not CalgateError or kind in (CalgateError, *operators)


@pytest.mark.parametrize("condition", Condition)
def test_conditions_are_elements(condition: Condition) -> None:
    """Each condition is an element of `DAV:error`, in the namespace of the RFC that names it."""
    failure = failure_of(Refused(condition, "Why <&>", href="/dav/a&b/"))
    body = answer(failure).body
    assert isinstance(body, bytes)
    root = etree.fromstring(body)

    assert root.tag == "{DAV:}error"
    assert root[0].tag == condition_name(condition)
    assert root[0].tag.startswith("{DAV:}") == (condition.value in DAV_ONLY)
    assert root[0][0].text == "/dav/a&b/"
    assert root[1].text == "Why <&>"
    assert 400 <= failure.status < 500 or failure.status == 507


def test_only_limits_wait() -> None:
    """What is worth trying again says when."""
    for error in (errors.TooManyRequests("x", 7), errors.Overloaded("x", 7)):
        assert failure_of(error).headers["Retry-After"] == "7"
