"""Random names and secrets, and the digest under which a secret is stored."""

import hashlib
import secrets

# Without the letters and digits that look alike, so that an id can be read out on the telephone.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
ID_LENGTH = 16
SECRET_BYTES = 24


def new_id(prefix: str) -> str:
    """Return a public id such as `pg_7h3k…`: 79 random bits, never a counter."""
    return prefix + "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))


def new_secret() -> str:
    """Return a secret of 192 random bits that fits into a URL."""
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """Return the SHA-256 by which a random secret is stored and found; not for passwords."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
