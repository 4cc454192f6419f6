"""Runs the harness as a process of its own against one server, so that it pays for its own work."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.corpus import HARNESS, Days
from bench.peers import Server
from bench.results import Series, read_series


def measure(
    server: Server, events: int, days: Days, *, operations: Sequence[str], seconds: float
) -> Series:
    """Ask a running server everything; `seconds` is the time for each operation, twice."""
    with TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        done = subprocess.run(
            [
                *(sys.executable, str(HARNESS / "davbench.py"), "--out", str(result)),
                *("--base", server.base, "--name", server.name, "--version", server.version),
                *("--n", str(events), "--epoch", str(days.epoch), "--window", str(days.window)),
                *("--user", server.user, "--password", server.password),
                *("--skip-load", "--no-mk", "--budget", str(seconds)),
                *("--only", ",".join(operations)),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"the harness ended with {done.returncode}: {done.stderr[-2000:]}")
        return read_series(json.loads(result.read_text())[0])
