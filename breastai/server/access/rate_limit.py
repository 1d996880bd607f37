"""How often each peer was refused lately: who guesses is not listened to, and who knocks without end fills no log."""

import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable

from breastai.server.access.connection_rules import is_loopback

WINDOW_S = 60.0
MOST_IN_A_WINDOW = 20
_MOST_PEERS = 1000


class RateLimit:
    """Counts of refusals by peer, in windows of a minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def note(self, peer: str) -> int:
        """Count a refusal of the address `peer`; return which one of its window it is, from 1."""
        key = _network(peer)
        began, count = self._window(key)
        self._windows[key] = (began, count + 1)
        self._windows.move_to_end(key)
        while len(self._windows) > _MOST_PEERS:
            self._windows.popitem(last=False)
        return count + 1

    def locks_out(self, peer: str) -> bool:
        """Return whether `peer` was refused so often that it is not even looked at.

        Never this machine itself: any page open in the owner's browser could lock the owner out that way, and a token
        of 256 bits is not guessed.
        """
        return not is_loopback(peer) and self._window(_network(peer))[1] >= MOST_IN_A_WINDOW

    def _window(self, key: str) -> tuple[float, int]:
        began, count = self._windows.get(key, (self._clock(), 0))
        return (self._clock(), 0) if self._clock() - began >= WINDOW_S else (began, count)


def _network(peer: str) -> str:
    """Return what counts as one peer: an IPv4 address, and of IPv6 the network that one household is given."""
    try:
        number = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(number, ipaddress.IPv6Address) and not number.is_loopback:
        return (
            str(ipaddress.ip_network((number, 64), strict=False))
            if number.ipv4_mapped is None
            else str(number.ipv4_mapped)
        )
    return str(number)
