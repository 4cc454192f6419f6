"""One rule of what a column can hold, so that both engines refuse the same values.

SQLite keeps NUL, any length and breaks on half a surrogate pair; PostgreSQL refuses all three in
its own words. Here each becomes the same domain error before a statement is sent.
"""

from typing import Any

from sqlalchemy import Engine, event

from gateway import errors
from gateway.storage.codec import UNSTORABLE, is_storable

BIGINT = 2**63


def install(engine: Engine) -> None:
    """Check the parameters of every statement of an engine."""
    event.listen(engine, "before_cursor_execute", _check)


def _check(*event_arguments: Any) -> None:
    context = event_arguments[4]
    compiled = getattr(context, "compiled", None)
    if compiled is None:
        return
    stores = context.isinsert or context.isupdate
    for row in context.compiled_parameters:
        for name, value in row.items():
            if type(value) is str:
                _check_text(name, value, _limit(compiled, name) if stores else None, stores=stores)
            elif type(value) is int and not -BIGINT <= value < BIGINT:
                raise errors.Invalid({name: "This number is larger than can be stored."})


def _limit(compiled: Any, name: str) -> int | None:
    bind = compiled.binds.get(name)
    limit: int | None = getattr(bind.type, "length", None) if bind is not None else None
    return limit


def _check_text(name: str, value: str, limit: int | None, *, stores: bool) -> None:
    if not is_storable(value):
        if stores:
            raise errors.Invalid({name: UNSTORABLE})
        # What cannot be stored is not there: a look-up by it finds nothing.
        raise errors.NotFound("entry")
    if limit is not None and len(value) > limit:
        raise errors.Invalid({name: f"This text is longer than {limit} characters."})
