"""Owners, what proves who they are, and what they set for themselves."""

from dataclasses import dataclass, field
from enum import StrEnum

from gateway.model.timerange import Instant


class Indexing(StrEnum):
    """What robots are told about an owner's pages (S37)."""

    HIDDEN = "hidden"
    NOINDEX = "noindex"
    PUBLIC = "public"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerSettings:
    """What an owner saves in settings; empty strings mean "not set"."""

    meetings_url: str = ""
    default_page: str = ""
    domain: str = ""
    indexing: Indexing = Indexing.HIDDEN
    robots_extra: str = ""
    chat_include_link: bool = False
    chat_page: str = ""
    calendar_sync: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A person whose calendars these are (RFC 3744 principal).

    `email` is lower case and names the principal.
    """

    id: int
    email: str
    name: str
    time_zone: str = "UTC"
    locale: str = "en"
    seat: bool = False
    admin: bool = False
    disabled: bool = False
    default_collection_id: int | None = None
    settings: OwnerSettings = field(default_factory=OwnerSettings)


class CredentialKind(StrEnum):
    """The kinds of random secret that are stored as SHA-256 only.

    None is accepted in another's place.
    """

    APP_PASSWORD = "app_password"  # noqa: S105 - a kind, not a secret
    API_TOKEN = "api_token"  # noqa: S105 - a kind, not a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """An app password or API token as the owner sees it: never the secret."""

    id: str
    owner_id: int
    kind: CredentialKind
    label: str
    created_at: Instant
    last_used_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in browser; `csrf` is the token its forms carry."""

    digest: str
    owner_id: int
    csrf: str
    expires_at: Instant
