"""Answers that go wrong: planned errors in Graph's form, lists that are spoiled on their way."""

from aiohttp import web

from gateway.sandbox.call_faults import CANARY, Fault
from gateway.sandbox.microsoft.call import GraphError, Json

CODES = {
    400: "ErrorInvalidRequest",
    401: "InvalidAuthenticationToken",
    403: "ErrorAccessDenied",
    404: "ErrorItemNotFound",
    409: "ErrorDuplicateTransactionId",
    410: "SyncStateNotFound",
    412: "ErrorIrresolvableConflict",
    429: "ApplicationThrottled",
    503: "ServiceUnavailable",
}


def applied(request: web.Request) -> dict[str, str]:
    """Return the header that says which preferences were taken."""
    told = ", ".join(request.headers.getall("Prefer", []))
    return {"Preference-Applied": told} if told else {}


def told(error: GraphError, retry_after: str = "") -> web.Response:
    """Return an error as an answer."""
    headers = {"Retry-After": retry_after} if retry_after else {}
    return web.json_response(error.body, status=error.status, headers=headers)


def failing(status: int, reason: str) -> web.Response:
    """Return a planned error as an answer."""
    return told(GraphError(status, reason or CODES.get(status, "UnknownError"), CANARY))


def spoiled(fault: Fault, answer: Json) -> Json:
    """Return a list with its pages or rows lost, or with one more page than there is."""
    answer = dict(answer)
    if fault.lose_next:
        answer.pop("@odata.nextLink", None)
        answer.pop("@odata.deltaLink", None)
    if fault.lose_items and "value" in answer:
        answer["value"] = []
    if fault.endless and "@odata.deltaLink" in answer:
        answer["@odata.nextLink"] = answer.pop("@odata.deltaLink")
    return answer
