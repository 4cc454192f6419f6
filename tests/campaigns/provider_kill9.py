"""200 kill -9 of a serving gateway around its writes at Google and Office 365.

`python -m tests.campaigns.provider_kill9 [--seed N] [--kills 200] [--provider both] [--cold]`; the
kills are shared between the providers, and the seed chooses call, point and faults of each.
`--cold` starts a new interpreter each time, which takes seconds, instead of forking one. SIGTERM
ends the killing; what was done until then is judged.
"""

import argparse
import asyncio
import random
import signal
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path
from threading import Event

from tests.provider_accounts import GoogleAccount, MicrosoftAccount
from tests.provider_kills import Killing, killing

ACCOUNTS = {"google": GoogleAccount, "microsoft": MicrosoftAccount}
ROW = "{:>10}{:>5}  {:<8}{:<28}{:>7}{:>8}"


async def _play(provider: str, kills: int, seed: int, stop: Event, *, cold: bool) -> bool:
    dice = random.Random(f"{provider} {seed}")
    with tempfile.TemporaryDirectory() as folder:
        async with killing(ACCOUNTS[provider](), Path(folder), dice, cold=cold) as made:
            for number in range(kills):
                if stop.is_set():
                    break
                death = await made.kill_once()
                row = (provider, number, death.verb, death.point, death.faults)
                print(ROW.format(*row, f"{death.back_after:.1f}"), flush=True)
            return await _told(provider, made)


async def _told(provider: str, made: Killing) -> bool:
    findings, unfinished = await made.settled()
    standing = sum(one["state"] == "confirmed" for one in await made.bookings())
    seconds = [death.back_after for death in made.deaths]
    points = Counter(death.point for death in made.deaths)
    print(f"{provider}: {len(made.deaths)} kills: {_counted(points)}")
    print(f"{provider}: during {_counted(Counter(death.verb for death in made.deaths))}")
    print(f"{provider}: answers {_counted(made.answers)}")
    print(
        f"{provider}: {len(made.promises)} bookings answered, {standing} stand in the end, "
        f"{len(made.account.written())} events; back after "
        f"{statistics.median(seconds):.1f} s (median), {max(seconds):.1f} s (longest)"
    )
    for what in ("lost", "duplicates", "orphans", "misplaced"):
        for one in getattr(findings, what):
            print(f"{provider}: {what}: {one}")
    print(f"{provider}: {findings.line()}, unfinished {unfinished}", flush=True)
    return findings.is_clean and not unfinished


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def main() -> int:
    """Kill and restart one gateway after the other; fail when a promise was not kept."""
    name = "python -m tests.campaigns.provider_kill9"
    parser = argparse.ArgumentParser(prog=name)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--provider", choices=(*ACCOUNTS, "both"), default="both")
    parser.add_argument("--cold", action="store_true")
    told = parser.parse_args()
    stop = Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    again = f"{name} --seed {told.seed} --kills {told.kills} --provider {told.provider}"
    again += " --cold" if told.cold else ""
    print(f"again: {again}")
    print(ROW.format("provider", "kill", "call", "point", "faults", "back s"))
    chosen = list(ACCOUNTS) if told.provider == "both" else [told.provider]
    shares = [told.kills // len(chosen)] * len(chosen)
    shares[0] += told.kills % len(chosen)
    clean = [
        asyncio.run(_play(provider, kills, told.seed, stop, cold=told.cold))
        for provider, kills in zip(chosen, shares, strict=True)
    ]
    if not all(clean):
        print(f"repeat: {again}")
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
