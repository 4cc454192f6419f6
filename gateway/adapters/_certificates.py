"""Which certificates are trusted, and what is wrong with one, in one sentence.

Law: the public authorities, and those that somebody names besides; never none. What was read once
is kept, since reading every public authority takes the loop longer than most requests.
"""

import ssl
from functools import lru_cache
from pathlib import Path

from gateway.errors import Unavailable

SENTENCES = {
    9: "The certificate of {host} is not valid yet, or the clock of this machine is wrong.",
    10: "The certificate of {host} has expired.",
    18: "The certificate of {host} is signed by itself; nobody vouches for it.",
    19: "The certificate of {host} comes from an authority that is not trusted here.",
    20: "The certificate of {host} comes from an authority that is not trusted here.",
    62: "The certificate of {host} is for another name.",
    64: "The certificate of {host} is for another address.",
}
"""OpenSSL's verification results (X509_V_ERR_…) in words."""
OTHERWISE = "The certificate of {host} is not valid."
OLD = "{host} does not speak TLS, or only an old one."


def told(error: BaseException | None, host: str) -> str:
    """Return what is wrong with a server's protection."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return SENTENCES.get(error.verify_code, OTHERWISE).format(host=host)
    return OLD.format(host=host)


MOST_KEPT = 64
"""Sets of authorities that are kept; each takes about a megabyte."""


def trusting(ca_file: str = "", ca: str = "", *, alone: bool = False) -> ssl.SSLContext:
    """Return what connections are checked by; `ca` holds certificates in PEM.

    `alone` trusts what is named and not the public authorities besides. Everybody who trusts the
    same gets the same, so nobody may change it. A file that was replaced is read anew: ask again
    for each connection.
    """
    public = ssl.get_default_verify_paths().cafile or ""
    named = _state(ca_file) if ca_file else ()
    return _read(ca_file, ca, alone and bool(ca_file or ca), named + _state(public))


def _state(file: str) -> tuple[int, ...]:
    """Return what differs once a file is another one."""
    try:
        found = Path(file).stat()
    except (OSError, ValueError):
        return (0, 0, 0, 0)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=MOST_KEPT)
def _read(ca_file: str, ca: str, alone: bool, _states: tuple[int, ...]) -> ssl.SSLContext:  # noqa: FBT001 - a cache's key
    try:
        if alone:
            return ssl.create_default_context(cafile=ca_file or None, cadata=ca or None)
        context = ssl.create_default_context()
        if ca_file or ca:
            context.load_verify_locations(ca_file or None, cadata=ca or None)
    except (OSError, ValueError) as error:
        raise Unavailable("The certificates to trust cannot be read.") from error
    return context
