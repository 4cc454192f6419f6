"""`calgate.toml` as typed values; unknown keys are refused by name."""

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec

CONFIG_VARIABLE = "CALGATE_CONFIG"


class InvalidConfig(Exception):
    """The configuration cannot be used; the message names the file and the key."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file."""


class Database(Section, frozen=True):
    """Where everything is kept; a SQLite path is relative to `data_dir`."""

    url: str = "sqlite:///calgate.db"


class Mail(Section, frozen=True):
    """The mail host; without one, mails are kept and shown in the dashboard."""

    host: str = ""
    port: int = 25
    starttls: bool = False
    username: str = ""
    password: str = ""
    sender: str = "Calendar <calendar@localhost>"


class Google(Section, frozen=True):
    """The OAuth client registered with Google, and where Google is."""

    client_id: str = ""
    client_secret: str = ""
    api_url: str = "https://www.googleapis.com"
    auth_url: str = "https://accounts.google.com/o/oauth2/v2/auth"
    token_url: str = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
    revoke_url: str = "https://oauth2.googleapis.com/revoke"
    ca_file: str = ""


class Microsoft(Section, frozen=True):
    """The OAuth client registered with Microsoft, and where Graph is."""

    client_id: str = ""
    client_secret: str = ""
    authority: str = "https://login.microsoftonline.com/common"
    graph_url: str = "https://graph.microsoft.com/v1.0"
    ca_file: str = ""


class Exchange(Section, frozen=True):
    """On-premises Exchange."""

    enabled: bool = True
    ca_file: str = ""
    autodiscover_url: str = ""


class Providers(Section, frozen=True):
    """The sources that need registering first."""

    google: Google = Google()
    microsoft: Microsoft = Microsoft()
    exchange: Exchange = Exchange()


class Sync(Section, frozen=True):
    """How often sources are read."""

    poll_seconds: int = 60
    push: bool = True


class Booking(Section, frozen=True):
    """Booking pages. `wait_seconds` is how long a request waits for its calendar write."""

    custom_domains: bool = True
    wait_seconds: float = 5.0


class Limits(Section, frozen=True):
    """Limits per address; 0 turns one off."""

    bookings_per_address_per_hour: int = 20
    bookings_per_email_per_day: int = 10
    failed_logins_per_address_per_hour: int = 30


class Security(Section, frozen=True):
    """Who is trusted, and what user-given addresses may reach."""

    trusted_proxies: list[str] = []
    allow_private_networks: bool = False
    metrics: Literal["loopback", "all", "none"] = "loopback"


class Config(Section, frozen=True):
    """The whole file, paths made absolute; `key_path` is set where the key comes from a file."""

    public_url: str = "http://127.0.0.1:8080"
    listen: str = "127.0.0.1:8080"
    data_dir: str = "var"
    hosts: list[str] = []
    key: str = ""
    key_path: str = ""
    database: Database = Database()
    mail: Mail = Mail()
    providers: Providers = Providers()
    sync: Sync = Sync()
    booking: Booking = Booking()
    limits: Limits = Limits()
    security: Security = Security()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def data_path(self) -> Path:
        """The folder of the database and the key file."""
        return Path(self.data_dir)


def load(path: Path | None) -> Config:
    """Read a configuration file; raise InvalidConfig with a sentence that names the key."""
    chosen = path or (
        Path(os.environ[CONFIG_VARIABLE]) if os.environ.get(CONFIG_VARIABLE) else None
    )
    if chosen is None:
        chosen = Path("calgate.toml")
    try:
        raw = tomllib.loads(chosen.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidConfig(
            f"There is no configuration at {chosen}. `calgate init DIR` writes one; "
            f"--config or {CONFIG_VARIABLE} names another."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{chosen} cannot be read: {error}.") from error
    except tomllib.TOMLDecodeError as error:
        raise InvalidConfig(f"{chosen} is not valid TOML: {error}.") from error
    return _typed(raw, chosen.resolve())


def _typed(raw: dict[str, Any], path: Path) -> Config:
    base = path.parent
    key_source = raw.get("key")
    if isinstance(key_source, dict) and "file" in key_source:
        key_path = str(base / str(key_source["file"]))
        raw = {**raw, "key": "", "key_path": key_path}
    elif "key_path" in raw:
        raise InvalidConfig(f"{path}: unknown key `key_path`.")
    resolved = _resolve(raw, base, ())
    resolved["data_dir"] = str(base / str(resolved.get("data_dir", "var")))
    if not resolved.get("key") and not resolved.get("key_path"):
        resolved["key_path"] = str(Path(resolved["data_dir"]) / "key")
    try:
        config = msgspec.convert(resolved, Config)
    except msgspec.ValidationError as error:
        raise InvalidConfig(f"{path}: {error}.") from error
    _check(config, path)
    return config


def _resolve(value: Any, base: Path, where: tuple[str, ...]) -> Any:
    """Replace `{env=…}` and `{file=…}` by the text they name; paths count from the file."""
    if not isinstance(value, dict):
        if where and where[-1] == "ca_file" and value:
            return str(base / str(value))
        return value
    if set(value) == {"env"}:
        name = str(value["env"])
        if name not in os.environ:
            raise InvalidConfig(
                f"`{'.'.join(where)}` wants the environment variable {name}, which is not set."
            )
        return os.environ[name]
    if set(value) == {"file"}:
        source = base / str(value["file"])
        try:
            return source.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidConfig(f"`{'.'.join(where)}` wants the file {source}: {error}.") from error
    return {key: _resolve(item, base, (*where, key)) for key, item in value.items()}


def _check(config: Config, path: Path) -> None:
    host, separator, port = config.listen.rpartition(":")
    if not separator or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004 - the last TCP port
        raise InvalidConfig(f"{path}: `listen` is {config.listen!r}; write 127.0.0.1:8080.")
    if not config.public_url.startswith(("http://", "https://")):
        raise InvalidConfig(
            f"{path}: `public_url` is {config.public_url!r}; it must start with http."
        )
    if not config.database.url.startswith(("sqlite:///", "postgresql://")):
        raise InvalidConfig(f"{path}: `database.url` must start with sqlite:/// or postgresql://.")
    for name in msgspec.structs.fields(Limits):
        if getattr(config.limits, name.name) < 0:
            raise InvalidConfig(f"{path}: `limits.{name.name}` is below 0; 0 turns the limit off.")
    if config.sync.poll_seconds < 1:
        raise InvalidConfig(f"{path}: `sync.poll_seconds` must be at least 1.")
