"""The command line of the contract: what a command prints where, and how it refuses."""

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

PASSWORD = "correct horse battery"
STREAM = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//x//EN
BEGIN:VEVENT
UID:one
DTSTAMP:20261101T000000Z
DTSTART:20261201T090000Z
SUMMARY:First
END:VEVENT
BEGIN:VEVENT
UID:two
DTSTAMP:20261101T000000Z
DTSTART:20261202T090000Z
SUMMARY:Second
END:VEVENT
BEGIN:VEVENT
UID:three
DTSTAMP:20261101T000000Z
DTSTART:20261399T090000Z
SUMMARY:Never
END:VEVENT
END:VCALENDAR
"""

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs a command in a fresh folder with a configuration."""

    def command(*words: str, stdin: str | None = None) -> Result:
        config = ["--config", str(tmp_path / "calgate.toml")] if words[0] != "init" else []
        return CliRunner().invoke(main, [*config, *words], input=stdin)

    assert command("init", str(tmp_path)).exit_code == 0
    return command


@pytest.fixture
def jane(run: Run) -> str:
    """Make an owner with a local calendar; return its id."""
    made = run(
        "user", "add", "jane@example.org", "--local-calendar", "--password-stdin", stdin=PASSWORD
    )
    assert made.exit_code == 0, made.stderr
    (calendar,) = json.loads(run("--json", "calendar", "list", "jane@example.org").stdout)
    return str(calendar["id"])


def _last_word(result: Result) -> str:
    assert result.exit_code == 0, result.stderr
    return result.stdout.split()[-1]


def test_init_writes_a_configuration_and_a_private_key(tmp_path: Path, run: Run) -> None:
    """`init` writes what `check-config` accepts and a key that only its owner can read."""
    key = tmp_path / "var" / "key"

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert run("check-config").exit_code == 0


def test_init_overwrites_nothing(tmp_path: Path, run: Run) -> None:
    """A folder that holds a configuration is left as it is."""
    before = (tmp_path / "var" / "key").read_bytes()
    again = run("init", str(tmp_path))

    assert again.exit_code == 1
    assert "nothing was changed" in again.stderr
    assert (tmp_path / "var" / "key").read_bytes() == before


def test_an_unknown_key_is_named(tmp_path: Path, run: Run) -> None:
    """A configuration with a key nobody knows is refused with its name, without a trace."""
    with (tmp_path / "calgate.toml").open("a", encoding="utf-8") as file:
        file.write("\n[mail]\nhots = 'x'\n")
    refused = run("check-config")

    assert refused.exit_code == 1
    assert "hots" in refused.stderr
    assert "Traceback" not in refused.output


def test_an_owner_without_a_local_calendar_has_none(run: Run) -> None:
    """Without `--local-calendar` an owner starts with no calendar at all."""
    run("user", "add", "kim@example.org", "--password-stdin", stdin=PASSWORD)

    assert json.loads(run("--json", "calendar", "list", "kim@example.org").stdout) == []


@pytest.mark.parametrize(
    ("words", "stdin", "said"),
    [
        (("user", "add", "nobody", "--password-stdin"), PASSWORD, "e-mail address"),
        (("user", "add", "k@example.org", "--password-stdin"), "short", "characters"),
        (("user", "add", "k@example.org", "--password-stdin"), "", "no password"),
        (("user", "add", "jane@example.org", "--password-stdin"), PASSWORD, "already"),
        (
            ("user", "add", "k@example.org", "--timezone", "Mars/Base", "--password-stdin"),
            PASSWORD,
            "Mars/Base",
        ),
        (("app-password", "add", "nobody@example.org", "x"), None, "nobody@example.org"),
        (("calendar", "default", "jane@example.org", "cal_nothing"), None, "cal_nothing"),
        (("erase", "no-address"), None, "e-mail address"),
    ],
)
def test_a_refusal_is_one_sentence(
    run: Run, jane: str, words: tuple[str, ...], stdin: str | None, said: str
) -> None:
    """What cannot be done is told in a sentence on standard error, with a non-zero exit."""
    refused = run(*words, stdin=stdin)

    assert refused.exit_code == 1
    assert said in refused.stderr
    assert refused.stdout == ""
    assert "Traceback" not in refused.output


@pytest.mark.parametrize("kind", ["app-password", "api-token"])
def test_a_secret_is_the_last_word(run: Run, jane: str, kind: str) -> None:
    """A made secret is the last word of standard output, and a second one differs."""
    secrets = {_last_word(run(kind, "add", "jane@example.org", "Phone")) for _ in range(2)}

    assert len(secrets) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{27,}", secret) for secret in secrets)


