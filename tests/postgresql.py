"""A PostgreSQL server of the tests' own: found on the system, started on a socket, gone after."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SETTINGS = (
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=",
    "max_connections=120",
    "shared_buffers=32MB",
)


def binaries() -> Path | None:
    """Return the folder of `initdb` and `postgres`, the newest the system has, or None."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    for folder in folders:
        if all((folder / name).exists() for name in ("initdb", "postgres")):
            return folder
    return None


def _version(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _unprivileged() -> list[str]:
    """Return what to put before a command: the server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    user = "postgres" if "postgres" in names else "nobody"
    entry = pwd.getpwnam(user)
    return [
        "setpriv",
        f"--reuid={entry.pw_uid}",
        f"--regid={entry.pw_gid}",
        "--clear-groups",
    ]


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run a server and yield the URL of its database."""
    folder = binaries()
    assert folder is not None
    root = Path(tempfile.mkdtemp(prefix="calgate-pg-", dir="/tmp"))
    prefix = _unprivileged()
    if prefix:
        uid, gid = (int(part.partition("=")[2]) for part in prefix[1:3])
        os.chown(root, uid, gid)
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(root)}
    data = root / "data"
    command = [folder / "initdb", "-D", data, "-U", "calgate", "-A", "trust", "-E", "UTF8", "-N"]
    _run([*prefix, *map(str, command)], root, environment)
    arguments = [str(folder / "postgres"), "-D", str(data), "-k", str(root)]
    for setting in SETTINGS:
        arguments += ["-c", setting]
    with (root / "log").open("wb") as log:
        process = subprocess.Popen(
            [*prefix, *arguments], cwd=root, env=environment, stdout=log, stderr=log
        )
    try:
        _wait(root / ".s.PGSQL.5432", process, root / "log")
        yield f"postgresql://calgate@/postgres?host={root}"
    finally:
        process.terminate()
        # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for open connections.
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(2)
        process.wait(timeout=20)
        shutil.rmtree(root, ignore_errors=True)


def _run(command: list[str], root: Path, environment: dict[str, str]) -> None:
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stderr.decode(errors='replace')}")


def _wait(socket: Path, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"postgres ended: {log.read_text(errors='replace')}")
        if socket.exists() and "ready to accept connections" in log.read_text(errors="replace"):
            return
        time.sleep(0.02)
    raise RuntimeError("postgres did not start within 30 s")
