"""The server's side of NTLMv2 (MS-NLMP 2.2.1 and 3.3.2): a challenge, and judging its answer."""

import base64
import hashlib
import hmac
import struct
from collections.abc import Callable, Sequence

SIGNATURE = b"NTLMSSP\0"
CHALLENGE_FLAGS = 0x00000001 | 0x00000200 | 0x00008000 | 0x00080000 | 0x00800000 | 0x20000000
DOMAIN = "CORP"
CHANNEL_BINDINGS = 10
Mix = Callable[[int, int, int], int]


def challenge(nonce: bytes) -> str:
    """Return the CHALLENGE_MESSAGE for eight bytes of our own, in base64."""
    name = DOMAIN.encode("utf-16-le")
    info = b"".join(struct.pack("<HH", kind, len(name)) + name for kind in (2, 1)) + b"\0\0\0\0"
    head = 56
    message = (
        SIGNATURE
        + struct.pack("<I", 2)
        + struct.pack("<HHI", len(name), len(name), head)
        + struct.pack("<I", CHALLENGE_FLAGS)
        + nonce
        + b"\0" * 8
        + struct.pack("<HHI", len(info), len(info), head + len(name))
        + b"\x06\x01\xb1\x1d\0\0\0\x0f"
    )
    return base64.b64encode(message + name + info).decode()


def kind_of(token: bytes) -> int:
    """Return the number of an NTLM message; 0 for what is none."""
    if len(token) < 12 or not token.startswith(SIGNATURE):  # noqa: PLR2004 - its shortest header
        return 0
    return int(struct.unpack_from("<I", token, 8)[0])


def names_in(token: bytes) -> tuple[str, str]:
    """Return the domain and the user name of an AUTHENTICATE_MESSAGE."""
    return _field(token, 28).decode("utf-16-le"), _field(token, 36).decode("utf-16-le")


def answers(token: bytes, nonce: bytes, password: str) -> bool:
    """Tell whether an AUTHENTICATE_MESSAGE proves that its sender knows the password."""
    domain, user = names_in(token)
    response = _field(token, 20)
    proof, rest = response[:16], response[16:]
    key = hmac.digest(
        md4(password.encode("utf-16-le")), (user.upper() + domain).encode("utf-16-le"), "md5"
    )
    return hmac.compare_digest(hmac.digest(key, nonce + rest, "md5"), proof)


def bindings_in(token: bytes) -> bytes:
    """Return the channel bindings that an AUTHENTICATE_MESSAGE vouches for (section 2.2.2.1)."""
    pairs = _field(token, 20)[16 + 28 :]
    while len(pairs) >= 4:  # noqa: PLR2004 - the head of a pair
        kind, length = struct.unpack_from("<HH", pairs)
        if kind == CHANNEL_BINDINGS:
            return pairs[4 : 4 + length]
        if kind == 0:
            break
        pairs = pairs[4 + length :]
    return b""


def bindings_of(certificate: bytes) -> bytes:
    """Return the channel bindings of a server's certificate (RFC 5929 section 4.1), as hashed."""
    told = b"tls-server-end-point:" + hashlib.sha256(certificate).digest()
    fields = struct.pack("<4II", 0, 0, 0, 0, len(told)) + told
    return hashlib.md5(fields, usedforsecurity=False).digest()


def _field(token: bytes, at: int) -> bytes:
    length, _, offset = struct.unpack_from("<HHI", token, at)
    return token[offset : offset + length]


def md4(data: bytes) -> bytes:
    """Return the MD4 digest (RFC 1320), which newer OpenSSL libraries leave out."""
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    padded = data + b"\x80" + b"\0" * ((55 - len(data)) % 64) + struct.pack("<Q", 8 * len(data))
    rounds: tuple[tuple[Mix, int, Sequence[int], tuple[int, ...]], ...] = (
        (lambda x, y, z: (x & y) | (~x & z), 0, range(16), (3, 7, 11, 19)),
        (
            lambda x, y, z: (x & y) | (x & z) | (y & z),
            0x5A827999,
            [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
            (3, 5, 9, 13),
        ),
        (
            lambda x, y, z: x ^ y ^ z,
            0x6ED9EBA1,
            [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
            (3, 9, 11, 15),
        ),
    )
    for block in range(0, len(padded), 64):
        words = struct.unpack_from("<16I", padded, block)
        a, b, c, d = state
        for mix, constant, order, shifts in rounds:
            for step, index in enumerate(order):
                total = (a + mix(b, c, d) + words[index] + constant) & 0xFFFFFFFF
                shift = shifts[step % 4]
                turned = ((total << shift) | (total >> (32 - shift))) & 0xFFFFFFFF
                a, b, c, d = d, turned, b, c
        state = [(old + new) & 0xFFFFFFFF for old, new in zip(state, (a, b, c, d), strict=True)]
    return struct.pack("<4I", *state)
