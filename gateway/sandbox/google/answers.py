"""Answers that go wrong: errors in Google's form, lists that are spoiled on their way."""

from aiohttp import web

from gateway.sandbox.call_faults import CANARY, Fault
from gateway.sandbox.google.call import ApiError, Json

REASONS = {
    400: "badRequest",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "conflict",
    410: "fullSyncRequired",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
}


def told(status: int, reason: str) -> web.Response:
    """Return a planned error as an answer."""
    error = ApiError(status, reason or REASONS.get(status, "backendError"), CANARY)
    return web.json_response(error.body, status=status)


def spoil(fault: Fault, answer: Json) -> Json:
    """Return a list with its pages or items lost, or with one more page than there is."""
    answer = dict(answer)
    if fault.lose_next:
        answer.pop("nextPageToken", None)
        answer.pop("nextSyncToken", None)
    if fault.lose_items and "items" in answer:
        answer["items"] = []
    if fault.endless:
        answer.pop("nextSyncToken", None)
        answer["nextPageToken"] = "e30="
    return answer