def test_a_given_app_password_must_be_long(run: Run, jane: str) -> None:
    """A given app password is taken from 16 characters on."""
    words = ("app-password", "add", "jane@example.org", "x", "--password-stdin")

    assert _last_word(run(*words, stdin="0123456789abcdef\n")) == "0123456789abcdef"
    assert run(*words, stdin="0123456789abcde\n").exit_code == 1


def test_calendars_are_chosen_as_in_the_tab(run: Run, jane: str) -> None:
    """`select`, `deselect` and `default` do what `calendar list` then shows."""
    other = _last_word(run("calendar", "add", "jane@example.org", "Sport"))
    run("calendar", "deselect", "jane@example.org", jane)
    run("calendar", "default", "jane@example.org", other)
    rows = {
        row["id"]: row
        for row in json.loads(run("--json", "calendar", "list", "jane@example.org").stdout)
    }

    assert (rows[jane]["selected"], rows[jane]["default"]) == (False, False)
    assert (rows[other]["selected"], rows[other]["default"]) == (True, True)
    assert rows[other]["name"] == "Sport"


def test_a_feed_prints_its_two_addresses(run: Run, jane: str) -> None:
    """`feed add` prints the feed's secret addresses, the last word being one of them."""
    made = run("feed", "add", "jane@example.org", "--show", "title")
    ics, ifb = made.stdout.split()

    assert re.fullmatch(r"http://127\.0\.0\.1:8080/feeds/[\w-]{27,}\.ics", ics)
    assert ifb == ics.removesuffix("ics") + "ifb"


def test_an_import_names_what_it_refuses(run: Run, jane: str, tmp_path: Path) -> None:
    """Items are split by UID; one that makes no sense is named and the others are taken."""
    (tmp_path / "in.ics").write_text(STREAM.replace("\n", "\r\n"), encoding="utf-8")
    done = run("import", "jane@example.org", jane, str(tmp_path / "in.ics"))

    assert done.exit_code == 0
    assert "Imported 2 of 3" in done.stdout
    assert "Never" in done.stderr


def test_an_export_can_be_imported_again(run: Run, jane: str, tmp_path: Path) -> None:
    """What `export` writes holds every item that was imported."""
    (tmp_path / "in.ics").write_text(STREAM.replace("\n", "\r\n"), encoding="utf-8")
    run("import", "jane@example.org", jane, str(tmp_path / "in.ics"))
    (path,) = json.loads(run("--json", "export", "jane@example.org", str(tmp_path / "out")).stdout)[
        "files"
    ]
    other = _last_word(run("calendar", "add", "jane@example.org", "Copy"))
    again = run("--json", "import", "jane@example.org", other, path)

    assert json.loads(again.stdout) == {"imported": 2, "refused": []}


def test_a_backup_is_restored(run: Run, jane: str, tmp_path: Path) -> None:
    """A backup brings back what was there; a database in use is replaced only by force."""
    file = str(tmp_path / "x.backup")
    assert run("backup", file).exit_code == 0
    run("user", "add", "late@example.org", "--password-stdin", stdin=PASSWORD)
    refused = run("restore", file)
    restored = run("restore", "--force", file)

    assert refused.exit_code == 1
    assert restored.exit_code == 0, restored.stderr
    assert run("calendar", "list", "late@example.org").exit_code == 1
    assert run("calendar", "list", "jane@example.org").exit_code == 0


def test_rotated_keys_still_open_what_was_sealed(run: Run, jane: str, tmp_path: Path) -> None:
    """After `keys rotate` the key file is another one, and the gateway starts with it."""
    run("feed", "add", "jane@example.org")
    before = (tmp_path / "var" / "key").read_text(encoding="ascii")
    rotated = run("--json", "keys", "rotate")

    assert json.loads(rotated.stdout)["sealed"] >= 1
    assert (tmp_path / "var" / "key").read_text(encoding="ascii") != before
    assert run("calendar", "list", "jane@example.org").exit_code == 0


def test_another_key_is_refused(run: Run, jane: str, tmp_path: Path) -> None:
    """A key that did not seal this database is refused in a sentence."""
    other = tmp_path / "other"
    CliRunner().invoke(main, ["init", str(other)])
    (tmp_path / "var" / "key").write_bytes((other / "var" / "key").read_bytes())
    refused = run("calendar", "list", "jane@example.org")

    assert refused.exit_code == 1
    assert "key" in refused.stderr
    assert "Traceback" not in refused.output


def test_sync_without_sources_says_so(run: Run, jane: str) -> None:
    """`sync` with nothing to read ends well and says that there is no connection."""
    done = run("sync", "jane@example.org")

    assert done.exit_code == 0
    assert "no connection" in done.stderr.lower()


def test_erase_counts_bookings(run: Run, jane: str) -> None:
    """`erase` tells from how many bookings a visitor was taken, and how many contacts went."""
    told = json.loads(run("--json", "erase", "vera@example.net").stdout)
    assert told == {"bookings": 0, "contacts": 0}
