"""Adapters whose libraries are loaded late open while those are being loaded."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
AT_ONCE = """\
    import sys, threading
    from gateway.adapters import caldav, exchange
    from gateway.adapters.registry import load_libraries
    from gateway.errors import SignInNeeded

    sys.setswitchinterval(1e-5)
    failed = []

    def open_one(source):
        try:
            source.build(None, b"", None)
        except SignInNeeded:
            pass  # the adapter was there, and had no credentials
        except BaseException as error:
            failed.append(repr(error))

    threads = [
        threading.Thread(target=load_libraries),
        threading.Thread(target=open_one, args=(exchange,)),
        threading.Thread(target=open_one, args=(caldav,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(failed)
"""


def test_connections_open_while_libraries_are_loaded() -> None:
    """Three threads that want them at once get all of them, in a process that has none yet."""
    code = textwrap.dedent(AT_ONCE)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT
    )

    assert (done.stdout.strip(), done.stderr) == ("[]", "")
