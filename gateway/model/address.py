"""E-mail addresses: exactly one addr-spec of RFC 5321, or nothing.

What a visitor types decides who gets mail, so anything that a mail library could read as two
recipients, a route, a comment or an option of a command is refused.
"""

import re
from hashlib import sha256

MAX_ADDRESS = 254
MAILTO = "mailto:"
_LOCAL = re.compile(
    r"[A-Za-z0-9_][A-Za-z0-9!#$%&'*+/=?^_{}~-]*(?:\.[A-Za-z0-9!#$%&'*+/=?^_{}~-]+)*"
)
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_TOP_LEVEL = re.compile(r"[A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9-]{1,59}")
MAX_LOCAL = 64


def addr_spec(text: str) -> str | None:
    """Return the address in its plain form, domain in lower-case ASCII; None for anything else."""
    local, at, domain = text.strip(" ").rpartition("@")
    if not at or len(local) > MAX_LOCAL or not _LOCAL.fullmatch(local):
        return None
    ascii_domain = _ascii_domain(domain)
    if ascii_domain is None or len(local) + 1 + len(ascii_domain) > MAX_ADDRESS:
        return None
    return f"{local}@{ascii_domain}"


def _ascii_domain(domain: str) -> str | None:
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    labels = domain.lower().split(".")
    if len(labels) < 2 or not all(map(_LABEL.fullmatch, labels)):  # noqa: PLR2004 - a.b at least
        return None
    return ".".join(labels) if _TOP_LEVEL.fullmatch(labels[-1]) else None


def address_key(text: str) -> str:
    """Return what the spellings of one address share, `mailto:` or not; empty for no address.

    Only case is dropped, as every mail host does: `a+b@` is not `a@`, for they may be two people.
    """
    plain = text.strip()
    if plain[: len(MAILTO)].lower() == MAILTO:
        plain = plain[len(MAILTO) :]
    return (addr_spec(plain) or "").lower()


def mailbox_key(address: str) -> str:
    """Return a digest that the usual spellings of one mailbox share, for counting only.

    Case, a `+tag` and dots are dropped: two strangers may share a key, no mailbox has many.
    """
    local, _, domain = address.lower().rpartition("@")
    plain = local.partition("+")[0].replace(".", "")
    return sha256(f"{plain}@{domain}".encode()).hexdigest()
