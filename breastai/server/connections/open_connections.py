"""Every open connection, also those that have not said yet what they want: how many there may be of either."""

import time

from websockets.asyncio.server import ServerConnection

from breastai.server.logs.server_log import LOG

# Beside the clients: page files under way, and those that are being refused.
MOST_OPEN = 800
# Of those that have not asked for anything yet, the oldest goes when one more comes: not one that has just come, as all
# do when a server is back, and whose request this server has not read yet.
MOST_SILENT = 128
_JUST_COME_S = 2.0


class OpenConnections:
    """The connections of one server, over all its sockets."""

    def __init__(self) -> None:
        self._open: set[ServerConnection] = set()
        self._silent: dict[ServerConnection, float] = {}  # when it came

    def __len__(self) -> int:
        return len(self._open)

    @property
    def silent(self) -> int:
        return len(self._silent)

    def enter(self, connection: ServerConnection) -> None:
        """Count a connection that was opened; end the oldest silent one, or this one, when there are too many."""
        if len(self._open) >= MOST_OPEN and not self._end_oldest_silent():
            LOG.warning("a connection was ended: %d are open", len(self._open))
            connection.transport.abort()
            return
        self._open.add(connection)
        now = time.monotonic()
        self._silent[connection] = now
        if len(self._silent) > MOST_SILENT and now - next(iter(self._silent.values())) > _JUST_COME_S:
            self._end_oldest_silent()

    def _end_oldest_silent(self) -> bool:
        """End the connection that has been silent for longest; return whether there was one."""
        if not self._silent:
            return False
        oldest = next(iter(self._silent))
        del self._silent[oldest]
        self._open.discard(oldest)
        oldest.transport.abort()
        return True

    def note_request(self, connection: ServerConnection) -> None:
        """The connection has said what it wants."""
        self._silent.pop(connection, None)

    def leave(self, connection: ServerConnection) -> None:
        self._silent.pop(connection, None)
        self._open.discard(connection)
