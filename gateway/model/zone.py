"""What a time zone is here: wall times to instants and back (RFC 5545 sections 3.3.5 and 3.6.5)."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from datetime import datetime

from gateway.model.local_time import WallTime, datetime_of, wall_of
from gateway.model.timerange import DAY, HOUR, Instant

CALM = 6 * DAY
"""No zone of the IANA database changes its offset and back within it; Recife's summer of 2000 had
seven days less an hour."""


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

    def instants_of(self, walls: Sequence[WallTime]) -> list[Instant]:
        """Return the instants of many wall times; what a stretch shares is looked at once."""
        offsets = self._shared_offsets(walls, CALM)
        found = [wall - offsets.get(wall // CALM, wall) for wall in walls]
        if len(offsets) == len({wall // CALM for wall in walls}):
            return found
        odd = {wall for wall in walls if wall // CALM not in offsets}
        by_hour = self._shared_offsets(odd, HOUR)
        exact = {
            wall: self.instant_of(wall)
            if (offset := by_hour.get(wall // HOUR)) is None
            else wall - offset
            for wall in odd
        }
        return [exact.get(wall, instant) for wall, instant in zip(walls, found, strict=True)]

    def walls_of(self, instants: Sequence[Instant]) -> list[WallTime]:
        """Return the wall times of many instants."""
        numbers = {instant // CALM for instant in instants}
        at = {
            number: self.offset_at(number * CALM) for number in numbers | {n + 1 for n in numbers}
        }
        offsets = {
            number: at[number]
            for number in numbers
            if at[number] == at[number + 1] and self.is_calm(number * CALM, (number + 1) * CALM)
        }
        return [
            self.wall_of(instant)
            if (offset := offsets.get(instant // CALM)) is None
            else instant + offset
            for instant in instants
        ]

    def _shared_offsets(self, walls: Collection[WallTime], length: int) -> dict[int, int]:
        """Return the offset of each stretch of that length whose wall times have but one."""
        numbers = {wall // length for wall in walls}
        ends = numbers | {number + 1 for number in numbers}
        at = {number: self.instant_of(number * length) for number in ends}
        return {
            number: number * length - at[number]
            for number in numbers
            if at[number + 1] - at[number] == length and self.is_calm(at[number], at[number + 1])
        }

    def is_calm(self, low: Instant, high: Instant) -> bool:  # noqa: ARG002 - see CALM
        """Tell whether the offset, the same at both ends of that or less, is so between them."""
        return True

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

    def instants_of(self, walls: Sequence[WallTime]) -> list[Instant]:
        """Return the instants of many wall times."""
        return [wall - self.offset for wall in walls] if self.offset else [*walls]


UTC_ZONE: Zone = FixedZone("UTC", 0)
"""Coordinated universal time."""
