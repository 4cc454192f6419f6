"""What a time zone is here: wall times to instants and back (RFC 5545 sections 3.3.5 and 3.6.5)."""

from abc import ABC, abstractmethod
from datetime import datetime

from gateway.model.local_time import WallTime, datetime_of, wall_of
from gateway.model.timerange import DAY, Instant


class Zone(ABC):
    """A time zone under the name it was asked for.

    A wall time in a gap takes the offset before the gap; one that comes twice means the first.
    """

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"<zone {self.name}>"

    @property
    def is_fixed(self) -> bool:
        """Whether the offset never changes, so that wall times and instants keep their order."""
        return False

    @abstractmethod
    def offset_at(self, instant: Instant) -> int:
        """Return the offset from UTC, in seconds, at an instant."""

    def instant_of(self, wall: WallTime) -> Instant:
        """Return the instant of a wall time."""
        before = self.offset_at(wall - self.offset_at(wall) - DAY)
        after = self.offset_at(wall - before + DAY)
        for offset in (before, after):
            if self.offset_at(wall - offset) == offset:
                return wall - offset
        return wall - before

    def wall_of(self, instant: Instant) -> WallTime:
        """Return the wall time of an instant."""
        return instant + self.offset_at(instant)

    def to_instant(self, local: datetime) -> Instant:
        """Return the instant of a naive datetime."""
        return self.instant_of(wall_of(local))

    def to_local(self, instant: Instant) -> datetime:
        """Return the naive datetime of an instant."""
        return datetime_of(self.wall_of(instant))


class FixedZone(Zone):
    """A zone that has always the same offset."""

    __slots__ = ("offset",)

    def __init__(self, name: str, offset: int) -> None:
        super().__init__(name)
        self.offset = offset

    @property
    def is_fixed(self) -> bool:
        """Always."""
        return True

    def offset_at(self, instant: Instant) -> int:  # noqa: ARG002 - the same at any instant
        """Return the offset."""
        return self.offset

    def instant_of(self, wall: WallTime) -> Instant:
        """Return the instant of a wall time."""
        return wall - self.offset

    def wall_of(self, instant: Instant) -> WallTime:
        """Return the wall time of an instant."""
        return instant + self.offset


UTC_ZONE: Zone = FixedZone("UTC", 0)
"""Coordinated universal time."""
