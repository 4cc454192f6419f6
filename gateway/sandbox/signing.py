"""The keys that the simulated providers sign identities with."""

from functools import cache

from cryptography.hazmat.primitives.asymmetric import rsa


@cache
def signing_key(provider: str) -> rsa.RSAPrivateKey:
    """Return a provider's key, the same for as long as this process lives: making one is slow."""
    del provider
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
