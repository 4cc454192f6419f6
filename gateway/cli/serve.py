"""serve: run the gateway until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import sys

import click

from gateway.bootstrap import load_libraries, open_gateway
from gateway.cli.context import Context, fail, pass_context, say
from gateway.config import Config
from gateway.errors import CalgateError
from gateway.telemetry import configure_logging
from gateway.web.server import start_server


@click.command()
@click.option("--log-level", default="INFO", type=click.Choice(["DEBUG", "INFO", "WARNING"]))
@pass_context
def serve(context: Context, log_level: str) -> None:
    """Run the gateway; an empty or older database is migrated first, a newer one refused."""
    config = context.config()
    configure_logging(json=not sys.stderr.isatty(), level=log_level)
    run_loop(config)


def run_loop(config: Config) -> None:
    """Serve on the fastest loop there is; a refusal to start is one sentence."""
    try:
        with contextlib.suppress(ImportError):
            import uvloop  # noqa: PLC0415 - not on every platform

            uvloop.run(serve_until_stopped(config))
            return
        asyncio.run(serve_until_stopped(config))
    except CalgateError as error:
        fail(str(error))
    except OSError as error:
        fail(f"Cannot listen on {config.listen}: {error.strerror or error}.")


async def serve_until_stopped(config: Config) -> None:
    """Serve until SIGTERM or SIGINT; requests under way are answered first."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with open_gateway(config) as gateway:
        host, port = config.address
        server = await start_server(gateway.app, host, port)
        await gateway.worker.start()
        say(f"calgate answers at {config.public_url}")
        loading = asyncio.create_task(settle(), name="serve.libraries")
        try:
            await stop.wait()
        finally:
            await gateway.worker.stop()
            await server.stop()
            await loading


async def settle() -> None:
    """Load what is large; no garbage collection looks again at what stays for good.

    One that does takes a fifth of a second, and while it lasts nobody is answered.
    """
    await asyncio.to_thread(load_libraries)
    gc.freeze()


COMMANDS = (serve,)
