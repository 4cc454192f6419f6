"""What is kept between two reads of a Graph calendar: a delta link, and what it belongs to."""

from dataclasses import dataclass

from gateway.adapters._busy_only import AFTER, BEFORE, window_at
from gateway.adapters._cursors import decode, encode, forced_again
from gateway.adapters.graph.normalise import VERSION
from gateway.model.timerange import DAY, Instant, TimeRange

ROLL = 7 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """A place in a calendar's changes.

    `link` continues a round over the window from `start` on, whose whole days were told in `home`;
    a calendar that tells only when it is busy has a `digest` instead. `forced` are the times of the
    last hour at which Graph made us start over.
    """

    link: str = ""
    start: Instant = 0
    home: str = ""
    digest: str = ""
    forced: tuple[Instant, ...] = ()

    @property
    def window(self) -> TimeRange:
        """The window that is baked into the link."""
        return TimeRange(self.start, self.start + BEFORE + AFTER)

    def is_fresh(self, now: Instant) -> bool:
        """Tell whether the round's window still reaches far enough."""
        return bool(self.link) and window_at(now).start - self.start < ROLL

    def starts_over(self, now: Instant) -> "Cursor | None":
        """Return the cursor of a forced new start; None where that happens too often."""
        forced = forced_again(self.forced, now)
        return None if forced is None else Cursor(forced=forced)

    def encode(self) -> str:
        """Return the text that is stored."""
        return encode(self, VERSION)

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Read the stored text; one that another version wrote is a start from the beginning."""
        return decode(cls, text, VERSION)
