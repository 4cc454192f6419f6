"""Sync tokens (RFC 6578 section 3.2): a collection and one of its revisions, in the store's epoch.

A restored backup begins another epoch: what was given out before is no token of this one.

`getctag` is the same text: both change with every change of what is in the collection.
"""

import re
from dataclasses import replace

from gateway.errors import Condition, Refused
from gateway.model.collection import Collection

_TOKEN = re.compile(
    r"urn:calgate:sync:(?P<id>[A-Za-z0-9_-]{1,64}):"
    r"(?:(?P<epoch>[0-9a-f]{16}):)?(?P<revision>\d{1,18})"
)


def sync_token(collection: Collection, revision: int | None = None) -> str:
    """Return the token of a revision; of the one the collection is at if none is given."""
    told = collection if revision is None else replace(collection, revision=revision)
    return f"urn:calgate:sync:{told.public_id}:{told.version}"


def revision_of(token: str, collection: Collection) -> int:
    """Return the revision a token stands for.

    Refused with `valid-sync-token` for what this collection, as it is now, never gave.
    """
    found = _TOKEN.fullmatch(token)
    if (
        found is None
        or not token.isascii()
        or found["id"] != collection.public_id
        or (found["epoch"] or "") != collection.epoch
        or int(found["revision"]) > collection.revision
    ):
        raise Refused(
            Condition.VALID_SYNC_TOKEN, "This sync token is not one of this collection's."
        )
    return int(found["revision"])
