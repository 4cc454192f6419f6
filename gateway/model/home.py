"""Where an owner's pages are at home: the built-in host that they chose, or the public address."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from gateway.model.principal import Owner


def home_of(owner: Owner, public_url: str, hosts: Sequence[str]) -> str:
    """Return the address, without a slash at its end, that an owner's links begin with.

    A host that is not built in (any more) is no home: its links would lead nowhere.
    """
    public, host = public_url.rstrip("/"), owner.settings.domain.lower()
    if not host or host not in {one.lower() for one in hosts}:
        return public
    parts = urlsplit(public)
    port = f":{parts.port}" if parts.port and ":" not in host else ""
    return f"{parts.scheme}://{host}{port}{parts.path}"
