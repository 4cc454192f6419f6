"""One call of the API as its handlers see it, and the errors they answer with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from multidict import MultiMapping

Json = dict[str, Any]


class ApiError(Exception):
    """An answer that is an error, in Google's form."""

    def __init__(self, status: int, reason: str, message: str, *, domain: str = "global") -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {
            "error": {
                "errors": [{"domain": domain, "reason": reason, "message": message}],
                "code": status,
                "message": message,
            }
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks for what: `email` is the signed-in account, `path` the variables of the address."""

    email: str
    scopes: frozenset[str]
    path: Mapping[str, str]
    query: MultiMapping[str]
    body: Json = field(default_factory=dict)
    if_match: str = ""

    def flag(self, name: str) -> bool:
        """Return a boolean parameter; absent is false."""
        return self.query.get(name, "false").lower() == "true"

    def number(self, name: str, default: int, highest: int) -> int:
        """Return a positive number, held at the highest that Google takes."""
        text = self.query.get(name, str(default))
        if not text.isdigit() or int(text) < 1:
            raise ApiError(400, "invalidParameter", f"Invalid value '{text}' for {name}.")
        return min(int(text), highest)


def not_found() -> ApiError:
    """Return what Google says of what is not there, or not to be known of."""
    return ApiError(404, "notFound", "Not Found")
