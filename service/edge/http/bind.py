"""Check that the listen address can be bound, before anything is written."""

from __future__ import annotations

import os
import socket

from service.errors import ConfigurationError


class CannotListen(ConfigurationError):
    """The address is in use, or does not belong to this machine."""

    error_code = "CANNOT_LISTEN"


def check_address(host: str, port: int) -> None:
    """Bind to every address of `host` for a moment; raise `CannotListen` if that fails."""
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise CannotListen(f"cannot listen on {host!r}: {error.strerror}") from error
    for family, type_, protocol, _, address in found:
        with socket.socket(family, type_, protocol) as probe:
            # Allows addresses in TIME_WAIT, but none that another process listens on.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
            except OSError as error:
                reason = os.strerror(error.errno or 0).lower()
                raise CannotListen(f"cannot listen on {address[:2]}: {reason}") from error
