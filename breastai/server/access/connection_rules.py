"""Who may connect: the Host a request names, the Origin it comes from, the token it brings, and how many there may be."""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs

import psutil
from websockets.datastructures import Headers, MultipleValuesError

from breastai.storage.access_token import tokens_match

MOST_CONNECTIONS = 600
MOST_MESSAGE_BYTES = 2**20

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")
# What a browser sends as Origin for a page opened as a file; a sandboxed frame of any site sends the first as well.
FILE_ORIGINS = ("null", "file://")
WILDCARDS = ("0.0.0.0", "::", "")
_MOST_PARAMETERS = 10


def is_public(headers: Headers, path: str) -> bool:
    """Return whether a request asks for no more than the page's files: not for a WebSocket, nor for a report or a download."""
    return not wants_websocket(headers) and not path.startswith(("/reports/", "/files/"))


def is_public_at_a_door(headers: Headers, path: str) -> bool:
    """Return the same of another door than the page's: there only the description of what can be asked is public."""
    return path.partition("?")[0] in ("/", "/health", "/openapi.json")


@dataclass(frozen=True)
class Access:
    """The rule of one server. `hosts`: the names by which a request may call it, IPv6 addresses in brackets.

    The port that a request names says nothing: of a port that is forwarded it is another. `public_origin`: that of the
    page behind a proxy, None where there is none. `token`: the installation's, None when it could not be kept. `token_required`: not only of pages opened as files.
    `public`: which requests need no token even so.
    """

    hosts: frozenset[str]
    port: int
    token: str | None = None
    token_required: bool = False
    scheme: str = "http"
    public: Callable[[Headers, str], bool] = is_public
    public_origin: str | None = None

    def refusal(self, headers: Headers, path: str) -> str | None:
        """Return why a request is refused, None when it may pass. No reason holds a token."""
        try:
            host, origin = headers.get("Host"), headers.get("Origin")
        except MultipleValuesError:
            return "Host or Origin is given twice"
        if host is None or not self._is_ours(host):
            return f"this server is not called {str(host)[:100]!r}"
        if origin in FILE_ORIGINS:
            return self._file_page_refusal(headers, path)
        if origin is not None and origin not in (f"{self.scheme}://{host}", self.public_origin):
            return f"pages of {origin[:100]!r} may not use this server"
        if self.token_required and not self.public(headers, path):
            return self._token_refusal(headers, path)
        return None

    def _is_ours(self, host: str) -> bool:
        return _name_in(host) in self.hosts

    def _file_page_refusal(self, headers: Headers, path: str) -> str | None:
        if self.token is None:
            return f"a page opened as a file can't be known here; open {self.scheme}://localhost:{self.port}/"
        reason = self._token_refusal(headers, path)
        return reason and f"{reason}, as a page opened as a file must; or open {self.scheme}://localhost:{self.port}/"

    def _token_refusal(self, headers: Headers, path: str) -> str | None:
        given = _token_in(headers, path)
        if given is None:
            return "it does not bring the token"
        if self.token is None or not tokens_match(self.token, given):
            return "its token is not this installation's"
        return None


def wants_websocket(headers: Headers) -> bool:
    """Return whether a request asks for a WebSocket."""
    return "websocket" in ",".join(headers.get_all("Upgrade")).lower()


def _token_in(headers: Headers, path: str) -> str | None:
    """Return the one token of a request, in its query or as `Authorization: Bearer`; None for none, or more than one."""
    found = _parameters(path).get("token", [])
    for value in headers.get_all("Authorization"):
        scheme, _, credentials = value.strip().partition(" ")
        if scheme.lower() == "bearer":
            found.append(credentials.strip())
    return found[0] if len(found) == 1 else None


def asks_for_version_3(path: str) -> bool:
    """Return whether a client asks to be told of events as version 3's page reads them: `?version=3`."""
    return _parameters(path).get("version") == ["3"]


def _parameters(path: str) -> dict[str, list[str]]:
    """Return a path's parameters; none where there are too many."""
    try:
        return parse_qs(path.partition("?")[2], max_num_fields=_MOST_PARAMETERS)
    except ValueError:
        return {}


def _name_in(host: str) -> str:
    """Return the name of a Host, without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


def origin_of(url: str) -> str:
    """Return what a browser sends as Origin of the page at a `server.public_url`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def allowed_hosts(host: str, public_url: str | None = None) -> frozenset[str]:
    """Return the names for a server that listens on `host`; for a wildcard, every address of this machine."""
    names: set[str] = set(LOOPBACK_HOSTS)
    if public_url is not None:
        names.add(_name_in(origin_of(public_url).partition("://")[2]))
    if host in WILDCARDS:
        names.add(socket.gethostname().lower())
        names.update(_bracketed(address) for address in _own_addresses())
    else:
        names.add(_bracketed(host.lower()))
    return frozenset(names)


def is_loopback(address: str) -> bool:
    """Return whether `address`, a number or localhost, is this machine's own."""
    if address == "localhost":
        return True
    try:
        number = ipaddress.ip_address(address.strip("[]").partition("%")[0])
    except ValueError:
        return False
    mapped = number.ipv4_mapped if isinstance(number, ipaddress.IPv6Address) else None
    return (mapped or number).is_loopback


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def _own_addresses() -> Iterable[str]:
    families = (socket.AF_INET, socket.AF_INET6)
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            if address.family in families:
                yield address.address.partition("%")[0].lower()
