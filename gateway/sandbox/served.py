"""The life of a simulated server: it listens on loopback while it is wanted."""

import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import ClassVar, Self

from aiohttp import web


class Served(ABC):
    """A server on loopback; port 0 takes a free one."""

    begun: ClassVar[list[Callable[["Served"], None]]] = []
    """Told of each server of any kind as it begins, before it is asked anything."""
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    _runner: web.AppRunner | None = None

    @abstractmethod
    def application(self) -> web.Application:
        """Return what is served."""

    async def closing(self) -> None:  # noqa: B027 - most run nothing beside
        """End what runs beside the answers."""

    async def start(self) -> None:
        """Begin to serve."""
        for told in Served.begun:
            told(self)
        self._runner = web.AppRunner(
            self.application(), handler_cancellation=True, shutdown_timeout=0.1
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, self.port, ssl_context=self.tls).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop serving and drop every connection."""
        await self.closing()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
