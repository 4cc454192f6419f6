"""Run every campaign, or the named ones: `python -m tests.campaigns [NAME …]`."""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    """Run each campaign in a process of its own; the closing line counts them."""
    known = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    wanted = sys.argv[1:] or known
    unknown = set(wanted) - set(known)
    if unknown:
        print(f"There is no campaign {', '.join(sorted(unknown))}; there are {', '.join(known)}.")
        return 2
    failed = []
    for name in wanted:
        print(f"== {name}", flush=True)
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-m", f"tests.campaigns.{name}"], check=False)
        outcome = "FAILED" if done.returncode else "passed"
        print(f"== {name}: {outcome}, {time.monotonic() - started:.0f} s", flush=True)
        if done.returncode:
            failed.append(name)
    print(f"{len(wanted) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
