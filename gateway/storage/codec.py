"""Structured columns: JSON text of our own frozen values."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

from gateway import errors

Value = TypeVar("Value")


def dump(value: object) -> str:
    """Return the JSON text of a value; text no database can hold is refused."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        raise errors.Invalid({"text": UNSTORABLE}) from None


def load(kind: type[Value], text: str) -> Value:
    """Return the value that `dump` wrote; fields added since then get their defaults."""
    decoder: msgspec.json.Decoder[Value] = _decoder(cast("Hashable", kind))
    return decoder.decode(text)


@lru_cache(maxsize=64)
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


UNSTORABLE = "This text holds a character that cannot be stored."


def is_storable(text: str) -> bool:
    """Tell whether both engines can keep the text: no NUL, no half of a surrogate pair."""
    if "\0" in text:
        return False
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
