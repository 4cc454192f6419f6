"""Which certificates are trusted, and what is wrong with one, in one sentence.

Law: the public authorities, and those that somebody names besides; never none.
"""

import ssl

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


def trusting(ca_file: str = "", ca: str = "") -> ssl.SSLContext:
    """Return what connections are checked by; `ca` holds certificates in PEM."""
    context = ssl.create_default_context()
    try:
        if ca_file:
            context.load_verify_locations(ca_file)
        if ca:
            context.load_verify_locations(cadata=ca)
    except (OSError, ValueError) as error:
        raise Unavailable("The certificates to trust cannot be read.") from error
    return context
