"""Listening sockets: localhost means IPv4 and IPv6 loopback on one port, and one of the two may be missing."""

import errno
import os
import socket
from dataclasses import dataclass

from breastai.domain.errors import AddressUnusable, PortInUse

BACKLOG = 1024
_ATTEMPTS_AT_A_FREE_PORT = 20
_NO_SUCH_FAMILY = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT)


@dataclass(frozen=True)
class Listening:
    """The sockets of one server, all on `port`."""

    sockets: tuple[socket.socket, ...]
    port: int


def listen(host: str, port: int) -> Listening:
    """Return sockets that listen on `host`; port 0 takes a free one. Raise PortInUse or AddressUnusable."""
    addresses = _addresses(host, port)
    for attempt in range(_ATTEMPTS_AT_A_FREE_PORT):
        try:
            return _listen_on_all(host, addresses, port)
        except PortInUse:
            # The free port of one family may be taken in the other; then another is tried.
            if port != 0 or attempt == _ATTEMPTS_AT_A_FREE_PORT - 1:
                raise
    raise AssertionError("unreachable")


def _addresses(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    if host == "localhost":
        return [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise AddressUnusable(host, port, error.strerror or str(error)) from None
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found))


def _listen_on_all(host: str, addresses: list[tuple[socket.AddressFamily, str]], port: int) -> Listening:
    opened: list[socket.socket] = []
    missing: OSError | None = None
    try:
        for family, address in addresses:
            try:
                listener = _listen_on(family, address, port)
            except OSError as error:
                if error.errno not in _NO_SUCH_FAMILY:
                    raise
                missing = error
                continue
            opened.append(listener)
            port = listener.getsockname()[1]
        if not opened:
            raise missing or OSError(errno.EADDRNOTAVAIL, "no address")
    except OSError as error:
        for listener in opened:
            listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(host, port) from None
        raise AddressUnusable(host, port, error.strerror or str(error)) from None
    return Listening(tuple(opened), port)


def _listen_on(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it on, an answer that follows an event
    # waits some 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "nt":
            # There SO_REUSEADDR would let a second program take the port over.
            listener.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_EXCLUSIVEADDRUSE", ~socket.SO_REUSEADDR), 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
