"""One call of Graph as its handlers see it, and the errors they answer with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from multidict import MultiMapping

Json = dict[str, Any]
_PREFERENCE = re.compile(r"([A-Za-z.\-]+)\s*=\s*(?:\"([^\"]*)\"|([^,\s]+))")


class GraphError(Exception):
    """An answer that is an error, in Graph's form."""

    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status = status
        self.body: Json = {
            "error": {
                "code": code,
                "message": message or code,
                "innerError": {
                    "date": "2026-11-30T12:00:00",
                    "request-id": "0",
                    "client-request-id": "0",
                },
            }
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who asks for what: `address` is the signed-in mailbox, `path` the variables of the route.

    `root` is where the API lies, for the links in its answers.
    """

    address: str
    scopes: frozenset[str]
    root: str
    path: Mapping[str, str]
    query: MultiMapping[str]
    prefer: Mapping[str, str] = field(default_factory=dict)
    body: Json = field(default_factory=dict)
    if_match: str = ""

    @property
    def immutable(self) -> bool:
        """Whether ids that survive a move are asked for."""
        return self.prefer.get("idtype", "").lower() == "immutableid"


def preferences(header: str) -> dict[str, str]:
    """Read a Prefer header (RFC 7240), names in lower case."""
    return {name.lower(): quoted or bare for name, quoted, bare in _PREFERENCE.findall(header)}


def item_not_found() -> GraphError:
    """Return what Exchange says of what is not there."""
    return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
