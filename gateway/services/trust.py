"""Certificates that an owner gives for one connection: read, bounded, and nothing else kept."""

import re
import ssl

from gateway.errors import Invalid

MOST_BYTES = 20_000
MOST = 10
BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
SECRET = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
NO_CERTIFICATE = (
    "Give certificates in PEM: text that begins with -----BEGIN CERTIFICATE-----, ten at most."
)
A_KEY = "This holds a private key, which nobody should have; give the certificate alone."


def checked_authorities(text: str) -> str:
    """Return the certificates in a text; raise Invalid at `ca` with a sentence."""
    if not text.strip():
        return ""
    if SECRET.search(text):
        raise Invalid({"ca": A_KEY})
    blocks = BLOCK.findall(text) if len(text) <= MOST_BYTES else []
    if not blocks or len(blocks) > MOST or text.count("-----BEGIN") != len(blocks):
        raise Invalid({"ca": NO_CERTIFICATE})
    found = "\n".join(re.sub(r"\s*\n\s*", "\n", block) for block in blocks) + "\n"
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=found)
    except (ValueError, ssl.SSLError):
        raise Invalid({"ca": NO_CERTIFICATE}) from None
    return found
