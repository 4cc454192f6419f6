"""`caldav-server-tester` against a gateway with three owners: what an outside judge says of it.

It passes if the judge calls no feature broken, ungraceful, fragile or quirky. What the gateway does
not support, as the judge sees it, is printed.
"""

import collections
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.served import Served

OWNERS = {"calgate": "alice", "calgate-bob": "bob", "calgate-carol": "carol"}
BAD = {"broken", "ungraceful", "fragile", "quirk"}
SECONDS = 600


def judge(gateway: Served) -> dict[str, Any]:
    """Run the tester; return its report."""
    sections = {
        section: {
            "caldav_url": f"{gateway.url}/dav/",
            "caldav_username": f"{name}@example.org",
            "caldav_password": gateway.owner(f"{name}@example.org"),
        }
        for section, name in OWNERS.items()
    }
    config = gateway.folder / "tester.json"
    config.write_text(json.dumps(sections), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "caldav-server-tester"), "--format", "json"]
    for section in sections:
        command += ["--config-section", section]
    done = subprocess.run(
        [*command, "--verbose"],
        env={**os.environ, "CALDAV_CONFIG_FILE": str(config)},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    start = done.stdout.find("{")
    if start < 0:
        raise SystemExit(f"the tester said nothing: {done.stderr[-3000:]}")
    report: dict[str, Any] = json.JSONDecoder().raw_decode(done.stdout[start:])[0]
    return report


def main() -> int:
    """Return 0 if nothing is bad."""
    with tempfile.TemporaryDirectory() as folder, Served(Path(folder)) as gateway:
        features = judge(gateway)["features"]
    counts = collections.Counter(found["support"] for found in features.values())
    for name, found in sorted(features.items()):
        if found["support"] != "full":
            print(f"{found['support']:12} {name}: {found.get('behaviour', '')}"[:200])
    print(", ".join(f"{count} {support}" for support, count in sorted(counts.items())))
    bad = [name for name, found in features.items() if found["support"] in BAD]
    if bad or not counts["full"]:
        print(f"The judge is not content: {', '.join(bad) or 'nothing was found to work'}.")
    return 1 if bad or not counts["full"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
