"""What exchangelib raises, as one of our three kinds with a sentence of ours."""

import math
from http import HTTPStatus

import requests
from exchangelib import errors as ews

from gateway.adapters._http import MAX_RETRY_AFTER, Answer
from gateway.errors import AccessLost, SignInNeeded, Unavailable, UpstreamError

NO_SENSE = "The server's answer makes no sense."
BUSY = "The server cannot answer at the moment."
COME_BACK = "The server asks us to come back later."
DENIED = "The server denies access to this calendar."
SENT_ON = "The server sends us to another address instead of answering."
GONE = "The calendar is no longer in this mailbox."
SENTENCES: dict[str, tuple[type[UpstreamError], str]] = {
    "ErrorAccessDenied": (AccessLost, DENIED),
    "ErrorFolderNotFound": (AccessLost, GONE),
    "ErrorSyncFolderNotFound": (AccessLost, GONE),
    "ErrorItemNotFound": (AccessLost, GONE),
    "ErrorNonExistentMailbox": (AccessLost, "There is no mailbox with this e-mail address."),
    "ErrorAccountDisabled": (AccessLost, "The account is disabled at the server."),
    "ErrorMailboxConfiguration": (AccessLost, "The mailbox cannot be opened at the server."),
    "ErrorImpersonateUserDenied": (AccessLost, DENIED),
    "ErrorPasswordExpired": (SignInNeeded, "The password has expired."),
    "ErrorPasswordChangeRequired": (SignInNeeded, "The password must be changed first."),
    "ErrorExceededFindCountLimit": (Unavailable, "The calendar is too full to be read at once."),
    "ErrorInvalidServerVersion": (Unavailable, "The server does not speak the version asked for."),
    "ErrorQuotaExceeded": (Unavailable, "The mailbox is full."),
    **dict.fromkeys(
        (
            "ErrorADOperation",
            "ErrorADUnavailable",
            "ErrorConnectionFailed",
            "ErrorExceededConnectionCount",
            "ErrorInternalServerError",
            "ErrorInternalServerTransientError",
            "ErrorMailboxMoveInProgress",
            "ErrorMailboxStoreUnavailable",
            "ErrorTimeoutExpired",
            "ErrorTooManyObjectsOpened",
        ),
        (Unavailable, BUSY),
    ),
}
BY_STATUS: dict[int, tuple[type[UpstreamError], str]] = {
    HTTPStatus.FORBIDDEN: (AccessLost, "The server denies access to this mailbox."),
    HTTPStatus.NOT_FOUND: (AccessLost, "There is no Exchange service at this address."),
    HTTPStatus.GONE: (AccessLost, "There is no Exchange service at this address any more."),
    HTTPStatus.TOO_MANY_REQUESTS: (Unavailable, COME_BACK),
    HTTPStatus.SERVICE_UNAVAILABLE: (Unavailable, COME_BACK),
}


# What the library lets through besides its own: half XML, a broken NTLM exchange, odd values.
EXPECTED = (
    ews.EWSError,
    requests.RequestException,
    ValueError,
    KeyError,
    SyntaxError,
    PermissionError,
)


def explained(error: Exception, last: Answer | None, wait: int | None) -> UpstreamError:
    """Return our error; `last` is the answer behind it, `wait` what its Retry-After said."""
    if isinstance(error, UpstreamError):
        return error
    told = _told(error) or _by_status(last.status if last is not None else 0, wait)
    if told is not None:
        return told
    if isinstance(error, ews.ErrorServerBusy):
        asked = math.ceil(error.back_off or 0)
        return Unavailable(COME_BACK, min(asked, MAX_RETRY_AFTER) or None)
    if isinstance(error, ews.ResponseMessageError):
        return Unavailable(f"The server could not do it: {type(error).__name__}.")
    if isinstance(error, EXPECTED):
        if last is not None and last.status >= HTTPStatus.BAD_REQUEST:
            return Unavailable(f"The server answered with status {last.status}.", wait)
        return Unavailable(NO_SENSE)
    raise error


def _told(error: Exception) -> UpstreamError | None:
    if isinstance(error, ews.CASError):
        return AccessLost("Exchange Web Services are switched off for this mailbox.")
    if isinstance(error, ews.RedirectError):
        return Unavailable(SENT_ON)
    known = SENTENCES.get(type(error).__name__)
    return known[0](known[1]) if known is not None else None


def _by_status(status: int, wait: int | None) -> UpstreamError | None:
    if status in BY_STATUS:
        kind, sentence = BY_STATUS[status]
        return kind(sentence, wait)
    # A fault of SOAP comes with 500 and says more than its number.
    if status >= HTTPStatus.BAD_REQUEST and status != HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable(f"The server answered with status {status}.", wait)
    return None
