"""200 kill -9 of a serving gateway around its writes at Google and Office 365.

`python -m tests.campaigns.provider_kill9 [--seed N] [--first 0] [--kills 200] [--provider both]
[--cold]`; the kills are shared between the providers. Call, point and faults of a kill are drawn
from the seed, the provider and the kill's number alone: `--first 17 --kills 1` repeats number 17.
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
from tests.provider_kills import Killing, chosen, killing

ACCOUNTS = {"google": GoogleAccount, "microsoft": MicrosoftAccount}
NAME = "python -m tests.campaigns.provider_kill9"
ROW = "{:>10}{:>5}  {:<8}{:<28}{:>7}{:>8}"


async def _play(provider: str, numbers: range, seed: int, stop: Event, *, cold: bool) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        async with killing(ACCOUNTS[provider](), Path(folder), cold=cold) as made:
            for number in numbers:
                if stop.is_set():
                    break
                death = await made.kill_once(number, chosen(f"{provider} {seed} {number}"))
                row = (provider, number, death.verb, death.point, death.faults)
                print(ROW.format(*row, f"{death.back_after:.1f}"), flush=True)
            return await _told(provider, made, seed)


async def _told(provider: str, made: Killing, seed: int) -> bool:
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
    for number in findings.kills(made.promises):
        print(f"repeat: {NAME} --seed {seed} --provider {provider} --first {number} --kills 1")
    print(f"{provider}: {findings.line()}, unfinished {unfinished}", flush=True)
    return findings.is_clean and not unfinished


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def main() -> int:
    """Kill and restart one gateway after the other; fail when a promise was not kept."""
    parser = argparse.ArgumentParser(prog=NAME)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--provider", choices=(*ACCOUNTS, "both"), default="both")
    parser.add_argument("--cold", action="store_true")
    told = parser.parse_args()
    stop = Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: stop.set())
    again = f"{NAME} --seed {told.seed} --first {told.first} --kills {told.kills}"
    again += f" --provider {told.provider}{' --cold' if told.cold else ''}"
    print(f"again: {again}")
    print(f"one kill: {NAME} --seed {told.seed} --provider PROVIDER --first KILL --kills 1")
    print(ROW.format("provider", "kill", "call", "point", "faults", "back s"))
    chosen = list(ACCOUNTS) if told.provider == "both" else [told.provider]
    shares = [told.kills // len(chosen)] * len(chosen)
    shares[0] += told.kills % len(chosen)
    numbers = [range(told.first, told.first + kills) for kills in shares]
    clean = [
        asyncio.run(_play(provider, some, told.seed, stop, cold=told.cold))
        for provider, some in zip(chosen, numbers, strict=True)
    ]
    if not all(clean):
        print(f"repeat: {again}")
    return 0 if all(clean) else 1


if __name__ == "__main__":
    sys.exit(main())
