"""Whether a request is let in, by the rule of its door, and how the logs hear of those that are not."""

import http
from dataclasses import dataclass

from websockets.datastructures import Headers

from breastai.server.access.connection_rules import Access
from breastai.server.access.rate_limit import MOST_IN_A_WINDOW, WINDOW_S, RateLimit
from breastai.server.logs.audit_log import tell
from breastai.server.logs.server_log import LOG


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let in, and what its sender is told. No reason holds a token."""

    status: http.HTTPStatus
    text: str
    retry_after_s: int | None = None


class Admission:
    """One for each door; the counts of refusals are those of the whole server."""

    def __init__(self, access: Access, refusals: RateLimit) -> None:
        self._access, self._refusals = access, refusals

    def refusal(self, peer: str, headers: Headers, path: str) -> Refusal | None:
        """Return why a request of the address `peer` is refused, told to the logs; None when it may pass."""
        if self._refusals.locks_out(peer):
            return Refusal(http.HTTPStatus.TOO_MANY_REQUESTS, "Refused too often. Wait.\n", int(WINDOW_S))
        reason = self._access.refusal(headers, path)
        if reason is None:
            return None
        self.note(peer, reason)
        return Refusal(http.HTTPStatus.FORBIDDEN, f"Refused: {reason}.\n")

    def note(self, peer: str, reason: str) -> None:
        """Tell the logs of a refusal, unless `peer` has filled its share of them."""
        count = self._refusals.note(peer)
        if count > MOST_IN_A_WINDOW:
            return
        last = count == MOST_IN_A_WINDOW
        more = f"; further ones within {WINDOW_S:g} s are not written" if last else ""
        LOG.warning("refused %s: %s%s", peer, reason, more)
        tell("refused", peer, reason=f"{reason}{more}")
