"""Who may connect: the Host a request names, the Origin it comes from, and how many connections there may be."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil
from websockets.datastructures import Headers, MultipleValuesError

MOST_CONNECTIONS = 600
MOST_MESSAGE_BYTES = 2**20

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
# What a browser sends as Origin for a page opened as a file.
FILE_ORIGINS = ("null", "file://")
WILDCARDS = ("0.0.0.0", "::", "")


@dataclass(frozen=True)
class Access:
    """The rule of one server. `hosts`: the names by which a request may call it, IPv6 addresses in brackets."""

    hosts: frozenset[str]
    port: int

    def refusal(self, headers: Headers, peer: str) -> str | None:
        """Return why a request with `headers` from the address `peer` is refused, None when it may pass."""
        try:
            host, origin = headers.get("Host"), headers.get("Origin")
        except MultipleValuesError:
            return "Host or Origin is given twice"
        if host is None or not self._is_ours(host):
            return f"this server is not called {host!r}"
        if origin is None or origin == f"http://{host}":
            return None
        if origin in FILE_ORIGINS:
            return self._file_page_refusal(peer)
        return f"pages of {origin!r} may not use this server"

    def _is_ours(self, host: str) -> bool:
        name, colon, port = host.rpartition(":")
        if not colon or not port.isdigit():
            name, port = host, "80"
        return name.lower() in self.hosts and port == str(self.port)

    def _file_page_refusal(self, peer: str) -> str | None:
        """Return why the page opened as a file is refused: it must come from this machine."""
        # A sandboxed frame of any site has this Origin too. The token of issue 5 belongs here.
        return None if is_loopback(peer) else "a page opened as a file may only use a server on its own machine"


def allowed_hosts(host: str) -> frozenset[str]:
    """Return the names for a server that listens on `host`; for a wildcard, every address of this machine."""
    names: set[str] = set(LOOPBACK_HOSTS)
    if host in WILDCARDS:
        names.add(socket.gethostname().lower())
        names.update(_bracketed(address) for address in _own_addresses())
    else:
        names.add(_bracketed(host.lower()))
    return frozenset(names)


def is_loopback(peer: str) -> bool:
    """Return whether the address `peer` is this machine's own."""
    return peer == "::1" or peer.startswith(("127.", "::ffff:127."))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def _own_addresses() -> Iterable[str]:
    families = (socket.AF_INET, socket.AF_INET6)
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in families:
                yield address.address.partition("%")[0].lower()
