"""What an Exchange server's faults mean: wait, no access, or a sign-in."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from exchangelib import errors as ews

from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError
from tests.builders import an_event
from tests.exchange_account import ExchangeSource, exchange_source
from tests.exchange_desk import WINDOW, opened, read_one_page


@pytest.fixture
async def source() -> AsyncIterator[ExchangeSource]:
    """Run a server with Jane's mailbox, which is empty."""
    async with exchange_source() as made:
        yield made


BUSY, GONE = "cannot answer at the moment", "no longer in this mailbox"
ERRORS: dict[str, tuple[type[UpstreamError], str]] = {
    # the account
    "ErrorNonExistentMailbox": (AccessLost, "no mailbox with this e-mail address"),
    "ErrorAccountDisabled": (AccessLost, "account is disabled"),
    "ErrorMailboxConfiguration": (AccessLost, "mailbox cannot be opened"),
    "ErrorImpersonateUserDenied": (AccessLost, "denies access"),
    "ErrorPasswordExpired": (SignInNeeded, "password has expired"),
    "ErrorPasswordChangeRequired": (SignInNeeded, "password must be changed"),
    # one calendar
    "ErrorAccessDenied": (AccessLost, "denies access to this calendar"),
    "ErrorFolderNotFound": (AccessLost, GONE),
    "ErrorSyncFolderNotFound": (AccessLost, GONE),
    "ErrorItemNotFound": (AccessLost, GONE),
    # how it is set up
    "ErrorInvalidServerVersion": (Unavailable, "does not speak the version"),
    "ErrorSchemaValidation": (Unavailable, "could not do it: ErrorSchemaValidation"),
    # for now
    "ErrorServerBusy": (Unavailable, "come back later"),
    "ErrorTooManyObjectsOpened": (Unavailable, "come back later"),
    "ErrorExceededConnectionCount": (Unavailable, BUSY),
    "ErrorTimeoutExpired": (Unavailable, BUSY),
    "ErrorInternalServerTransientError": (Unavailable, "come back later"),
    "ErrorInternalServerError": (Unavailable, BUSY),
    "ErrorMailboxStoreUnavailable": (Unavailable, BUSY),
    "ErrorMailboxMoveInProgress": (Unavailable, BUSY),
    "ErrorConnectionFailed": (Unavailable, BUSY),
    "ErrorADUnavailable": (Unavailable, BUSY),
    "ErrorADOperation": (Unavailable, BUSY),
    "ErrorQuotaExceeded": (Unavailable, "mailbox is full"),
    "ErrorNobodyKnowsThis": (Unavailable, "."),
}
"""What a response code means to an owner."""


@pytest.mark.parametrize("code", ERRORS)
async def test_a_fault_is_one_of_three_kinds(source: ExchangeSource, code: str) -> None:
    """Every response code comes to its kind, with a sentence of ours."""
    kind, sentence = ERRORS[code]
    adapter, calendar = await opened(source)
    source.fail(code=code)
    with pytest.raises(UpstreamError) as raised:
        await read_one_page(adapter, calendar)

    assert type(raised.value) is kind
    assert sentence in str(raised.value)
    assert str(raised.value).endswith(".")


async def test_a_locked_account_is_never_tried_again(source: ExchangeSource) -> None:
    """What the directory calls locked out is believed at the first word."""
    _, calendar = await opened(source)
    locked = ews.UnauthorizedError("The referenced account is currently locked out")
    account = source.open(auth="NTLM", username="jane")._account
    await account._client.threads.run("x", lambda: _refuse(account, locked), seconds=5)
    with pytest.raises(SignInNeeded, match="twice"):
        await read_one_page(source.open(auth="NTLM", username="jane"), calendar)


def _refuse(account: Any, error: Exception) -> None:
    account.begin()
    raised = account._refused(for_good="locked out" in str(error))
    assert isinstance(raised, SignInNeeded)


@pytest.mark.parametrize("where", ["https://login.corp.example/", "http://169.254.169.254/"])
async def test_a_redirect_is_told_and_not_followed(source: ExchangeSource, where: str) -> None:
    """A server that sends us elsewhere gets no password there, whoever it names."""
    adapter, calendar = await opened(source)
    source.fail(redirect=where)
    with pytest.raises(Unavailable, match="sends us to another address"):
        await read_one_page(adapter, calendar)
    with pytest.raises(Unavailable, match="sends us to another address"):
        await source.open().calendars()


async def test_a_busy_server_says_how_long(source: ExchangeSource) -> None:
    """BackOffMilliseconds is the wait that is handed on."""
    adapter, calendar = await opened(source)
    source.fail(code="ErrorServerBusy", back_off=45_000)
    with pytest.raises(Unavailable) as raised:
        await read_one_page(adapter, calendar)

    assert raised.value.retry_after == 45


async def test_services_that_are_switched_off_are_named(source: ExchangeSource) -> None:
    """X-CasErrorCode says that this mailbox has no web services."""
    adapter, calendar = await opened(source)
    source.fail(status=500, cas_error="CAS error: MapiExceptionLogonFailed")
    with pytest.raises(AccessLost, match="switched off"):
        await read_one_page(adapter, calendar)


@pytest.mark.parametrize("operation", ["SyncFolderItems", "GetItem", "FindItem"])
@pytest.mark.parametrize("fault", [{"truncate": 400}, {"cut": 500}, {"drip": 0.2}])
async def test_half_an_answer_is_a_failure(
    source: ExchangeSource, operation: str, fault: dict[str, Any]
) -> None:
    """What breaks off is never mended into something shorter."""
    await source.put("first", an_event("first"))
    adapter, calendar = await opened(source)
    source.fail(only=operation, **fault)
    asked = (
        adapter.last_look(calendar, WINDOW)
        if operation == "FindItem"
        else read_one_page(adapter, calendar)
    )
    with pytest.raises(Unavailable):
        await asked


async def test_a_list_that_breaks_off_is_no_shorter_list(source: ExchangeSource) -> None:
    """A list of changes that is cut in the middle is a failure, whatever a parser would mend."""
    for number in range(10):
        await source.put(f"e{number}", an_event(f"e{number}"))
    adapter, calendar = await opened(source)
    source.fail(only="SyncFolderItems", truncate=1500)
    with pytest.raises(Unavailable, match="incomplete"):
        await read_one_page(adapter, calendar)


async def test_a_look_that_is_given_up_frees_its_thread(source: ExchangeSource) -> None:
    """A hung server holds its own few threads, and only until its calls are given up."""
    adapter, calendar = await opened(source)
    source.fail(delay=30.0)
    looks = [asyncio.wait_for(adapter.last_look(calendar, WINDOW), 0.2) for _ in range(12)]
    ended = await asyncio.gather(*looks, return_exceptions=True)
    source.mend()
    fresh, _ = await opened(source)

    assert {type(one) for one in ended} == {TimeoutError}
    assert await fresh.last_look(calendar, WINDOW) == []
