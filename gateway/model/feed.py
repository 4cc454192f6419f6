"""Merged read-only feeds and how much they show."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.model.timerange import Instant


class Visibility(StrEnum):
    """How much of each event a feed shows."""

    BUSY = "busy"
    TITLE = "title"
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A merged feed; `calendars` are public ids, empty means every selected calendar.

    A digest finds it by its token; the sealed token lets the owner see the address again.
    """

    id: str
    owner_id: int
    label: str
    visibility: Visibility
    calendars: tuple[str, ...]
    token_digest: str
    token_sealed: bytes
    created_at: Instant
