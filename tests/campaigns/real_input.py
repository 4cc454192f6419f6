"""The `.ics` samples of two well-known libraries, through the front door and through `import`.

Each file is PUT as it is. What is taken must come back byte for byte; what is refused must be
refused with a named precondition; nothing may answer 5xx. Every file then goes through `calgate
import`, which splits it by UID and names every item it refuses. The samples are fetched from the
libraries' source distributions; none is part of this repository.
"""

import base64
import collections
import json
import re
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from click.testing import CliRunner, Result

from gateway.cli import main as main_command
from tests.served import Served

PACKAGES = ("icalendar", "recurring-ical-events")
CONDITION = re.compile(rb"<(?:\w+:)?error[^>]*>\s*<(?:\w+:)?([a-z-]+)")


def samples(folder: Path) -> list[Path]:
    """Fetch the source distributions and return the `.ics` files in them."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    command += ["--no-binary", ":all:", "-d", str(folder), *PACKAGES]
    subprocess.run(command, check=True)
    for archive in folder.glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            opened.extractall(folder, filter="data")
    return sorted(path for path in folder.rglob("*.ics") if path.is_file())


def request(method: str, url: str, auth: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Return status and body, whatever the status."""
    headers = {"Authorization": auth, "Content-Type": "text/calendar; charset=utf-8"}
    wanted = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(wanted, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def looks_single(data: bytes) -> bool:
    """Tell whether a file has the outline of one resource: one VCALENDAR, one UID, no METHOD."""
    text = re.sub(rb"\r?\n[ \t]", b"", data)
    uids = set(re.findall(rb"(?im)^UID(?:;[^:\r\n]*)?:(.*?)\r?$", text))
    method = re.search(rb"(?im)^METHOD:", text)
    return len(re.findall(rb"(?im)^BEGIN:VCALENDAR", text)) == 1 and len(uids) == 1 and not method


def main() -> int:
    """Run it; print what became of every file and fail on a 5xx or a changed byte."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part in ("samples", "gateway"):
            (folder / part).mkdir()
        files = samples(folder / "samples")
        with Served(folder / "gateway") as served:
            return judge(served, files)


def judge(served: Served, files: list[Path]) -> int:
    """Put, get and import every file."""
    email = "real@example.com"
    secret = served.owner(email)
    auth = "Basic " + base64.b64encode(f"{email}:{secret}".encode()).decode()
    outcomes: collections.Counter[str] = collections.Counter()
    wrong: list[str] = []
    for number, path in enumerate(files):
        data = path.read_bytes()
        # Many samples share a UID: each is put into a calendar of its own.
        home = f"{served.url}/dav/calendars/{email}/sample-{number}/"
        made, _ = request("MKCALENDAR", home, auth)
        status, answer = request("PUT", home + "one.ics", auth, data)
        if made != 201 or status >= 500:
            wrong.append(f"{path.name}: MKCALENDAR {made}, PUT {status}")
        elif status in (201, 204):
            outcomes["taken"] += 1
            _, back = request("GET", home + "one.ics", auth)
            if back != data:
                wrong.append(f"{path.name}: came back changed")
        else:
            found = CONDITION.search(answer)
            condition = found.group(1).decode() if found else f"unnamed {status}"
            outcomes[f"refused: {condition}"] += 1
            if not found:
                wrong.append(f"{path.name}: refused with {status} and no named rule")
            if looks_single(data):
                detail = re.sub(rb"<[^>]+>|\s+", b" ", answer).decode(errors="replace")
                said = " ".join(detail.split())[:110]
                print(f"  one UID, refused: {path.name}: {condition}: {said}")
        request("DELETE", home, auth)
        wrong += imported(served, email, auth, path)
    for outcome, count in sorted(outcomes.items()):
        print(f"{count:5} {outcome}")
    print("\n".join(wrong))
    print(f"{len(files) - len(wrong)} passed, {len(wrong)} failed")
    return 1 if wrong or not files else 0


def imported(served: Served, email: str, auth: str, path: Path) -> list[str]:
    """Import one file into a calendar of its own; a stack trace or a silent loss is wrong."""
    calendar = _command(served, "calendar", "add", email, path.name).stdout.split()[-1]
    done = _command(served, "--json", "import", email, calendar, str(path))
    request("DELETE", f"{served.url}/dav/calendars/{email}/{calendar}/", auth)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return [f"{path.name}: import ended with {done.exception!r}"]
    if done.exit_code == 1:
        return [] if done.stderr.strip() else [f"{path.name}: import gave no reason"]
    told = json.loads(done.stdout)
    nameless = [one for one in told["refused"] if not one["reason"]]
    return [f"{path.name}: import refused {len(nameless)} items without a reason"] * bool(nameless)


def _command(served: Served, *words: str) -> Result:
    """Run a command beside the serving gateway, without a process of its own for each file."""
    return CliRunner().invoke(main_command, ["--config", str(served.config), *words])


if __name__ == "__main__":
    raise SystemExit(main())
