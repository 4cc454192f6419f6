"""What is kept between two reads of a Google calendar: a sync token, and what it belongs to."""

from dataclasses import dataclass, replace

from gateway.adapters._cursors import decode, encode, forced_again
from gateway.adapters.google.assembly import VERSION
from gateway.model.timerange import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a calendar's changes.

    `token` continues a list of events; a calendar that tells only when it is busy has none, but a
    `digest` of what it told, and `role_at`, when we last asked what it lets us see. `forced` are
    the times of the last hour at which Google made us start over.
    """

    token: str = ""
    digest: str = ""
    role_at: Instant = 0
    forced: tuple[Instant, ...] = ()

    @property
    def is_free_busy(self) -> bool:
        """Whether only busy time was told."""
        return bool(self.digest)

    def starts_over(self, now: Instant) -> "Cursor | None":
        """Return the cursor of a forced new start; None where that happens too often."""
        forced = forced_again(self.forced, now)
        return None if forced is None else Cursor(forced=forced)

    def continued(self, token: str) -> "Cursor":
        """Return the cursor after a list of events."""
        return replace(self, token=token, digest="", role_at=0)

    def encode(self) -> str:
        """Return the text that is stored."""
        return encode(self, VERSION)

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Read the stored text; one that another version wrote is a start from the beginning."""
        return decode(cls, text, VERSION)
