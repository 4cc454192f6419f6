"""kill -9 in the middle of a storm, then a restart: what was answered must be there."""

import asyncio
import random
import sqlite3
import time
from dataclasses import dataclass

from tests.served import Served
from tests.storm import Site, Storm, Verdict, blow, judge, plan

STARTS = 40
"""Ten hours of quarters: enough room that many are booked before the kill."""
LEASES = 45
"""Seconds until the leases of a dead process have run out and its bookings are finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Death:
    """One kill: after how many answers, how the file was found, what is there."""

    after: int
    storm: Storm
    integrity: str
    verdict: Verdict
    back_after: float

    @property
    def faults(self) -> dict[str, object]:
        """Return what should not be."""
        broken = {} if self.integrity == "ok" else {"integrity": self.integrity}
        return broken | self.verdict.faults


def kill_once(opened: Site, dice: random.Random, *, visitors: int, round_: int) -> Death:
    """Send a storm, kill the gateway somewhere in it, look at the file, start again, judge."""
    (node,) = opened.nodes
    storm = plan(opened, dice, visitors=visitors, puts=0, round_=round_, starts=STARTS)
    after = dice.randrange(1, visitors * 3 // 4)
    asyncio.run(_blow_and_kill(opened, storm, dice, node, after))
    integrity = integrity_of(node)
    started = time.monotonic()
    node.start()
    back_after = time.monotonic() - started
    verdict = asyncio.run(judge(opened, storm, killed=True))
    return Death(
        after=after, storm=storm, integrity=integrity, verdict=verdict, back_after=back_after
    )


async def _blow_and_kill(
    opened: Site, storm: Storm, dice: random.Random, node: Served, after: int
) -> None:
    """Send everything at once; kill when so many answers are in, with the rest on its way."""
    blowing = asyncio.create_task(blow(opened, storm, dice))
    while sum(one.status != 0 for one in storm.attempts) < after and not blowing.done():
        await asyncio.sleep(0.002)
    node.kill()
    await blowing


def integrity_of(node: Served) -> str:
    """Return what SQLite says of the file that the dead process left."""
    database = sqlite3.connect(node.folder / "var" / "calgate.db")
    try:
        return str(database.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        database.close()


def settled(opened: Site, storms: list[Storm]) -> Verdict:
    """Wait until every booking that a death interrupted is finished; judge all rounds again."""
    deadline = time.monotonic() + LEASES
    while True:
        verdicts = [asyncio.run(judge(opened, storm, killed=True)) for storm in storms]
        whole = Verdict()
        for one in verdicts:
            for name in Verdict.__slots__:
                setattr(whole, name, getattr(whole, name) + getattr(one, name))
        if whole.unfinished == 0 or time.monotonic() > deadline:
            return whole
        time.sleep(1)
