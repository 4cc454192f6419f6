"""Work side by side: what fails is told, each failure once."""

import asyncio

import pytest

from gateway.services.side_by_side import SideBySide


async def test_of_many_failures_none_is_lost() -> None:
    """The first is raised, every other one is told with its key; what went well stays done."""
    told: list[tuple[str, str]] = []
    done: list[str] = []

    async def work(key: str) -> None:
        await asyncio.sleep(0)
        if key.startswith("bad"):
            raise ValueError(key)
        done.append(key)

    side = SideBySide(work, told=lambda key, error: told.append((key, str(error))))
    with pytest.raises(ValueError, match="bad-1"):
        await side.run(["bad-1", "good", "bad-2", "bad-3"])

    assert told == [("bad-2", "bad-2"), ("bad-3", "bad-3")]
    assert done == ["good"]


async def test_a_failure_of_what_went_aside_is_told() -> None:
    """Nobody waits for it any more, and it is not lost either."""
    told: list[tuple[str, str]] = []
    going, over = asyncio.Event(), asyncio.Event()

    async def work(key: str) -> None:
        await going.wait()
        raise ValueError(key)

    def tell(key: str, error: BaseException) -> None:
        told.append((key, str(error)))
        over.set()

    side = SideBySide(work, patience=0.001, told=tell)
    await side.run(["slow"])
    assert told == []
    going.set()
    await over.wait()

    assert told == [("slow", "slow")]
