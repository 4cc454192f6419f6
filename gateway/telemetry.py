"""Structured logs without secrets, and the numbers `/metrics` shows."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECRET_FIELDS = re.compile(
    r"(?i)pass(word)?|secret|token|authori[sz]ation|cookie|api_?key|body|code_verifier|sealed"
)
# C0, DEL, C1, and the separators that some viewers take for the end of a line.
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
TOKEN_PATHS = re.compile(r"(/feeds/|/meetings/b/)([^/?.]{4})[^/?.]*")
URL_CREDENTIALS = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^/@\s]+@")


def clean(text: str) -> str:
    """Return text fit for one log line: no control characters, tokens cut to four characters."""
    text = CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)
    text = TOKEN_PATHS.sub(r"\1\2…", text)
    return URL_CREDENTIALS.sub(r"\1…@", text)


def redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Keep secrets out of every event, whoever logged it (a structlog processor)."""
    for key, value in event.items():
        if SECRET_FIELDS.search(key):
            event[key] = "…"
        elif isinstance(value, str):
            event[key] = clean(value)
    return event


def configure_logging(*, json: bool, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send every log line, ours and the libraries', through one pipeline to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if json else structlog.dev.ConsoleRenderer(colors=False)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processor=renderer)
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # These tell request lines and SQL with their values; their warnings are enough.
    for name in ("aiohttp.access", "sqlalchemy", "asyncio", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


class Metrics:
    """Counters and timings of one gateway, in a registry of their own; labels name nobody."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "calgate_requests",
            "Answers by area and class.",
            ["area", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "calgate_request_seconds",
            "Time to answer, by area.",
            ["area"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
            registry=self.registry,
        )
        self.bookings = Counter(
            "calgate_bookings", "Booking attempts by outcome.", ["outcome"], registry=self.registry
        )
        self.ticks = Counter(
            "calgate_sync_ticks",
            "Sync ticks by provider and outcome.",
            ["provider", "outcome"],
            registry=self.registry,
        )
        self.outbox = Gauge(
            "calgate_outbox_jobs", "Jobs that wait in the outbox.", registry=self.registry
        )
