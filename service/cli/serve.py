"""`ws-service serve`: run the service until it gets a signal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import secrets
import signal
import sys
from typing import TYPE_CHECKING, Any

import uvloop

from service.errors import ClientError, ConfigurationError, ServiceError
from service.lifecycle import Service
from service.settings import Settings, is_set, load_settings, unknown_variables
from service.settings.checks import warnings
from service.settings.secrets import read_dev_secret
from service.telemetry import configure_logging, get_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

logger = get_logger(__name__)


def serve(*, dev: bool, accept_lost_tail: bool) -> None:
    """Serve, and exit with 0 after a stop and 1 after a failure."""
    # Until the settings say otherwise; also that they are wrong is logged.
    configure_logging("info", "console" if dev else "ecs")
    with refusal_logged():
        settings = load_settings()
        configure_logging(
            settings.logs.level,
            "console" if dev and not is_set("WS_LOG_FORMAT") else settings.logs.format,
            node=settings.node_name if settings.is_node_named else None,
        )
        secret = _secret(settings, dev=dev)
    for warning in (*warnings(settings), *unknown_variables(os.environ)):
        logger.warning(warning)
    if not dev and "*" in settings.connections.origins:
        logger.warning("WS_ALLOWED_ORIGINS is *: pages of any site may connect; name your own")
    if dev:
        logger.warning("DEVELOPMENT MODE: POST /dev/token gives anyone a token; never in public")
    sys.exit(
        uvloop.run(_serve(Service(settings, secret, dev=dev), accept_lost_tail=accept_lost_tail))
    )


@contextlib.contextmanager
def refusal_logged() -> Iterator[None]:
    """Log why the service does not start; the command line prints it to standard error as well."""
    try:
        yield
    except ServiceError as error:
        logger.critical(
            "start refused",
            error_type="internal_error",
            error_code=_code_of(error),
            metadata={"reason": error.message},
        )
        raise
    except Exception:
        logger.critical(
            "start failed", error_type="internal_error", error_code="START_FAILED", exc_info=True
        )
        raise


def _code_of(error: ServiceError) -> str:
    if isinstance(error, ConfigurationError):
        return error.error_code
    return error.code if isinstance(error, ClientError) else "START_FAILED"


def _secret(settings: Settings, *, dev: bool) -> str:
    if settings.tokens.secret is not None:
        return settings.tokens.secret.get_secret_value()
    if settings.secret_is_in_vault or not settings.tokens.checks_by_secret:
        return ""
    if dev:
        # A new one is written by the start, after all checks have passed.
        return read_dev_secret(settings.storage.data_dir) or secrets.token_urlsafe(32)
    raise ConfigurationError(
        "JWT_SECRET is not set: set it to the secret that your auth service signs with, "
        "set VAULT_ADDR to read it from Vault, "
        "or try the service with `ws-service serve --dev`"
    )


GC_THRESHOLDS = (5_000, 2, 1_000_000)
"""Young objects in groups that take a few milliseconds; all objects never, but see `Service`."""


def tune_garbage_collection() -> None:
    """Collect less often, and leave out what exists now.

    A start calls this before it folds the log: otherwise collections take a quarter of that time.
    """
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


async def _serve(service: Service, *, accept_lost_tail: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signals = [signal.SIGINT, signal.SIGTERM]
    # Under `nohup` the service must outlive its terminal.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signals.append(signal.SIGHUP)
    for signal_ in signals:
        loop.add_signal_handler(signal_, stop.set)
    stopped = asyncio.create_task(stop.wait())
    keys = asyncio.create_task(service.fetch_keys())
    await asyncio.wait([stopped, keys], return_when=asyncio.FIRST_COMPLETED)
    if not keys.done():
        # Stopped while waiting for Vault; nothing is open yet.
        await _cancel(keys)
        return 0
    tune_garbage_collection()
    with refusal_logged():
        await keys
        try:
            await service.start(accept_lost_tail=accept_lost_tail)
        except OSError as error:
            raise ConfigurationError(
                f"can't listen, or can't open the data directory: {error}"
            ) from error
    gc.freeze()
    failed = asyncio.create_task(service.failed())
    leaves = asyncio.create_task(service.must_leave())
    await asyncio.wait([stopped, failed, leaves], return_when=asyncio.FIRST_COMPLETED)
    healthy = not failed.done() and not leaves.done()
    await _cancel(stopped)
    if not failed.done():
        # Another signal ends it.
        stop.clear()
        again = asyncio.create_task(stop.wait())
        drained = asyncio.create_task(service.drain(at_once=leaves.done()))
        await asyncio.wait([drained, again, failed], return_when=asyncio.FIRST_COMPLETED)
        healthy &= not failed.done()
        await _cancel(again)
        await _cancel(drained)
    await _cancel(leaves)
    await _cancel(failed)
    await service.stop()
    return 0 if healthy else 1


async def _cancel(task: asyncio.Task[Any]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
